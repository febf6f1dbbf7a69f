/* lane.c - group commit: while one fdatasync runs on the lane's thread, what is appended gathers
 * for the next. */
#include "base/clock.h"
#include "base/require.h"
#include "spool/io.h"
#include "spool/record.h"
#include "spool/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    WAITING_MAX = 64 << 20,   /* bytes that wait for the disk */
    GROUP_KEEP = 4 << 20,     /* a group's buffer above this is not kept for the next */
    ENTRIES_KEEP = 64 << 10,  /* nor are its entries */
    BACKOFF_MIN = 100 * 1000, /* microseconds without a try after the disk was full */
    BACKOFF_MAX = 1000 * 1000,
    ROOM_AT_MAIL = 4096, /* the least that a record will need */
};

struct entry {
    spool_done_fn done;
    void *ctx;
    uint32_t bytes; /* of its frame */
    int result;
};

struct group {
    struct group *next;
    struct buf frames;
    struct entry *entries;
    size_t n, room;
};

struct spool_lane {
    struct spool *s;
    unsigned number;
    spool_wake_fn wake;
    void *ctx;
    int lock_fd;
    uint64_t payload_seed;
    struct buf envelope; /* the owner's, to encode into */
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    struct group *gathering; /* NULL: nothing waits */
    struct group *done, **done_end;
    struct group *spare;
    size_t waiting; /* bytes appended and not yet done */
    bool measure;   /* the owner was refused for want of room */
    bool stop;

    _Atomic int64_t full_until; /* no try before; 0: the disk is not known to be full */

    /* Only the sync thread's. */
    struct segment segment; /* fd -1: none is open */
    uint64_t last_number;
    int64_t backoff;
};

/* ---- the sync thread ---- */

/* Numbers rise with the clock, so that they do so over a spool that was emptied, too. */
static uint64_t number_next(uint64_t last)
{
    int64_t now = clock_now();
    return now > 0 && (uint64_t)now > last ? (uint64_t)now : last + 1;
}

static int segment_start(struct spool_lane *l, uint64_t need, struct err *e)
{
    uint64_t number = number_next(l->last_number);
    int rc = segment_create(l->s, l->number, number, l->payload_seed, need, &l->segment, e);
    if (rc == 0)
        l->last_number = number;
    return rc;
}

/* Writes entries of g from index i on, as many as the segment takes. Returns the index behind them
 * and sets their results. */
static size_t part_commit(struct spool_lane *l, struct group *g, size_t i, size_t at)
{
    struct segment *segment = &l->segment;
    size_t first = i, bytes = 0;
    for (; i < g->n && segment->end + bytes + g->entries[i].bytes <= l->s->segment_bytes; i++) {
        record_head_seal(g->frames.p + at + bytes, segment->head_seed, segment->end + bytes);
        bytes += g->entries[i].bytes;
    }
    REQUIRE(i > first);
    int rc = segment_write(l->s, segment, g->frames.p + at, bytes);
    if (rc < 0)
        segment_seal(l->s, l->number, segment);
    for (size_t k = first; k < i; k++)
        g->entries[k].result = rc;
    return i;
}

static void backoff_set(struct spool_lane *l, bool full)
{
    if (!full) {
        l->backoff = 0;
        atomic_store(&l->full_until, 0);
        return;
    }
    l->backoff = l->backoff ? l->backoff * 2 : BACKOFF_MIN;
    if (l->backoff > BACKOFF_MAX)
        l->backoff = BACKOFF_MAX;
    atomic_store(&l->full_until, clock_monotonic() + l->backoff);
}

static void group_commit(struct spool_lane *l, struct group *g)
{
    int rc = 0;
    for (size_t i = 0, at = 0; i < g->n;) {
        if (l->segment.fd >= 0 && l->segment.end + g->entries[i].bytes > l->s->segment_bytes)
            segment_seal(l->s, l->number, &l->segment);
        /* Once the disk is full, or no file can be made, the rest of the group would meet it too.
         */
        if (l->segment.fd < 0 && rc != -ENOSPC)
            rc = segment_start(l, g->entries[i].bytes, NULL);
        if (l->segment.fd < 0) {
            for (; i < g->n; i++)
                g->entries[i].result = rc;
            break;
        }
        size_t end = part_commit(l, g, i, at);
        rc = g->entries[i].result;
        for (; i < end; i++)
            at += g->entries[i].bytes;
    }
    backoff_set(l, rc == -ENOSPC);
}

/* Waits until there is work. While the spool is over its limit it looks now and then whether it
 * still is, since room is made by another process. */
static void work_wait(struct spool_lane *l)
{
    while (!l->gathering && !l->stop && !l->measure) {
        if (usage_has_room(l->s, ROOM_AT_MAIL)) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 100 * 1000 * 1000;
        if (until.tv_nsec >= 1000 * 1000 * 1000) {
            until.tv_nsec -= 1000 * 1000 * 1000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&l->work, &l->lock, &until);
        l->measure = true;
    }
}

static void group_trim(struct group *g)
{
    if (g->frames.room > GROUP_KEEP)
        buf_free(&g->frames);
}

static void *lane_thread(void *arg)
{
    struct spool_lane *l = arg;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        work_wait(l);
        struct group *g = l->gathering;
        if (!g && l->stop)
            break;
        l->gathering = NULL;
        l->measure = false;
        pthread_mutex_unlock(&l->lock);

        size_t bytes = g ? g->frames.n : 0;
        if (g) {
            group_commit(l, g);
            group_trim(g);
            usage_written(l->s, bytes);
        }
        /* A folder that can't be read now leaves the figure as it was; the next try is near. */
        (void)usage_refresh(l->s, NULL);

        pthread_mutex_lock(&l->lock);
        if (!g)
            continue;
        l->waiting -= bytes;
        *l->done_end = g;
        l->done_end = &g->next;
        pthread_mutex_unlock(&l->lock);
        l->wake(l->ctx);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- groups ---- */

static void group_free(struct group *g)
{
    if (!g)
        return;
    buf_free(&g->frames);
    free(g->entries);
    free(g);
}

static struct group *group_new(void)
{
    struct group *g = calloc(1, sizeof(*g));
    if (g)
        buf_init(&g->frames, WAITING_MAX + SPOOL_RECORD_MAX);
    return g;
}

static bool group_reserve(struct group *g, size_t bytes)
{
    if (buf_reserve(&g->frames, bytes) < 0)
        return false;
    if (g->n < g->room)
        return true;
    size_t room = g->room ? g->room * 2 : 64;
    struct entry *entries = reallocarray(g->entries, room, sizeof(*entries));
    if (!entries)
        return false;
    g->entries = entries;
    g->room = room;
    return true;
}

/* ---- the owner's side ---- */

static bool disk_was_full(const struct spool_lane *l)
{
    int64_t until = atomic_load(&l->full_until);
    return until && clock_monotonic() < until;
}

bool spool_lane_has_room(const struct spool_lane *l)
{
    return usage_has_room(l->s, ROOM_AT_MAIL) && !disk_was_full(l);
}

static int append_locked(struct spool_lane *l, const struct record_head *head, struct str body,
                         spool_done_fn done, void *ctx)
{
    size_t bytes = record_frame_bytes(head->payload);
    REQUIRE(!l->stop);
    if (l->waiting && l->waiting + bytes > WAITING_MAX)
        return -ENOBUFS;
    if (!l->gathering) {
        l->gathering = l->spare ? l->spare : group_new();
        l->spare = NULL;
        if (!l->gathering)
            return -ENOBUFS;
        pthread_cond_signal(&l->work);
    }
    struct group *g = l->gathering;
    if (!group_reserve(g, bytes))
        return -ENOBUFS;
    char *to = g->frames.p + g->frames.n;
    record_head_put(to, head);
    memcpy(to + RECORD_HEAD, l->envelope.p, l->envelope.n);
    if (body.n)
        memcpy(to + RECORD_HEAD + l->envelope.n, body.p, body.n);
    memset(to + RECORD_HEAD + head->payload, 0, bytes - RECORD_HEAD - head->payload);
    g->frames.n += bytes;
    g->entries[g->n++] = (struct entry){.done = done, .ctx = ctx, .bytes = (uint32_t)bytes};
    l->waiting += bytes;
    return 0;
}

int spool_append(struct spool_lane *l, const struct spool_envelope *envelope, struct str body,
                 bool truncated, spool_done_fn done, void *ctx)
{
    buf_clear(&l->envelope);
    int rc = record_encode(&l->envelope, envelope, body.n, truncated);
    if (rc < 0)
        return rc == -EMSGSIZE ? rc : -ENOBUFS;
    size_t payload = l->envelope.n + body.n;
    size_t bytes = record_frame_bytes(payload);
    if (bytes > SPOOL_RECORD_MAX || bytes > l->s->segment_bytes - SEGMENT_HEADER)
        return -EMSGSIZE;
    if (disk_was_full(l))
        return -ENOSPC;
    bool room = usage_has_room(l->s, bytes);
    struct record_head head = {.payload = (uint32_t)payload};
    if (room)
        head.checksum = record_checksum(l->payload_seed, buf_str(&l->envelope), body);

    pthread_mutex_lock(&l->lock);
    if (room) {
        rc = append_locked(l, &head, body, done, ctx);
        if (rc == 0)
            usage_append(l->s, bytes);
    } else {
        rc = -ENOSPC;
        l->measure = true;
        pthread_cond_signal(&l->work);
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

void spool_lane_reap(struct spool_lane *l)
{
    pthread_mutex_lock(&l->lock);
    struct group *g = l->done;
    l->done = NULL;
    l->done_end = &l->done;
    pthread_mutex_unlock(&l->lock);
    while (g) {
        for (size_t i = 0; i < g->n; i++)
            g->entries[i].done(g->entries[i].ctx, g->entries[i].result);
        struct group *next = g->next;
        g->next = NULL;
        g->n = 0;
        buf_clear(&g->frames);
        pthread_mutex_lock(&l->lock);
        if (!l->spare && g->room <= ENTRIES_KEEP) {
            l->spare = g;
            g = NULL;
        }
        pthread_mutex_unlock(&l->lock);
        group_free(g);
        g = next;
    }
}

/* ---- opening and closing ---- */

static int lane_lock(struct spool_lane *l, struct err *e)
{
    journal_path path;
    journal_lane_path(l->s, l->number, "", path);
    int rc = journal_folder(l->s, path, l->s->directory, e);
    if (rc < 0)
        return rc;
    journal_lane_path(l->s, l->number, "lock", path);
    l->lock_fd = l->s->io->open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->lock_fd < 0)
        return err_sys(e, io_code(errno), "open %s", path);
    rc = io_lock(l->lock_fd);
    if (rc == -EBUSY)
        return err_set(e, rc, "lane %u of %s is being written by another process", l->number,
                       l->s->directory);
    return rc < 0 ? err_sys(e, rc, "lock %s", path) : 0;
}

static int lane_begin(struct spool_lane *l, struct err *e)
{
    int rc = lane_lock(l, e);
    if (rc < 0)
        return rc;
    uint64_t *numbers;
    size_t n;
    rc = journal_segments(l->s, l->number, &numbers, &n, e);
    if (rc < 0)
        return rc;
    l->last_number = n ? numbers[n - 1] : 0;
    free(numbers);
    if (l->last_number >= INT64_MAX)
        return err_set(e, -EIO, "lane %u of %s has used up its segment numbers", l->number,
                       l->s->directory);
    return segment_start(l, 0, e);
}

static int thread_start(struct spool_lane *l, struct err *e)
{
    /* The owner's signals are not for this thread. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&l->thread, NULL, lane_thread, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc ? err_sys(e, -EIO, "start the sync thread of lane %u (%s)", l->number,
                        strerrorname_np(rc))
              : 0;
}

static void lane_free(struct spool_lane *l)
{
    if (l->segment.fd >= 0)
        segment_seal(l->s, l->number, &l->segment);
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    group_free(l->spare);
    buf_free(&l->envelope);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

int spool_lane_open(struct spool *s, unsigned lane, spool_wake_fn wake, void *ctx,
                    struct spool_lane **ret, struct err *e)
{
    REQUIRE(lane < SPOOL_LANES_MAX);
    struct spool_lane *l = calloc(1, sizeof(*l));
    if (!l)
        return err_sys(e, -ENOMEM, "open lane %u", lane);
    l->s = s;
    l->number = lane;
    l->wake = wake;
    l->ctx = ctx;
    l->lock_fd = -1;
    l->segment.fd = -1;
    l->done_end = &l->done;
    /* Twice what an envelope may have: too long a one is told from no memory. */
    buf_init(&l->envelope, 2 * RECORD_ENVELOPE_MAX);
    struct id random = id_random();
    memcpy(&l->payload_seed, random.b, sizeof(l->payload_seed));
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&l->lock, NULL);

    int rc = lane_begin(l, e);
    if (rc == 0)
        rc = thread_start(l, e);
    if (rc < 0) {
        lane_free(l);
        return rc;
    }
    *ret = l;
    return 0;
}

void spool_lane_close(struct spool_lane *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->work);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    spool_lane_reap(l);
    lane_free(l);
}
