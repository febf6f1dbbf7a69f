/* The circuit breaker beside writers: each change is judged once, whenever it is committed. */
#include "base/clock.h"
#include "tests/unit/db/support.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WRITERS = 3, EACH = 300, AT_ONCE = 10, FLOOR = 100 };

static void write_all(struct db *db, unsigned number, const struct db_message *m, size_t n)
{
    struct err e = {0};
    struct db_lane lane = test_lane;
    struct db_position at;
    struct db_written written;
    lane.lane = number;
    test_ok(db_lane_position(db, &lane, &at, &e), &e);
    test_ok(db_write(db, &lane, at, m, n, &at, &written, &e), &e);
    assert_int_equal(written.messages, n);
}

/* Of another day: the roll-ups of one hour are for one transaction at a time. */
static void write_some(struct db *db, unsigned lane, unsigned first, size_t n, unsigned day)
{
    struct test_message *t = calloc(n, sizeof(*t));
    assert_non_null(t);
    struct db_message *m = test_batch(t, first, n);
    for (size_t i = 0; i < n; i++)
        m[i].received_at += day * CLOCK_DAY;
    write_all(db, lane, m, n);
    free(m);
    free(t);
}

static const char judge[] = "SELECT changes FROM bouncemx.breaker_judge('2026-11-24')";

/* The first of two transactions ends last. */
static void test_in_progress(void **state)
{
    (void)state;
    struct db *db = test_schema("t_breaker_order"), *other = test_open(test_conninfo_text);
    struct db *keeper = test_open(test_conninfo_text);
    test_run(db, "BEGIN");
    write_some(db, 0, 0, 2, 0);
    write_some(other, 1, 2, 3, 1);
    assert_value(keeper, judge, "3");
    test_run(db, "COMMIT");
    write_some(other, 1, 5, 1, 1);
    assert_value(keeper, judge, "3");
    assert_value(keeper, judge, "0");
    assert_value(keeper, "SELECT sum(turned) FROM bouncemx.breaker_hour", "6");
    db_free(keeper);
    db_free(other);
    db_free(db);
}

struct writer {
    char conninfo[512];
    unsigned lane;
    atomic_uint *done;
};

static void *write_on(void *arg)
{
    struct writer *w = arg;
    struct db *db = test_open(w->conninfo);
    for (unsigned i = 0; i < EACH; i += AT_ONCE)
        write_some(db, w->lane, w->lane * EACH + i, AT_ONCE, 0);
    db_free(db);
    atomic_fetch_add(w->done, 1);
    return NULL;
}

/* It opens while they write: in the end each row waits, whichever batch saw what. */
static void test_opens_under_writers(void **state)
{
    (void)state;
    char sql[200], expected[20];
    atomic_uint done = 0;
    struct db *keeper = test_schema("t_breaker_opens");
    struct writer w[WRITERS];
    pthread_t threads[WRITERS];
    snprintf(sql, sizeof(sql), "UPDATE bouncemx.breaker_policy SET floor = %d", FLOOR);
    test_run(keeper, sql);
    for (unsigned i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){.lane = i, .done = &done};
        snprintf(w[i].conninfo, sizeof(w[i].conninfo), "%s", test_conninfo_text);
        assert_int_equal(pthread_create(&threads[i], NULL, write_on, &w[i]), 0);
    }
    char changes[20] = "";
    for (bool last = false; !last || strcmp(changes, "0") != 0;) {
        last = atomic_load(&done) == WRITERS;
        test_value(keeper, judge, changes, sizeof(changes));
    }
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    snprintf(expected, sizeof(expected), "%d", WRITERS * EACH);
    assert_value(keeper, "SELECT sum(turned) FROM bouncemx.breaker_hour", expected);
    assert_value(keeper, "SELECT count(*) FROM bouncemx.suppression WHERE state = 'pending'",
                 expected);
    assert_value(keeper,
                 "SELECT bouncemx.breaker_release('main', 'google', NULL, '2026-11-24') || ' ' || "
                 "(SELECT count(*) FROM bouncemx.audit WHERE action = 'breaker.open')",
                 "900 1");
    db_free(keeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_progress),
        cmocka_unit_test(test_opens_under_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
