/* wire.h - one client connection of a load program: bytes out and in, plain or inside TLS, never
 * blocking once it is open. The only file of the benchmarks that sees OpenSSL. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct wire {
    int fd;           /* -1: closed */
    void *ssl;        /* NULL: plain */
    bool wants_write; /* the last call waits for room in the socket, not for bytes */
};

/* Connects from source (NULL: any); 0, or -1 with errno. */
int wire_open(struct wire *w, const struct sockaddr *to, const struct sockaddr *source,
              socklen_t n);
void wire_close(struct wire *w);

/* TLS from here on. resume: with the first session that any connection was given. */
void wire_secure(struct wire *w, bool resume);
/* 1: done; 0: again when the socket is ready; -1: failed, told on standard error. */
int wire_handshake(struct wire *w);
bool wire_is_resumed(const struct wire *w);

/* Octets moved; 0: again when the socket is ready; -1: the connection has ended or broken. */
ssize_t wire_send(struct wire *w, const char *p, size_t n);
ssize_t wire_receive(struct wire *w, char *p, size_t n);

#endif
