#include "spool/writer.h"

#include "base/clock.h"
#include "base/require.h"

#include <errno.h>
#include <stdlib.h>

/* Numbers rise with the clock, so that they do so over a spool that was emptied, too. */
static uint64_t number_next(uint64_t last)
{
    int64_t now = clock_now();
    return now > 0 && (uint64_t)now > last ? (uint64_t)now : last + 1;
}

static int segment_start(struct writer *w, uint64_t need, struct err *e)
{
    uint64_t number = number_next(w->last_number);
    int rc = segment_create(w->s, w->lane, number, w->payload_seed, need, &w->segment, e);
    if (rc == 0)
        w->last_number = number;
    return rc;
}

int writer_open(struct writer *w, const struct spool *s, unsigned lane, struct err *e)
{
    *w = (struct writer){.s = s, .lane = lane, .segment = {.fd = -1}};
    struct id random = id_random();
    memcpy(&w->payload_seed, random.b, sizeof(w->payload_seed));
    uint64_t *numbers;
    size_t n;
    int rc = journal_segments(s, lane, &numbers, &n, e);
    if (rc < 0)
        return rc;
    w->last_number = n ? numbers[n - 1] : 0;
    free(numbers);
    if (w->last_number >= INT64_MAX)
        return err_set(e, -EIO, "lane %u of %s has used up its segment numbers", lane,
                       s->directory);
    /* On a full disk a lane begins without one: it refuses mail until there is room. */
    rc = segment_start(w, 0, e);
    return rc == -ENOSPC ? 0 : rc;
}

/* Writes entries of g from index i on, as many as the segment takes. Returns the index behind them
 * and sets their results. */
static size_t part_commit(struct writer *w, struct group *g, size_t i, size_t at)
{
    struct segment *segment = &w->segment;
    size_t first = i, bytes = 0;
    for (; i < g->n && segment->end + bytes + g->entries[i].bytes <= w->s->segment_bytes; i++) {
        record_head_seal(g->frames.p + at + bytes, segment->head_seed, segment->end + bytes);
        bytes += g->entries[i].bytes;
    }
    REQUIRE(i > first);
    int rc = segment_write(w->s, segment, g->frames.p + at, bytes);
    if (rc < 0)
        segment_seal(w->s, w->lane, segment);
    for (size_t k = first; k < i; k++)
        g->entries[k].result = rc;
    return i;
}

int writer_commit(struct writer *w, struct group *g)
{
    int rc = 0;
    for (size_t i = 0, at = 0; i < g->n;) {
        if (w->segment.fd >= 0 && w->segment.end + g->entries[i].bytes > w->s->segment_bytes)
            segment_seal(w->s, w->lane, &w->segment);
        /* Once the disk is full, or no file can be made, the rest of the group would meet it too.
         */
        if (w->segment.fd < 0 && rc != -ENOSPC)
            rc = segment_start(w, g->entries[i].bytes, NULL);
        if (w->segment.fd < 0) {
            for (; i < g->n; i++)
                g->entries[i].result = rc;
            break;
        }
        size_t end = part_commit(w, g, i, at);
        rc = g->entries[i].result;
        for (; i < end; i++)
            at += g->entries[i].bytes;
    }
    return rc;
}

void writer_close(struct writer *w)
{
    if (w->segment.fd >= 0)
        segment_seal(w->s, w->lane, &w->segment);
}
