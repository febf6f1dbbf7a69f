#include "receiver/stream.h"

#include "base/buf.h"
#include "receiver/network.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

struct stream {
    uv_tcp_t tcp;
    const struct stream_calls *calls;
    void *ctx;
    char *room;
    struct buf out;     /* what the socket did not take, behind those in sending */
    struct buf sending; /* in the hands of write */
    uv_write_t write;
    uv_shutdown_t shutdown;
    bool reading;
    bool is_sending;
    bool closing;
};

/* ---- life ---- */

int stream_accept(uv_loop_t *loop, uv_stream_t *server, const struct stream_calls *calls, void *ctx,
                  char *room, struct stream **ret, bool *ret_good)
{
    struct stream *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    if (uv_tcp_init(loop, &s->tcp) < 0) {
        free(s);
        return -ENOMEM;
    }
    s->calls = calls;
    s->ctx = ctx;
    s->room = room;
    s->tcp.data = s;
    buf_init(&s->out, STREAM_OUT_MAX);
    *ret = s;
    *ret_good = uv_accept(server, (uv_stream_t *)&s->tcp) == 0;
    return 0;
}

bool stream_peer(const struct stream *s, struct sockaddr_storage *ret)
{
    int n = sizeof(*ret);
    *ret = (struct sockaddr_storage){0};
    bool good = uv_tcp_getpeername(&s->tcp, (struct sockaddr *)ret, &n) == 0;
    network_unmap(ret);
    return good;
}

bool stream_has_input(const struct stream *s)
{
    char byte;
    uv_os_fd_t fd;
    return uv_fileno((const uv_handle_t *)&s->tcp, &fd) == 0 &&
           recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    s->calls->closed(s->ctx);
}

void stream_close(struct stream *s)
{
    if (s->closing)
        return;
    s->closing = true;
    s->reading = false;
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    buf_free(&s->out);
    buf_free(&s->sending);
    free(s);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct stream *s = handle->data;
    /* No room makes libuv call on_read with UV_ENOBUFS, nothing read. */
    *ret = uv_buf_init(s->room, (unsigned)s->calls->room(s->ctx));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = stream->data;
    if (s->closing || n == 0)
        return;
    if (n == UV_ENOBUFS) {
        s->calls->full(s->ctx);
    } else if (n == UV_EOF) {
        s->reading = false; /* libuv reads no more by itself */
        s->calls->end(s->ctx);
    } else if (n < 0) {
        s->calls->broken(s->ctx);
    } else {
        s->calls->bytes(s->ctx, str_of(buf->base, (size_t)n));
    }
}

void stream_read(struct stream *s, bool wanted)
{
    if (wanted == s->reading || s->closing)
        return;
    s->reading = wanted;
    if (!wanted)
        uv_read_stop((uv_stream_t *)&s->tcp);
    else if (uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read) < 0)
        s->calls->broken(s->ctx);
}

/* ---- writing ---- */

static int send_out(struct stream *s);

static void on_written(uv_write_t *request, int status)
{
    struct stream *s = request->data;
    s->is_sending = false;
    buf_free(&s->sending);
    if (s->closing)
        return;
    if (status < 0 || (s->out.n > 0 && send_out(s) < 0))
        s->calls->broken(s->ctx);
    else if (!s->is_sending)
        s->calls->sent(s->ctx);
}

/* Hands out to libuv. */
static int send_out(struct stream *s)
{
    s->sending = s->out;
    buf_init(&s->out, STREAM_OUT_MAX);
    s->is_sending = true;
    s->write.data = s;
    uv_buf_t bytes = uv_buf_init(s->sending.p, (unsigned)s->sending.n);
    int rc = uv_write(&s->write, (uv_stream_t *)&s->tcp, &bytes, 1, on_written);
    if (rc < 0) {
        s->is_sending = false;
        buf_free(&s->sending);
    }
    return rc;
}

int stream_write(struct stream *s, struct str bytes)
{
    if (bytes.n > 0 && !s->is_sending) {
        /* libuv takes no pointer to const, and does not write to it. */
        uv_buf_t one = uv_buf_init(NULL, (unsigned)bytes.n);
        memcpy(&one.base, &bytes.p, sizeof(one.base));
        int n = uv_try_write((uv_stream_t *)&s->tcp, &one, 1);
        if (n < 0 && n != UV_EAGAIN)
            return n;
        bytes = str_from(bytes, n > 0 ? (size_t)n : 0);
    }
    if (bytes.n == 0)
        return 0;
    int rc = buf_add(&s->out, bytes);
    return rc < 0 || s->is_sending ? rc : send_out(s);
}

bool stream_is_sending(const struct stream *s)
{
    return s->is_sending;
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status; /* when it failed, reading ends with an error, or the owner's time does */
}

int stream_shutdown(struct stream *s)
{
    return uv_shutdown(&s->shutdown, (uv_stream_t *)&s->tcp, on_shutdown);
}
