/* secure.h - a TLS client of OpenSSL and receiver/tls.h, joined in memory; the handshake is done.
 */
#ifndef SECURE_H
#define SECURE_H

#include "base/buf.h"

struct secure;

struct secure *secure_new(void);
void secure_free(struct secure *s);

/* The client writes bytes as one record (or several, where they are too long for one). */
void secure_client_write(struct secure *s, struct str bytes);
/* What it has written and the server has not got, as it goes over the wire. Until the next call. */
struct str secure_wire(struct secure *s);
/* The server gets some of that; what it decrypts is added to plain. */
void secure_server_read(struct secure *s, struct str wire, struct buf *plain);
/* The server writes, the client reads: adds to plain. */
void secure_server_write(struct secure *s, struct str bytes, struct buf *plain);

#endif
