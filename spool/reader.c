/* reader.c - from segment files to records. What is on disk is hostile: every length is held
 * against the segment's end, every step forward is at least one frame's alignment. */
#include "base/require.h"
#include "spool/damage.h"
#include "spool/io.h"
#include "spool/window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct spool_reader {
    struct spool *s;
    unsigned lane;
    int lock_fd;
    struct spool_position at;
    struct segment segment; /* fd -1: none is open */
    struct window window;
    bool ended;       /* no writer adds to the segment any more: the window's limit is final */
    uint64_t vouched; /* bytes before it were synced: what is no record there is damage */
    struct spool_position counted; /* damage before it has been counted */
    struct spool_reader_stats stats;
};

/* ---- damage ---- */

/* Counts and keeps aside [from, to) of a segment's file, once. */
static void damage_take(struct spool_reader *r, int fd, uint64_t number, uint64_t from, uint64_t to)
{
    struct spool_position place = {number, from};
    if (spool_position_cmp(place, r->counted) < 0)
        return;
    r->counted = (struct spool_position){number, to};
    r->stats.damaged_places++;
    r->stats.damaged_bytes += to - from;
    /* What lies behind the damage is worth more than a copy of it: a full disk must not stop it. */
    if (damage_keep(r->s, r->lane, fd, place, to, NULL) < 0)
        r->stats.damaged_unkept++;
}

/* The end of a segment whose writer is gone: what follows was never answered for. */
static int tail_end(struct spool_reader *r, struct err *e)
{
    bool clean;
    uint64_t end = r->at.offset;
    int rc = window_zero(&r->window, end, &clean, e);
    if (rc < 0)
        return rc;
    r->window.limit = end;
    segment_mark_sealed(&r->segment, end);
    /* Gives back what was allocated ahead; a tail that may be of interest stays. */
    if (clean)
        (void)r->s->io->ftruncate(r->segment.fd, (off_t)end);
    else
        r->stats.torn_tails++;
    return 0;
}

/* At r->at stands no good frame; from from on the next one may begin. */
static int bad_skip(struct spool_reader *r, uint64_t from, struct err *e)
{
    uint64_t next;
    int rc = window_search(&r->window, from, &next, e);
    if (rc < 0)
        return rc;
    if (next == r->window.limit) {
        if (r->at.offset >= r->vouched)
            return tail_end(r, e);
        next = r->vouched;
    }
    damage_take(r, r->segment.fd, r->segment.number, r->at.offset, next);
    r->at.offset = next;
    return 0;
}

/* 1: a record; 0: none before the limit. */
static int frame_next(struct spool_reader *r, struct arena *a, struct spool_record *ret,
                      struct err *e)
{
    while (r->at.offset < r->window.limit) {
        struct record_head head;
        struct spool_record record = {.at = r->at};
        uint64_t from = r->at.offset + RECORD_ALIGN;
        int rc = window_head(&r->window, r->at.offset, &head, e);
        if (rc < 0)
            return rc;
        if (rc == 1) {
            size_t frame = record_frame_bytes(head.payload);
            struct str payload;
            bool whole = frame <= r->window.limit - r->at.offset;
            from = whole ? r->at.offset + frame : r->window.limit;
            rc = whole ? window_payload(&r->window, r->at.offset, &head, a, &payload, e) : 0;
            if (rc == 1)
                rc = record_decode(a, r->segment.version, payload, &record);
            else if (rc == 0)
                rc = -EBADMSG;
            if (rc == 0) {
                r->at.offset = from;
                record.next = r->at;
                r->stats.records++;
                *ret = record;
                return 1;
            }
            if (rc == -ENOMEM)
                return err_set(e, rc, "read a record of %u bytes: no memory", head.payload);
            if (rc != -EBADMSG)
                return rc;
        }
        rc = bad_skip(r, from, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- segments ---- */

static int writer_gone(struct spool_reader *r, bool *ret, struct err *e)
{
    bool written;
    int rc = journal_lane_written(r->s, r->lane, &written, e);
    if (rc < 0)
        return rc;
    if (!written) {
        *ret = true;
        return 0;
    }
    /* A writer lives: it is this segment's unless it has begun a higher one. */
    uint64_t *numbers;
    size_t n;
    rc = journal_segments(r->s, r->lane, &numbers, &n, e);
    if (rc < 0)
        return rc;
    *ret = n && numbers[n - 1] > r->segment.number;
    free(numbers);
    return 0;
}

/* What can be read of a segment that nobody writes any more. */
static int limit_final(struct spool_reader *r, uint64_t size, struct err *e)
{
    uint64_t sealed = segment_sealed(&r->segment), synced = segment_synced(&r->segment);
    if (!sealed && r->s->io->fdatasync(r->segment.fd) < 0)
        return err_sys(e, -EIO, "sync segment %llu of lane %u (%s)",
                       (unsigned long long)r->segment.number, r->lane, strerrorname_np(errno));
    if (size > SEGMENT_BYTES_MAX)
        size = SEGMENT_BYTES_MAX; /* no writer of ours made it longer */
    r->window.limit = sealed && sealed < size ? sealed : size;
    r->vouched = sealed ? sealed : synced;
    /* A file that someone has cut: what is missing can only be counted. */
    if (r->vouched > size) {
        damage_take(r, r->segment.fd, r->segment.number, size, r->vouched);
        r->vouched = size;
    }
    r->ended = true;
    return 0;
}

/* Finds out how far the segment may be read now. */
static int limit_find(struct spool_reader *r, struct err *e)
{
    if (r->ended)
        return 0;
    uint64_t sealed = segment_sealed(&r->segment), synced = segment_synced(&r->segment), size;
    int rc = segment_size(&r->segment, &size);
    bool gone = false;
    if (rc == 0 && !sealed && (r->at.offset >= synced || size < synced)) {
        rc = writer_gone(r, &gone, e);
        /* It may have synced or sealed after we looked and before it went. */
        sealed = segment_sealed(&r->segment);
        synced = segment_synced(&r->segment);
        if (rc == 0)
            rc = segment_size(&r->segment, &size);
    }
    if (rc < 0)
        return err_set(e, rc, "can't look at segment %llu of lane %u",
                       (unsigned long long)r->segment.number, r->lane);
    if (sealed || gone)
        return limit_final(r, size, e);
    r->window.limit = r->vouched = synced;
    return 0;
}

/* Closes a segment that was read to its end. Its pages are of no use any more: other files' are. */
static void segment_leave(struct segment *g)
{
    if (g->fd >= 0)
        (void)posix_fadvise(g->fd, 0, 0, POSIX_FADV_DONTNEED);
    segment_close(g);
}

/* Opens the lowest segment from least on and goes to its front, or to r->at when it stands there.
 * 1; 0: there is none yet. */
static int segment_go(struct spool_reader *r, uint64_t least, struct err *e)
{
    uint64_t *numbers;
    size_t n;
    bool written;
    int rc = journal_segments(r->s, r->lane, &numbers, &n, e);
    if (rc < 0)
        return rc;
    rc = journal_lane_written(r->s, r->lane, &written, e);
    bool found = false;
    for (size_t i = 0; i < n && rc == 0 && !found; i++) {
        if (numbers[i] < least)
            continue;
        struct segment g;
        rc = segment_open(r->s, r->lane, numbers[i], &g, e);
        if (rc == 0) {
            found = true;
            segment_leave(&r->segment);
            r->segment = g;
            break;
        }
        bool useless = rc == -ENODATA || rc == -EBADMSG;
        if (useless && written && i + 1 == n) {
            rc = 0; /* its writer may be about to write the header */
            break;
        }
        if (rc == -ENODATA)
            r->stats.torn_tails++;
        if (rc == -EBADMSG) {
            int fd;
            uint64_t size;
            rc = damage_open(r->s, r->lane, numbers[i], &fd, &size, e);
            if (rc == 0) {
                damage_take(r, fd, numbers[i], 0, size);
                close(fd);
            }
        } else if (rc == -ENODATA || rc == -ENOENT) {
            rc = 0;
        }
        if (rc == 0 && useless) {
            segment_close(&r->segment);
            r->at = (struct spool_position){numbers[i] + 1, 0};
        }
    }
    free(numbers);
    if (rc < 0 || !found)
        return rc;
    if (r->at.segment != r->segment.number)
        r->at = (struct spool_position){r->segment.number, 0};
    if (r->at.offset < SEGMENT_HEADER)
        r->at.offset = SEGMENT_HEADER;
    r->ended = false;
    r->vouched = SEGMENT_HEADER;
    window_reset(&r->window, SEGMENT_HEADER);
    return 1;
}

int spool_next(struct spool_reader *r, struct arena *a, struct spool_record *ret, struct err *e)
{
    /* Each turn returns, or leaves a segment behind for a higher one. */
    for (;;) {
        if (r->segment.fd < 0) {
            int rc = segment_go(r, r->at.segment, e);
            if (rc <= 0)
                return rc;
        }
        while (!r->ended || r->at.offset < r->window.limit) {
            int rc = limit_find(r, e);
            if (rc == 0 && r->at.offset < r->window.limit)
                rc = frame_next(r, a, ret, e);
            else if (rc == 0 && !r->ended)
                return 0;
            if (rc != 0)
                return rc;
        }
        int rc = segment_go(r, r->segment.number + 1, e);
        if (rc <= 0)
            return rc;
    }
}

/* ---- opening and the rest ---- */

void spool_reader_seek(struct spool_reader *r, struct spool_position position)
{
    if (position.offset < SEGMENT_BYTES_MAX)
        position.offset = (position.offset + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
    if (r->segment.fd >= 0 && position.segment != r->segment.number)
        segment_close(&r->segment);
    if (r->segment.fd >= 0 && position.offset < SEGMENT_HEADER)
        position.offset = SEGMENT_HEADER;
    r->at = position;
}

struct spool_position spool_reader_position(const struct spool_reader *r)
{
    return r->at;
}

struct spool_reader_stats spool_reader_stats(const struct spool_reader *r)
{
    return r->stats;
}

static int reader_lock(struct spool_reader *r, struct err *e)
{
    journal_path path;
    journal_lane_path(r->s, r->lane, "", path);
    int rc = journal_folder(r->s, path, r->s->directory, e);
    if (rc < 0)
        return rc;
    journal_lane_path(r->s, r->lane, "reader.lock", path);
    r->lock_fd = r->s->io->open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (r->lock_fd < 0)
        return err_sys(e, io_code(errno), "open %s", path);
    rc = io_lock(r->lock_fd);
    if (rc == -EBUSY)
        return err_set(e, rc, "lane %u of %s is being read by another process", r->lane,
                       r->s->directory);
    return rc < 0 ? err_sys(e, rc, "lock %s", path) : 0;
}

int spool_reader_open(struct spool *s, unsigned lane, struct spool_position position,
                      struct spool_reader **ret, struct err *e)
{
    REQUIRE(lane < SPOOL_LANES_MAX);
    struct spool_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return err_sys(e, -ENOMEM, "read lane %u", lane);
    r->s = s;
    r->lane = lane;
    r->lock_fd = -1;
    r->segment.fd = -1;
    int rc = window_init(&r->window, &r->segment, lane);
    rc = rc < 0 ? err_sys(e, rc, "read lane %u", lane) : reader_lock(r, e);
    if (rc < 0) {
        spool_reader_free(r);
        return rc;
    }
    spool_reader_seek(r, position);
    *ret = r;
    return 0;
}

void spool_reader_free(struct spool_reader *r)
{
    if (!r)
        return;
    segment_close(&r->segment);
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    window_free(&r->window);
    free(r);
}
