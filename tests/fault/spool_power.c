/* spool_power.c - what a kill can't show: the machine loses its power.
 *
 * A shim records every write, allocation, cut, sync and answer of a run (two lanes, concurrent
 * appends, some syncs and writes fail). Then, for each point of the run, the spool is built anew
 * from what a disk must still hold there, and read: each record that had been answered with 0 is
 * there once, no record is there twice or with other bytes. Three disks are tried for each point:
 *   LEAST   what was synced, and nothing else; the marks in the header's shared memory are lost
 *   MOST    what was synced, the marks, later cuts and removals
 *   RANDOM  what was synced, and each later piece, mark, cut or removal by the toss of a coin */
#include "tests/unit/spool/fixture.h"

#include <pthread.h>

enum { LANES = 2, RECORDS = 220, FILES_MAX = 512, EVENTS_MAX = 20000, FDS_MAX = 1024 };
enum { MARKS_AT = 2048, PIECE = 512, SEGMENT_BYTES = 32 << 10, FILE_MAX_BYTES = 48 << 10 };

enum kind { MARKS, CREATE, WRITE, ALLOCATE, CUT, SYNC, SYNC_FOLDER, REMOVE, ANSWER };
enum disk { LEAST, MOST, RANDOM, DISKS };

struct event {
    enum kind kind;
    int file;       /* of FILES */
    uint64_t at, n; /* WRITE: where and how much; ALLOCATE, CUT: n is the size */
    char *bytes;    /* WRITE */
    char marks[16]; /* as the header's memory had them after the call; MARKS: before a sync */
    int64_t number; /* ANSWER */
    size_t next;    /* event of the same file; 0: none */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct event events[EVENTS_MAX] = {{.kind = MARKS, .file = -1}};
static size_t events_n = 1;
static char files[FILES_MAX][64];                      /* "lane-00/….seg" */
static size_t first_of[FILES_MAX], last_of[FILES_MAX]; /* events; event 0 is of no file */
static int files_n;
static int file_of[FDS_MAX]; /* index + 1; 0: not a segment */
static unsigned calls;

static int file_find(const char *path, bool make)
{
    const char *name = strstr(path, "/lane-");
    if (!name || !strstr(path, ".seg"))
        return -1;
    for (int i = 0; i < files_n; i++)
        if (strcmp(files[i], name + 1) == 0)
            return i;
    if (!make || files_n == FILES_MAX)
        return -1;
    snprintf(files[files_n], sizeof(files[0]), "%s", name + 1);
    return files_n++;
}

static struct event *event_add(enum kind kind, int file)
{
    if (events_n == EVENTS_MAX)
        abort();
    struct event *e = &events[events_n];
    *e = (struct event){.kind = kind, .file = file};
    if (file >= 0) {
        *(last_of[file] ? &events[last_of[file]].next : &first_of[file]) = events_n;
        last_of[file] = events_n;
    }
    events_n++;
    return e;
}

static struct event *event_of_fd(enum kind kind, int fd)
{
    int file = fd < FDS_MAX ? file_of[fd] : 0;
    if (!file)
        return NULL;
    struct event *e = event_add(kind, file - 1);
    if (pread(fd, e->marks, sizeof(e->marks), MARKS_AT) != sizeof(e->marks))
        memset(e->marks, 0, sizeof(e->marks));
    return e;
}

/* ---- the shim ---- */

static int record_open(const char *path, int flags, mode_t mode)
{
    pthread_mutex_lock(&lock);
    int fd = spool_io_system.open(path, flags, mode);
    if (fd >= 0 && fd < FDS_MAX) {
        int file = flags & O_CREAT ? file_find(path, true) : -1;
        file_of[fd] = file + 1;
        if (file >= 0)
            event_add(CREATE, file);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static ssize_t record_pwrite(int fd, const void *p, size_t n, off_t at)
{
    pthread_mutex_lock(&lock);
    bool full = fd < FDS_MAX && file_of[fd] && ++calls % 41 == 0;
    if (full && n > 2 * PIECE)
        n = PIECE; /* a part of it is written, then the disk is full */
    ssize_t done = full && n < PIECE ? -1 : spool_io_system.pwrite(fd, p, n, at);
    if (done > 0) {
        struct event *e = event_of_fd(WRITE, fd);
        if (e) {
            e->at = (uint64_t)at;
            e->n = (uint64_t)done;
            e->bytes = malloc((size_t)done);
            if (!e->bytes)
                abort();
            memcpy(e->bytes, p, (size_t)done);
        }
    }
    pthread_mutex_unlock(&lock);
    if (full)
        errno = ENOSPC;
    return full ? -1 : done;
}

static int record_size(enum kind kind, int fd, off_t size)
{
    pthread_mutex_lock(&lock);
    int rc =
        kind == CUT ? spool_io_system.ftruncate(fd, size) : spool_io_system.fallocate(fd, size);
    struct event *e = rc == 0 ? event_of_fd(kind, fd) : NULL;
    if (e)
        e->n = (uint64_t)size;
    pthread_mutex_unlock(&lock);
    return rc;
}

static int record_fallocate(int fd, off_t size)
{
    return record_size(ALLOCATE, fd, size);
}

static int record_ftruncate(int fd, off_t size)
{
    return record_size(CUT, fd, size);
}

static int record_fdatasync(int fd)
{
    pthread_mutex_lock(&lock);
    event_of_fd(MARKS, fd);
    pthread_mutex_unlock(&lock);
    usleep(300); /* what a disk takes: the others gather */
    pthread_mutex_lock(&lock);
    bool failed = fd < FDS_MAX && file_of[fd] && ++calls % 37 == 0;
    if (!failed)
        event_of_fd(SYNC, fd);
    pthread_mutex_unlock(&lock);
    if (failed)
        errno = EIO;
    return failed ? -1 : 0;
}

static int record_fsync_dir(const char *path)
{
    pthread_mutex_lock(&lock);
    const char *name = strstr(path, "/lane-");
    for (int i = 0; name && i < files_n; i++)
        if (strncmp(files[i], name + 1, strlen(name + 1)) == 0)
            event_add(SYNC_FOLDER, i);
    pthread_mutex_unlock(&lock);
    return 0;
}

static int record_unlink(const char *path)
{
    pthread_mutex_lock(&lock);
    int rc = unlink(path), file = file_find(path, false);
    if (rc == 0 && file >= 0)
        event_add(REMOVE, file);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* ---- the run ---- */

struct answer {
    int64_t number;
    int result;
};

struct writer {
    struct spool *s;
    unsigned lane;
    struct answer answers[RECORDS];
    int answered;
};

static size_t body_fill(int64_t number, char *body)
{
    size_t n = (size_t)(number * 7919 % 2900);
    for (size_t i = 0; i < n; i++)
        body[i] = (char)((number * 31 + (int64_t)i * 7) % 251);
    return n;
}

static struct writer writers[LANES];

static void done_record(void *ctx, int result)
{
    struct answer *a = ctx;
    struct writer *w = &writers[a->number % LANES];
    a->result = result;
    w->answered++;
    if (result == 0) {
        pthread_mutex_lock(&lock);
        event_add(ANSWER, -1)->number = a->number;
        pthread_mutex_unlock(&lock);
    }
}

static void *write_lane(void *arg)
{
    struct writer *w = arg;
    struct spool_lane *l = NULL;
    /* The shim may fail the first segment, too. */
    while (!l)
        if (spool_lane_open(w->s, w->lane, wake_nothing, NULL, &l, NULL) == -EBUSY)
            abort();
    char body[3000];
    int appended = 0;
    while (appended < RECORDS) {
        int burst = 1 + appended * 5 % 7;
        for (int i = 0; i < burst && appended < RECORDS; i++) {
            struct answer *a = &w->answers[appended];
            a->number = (int64_t)(appended + 1) * LANES + w->lane;
            a->result = PENDING;
            struct spool_envelope envelope = envelope_make(a->number);
            size_t n = body_fill(a->number, body);
            if (spool_append(l, &envelope, str_of(body, n), false, done_record, a) < 0)
                break;
            appended++;
        }
        spool_lane_commit(l);
        for (int i = 0; i < 200 && w->answered + 9 < appended; i++) {
            spool_lane_reap(l);
            usleep(50);
        }
        spool_lane_reap(l);
        usleep(100);
        if (!spool_lane_has_room(l, 0))
            usleep(2000);
    }
    spool_lane_close(l);
    return NULL;
}

/* ---- the disk after the power came back ---- */

struct disk_file {
    bool exists;
    uint64_t size;
    char bytes[FILE_MAX_BYTES];
};

static uint32_t coin_state;

static bool coin(void)
{
    coin_state = coin_state * 1664525 + 1013904223;
    return coin_state >> 30 & 1;
}

static void write_apply(struct disk_file *f, const struct event *e, bool some)
{
    for (uint64_t at = 0; at < e->n; at += PIECE) {
        uint64_t n = e->n - at < PIECE ? e->n - at : PIECE;
        if (e->at + at + n > sizeof(f->bytes))
            abort();
        if (some && coin())
            continue;
        memcpy(f->bytes + e->at + at, e->bytes + at, n);
        if (f->size < e->at + at + n)
            f->size = e->at + at + n;
    }
}

/* The file as it is found after events [0, end). */
static void file_build(int file, size_t end, enum disk disk, struct disk_file *f)
{
    memset(f, 0, sizeof(*f));
    size_t synced = 0, entry = 0;
    const char *marks = NULL;
    for (size_t i = first_of[file]; i && i < end; i = events[i].next) {
        if (events[i].kind == SYNC)
            synced = i;
        if (events[i].kind == SYNC_FOLDER)
            entry = i + 1;
        if (events[i].kind == WRITE || events[i].kind == CUT || events[i].kind == SYNC ||
            events[i].kind == MARKS)
            marks = events[i].marks;
    }
    for (size_t i = first_of[file]; i && i < end; i = events[i].next) {
        const struct event *e = &events[i];
        bool sure = i < synced, apply = sure || disk == MOST || (disk == RANDOM && coin());
        switch (e->kind) {
        case CREATE:
            f->exists = entry > i || (disk == RANDOM && coin());
            break;
        case REMOVE:
            if (entry > i || disk == MOST || (disk == RANDOM && coin()))
                f->exists = false;
            break;
        case WRITE:
            if (sure || disk == RANDOM)
                write_apply(f, e, !sure);
            break;
        case ALLOCATE:
            if (apply && f->size < e->n)
                f->size = e->n;
            break;
        case CUT:
            if (apply && e->n < f->size) {
                memset(f->bytes + e->n, 0, sizeof(f->bytes) - e->n);
                f->size = e->n;
            }
            break;
        default:
            break;
        }
    }
    if (marks && f->size >= MARKS_AT + 16) {
        bool keep = disk == MOST || (disk == RANDOM && coin());
        if (keep)
            memcpy(f->bytes + MARKS_AT, marks, 16);
        else
            memset(f->bytes + MARKS_AT, 0, 16);
    }
}

static void disk_build(const char *directory, const char *journal, size_t end, enum disk disk)
{
    static struct disk_file f;
    char path[160];
    for (unsigned lane = 0; lane < LANES; lane++) {
        snprintf(path, sizeof(path), "%s/lane-%02u", directory, lane);
        folder_remove(path);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(path, sizeof(path), "%s/journal", directory);
    file_write(path, journal, strlen(journal));
    for (int i = 0; i < files_n; i++) {
        file_build(i, end, disk, &f);
        if (!f.exists)
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
        file_write(path, f.bytes, f.size);
    }
}

static int sync_nothing(int fd)
{
    (void)fd;
    return 0;
}

static int sync_no_folder(const char *path)
{
    (void)path;
    return 0;
}

enum { NUMBERS = (RECORDS + 2) * LANES };

static void disk_read(const char *directory, enum disk disk, bool seen[NUMBERS])
{
    struct spool_io io = spool_io_system; /* all that is there has come off the disk */
    io.fdatasync = sync_nothing;
    io.fsync_dir = sync_no_folder;
    struct spool *s = open_spool(directory, 0, SEGMENT_BYTES, &io);
    struct arena a = arena_make(1 << 20);
    memset(seen, 0, NUMBERS);
    for (unsigned lane = 0; lane < LANES; lane++) {
        struct spool_reader *r = open_reader(s, lane, (struct spool_position){0, 0});
        struct spool_record record;
        struct err e = {0};
        int rc;
        int64_t last = 0;
        while ((rc = spool_next(r, &a, &record, &e)) == 1) {
            int64_t number = record.envelope.received_at;
            char body[3000];
            assert_true(number > last && number < NUMBERS); /* in order, so never twice */
            last = number;
            assert_int_equal(number % LANES, lane);
            assert_int_equal(record.body.n, body_fill(number, body));
            if (record.body.n)
                assert_memory_equal(record.body.p, body, record.body.n);
            seen[number] = true;
            arena_reset(&a);
        }
        if (rc < 0)
            fail_msg("%s", e.text);
        /* A mark that came before its sync would make damage of what the crash left out. Where
         * pieces of one write are lost and others not, there may be damage that nobody answered. */
        if (disk != RANDOM)
            assert_int_equal(spool_reader_stats(r).damaged_places, 0);
        spool_reader_free(r);
    }
    arena_free(&a);
    spool_free(s);
}

static void power_may_go_at_any_point(void **state)
{
    (void)state;
    char directory[64], again[64], path[96];
    folder_make(directory);
    /* Thousands of small files that need not last. */
    snprintf(again, sizeof(again), "/dev/shm/bouncemx-spool-XXXXXX");
    if (!mkdtemp(again))
        folder_make(again);
    struct spool_io io = {record_open,      record_pwrite,    record_fallocate, record_fdatasync,
                          record_ftruncate, record_fsync_dir, record_unlink};
    struct spool *s = open_spool(directory, 0, SEGMENT_BYTES, &io);
    pthread_t threads[LANES];
    for (unsigned i = 0; i < LANES; i++) {
        writers[i] = (struct writer){.s = s, .lane = i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_lane, &writers[i]), 0);
    }
    for (unsigned i = 0; i < LANES; i++)
        pthread_join(threads[i], NULL);
    spool_free(s);

    int good = 0, bad = 0;
    for (unsigned i = 0; i < LANES; i++) {
        assert_int_equal(writers[i].answered, RECORDS);
        for (int k = 0; k < RECORDS; k++) {
            good += writers[i].answers[k].result == 0;
            bad += writers[i].answers[k].result != 0;
        }
    }
    assert_true(good > RECORDS && bad > 0); /* the shim's failures were met */

    snprintf(path, sizeof(path), "%s/journal", directory);
    size_t n;
    char *journal = file_read(path, &n);
    journal[n] = '\0';
    static bool seen[NUMBERS];
    size_t points = 0, unanswered = 0, checked = 0;
    size_t step = events_n / 300 + 1;
    for (size_t end = 1; end <= events_n; end += step, points++)
        for (enum disk disk = LEAST; disk < DISKS; disk++) {
            coin_state = (uint32_t)(end * DISKS + disk);
            disk_build(again, journal, end, disk);
            disk_read(again, disk, seen);
            for (size_t i = 0; i < end; i++) {
                if (events[i].kind != ANSWER)
                    continue;
                if (!seen[events[i].number])
                    fail_msg("point %zu of %zu, disk %d: record %lld was answered and is lost", end,
                             events_n, (int)disk, (long long)events[i].number);
                seen[events[i].number] = false;
                checked++;
            }
            for (size_t i = 0; i < NUMBERS; i++)
                unanswered += seen[i];
        }
    assert_true(points >= 200);
    assert_true(checked > 10000);
    assert_true(unanswered > 0); /* else nothing unsynced survived, and RANDOM tests nothing */
    print_message("%zu events, %d files, %zu points on %d disks; %d records answered 0, %d not\n",
                  events_n, files_n, points, DISKS, good, bad);
    free(journal);
    for (size_t i = 0; i < events_n; i++)
        free(events[i].bytes);
    folder_remove(directory);
    folder_remove(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(power_may_go_at_any_point)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
