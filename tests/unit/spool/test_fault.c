/* A disk that fails, or is full: the answer says so, nothing else is lost, and it goes on. */
#define FIXTURE_IN_MEMORY
#include "fixture.h"

/* The next calls of a kind that fail, and how. */
static atomic_int fail_pwrite, fail_fdatasync, fail_fallocate, fail_fsync_dir, fail_open;
static atomic_int error_now = EIO;
static atomic_bool no_fallocate, short_writes;

static bool fails(atomic_int *left)
{
    int n = atomic_load(left);
    while (n > 0)
        if (atomic_compare_exchange_weak(left, &n, n - 1)) {
            errno = atomic_load(&error_now);
            return true;
        }
    return false;
}

static int fault_open(const char *path, int flags, mode_t mode)
{
    if (strstr(path, ".seg") && (flags & O_CREAT) && fails(&fail_open))
        return -1;
    return spool_io_system.open(path, flags, mode);
}

static ssize_t fault_pwrite(int fd, const void *p, size_t n, off_t at)
{
    static atomic_uint calls;
    if (fails(&fail_pwrite)) {
        /* As a full disk does: a part is written first. */
        if (n > 100)
            (void)!pwrite(fd, p, n / 2 & ~7ul, at);
        return -1;
    }
    if (atomic_load(&short_writes)) {
        unsigned call = atomic_fetch_add(&calls, 1);
        if (call % 3 == 0) {
            errno = EINTR;
            return -1;
        }
        size_t most = 7 + call % 31;
        n = n > most ? most : n;
    }
    return spool_io_system.pwrite(fd, p, n, at);
}

static int fault_fallocate(int fd, off_t size)
{
    if (atomic_load(&no_fallocate)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return fails(&fail_fallocate) ? -1 : spool_io_system.fallocate(fd, size);
}

static atomic_bool disk_hangs;

static int fault_fdatasync(int fd)
{
    for (int i = 0; i < 20000 && atomic_load(&disk_hangs); i++)
        usleep(1000);
    return fails(&fail_fdatasync) ? -1 : spool_io_system.fdatasync(fd);
}

static int fault_fsync_dir(const char *path)
{
    return fails(&fail_fsync_dir) ? -1 : spool_io_system.fsync_dir(path);
}

static struct spool_io fault_io(void)
{
    atomic_store(&fail_pwrite, 0);
    atomic_store(&fail_fdatasync, 0);
    atomic_store(&fail_fallocate, 0);
    atomic_store(&fail_fsync_dir, 0);
    atomic_store(&fail_open, 0);
    atomic_store(&error_now, EIO);
    atomic_store(&no_fallocate, false);
    atomic_store(&short_writes, false);
    struct spool_io io = spool_io_system;
    io.open = fault_open;
    io.pwrite = fault_pwrite;
    io.fallocate = fault_fallocate;
    io.fdatasync = fault_fdatasync;
    io.fsync_dir = fault_fsync_dir;
    return io;
}

/* Every record answered with 0 is read, no other; with the writer alive and after its end. */
static void failed_sync_is_not_tried_again(void **state)
{
    struct fixture *f = *state;
    struct spool_io io = fault_io();
    struct spool *s = open_spool(f->directory, 0, 0, &io);
    struct spool_lane *l = open_lane(s, 0);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    assert_int_equal(append_wait(l, 1, STR("a")), 0);
    atomic_store(&fail_fdatasync, 1);
    assert_int_equal(append_wait(l, 2, STR("b")), -EIO);
    assert_true(spool_lane_has_room(l, 0));
    assert_int_equal(next_number(r, NULL), 1);
    assert_int_equal(next_number(r, NULL), 0);
    char paths[8][128];
    assert_int_equal(append_wait(l, 3, STR("c")), 0);
    assert_int_equal(segment_paths(f->directory, 0, paths, 8), 2);
    assert_int_equal(next_number(r, NULL), 3);
    atomic_store(&fail_fdatasync, 1);
    assert_int_equal(append_wait(l, 4, STR("d")), -EIO);
    /* The disk fails on and on: each is answered, no file is left for each try. */
    atomic_store(&fail_fdatasync, 1000000);
    for (int i = 0; i < 20; i++)
        assert_int_equal(append_wait(l, 5, STR("e")), -EIO);
    atomic_store(&fail_fdatasync, 0);
    assert_int_equal(append_wait(l, 6, STR("f")), 0);
    assert_int_equal(segment_paths(f->directory, 0, paths, 8), 3);
    spool_lane_close(l);
    assert_int_equal(next_number(r, NULL), 6);
    assert_int_equal(next_number(r, NULL), 0);
    assert_int_equal(spool_reader_stats(r).damaged_places, 0);
    spool_reader_free(r);
    spool_free(s);
}

/* An append that finds the disk full. Until the first back-off is over, the lane refuses; this
 * thread may be stopped for longer than that before it looks, and then sees nothing: only what is
 * seen in time counts. Returns whether it was. */
enum { BACKOFF_LEAST = 100 * 1000 };

static bool refused_meanwhile(struct spool_lane *l, int64_t before_full)
{
    bool room = spool_lane_has_room(l, 0);
    bool in_time = clock_monotonic() - before_full < BACKOFF_LEAST;
    if (in_time)
        assert_false(room);
    return in_time;
}

static void room_wait(const struct spool_lane *l)
{
    int64_t give_up = clock_monotonic() + 20 * CLOCK_SECOND;
    while (!spool_lane_has_room(l, 0) && clock_monotonic() < give_up)
        usleep(1000);
    assert_true(spool_lane_has_room(l, 0));
}

/* Each call that a group needs fails once, at each of its first uses. */
static void every_call_fails_once(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, ENXIO};
    atomic_int *const calls[] = {&fail_pwrite, &fail_fdatasync, &fail_fallocate, &fail_fsync_dir,
                                 &fail_open};
    int seen = 0;
    for (size_t c = 0; c < 5; c++)
        for (size_t k = 0; k < 4; k++) {
            struct fixture *f = *state;
            struct spool_io io = fault_io();
            char directory[96];
            snprintf(directory, sizeof(directory), "%s/%zu-%zu", f->directory, c, k);
            struct spool *s = open_spool(directory, 0, 16 << 10, &io);
            struct spool_lane *l = open_lane(s, 0);
            char body[3000] = {0};
            int results[31];
            int failed = 0;
            atomic_store(&error_now, errors[k]);
            for (int i = 1; i <= 30; i++) {
                if (i % 13 == 0)
                    atomic_store(calls[c], 1);
                int64_t before = clock_monotonic();
                results[i] = append_wait(l, i, str_of(body, sizeof(body)));
                if (results[i] == -ENOSPC) {
                    seen += refused_meanwhile(l, before);
                    room_wait(l);
                }
                int want = errors[k] == EIO || errors[k] == ENXIO ? -EIO : -ENOSPC;
                assert_true(results[i] == 0 || results[i] == want);
                failed += results[i] != 0;
            }
            /* fallocate with ENOSPC is tried again smaller, which works here. */
            bool absorbed = calls[c] == &fail_fallocate && (k == 1 || k == 2);
            if (failed != (absorbed ? 0 : 2))
                fail_msg("call %zu error %d: %d failed", c, errors[k], failed);
            struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
            for (int i = 1; i <= 30; i++)
                if (results[i] == 0)
                    assert_int_equal(next_number(r, NULL), i);
            assert_int_equal(next_number(r, NULL), 0);
            assert_int_equal(spool_reader_stats(r).damaged_places, 0);
            assert_int_equal(spool_reader_stats(r).torn_tails, 0);
            spool_reader_free(r);
            spool_lane_close(l);
            spool_free(s);
        }
    assert_true(seen > 0);
}

static void full_disk_backs_off_and_resumes(void **state)
{
    struct fixture *f = *state;
    struct spool_io io = fault_io();
    struct spool *s = open_spool(f->directory, 0, 64 << 10, &io);
    struct spool_lane *l = open_lane(s, 0);
    assert_int_equal(append_wait(l, 1, STR("a")), 0);
    atomic_store(&error_now, ENOSPC);
    atomic_store(&fail_pwrite, 1000000);
    /* Each try doubles the wait for the next. It can only come later, never before. */
    int64_t least = BACKOFF_LEAST, before = clock_monotonic();
    assert_int_equal(append_wait(l, 2, STR("b")), -ENOSPC);
    for (int tries = 1; tries <= 2; tries++, least *= 2) {
        int result, rc = append(l, 3, STR("c"), &result); /* refused at once, without a try */
        if (clock_monotonic() - before < least)
            assert_int_equal(rc, -ENOSPC);
        else if (rc == 0)
            wait_done(l, &result);
        room_wait(l);
        assert_true(clock_monotonic() - before >= least);
        before = clock_monotonic();
        assert_int_equal(append_wait(l, 4, STR("d")), -ENOSPC);
    }
    char paths[8][128];
    assert_int_equal(segment_paths(f->directory, 0, paths, 8), 1); /* no file for each try */
    atomic_store(&fail_pwrite, 0);
    room_wait(l);
    assert_int_equal(append_wait(l, 5, STR("e")), 0);
    assert_int_equal(append_wait(l, 6, STR("f")), 0);
    spool_lane_close(l);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    assert_int_equal(next_number(r, NULL), 1);
    assert_int_equal(next_number(r, NULL), 5);
    assert_int_equal(next_number(r, NULL), 6);
    assert_int_equal(next_number(r, NULL), 0);
    assert_int_equal(spool_reader_stats(r).damaged_places, 0);
    spool_reader_free(r);
    spool_free(s);
}

static void remove_segments(const char *directory)
{
    char paths[8][128];
    for (size_t n = segment_paths(directory, 0, paths, 8); n-- > 0;)
        assert_int_equal(unlink(paths[n]), 0);
}

/* A disk that fails is told at the start; one that is full is no reason not to begin: mail is
 * refused until there is room. */
static void a_lane_begins_without_room(void **state)
{
    struct fixture *f = *state;
    struct spool_io io = fault_io();
    struct spool *s = open_spool(f->directory, 0, 0, &io);
    atomic_int *const calls[] = {&fail_pwrite, &fail_fdatasync, &fail_fallocate, &fail_fsync_dir,
                                 &fail_open};
    spool_lane_close(open_lane(s, 0));
    for (size_t c = 0; c < 5; c++)
        for (int full = 0; full <= 1; full++) {
            struct spool_lane *l = NULL;
            struct err e = {0};
            atomic_store(&error_now, full ? ENOSPC : EIO);
            atomic_store(calls[c], 2);
            assert_int_equal(spool_lane_open(s, 0, wake_nothing, NULL, &l, &e), full ? 0 : -EIO);
            char paths[8][128];
            assert_int_equal(segment_paths(f->directory, 0, paths, 8), 0);
            atomic_store(calls[c], 0);
            if (full) {
                assert_int_equal(append_wait(l, 1, STR("room again")), 0);
                spool_lane_close(l);
                remove_segments(f->directory);
            } else {
                assert_null(l);
                assert_non_null(strstr(e.text, ".seg"));
            }
        }
    struct spool_lane *l = open_lane(s, 0); /* the lock was given back */
    assert_int_equal(append_wait(l, 1, STR("x")), 0);
    spool_lane_close(l);
    spool_free(s);
}

static void writes_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct spool_io io = fault_io();
    atomic_store(&short_writes, true);
    atomic_store(&no_fallocate, true);
    struct spool *s = open_spool(f->directory, 0, 64 << 10, &io);
    struct spool_lane *l = open_lane(s, 0);
    char body[5000];
    memset(body, 'z', sizeof(body));
    for (int i = 1; i <= 20; i++)
        assert_int_equal(append_wait(l, i, str_of(body, sizeof(body))), 0);
    spool_lane_close(l);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    for (int i = 1; i <= 20; i++)
        assert_int_equal(next_number(r, NULL), i);
    assert_int_equal(next_number(r, NULL), 0);
    spool_reader_free(r);
    spool_free(s);
}

static void too_much_waits(void **state)
{
    struct fixture *f = *state;
    struct spool_io io = fault_io();
    struct spool *s = open_spool(f->directory, 0, 0, &io);
    struct spool_lane *l = open_lane(s, 0);
    size_t n = 8 << 20;
    char *body = calloc(1, n);
    assert_non_null(body);
    int results[20], taken = 0, rc = 0;
    atomic_store(&disk_hangs, true);
    while (taken < 20 && (rc = append(l, taken + 1, str_of(body, n), &results[taken])) == 0)
        taken++;
    assert_int_equal(rc, -ENOBUFS);
    assert_int_equal(taken, 7); /* and their envelopes: under 64 MiB */
    atomic_store(&disk_hangs, false);
    wait_done(l, &results[taken - 1]);
    assert_int_equal(append_wait(l, 8, str_of(body, n)), 0);
    spool_lane_close(l);
    for (int i = 0; i < taken; i++)
        assert_int_equal(results[i], 0);
    free(body);
    spool_free(s);
}

/* A writer that died, seen by a reader whose own disk calls fail. */
static void reader_syncs_before_it_believes(void **state)
{
    struct fixture *f = *state;
    struct spool_io io = fault_io();
    struct spool *s = open_spool(f->directory, 0, 64 << 10, &io);
    struct spool_lane *l = open_lane(s, 0);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(append_wait(l, i, STR("x")), 0);
    char paths[2][128];
    assert_int_equal(segment_paths(f->directory, 0, paths, 2), 1);
    size_t n;
    char *bytes = file_read(paths[0], &n);
    spool_lane_close(l);
    memset(bytes + 2048, 0, 16);
    bytes[4096] ^= 1;
    file_write(paths[0], bytes, n);
    free(bytes);

    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    atomic_store(&fail_fdatasync, 1);
    assert_int_equal(next_number(r, NULL), -EIO);
    atomic_store(&error_now, ENOSPC);
    atomic_store(&fail_pwrite, 1000000); /* nowhere to keep the damage: it goes on all the same */
    assert_int_equal(next_number(r, NULL), 2);
    assert_int_equal(next_number(r, NULL), 3);
    assert_int_equal(next_number(r, NULL), 0);
    struct spool_reader_stats stats = spool_reader_stats(r);
    assert_int_equal(stats.damaged_places, 1);
    assert_int_equal(stats.damaged_unkept, 1);
    assert_int_equal(stats.records, 2);
    spool_reader_free(r);
    spool_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failed_sync_is_not_tried_again),  TEST(every_call_fails_once),
        TEST(full_disk_backs_off_and_resumes), TEST(a_lane_begins_without_room),
        TEST(writes_come_in_pieces),           TEST(too_much_waits),
        TEST(reader_syncs_before_it_believes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
