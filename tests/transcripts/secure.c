#include "secure.h"

#include "base/require.h"
#include "receiver/tls.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct secure {
    struct tls_context *context;
    struct tls *server;
    SSL_CTX *client_context;
    SSL *client;
    BIO *to_client, *from_client; /* freed with client */
    struct buf wire;
};

static struct tls_context *context_new(void)
{
    char folder[] = "/tmp/bouncemx-secure-XXXXXX", command[400], certificate[64], key[64];
    REQUIRE(mkdtemp(folder));
    snprintf(command, sizeof(command),
             "cd %s && umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
             "-nodes -subj /CN=mx.example -days 2 -keyout key -out certificate 2>log",
             folder);
    REQUIRE(system(command) == 0);
    snprintf(certificate, sizeof(certificate), "%s/certificate", folder);
    snprintf(key, sizeof(key), "%s/key", folder);
    struct tls_context *c = NULL;
    struct err e;
    REQUIRE(tls_context_new(&(struct tls_pair){certificate, key}, 1, &c, &e) == 0);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    REQUIRE(system(command) == 0);
    return c;
}

/* What the server has to say goes to the client. */
static void to_client(struct secure *s)
{
    struct str out = tls_output(s->server);
    if (out.n > 0)
        REQUIRE(BIO_write(s->to_client, out.p, (int)out.n) == (int)out.n);
    tls_output_taken(s->server);
}

struct secure *secure_new(void)
{
    struct secure *s = calloc(1, sizeof(*s));
    REQUIRE(s);
    s->context = context_new();
    s->server = tls_new(s->context);
    s->client_context = SSL_CTX_new(TLS_client_method());
    s->client = SSL_new(s->client_context);
    s->to_client = BIO_new(BIO_s_mem());
    s->from_client = BIO_new(BIO_s_mem());
    REQUIRE(s->server && s->client && s->to_client && s->from_client);
    BIO_set_mem_eof_return(s->to_client, -1);
    SSL_set_bio(s->client, s->to_client, s->from_client);
    SSL_set_connect_state(s->client);
    buf_init(&s->wire, 4 << 20);
    struct buf none;
    buf_init(&none, TLS_RECORD_MAX * 2);
    int done = 0;
    for (int i = 0; i < 5 && !(done == 1 && tls_is_open(s->server)); i++) {
        done = SSL_do_handshake(s->client);
        secure_server_read(s, secure_wire(s), &none);
        to_client(s);
    }
    REQUIRE(done == 1 && tls_is_open(s->server) && none.n == 0);
    buf_free(&none);
    return s;
}

void secure_free(struct secure *s)
{
    SSL_free(s->client);
    SSL_CTX_free(s->client_context);
    tls_free(s->server);
    tls_context_unref(s->context);
    buf_free(&s->wire);
    free(s);
}

void secure_client_write(struct secure *s, struct str bytes)
{
    if (bytes.n > 0)
        REQUIRE(SSL_write(s->client, bytes.p, (int)bytes.n) == (int)bytes.n);
}

struct str secure_wire(struct secure *s)
{
    char room[4096];
    int n;
    buf_clear(&s->wire);
    while ((n = BIO_read(s->from_client, room, sizeof(room))) > 0)
        REQUIRE(buf_add(&s->wire, str_of(room, (size_t)n)) == 0);
    return buf_str(&s->wire);
}

void secure_server_read(struct secure *s, struct str wire, struct buf *plain)
{
    REQUIRE(tls_push(s->server, wire, plain) == 0);
}

void secure_server_write(struct secure *s, struct str bytes, struct buf *plain)
{
    char room[4096];
    size_t n;
    REQUIRE(tls_write(s->server, bytes) == 0);
    to_client(s);
    while (SSL_read_ex(s->client, room, sizeof(room), &n) == 1)
        REQUIRE(buf_add(plain, str_of(room, n)) == 0);
}
