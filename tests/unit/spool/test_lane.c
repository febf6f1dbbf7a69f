/* Who syncs, when, and for how many. */
#define FIXTURE_IN_MEMORY
#include "fixture.h"

static atomic_int syncs;
static int slow_fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    usleep(5000);
    return fdatasync(fd);
}

static void count_wake(void *ctx)
{
    atomic_fetch_add((atomic_int *)ctx, 1);
}

static void order_done(void *ctx, int result)
{
    static int last;
    int *number = ctx;
    assert_int_equal(result, 0);
    assert_int_equal(*number, last + 1);
    last = *number;
    *number = -1;
}

static void groups_gather_while_one_syncs(void **state)
{
    struct fixture *f = *state;
    struct spool_io io = spool_io_system;
    io.fdatasync = slow_fdatasync;
    struct spool *s = open_spool(f->directory, 0, 0, &io);
    atomic_int wakes = 0;
    struct spool_lane *l;
    assert_int_equal(spool_lane_open(s, 0, count_wake, &wakes, &l, NULL), 0);
    int before = atomic_load(&syncs);
    static int numbers[1000];
    for (int i = 0; i < 1000; i++) {
        numbers[i] = i + 1;
        struct spool_envelope envelope = envelope_make(i + 1);
        assert_int_equal(spool_append(l, &envelope, STR("body"), false, order_done, &numbers[i]),
                         0);
        spool_lane_commit(l);
    }
    /* The appends take far less than one of the slow syncs: a few carry all. */
    int64_t give_up = clock_monotonic() + 20 * CLOCK_SECOND;
    while (numbers[999] != -1 && clock_monotonic() < give_up) {
        spool_lane_reap(l);
        usleep(100);
    }
    assert_int_equal(numbers[999], -1);
    int used = atomic_load(&syncs) - before;
    assert_in_range(used, 1, 20);
    assert_in_range(atomic_load(&wakes), 1, used);
    spool_lane_close(l);
    spool_free(s);
}

static atomic_int sync_takes; /* microseconds */

static int timed_fdatasync(int fd)
{
    usleep((useconds_t)atomic_load(&sync_takes));
    return spool_io_system.fdatasync(fd);
}

/* Appends one record; whether it was durable when spool_lane_commit came back. */
static bool synced_at_once(struct spool_lane *l, int number)
{
    struct spool_envelope envelope = envelope_make(number);
    int result = PENDING;
    assert_false(spool_lane_is_behind(l));
    assert_int_equal(spool_append(l, &envelope, STR("body"), false, done_store, &result), 0);
    assert_true(spool_lane_is_behind(l));
    spool_lane_commit(l);
    bool at_once = result == 0;
    wait_done(l, &result);
    assert_int_equal(result, 0);
    return at_once;
}

static void the_owner_waits_for_a_fast_disk_alone(void **state)
{
    struct fixture *f = *state;
    struct spool_io io = spool_io_system;
    io.fdatasync = timed_fdatasync;
    struct spool *s = open_spool(f->directory, 0, 0, &io);
    struct spool_lane *l = open_lane(s, 0);
    int number = 1;
    assert_true(synced_at_once(l, number++));
    atomic_store(&sync_takes, 20 * 1000);
    while (synced_at_once(l, number++))
        assert_true(number < 10); /* the one that finds the disk slow is waited for */
    for (int i = 0; i < 5; i++)
        assert_false(synced_at_once(l, number++));
    atomic_store(&sync_takes, 0);
    int trusted = 0;
    while (!synced_at_once(l, number++))
        assert_true(++trusted < 10000);
    assert_true(trusted >= 31);
    spool_lane_close(l);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    for (int i = 1; i < number; i++)
        assert_int_equal(next_number(r, NULL), i);
    spool_reader_free(r);
    spool_free(s);
}

static void close_calls_what_is_left(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    struct spool_lane *l = open_lane(s, 0);
    int results[50];
    for (int i = 0; i < 50; i++)
        assert_int_equal(append(l, i + 1, STR("x"), &results[i]), 0);
    spool_lane_close(l);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    for (int i = 0; i < 50; i++) {
        assert_int_equal(results[i], 0);
        assert_int_equal(next_number(r, NULL), i + 1);
    }
    spool_reader_free(r);
    spool_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(groups_gather_while_one_syncs),
        TEST(the_owner_waits_for_a_fast_disk_alone),
        TEST(close_calls_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
