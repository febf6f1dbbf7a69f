#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static SSL_CTX *context;
static SSL_SESSION *session; /* the first that the server gave us */

static int on_session(SSL *ssl, SSL_SESSION *fresh)
{
    (void)ssl;
    if (session)
        return 0; /* OpenSSL frees it */
    session = fresh;
    return 1;
}

/* Certificates are not looked at: what is measured is the server. */
static void context_make(void)
{
    context = SSL_CTX_new(TLS_client_method());
    if (!context) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
}

int wire_open(struct wire *w, const struct sockaddr *to, const struct sockaddr *source, socklen_t n)
{
    int one = 1, fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if ((source && bind(fd, source, n) < 0) || connect(fd, to, n) < 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    *w = (struct wire){.fd = fd};
    return 0;
}

void wire_close(struct wire *w)
{
    if (w->ssl) {
        ERR_clear_error();
        SSL_shutdown(w->ssl);
        SSL_free(w->ssl);
    }
    if (w->fd >= 0)
        close(w->fd);
    *w = (struct wire){.fd = -1};
}

void wire_secure(struct wire *w, bool resume)
{
    if (!context)
        context_make();
    SSL *ssl = SSL_new(context);
    if (!ssl || SSL_set_fd(ssl, w->fd) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_set_connect_state(ssl);
    if (resume && session) {
        /* OpenSSL marks a session of TLS 1.3 that was used: each connection gets a copy. */
        SSL_SESSION *copy = SSL_SESSION_dup(session);
        SSL_set_session(ssl, copy);
        SSL_SESSION_free(copy);
    }
    w->ssl = ssl;
}

/* 0: to be tried again; -1: no more. */
static int again(struct wire *w, int rc)
{
    int why = SSL_get_error(w->ssl, rc);
    w->wants_write = why == SSL_ERROR_WANT_WRITE;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

int wire_handshake(struct wire *w)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(w->ssl);
    if (rc == 1) {
        w->wants_write = false;
        return 1;
    }
    rc = again(w, rc);
    if (rc < 0)
        ERR_print_errors_fp(stderr);
    return rc;
}

bool wire_is_resumed(const struct wire *w)
{
    return w->ssl && SSL_session_reused(w->ssl) == 1;
}

static ssize_t plain(struct wire *w, ssize_t n, bool writes)
{
    w->wants_write = n < 0 && errno == EAGAIN && writes;
    if (n < 0 && errno == EAGAIN)
        return 0;
    return n > 0 ? n : -1;
}

ssize_t wire_send(struct wire *w, const char *p, size_t n)
{
    if (!w->ssl)
        return plain(w, send(w->fd, p, n, MSG_NOSIGNAL), true);
    ERR_clear_error();
    int rc = SSL_write(w->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
    w->wants_write = false;
    return rc > 0 ? rc : again(w, rc);
}

ssize_t wire_receive(struct wire *w, char *p, size_t n)
{
    if (!w->ssl)
        return plain(w, recv(w->fd, p, n, 0), false);
    ERR_clear_error();
    int rc = SSL_read(w->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
    w->wants_write = false;
    return rc > 0 ? rc : again(w, rc);
}
