/* window.h - the bytes of a segment that a reader may look at, read a piece at a time. Private to
 * spool/. Nothing at or behind the limit is ever looked at: it may not be synced. */
#ifndef SPOOL_WINDOW_H
#define SPOOL_WINDOW_H

#include "spool/record.h"
#include "spool/segment.h"

struct window {
    const struct segment *segment;
    unsigned lane;  /* for errors */
    uint64_t limit; /* bytes before it may be read */
    char *buffer;   /* bytes of the segment at buffer_at, all before the limit */
    uint64_t buffer_at;
    size_t buffer_n;
};

/* segment is the owner's and may become another's, after which window_reset is due. -ENOMEM. */
int window_init(struct window *w, const struct segment *segment, unsigned lane);
void window_free(struct window *w);

/* The segment is another; its limit is this. */
void window_reset(struct window *w, uint64_t limit);

/* All below fail with -EIO, or as said. */

/* 1: *ret is the head at offset; 0: there is none. */
int window_head(struct window *w, uint64_t offset, struct record_head *ret, struct err *e);

/* The first offset from from on where a head stands; the limit when there is none. */
int window_search(struct window *w, uint64_t from, uint64_t *ret, struct err *e);

/* Whether all from from to the limit is zero. */
int window_zero(struct window *w, uint64_t from, bool *ret, struct err *e);

/* The payload behind the head at offset, all of it before the limit, copied into a. 1; 0: not what
 * its checksum says; -ENOMEM. */
int window_payload(struct window *w, uint64_t offset, const struct record_head *head,
                   struct arena *a, struct str *ret, struct err *e);

#endif
