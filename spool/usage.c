/* usage.c - how much the spool holds, what of it may go, and what is left to process. */
#include "base/clock.h"
#include "spool/io.h"
#include "spool/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MEASURE_EVERY = 100 * 1000 };

static int lane_measure(const struct spool *s, unsigned lane, uint64_t *bytes, struct err *e)
{
    uint64_t *numbers;
    size_t n;
    int rc = journal_segments(s, lane, &numbers, &n, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        journal_path path;
        struct stat st;
        journal_segment_path(s, lane, numbers[i], path);
        if (lstat(path, &st) == 0)
            *bytes += (uint64_t)st.st_size;
        else if (errno != ENOENT) /* pruned by another process meanwhile */
            rc = err_sys(e, io_code(errno), "look at %s", path);
    }
    free(numbers);
    return rc;
}

int usage_measure(struct spool *s, struct err *e)
{
    unsigned lanes[SPOOL_LANES_MAX];
    size_t n;
    uint64_t bytes = 0;
    int rc = spool_lanes(s, lanes, &n, e);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = lane_measure(s, lanes[i], &bytes, e);
    atomic_store(&s->measured, clock_monotonic());
    if (rc < 0)
        return rc;
    atomic_store(&s->used, bytes + atomic_load(&s->waiting));
    return 0;
}

int usage_refresh(struct spool *s, struct err *e)
{
    if (!s->max_bytes || clock_monotonic() - atomic_load(&s->measured) < MEASURE_EVERY)
        return 0;
    return usage_measure(s, e);
}

bool usage_has_room(const struct spool *s, uint64_t more)
{
    return !s->max_bytes || (more <= s->max_bytes && atomic_load(&s->used) <= s->max_bytes - more);
}

void usage_append(struct spool *s, uint64_t bytes)
{
    atomic_fetch_add(&s->used, bytes);
    atomic_fetch_add(&s->waiting, bytes);
}

void usage_written(struct spool *s, uint64_t bytes)
{
    atomic_fetch_sub(&s->waiting, bytes);
}

/* ---- what is left ---- */

/* Where a segment ends, as far as that is known: an upper bound. */
static int segment_end(const struct spool *s, unsigned lane, uint64_t number, bool written,
                       uint64_t *ret, struct err *e)
{
    struct segment g;
    int rc = segment_open(s, lane, number, &g, e);
    if (rc == -ENODATA || rc == -ENOENT) {
        *ret = SEGMENT_HEADER;
        return 0;
    }
    if (rc == -EBADMSG) {
        /* The reader will keep it aside whole; until then it counts. */
        journal_path path;
        struct stat st;
        journal_segment_path(s, lane, number, path);
        *ret = stat(path, &st) == 0 ? (uint64_t)st.st_size : SEGMENT_HEADER;
        return 0;
    }
    if (rc < 0)
        return rc;
    uint64_t size = 0, sealed = segment_sealed(&g), synced = segment_synced(&g);
    rc = segment_size(&g, &size);
    segment_close(&g);
    if (rc < 0)
        return err_sys(e, rc, "look at segment %llu of lane %u", (unsigned long long)number, lane);
    *ret = sealed ? sealed : written ? synced : size;
    return 0;
}

int spool_backlog(const struct spool *s, unsigned lane, struct spool_position position,
                  uint64_t *ret_bytes, struct err *e)
{
    uint64_t *numbers;
    size_t n;
    bool written;
    int rc = journal_segments(s, lane, &numbers, &n, e);
    if (rc < 0)
        return rc;
    rc = journal_lane_written(s, lane, &written, e);
    uint64_t bytes = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (numbers[i] < position.segment)
            continue;
        uint64_t end, from = SEGMENT_HEADER;
        if (numbers[i] == position.segment && position.offset > from)
            from = position.offset;
        /* Only the highest can be the one that is being written. */
        rc = segment_end(s, lane, numbers[i], written && i + 1 == n, &end, e);
        if (rc == 0 && end > from)
            bytes += end - from;
    }
    free(numbers);
    if (rc == 0)
        *ret_bytes = bytes;
    return rc;
}

/* ---- what may go ---- */

/* Whether all of the segment stands before position. */
static bool behind(const struct spool *s, unsigned lane, uint64_t number,
                   struct spool_position position)
{
    if (number != position.segment)
        return number < position.segment;
    struct segment g;
    if (segment_open(s, lane, number, &g, NULL) < 0)
        return false;
    uint64_t sealed = segment_sealed(&g);
    segment_close(&g);
    return sealed && position.offset >= sealed;
}

static int prune_one(struct spool *s, const char *path, int64_t keep, int64_t now, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(e, io_code(errno), "look at %s", path);
    int64_t written = st.st_mtim.tv_sec * CLOCK_SECOND + st.st_mtim.tv_nsec / 1000;
    bool crowded = s->max_bytes && atomic_load(&s->used) > s->max_bytes / 4 * 3;
    if (now - written < keep && !crowded)
        return 0;
    if (s->io->unlink(path) < 0 && errno != ENOENT)
        return err_sys(e, io_code(errno), "remove %s", path);
    uint64_t used = atomic_load(&s->used), size = (uint64_t)st.st_size;
    while (!atomic_compare_exchange_weak(&s->used, &used, used > size ? used - size : 0))
        continue;
    return 0;
}

int spool_prune(struct spool *s, unsigned lane, struct spool_position position, int64_t keep,
                int64_t now, struct err *e)
{
    int rc = s->max_bytes ? usage_measure(s, e) : 0;
    if (rc < 0)
        return rc;
    uint64_t *numbers;
    size_t n;
    bool written = true;
    rc = journal_segments(s, lane, &numbers, &n, e);
    if (rc < 0)
        return rc;
    /* Asked after the listing: a writer that starts now makes a segment that is not in it. */
    rc = journal_lane_written(s, lane, &written, e);
    for (size_t i = 0; i < n && rc == 0; i++) {
        if ((written && i + 1 == n) || !behind(s, lane, numbers[i], position))
            break;
        journal_path path;
        journal_segment_path(s, lane, numbers[i], path);
        rc = prune_one(s, path, keep, now, e);
    }
    free(numbers);
    return rc;
}
