/* lane.c - group commit. On a fast disk the owner syncs by itself, once for all that it has: two
 * switches of task less. On a slow one the lane's thread does, and what is appended meanwhile
 * gathers for its next sync, so that the owner can serve others. */
#include "base/clock.h"
#include "base/require.h"
#include "spool/inflight.h"
#include "spool/io.h"
#include "spool/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WAITING_MAX = 64 << 20,   /* bytes that wait for the disk */
    BACKOFF_MIN = 100 * 1000, /* microseconds without a try after the disk was full */
    BACKOFF_MAX = 1000 * 1000,
    ROOM_AT_MAIL = 4096, /* what a record will need beside its body */
    FAST = 1000,         /* microseconds: a sync that takes less is worth waiting for */
    FAST_BYTES = 4 << 20,
    TRUST_AFTER = 32, /* fast ones in a row, before the owner waits for the disk again */
};

struct spool_lane {
    struct spool *s;
    unsigned number;
    spool_wake_fn wake;
    void *ctx;
    int lock_fd;
    struct buf envelope; /* the owner's, to encode into */
    bool appended;       /* the owner's: since spool_lane_commit */
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    struct group *gathering; /* NULL: nothing waits */
    struct group *done, **done_end;
    struct group *spare;
    size_t waiting; /* bytes appended and not yet done */
    bool measure;   /* the owner was refused for want of room */
    bool stop;
    bool busy;     /* somebody has the writer */
    unsigned slow; /* how many fast syncs in a row are still wanted of the thread */

    _Atomic int64_t full_until; /* no try before; 0: the disk is not known to be full */

    /* Of who made it busy: the thread or the owner. */
    struct writer writer;
    int64_t backoff;
};

/* ---- a sync ---- */

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

/* Takes what waits, and the writer with it; NULL: nothing does. With the lock held. */
static struct group *sync_begin(struct spool_lane *l)
{
    struct group *g = l->gathering;
    l->gathering = NULL;
    l->busy = true;
    return g;
}

/* Makes a group durable, or says why not. Without the lock; returns with it. */
static void sync_run(struct spool_lane *l, struct group *g)
{
    int64_t begin = clock_monotonic();
    size_t bytes = g ? g->frames.n : 0;
    if (g) {
        backoff_set(l, writer_commit(&l->writer, g) == -ENOSPC);
        group_written(g);
        usage_written(l->s, bytes);
    }
    int64_t took = clock_monotonic() - begin;
    /* A folder that can't be read now leaves the figure as it was; the next try is near. */
    (void)usage_refresh(l->s, NULL);

    pthread_mutex_lock(&l->lock);
    l->busy = false;
    if (!g)
        return;
    if (took >= FAST)
        l->slow = TRUST_AFTER;
    else if (l->slow)
        l->slow--;
    l->waiting -= bytes;
    *l->done_end = g;
    l->done_end = &g->next;
}

/* ---- the sync thread ---- */

/* Waits until there is work. While the spool is over its limit it looks now and then whether it
 * still is, since room is made by another process. */
static void work_wait(struct spool_lane *l)
{
    while (l->busy || (!l->gathering && !l->stop && !l->measure)) {
        if (l->busy || usage_has_room(l->s, ROOM_AT_MAIL)) {
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

static void *lane_thread(void *arg)
{
    struct spool_lane *l = arg;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        work_wait(l);
        if (!l->gathering && l->stop)
            break;
        l->measure = false;
        struct group *g = sync_begin(l);
        pthread_mutex_unlock(&l->lock);
        sync_run(l, g);
        if (!g)
            continue;
        pthread_mutex_unlock(&l->lock);
        l->wake(l->ctx);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- the owner's side ---- */

static bool disk_was_full(const struct spool_lane *l)
{
    int64_t until = atomic_load(&l->full_until);
    return until && clock_monotonic() < until;
}

bool spool_lane_has_room(const struct spool_lane *l, uint64_t body)
{
    return usage_has_room(l->s, ROOM_AT_MAIL + body) && !disk_was_full(l);
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
    }
    if (group_add(l->gathering, head, buf_str(&l->envelope), body, done, ctx) < 0)
        return -ENOBUFS;
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
        head.checksum = record_checksum(l->writer.payload_seed, buf_str(&l->envelope), body);

    pthread_mutex_lock(&l->lock);
    if (room) {
        rc = append_locked(l, &head, body, done, ctx);
        if (rc == 0) {
            usage_append(l->s, bytes);
            l->appended = true;
        }
    } else {
        rc = -ENOSPC;
        l->measure = true;
        pthread_cond_signal(&l->work);
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

void spool_lane_commit(struct spool_lane *l)
{
    if (!l->appended)
        return;
    l->appended = false;
    pthread_mutex_lock(&l->lock);
    /* While a sync of the thread runs nobody waits for this: it looks behind it. */
    bool mine = l->gathering && !l->busy && l->slow == 0 && l->gathering->frames.n <= FAST_BYTES;
    if (mine) {
        struct group *g = sync_begin(l);
        pthread_mutex_unlock(&l->lock);
        sync_run(l, g);
        if (l->measure)
            pthread_cond_signal(&l->work);
    } else if (l->gathering) {
        pthread_cond_signal(&l->work);
    }
    pthread_mutex_unlock(&l->lock);
    if (mine)
        spool_lane_reap(l);
}

bool spool_lane_is_behind(const struct spool_lane *l)
{
    return l->appended;
}

void spool_lane_reap(struct spool_lane *l)
{
    pthread_mutex_lock(&l->lock);
    struct group *g = l->done;
    l->done = NULL;
    l->done_end = &l->done;
    pthread_mutex_unlock(&l->lock);
    while (g) {
        group_answer(g);
        struct group *next = g->next;
        g->next = NULL;
        pthread_mutex_lock(&l->lock);
        if (!l->spare && group_worth_keeping(g)) {
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
    if (rc == 0)
        rc = inflight_prepare(l->s, l->number, e);
    if (rc < 0)
        return rc;
    return writer_open(&l->writer, l->s, l->number, e);
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
    writer_close(&l->writer);
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
    l->writer.segment.fd = -1;
    l->done_end = &l->done;
    /* Twice what an envelope may have: too long a one is told from no memory. */
    buf_init(&l->envelope, 2 * RECORD_ENVELOPE_MAX);
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
