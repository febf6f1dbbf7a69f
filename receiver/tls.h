/* tls.h - TLS as a filter over bytes: wire bytes in, plaintext and wire bytes out. No socket, no
 * wait; the only file that sees OpenSSL.
 *
 *   rc = tls_push(t, wire, &plain);      also when rc < 0:
 *   send tls_output(t); tls_output_taken(t);          the peer may be told why
 *
 * TLS 1.2 and 1.3 (RFC 8996, 9325), key exchange with forward secrecy only, no renegotiation, no
 * compression, no early data. Client certificates are not asked for: anybody may send mail. */
#ifndef RECEIVER_TLS_H
#define RECEIVER_TLS_H

#include "base/buf.h"
#include "base/err.h"

struct tls_context;
struct tls;

enum {
    TLS_RECORD_MAX = 16 * 1024,    /* plaintext of one record */
    TLS_HANDSHAKE_MAX = 64 * 1024, /* octets of a peer before the handshake is done */
    TLS_OUTPUT_MAX = 64 * 1024,    /* not taken yet */
    TLS_NAME_MAX = 80,
};

/* ---- certificates and keys: shared by all threads, never changed ---- */

/* Files in PEM: the certificate with the chain behind it, and its key. */
struct tls_pair {
    const char *certificate;
    const char *key;
};

/* A client that names a host (SNI) gets the first pair whose certificate is for it, any other
 * client the first pair. A key that others may read is refused: of mode 0600, or 0640 when root
 * owns it. -ENOENT, -EACCES, -EINVAL ... with the file's name in *e. The files are not needed
 * later. */
int tls_context_new(const struct tls_pair *pairs, size_t n, struct tls_context **ret,
                    struct err *e);
/* Counted, any thread; the last unref frees it. NULL is fine. */
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);

/* ---- one connection ---- */

/* The server's side. Keeps a reference on c. NULL: no memory. */
struct tls *tls_new(struct tls_context *c);
void tls_free(struct tls *t);

/* Takes all of wire. What it decrypts to is added to plain, at most wire.n + TLS_RECORD_MAX bytes;
 * its maximum has to allow for one TLS_RECORD_MAX more. -EPROTO: not TLS, or not any that we speak;
 * -EMSGSIZE: a handshake without an end; -ENOBUFS: the peer makes us answer more than
 * TLS_OUTPUT_MAX; -ENOMEM. Behind a failure nothing can be read or written. */
int tls_push(struct tls *t, struct str wire, struct buf *plain);

/* The handshake is done; before, nothing can be written. */
bool tls_is_open(const struct tls *t);
/* The peer has said that nothing follows. */
bool tls_is_ended(const struct tls *t);

/* Encrypts. -ENOBUFS, -ENOMEM, -EPROTO. */
int tls_write(struct tls *t, struct str plain);
/* Says that nothing follows (close_notify), when there is an open connection to say it on. */
void tls_close(struct tls *t);

/* Bytes for the wire, until the next call. */
struct str tls_output(const struct tls *t);
/* They were sent: gives their memory back. */
void tls_output_taken(struct tls *t);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384"; written to room, cut to it. */
struct str tls_name(const struct tls *t, char room[TLS_NAME_MAX]);
/* The handshake went on from an earlier session. */
bool tls_is_resumed(const struct tls *t);

#endif
