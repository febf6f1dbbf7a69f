#include "spool/window.h"

#include "base/require.h"
#include "spool/io.h"

#include <errno.h>
#include <stdlib.h>

enum { BUFFER = 1 << 20 };

int window_init(struct window *w, const struct segment *segment, unsigned lane)
{
    *w = (struct window){.segment = segment, .lane = lane, .buffer = malloc(BUFFER)};
    return w->buffer ? 0 : -ENOMEM;
}

void window_free(struct window *w)
{
    free(w->buffer);
    w->buffer = NULL;
}

void window_reset(struct window *w, uint64_t limit)
{
    w->limit = limit;
    w->buffer_n = 0;
}

/* *ret: at least want bytes (at most BUFFER) at offset, of which all stand before the limit. */
static int peek(struct window *w, uint64_t offset, size_t want, struct str *ret, struct err *e)
{
    REQUIRE(want <= BUFFER && offset + want <= w->limit);
    uint64_t end = w->buffer_at + w->buffer_n;
    if (offset < w->buffer_at || offset + want > end) {
        size_t n = w->limit - offset > BUFFER ? BUFFER : (size_t)(w->limit - offset);
        w->buffer_n = 0;
        ssize_t got = io_read(w->segment->fd, w->buffer, n, offset);
        if (got < 0 || (size_t)got < want)
            return err_set(e, -EIO, "read segment %llu of lane %u at %llu: %s",
                           (unsigned long long)w->segment->number, w->lane,
                           (unsigned long long)offset,
                           got < 0 ? "the disk failed" : "it is shorter than its writer says");
        w->buffer_at = offset;
        w->buffer_n = (size_t)got;
        end = offset + w->buffer_n;
    }
    *ret = str_of(w->buffer + (offset - w->buffer_at), (size_t)(end - offset));
    return 0;
}

int window_head(struct window *w, uint64_t offset, struct record_head *ret, struct err *e)
{
    if (w->limit - offset < RECORD_HEAD)
        return 0;
    struct str bytes;
    int rc = peek(w, offset, RECORD_HEAD, &bytes, e);
    if (rc < 0)
        return rc;
    return record_head_get(bytes.p, w->segment->head_seed, offset, ret);
}

int window_search(struct window *w, uint64_t from, uint64_t *ret, struct err *e)
{
    uint64_t at = from;
    while (at < w->limit && w->limit - at >= RECORD_HEAD) {
        struct str bytes;
        int rc = peek(w, at, RECORD_HEAD, &bytes, e);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i + RECORD_HEAD <= bytes.n; i += RECORD_ALIGN, at += RECORD_ALIGN) {
            struct record_head head;
            if (record_magic_at(bytes.p + i) &&
                record_head_get(bytes.p + i, w->segment->head_seed, at, &head)) {
                *ret = at;
                return 0;
            }
        }
    }
    *ret = w->limit;
    return 0;
}

int window_zero(struct window *w, uint64_t from, bool *ret, struct err *e)
{
    bool zero = true;
    for (uint64_t at = from; at < w->limit && zero;) {
        struct str bytes;
        int rc = peek(w, at, 1, &bytes, e);
        if (rc < 0)
            return rc;
        zero = bytes.p[0] == 0 && memcmp(bytes.p, bytes.p + 1, bytes.n - 1) == 0;
        at += bytes.n;
    }
    *ret = zero;
    return 0;
}

int window_payload(struct window *w, uint64_t offset, const struct record_head *head,
                   struct arena *a, struct str *ret, struct err *e)
{
    uint64_t from = offset + RECORD_HEAD;
    char *copy = arena_alloc(a, head->payload);
    if (!copy)
        return err_set(e, -ENOMEM, "read a record of %u bytes: no memory", head->payload);
    if (head->payload <= BUFFER / 4) {
        struct str bytes;
        int rc = peek(w, from, head->payload, &bytes, e);
        if (rc < 0)
            return rc;
        memcpy(copy, bytes.p, head->payload);
    } else if (io_read(w->segment->fd, copy, head->payload, from) != (ssize_t)head->payload) {
        return err_set(e, -EIO, "read segment %llu of lane %u at %llu",
                       (unsigned long long)w->segment->number, w->lane, (unsigned long long)from);
    }
    *ret = str_of(copy, head->payload);
    return record_checksum(w->segment->payload_seed, *ret, STR("")) == head->checksum;
}
