/* stream.h - one TCP connection of one thread's event loop: bytes in by callback, bytes out queued
 * up to a bound. The only file that sees a connection's libuv handle; knows nothing of SMTP.
 *
 * All functions are called on the thread that runs the loop. */
#ifndef RECEIVER_STREAM_H
#define RECEIVER_STREAM_H

#include "base/str.h"

#include <netinet/in.h>

struct stream;
struct uv_loop_s;
struct uv_stream_s;

enum {
    STREAM_READ_MAX = 64 * 1024, /* most bytes of one call of bytes() */
    STREAM_OUT_MAX = 64 * 1024,  /* written, and not taken by the socket */
};

/* What the owner does; after stream_close only closed() is called. Each may close the stream. */
struct stream_calls {
    /* How much may be read now, at most STREAM_READ_MAX; 0: nothing is read, and full() follows. */
    size_t (*room)(void *ctx);
    void (*full)(void *ctx);
    /* Valid during the call. */
    void (*bytes)(void *ctx, struct str bytes);
    /* The peer sends no more; reading has stopped. */
    void (*end)(void *ctx);
    /* The socket has taken all that had to wait. */
    void (*sent)(void *ctx);
    /* The connection is of no use any more: to be closed. */
    void (*broken)(void *ctx);
    /* No call comes behind it: stream_free. */
    void (*closed)(void *ctx);
};

/* Takes one waiting connection of a listening stream. room is what is read into, STREAM_READ_MAX
 * bytes, shared by the streams of a thread. calls, room and loop outlive the stream. -ENOMEM: the
 * connection still waits. Else a stream that has to be closed; *ret_good says whether it can be
 * used. */
int stream_accept(struct uv_loop_s *loop, struct uv_stream_s *server,
                  const struct stream_calls *calls, void *ctx, char *room, struct stream **ret,
                  bool *ret_good);
void stream_free(struct stream *s);

/* The peer's address; IPv4 as IPv4, also on a socket for both (network.h). */
bool stream_peer(const struct stream *s, struct sockaddr_storage *ret);

/* Bytes of the peer wait to be read. */
bool stream_has_input(const struct stream *s);

/* Reads from now on, or no more. */
void stream_read(struct stream *s, bool wanted);

/* Bytes are copied where they have to wait. A negative result says that the stream has to be
 * closed: -ENOBUFS (the peer does not read), -ENOMEM, or the socket's error. */
int stream_write(struct stream *s, struct str bytes);
/* Something waits for the socket; sent() will be called. */
bool stream_is_sending(const struct stream *s);

/* No bytes follow; the peer sees the end. Negative: has to be closed. */
int stream_shutdown(struct stream *s);

/* Once, and then closed() is called. */
void stream_close(struct stream *s);

#endif
