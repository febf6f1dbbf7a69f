#include "receiver/tls.h"

#include "base/clock.h"
#include "base/require.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A ticket is good for TICKET_LIFE; its key makes tickets for KEY_LIFE and reads them as long
 * again, so that who steals a key can't read what was sent the day before. */
enum { TICKET_LIFE = 2 * 3600, KEYS = 2 };
static const int64_t KEY_LIFE = INT64_C(6) * 3600 * CLOCK_SECOND;

struct ticket_key {
    unsigned char name[16], aes[32], mac[32];
};

struct tls_context {
    _Atomic unsigned references;
    BIO_METHOD *bio;
    pthread_mutex_t lock;
    struct ticket_key keys[KEYS]; /* [0] makes tickets */
    int64_t key_made;             /* 0: none yet */
    size_t n;
    SSL_CTX *list[];
};

enum phase { HANDSHAKE, OPEN, ENDED, FAILED };

struct tls {
    struct tls_context *context;
    SSL *ssl;
    struct str in;  /* what the BIO reads from during tls_push */
    struct buf out; /* what it has written */
    enum phase phase;
    size_t handshake_bytes;
};

/* ---- tickets ---- */

static bool keys_rotate(struct tls_context *c, int64_t time)
{
    if (c->key_made != 0 && time - c->key_made < KEY_LIFE)
        return true;
    struct ticket_key fresh;
    if (RAND_bytes((unsigned char *)&fresh, sizeof(fresh)) != 1)
        return false;
    /* After a long pause the old key is too old as well. */
    c->keys[1] = c->key_made != 0 && time - c->key_made < 2 * KEY_LIFE ? c->keys[0] : fresh;
    c->keys[0] = fresh;
    c->key_made = time;
    OPENSSL_cleanse(&fresh, sizeof(fresh));
    return true;
}

/* The key of a ticket's name, or that for a new one. Its number, or -1. */
static int key_find(struct tls_context *c, const unsigned char *name, struct ticket_key *ret)
{
    int found = -1;
    pthread_mutex_lock(&c->lock);
    if (keys_rotate(c, clock_monotonic())) {
        for (int i = 0; i < KEYS && found < 0; i++)
            if (!name || CRYPTO_memcmp(name, c->keys[i].name, sizeof(c->keys[i].name)) == 0)
                found = i;
        if (found >= 0)
            *ret = c->keys[found];
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 good, 2 good and to be made anew, 0 a full handshake.
 */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int make)
{
    struct tls *t = SSL_get_app_data(ssl);
    struct ticket_key key;
    int i = key_find(t->context, make ? NULL : name, &key);
    if (i < 0)
        return 0;
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac, sizeof(key.mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
    int good = EVP_MAC_CTX_set_params(mac, parameters);
    if (good && make) {
        memcpy(name, key.name, sizeof(key.name));
        good = RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 &&
               EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.aes, iv) == 1;
    } else if (good) {
        good = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.aes, iv) == 1;
    }
    OPENSSL_cleanse(&key, sizeof(key));
    return !good ? -1 : i == 0 ? 1 : 2;
}

/* ---- certificates and keys ---- */

/* What OpenSSL says is wrong with a file. */
static int file_error(struct err *e, const char *what, const char *path)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = ERR_reason_error_string(code);
    return err_set(e, -EINVAL, "%s %s: %s", what, path, why ? why : "expected PEM");
}

static int file_look(const char *what, const char *path, struct stat *ret, struct err *e)
{
    FILE *f = fopen(path, "re"); /* also says whether it may be read */
    if (!f)
        return err_sys(e, -errno, "%s %s", what, path);
    int rc = fstat(fileno(f), ret) < 0 ? -errno : 0;
    fclose(f);
    if (rc < 0)
        return err_sys(e, rc, "%s %s", what, path);
    if (!S_ISREG(ret->st_mode))
        return err_set(e, -EINVAL, "%s %s: expected a regular file", what, path);
    return 0;
}

/* A key with a passphrase must not ask for it on some terminal. */
static int on_passphrase(char *room, int n, int writing, void *ctx)
{
    (void)room;
    (void)n;
    (void)writing;
    (void)ctx;
    return 0;
}

static int pair_load(SSL_CTX *ctx, const struct tls_pair *pair, struct err *e)
{
    struct stat st = {0};
    int rc = file_look("certificate", pair->certificate, &st, e);
    if (rc == 0)
        rc = file_look("key", pair->key, &st, e);
    if (rc < 0)
        return rc;
    mode_t allowed = st.st_uid == 0 ? 0740 : 0700;
    if (st.st_mode & 0777 & ~allowed)
        return err_set(e, -EPERM, "key %s: its mode is %04o, which lets others at it; expected %s",
                       pair->key, (unsigned)(st.st_mode & 07777),
                       st.st_uid == 0 ? "0640 or 0600" : "0600");
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, pair->certificate) != 1)
        return file_error(e, "certificate", pair->certificate);
    if (SSL_CTX_use_PrivateKey_file(ctx, pair->key, SSL_FILETYPE_PEM) != 1) {
        unsigned long code = ERR_peek_last_error();
        if (ERR_GET_LIB(code) == ERR_LIB_X509 &&
            (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
             ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH))
            return err_set(e, -EINVAL, "key %s does not belong to certificate %s", pair->key,
                           pair->certificate);
        return file_error(e, "key", pair->key);
    }
    if (SSL_CTX_check_private_key(ctx) != 1)
        return err_set(e, -EINVAL, "key %s does not belong to certificate %s", pair->key,
                       pair->certificate);
    return 0;
}

/* RFC 6066 section 3. The session goes on with the chosen context's certificate. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    const struct tls_context *c = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    for (size_t i = 0; name && i < c->n; i++) {
        if (X509_check_host(SSL_CTX_get0_certificate(c->list[i]), name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, c->list[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *ctx_new(struct tls_context *c)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets need none */
    SSL_CTX_set_timeout(ctx, TICKET_LIFE);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, c);
    if (SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1 ||
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        /* CBC suites are for the TLS 1.2 of old mail servers: else they would send in clear. */
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL") != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

/* ---- bytes in and out of OpenSSL: no copy is kept of what was read ---- */

static int bio_read(BIO *bio, char *p, int n)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (t->in.n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t take = t->in.n < (size_t)n ? t->in.n : (size_t)n;
    memcpy(p, t->in.p, take);
    t->in = str_from(t->in, take);
    return (int)take;
}

static int bio_write(BIO *bio, const char *p, int n)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    return buf_add(&t->out, str_of(p, (size_t)n)) < 0 ? -1 : n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "bytes");
    if (m && BIO_meth_set_read(m, bio_read) == 1 && BIO_meth_set_write(m, bio_write) == 1 &&
        BIO_meth_set_ctrl(m, bio_ctrl) == 1)
        return m;
    BIO_meth_free(m);
    return NULL;
}

int tls_context_new(const struct tls_pair *pairs, size_t n, struct tls_context **ret, struct err *e)
{
    REQUIRE(n > 0);
    struct tls_context *c = calloc(1, sizeof(*c) + n * sizeof(void *));
    if (!c)
        return err_sys(e, -ENOMEM, "certificates");
    atomic_store(&c->references, 1);
    pthread_mutex_init(&c->lock, NULL); /* cannot fail for a plain one */
    c->bio = bio_method_new();
    int rc = c->bio ? 0 : err_sys(e, -ENOMEM, "certificates");
    for (; rc == 0 && c->n < n; c->n++) {
        c->list[c->n] = ctx_new(c);
        if (!c->list[c->n]) {
            rc = file_error(e, "TLS for certificate", pairs[c->n].certificate);
            break;
        }
        rc = pair_load(c->list[c->n], &pairs[c->n], e);
    }
    ERR_clear_error();
    if (rc < 0)
        tls_context_unref(c);
    else
        *ret = c;
    return rc;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    if (c)
        atomic_fetch_add(&c->references, 1);
    return c;
}

void tls_context_unref(struct tls_context *c)
{
    if (!c || atomic_fetch_sub(&c->references, 1) > 1)
        return;
    for (size_t i = 0; i < c->n; i++)
        SSL_CTX_free(c->list[i]);
    BIO_meth_free(c->bio);
    pthread_mutex_destroy(&c->lock);
    OPENSSL_cleanse(c->keys, sizeof(c->keys));
    free(c);
}

/* ---- one connection ---- */

struct tls *tls_new(struct tls_context *c)
{
    struct tls *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    ERR_clear_error();
    buf_init(&t->out, TLS_OUTPUT_MAX);
    t->context = tls_context_ref(c);
    t->ssl = SSL_new(c->list[0]);
    BIO *bio = t->ssl ? BIO_new(c->bio) : NULL;
    if (!bio) {
        tls_free(t);
        return NULL;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    buf_free(&t->out);
    tls_context_unref(t->context);
    free(t);
}

/* Reads until OpenSSL has used all input. */
static int read_all(struct tls *t, struct buf *plain)
{
    for (;;) {
        size_t n = 0;
        int rc = buf_reserve(plain, TLS_RECORD_MAX);
        if (rc < 0)
            return rc;
        ERR_clear_error();
        if (SSL_read_ex(t->ssl, plain->p + plain->n, TLS_RECORD_MAX, &n) == 1) {
            plain->n += n;
            continue;
        }
        int why = SSL_get_error(t->ssl, 0);
        if (why == SSL_ERROR_ZERO_RETURN)
            t->phase = ENDED;
        return why == SSL_ERROR_ZERO_RETURN || why == SSL_ERROR_WANT_READ ? 0 : -EPROTO;
    }
}

static int handshake(struct tls *t)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(t->ssl);
    if (rc == 1) {
        t->phase = OPEN;
        return 0;
    }
    return SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : -EPROTO;
}

int tls_push(struct tls *t, struct str wire, struct buf *plain)
{
    int rc = 0;
    if (t->phase == FAILED)
        return -EPROTO;
    if (t->phase == ENDED)
        return 0; /* nothing may follow: forgotten */
    t->in = wire;
    if (t->phase == HANDSHAKE) {
        t->handshake_bytes += wire.n;
        rc = handshake(t);
        if (rc == 0 && t->phase == HANDSHAKE && t->handshake_bytes > TLS_HANDSHAKE_MAX)
            rc = -EMSGSIZE;
    }
    if (rc == 0 && t->phase == OPEN)
        rc = read_all(t, plain);
    t->in = (struct str){0};
    if (rc < 0)
        t->phase = FAILED;
    ERR_clear_error();
    return rc;
}

bool tls_is_open(const struct tls *t)
{
    return t->phase == OPEN || t->phase == ENDED;
}

bool tls_is_ended(const struct tls *t)
{
    return t->phase == ENDED;
}

int tls_write(struct tls *t, struct str plain)
{
    size_t n;
    REQUIRE(t->phase != HANDSHAKE);
    if (t->phase == FAILED)
        return -EPROTO;
    if (plain.n == 0)
        return 0;
    ERR_clear_error();
    if (SSL_write_ex(t->ssl, plain.p, plain.n, &n) == 1 && n == plain.n)
        return 0;
    t->phase = FAILED;
    ERR_clear_error();
    return -ENOBUFS;
}

void tls_close(struct tls *t)
{
    if (!tls_is_open(t))
        return;
    ERR_clear_error();
    if (SSL_shutdown(t->ssl) < 0)
        t->phase = FAILED;
    ERR_clear_error();
}

struct str tls_output(const struct tls *t)
{
    return buf_str(&t->out);
}

void tls_output_taken(struct tls *t)
{
    buf_free(&t->out);
}

struct str tls_name(const struct tls *t, char room[TLS_NAME_MAX])
{
    int n =
        snprintf(room, TLS_NAME_MAX, "%s %s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl));
    return str_of(room, n < TLS_NAME_MAX ? (size_t)n : TLS_NAME_MAX - 1);
}

bool tls_is_resumed(const struct tls *t)
{
    return SSL_session_reused(t->ssl) == 1;
}
