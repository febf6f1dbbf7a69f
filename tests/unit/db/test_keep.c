#include "db/keep.h"

#include "tests/unit/db/support.h"

#include <errno.h>
#include <unistd.h>

static const struct str mx1 = {"mx1", 3}, mx2 = {"mx2", 3};

static struct db *second(void)
{
    struct db *db = NULL;
    struct err e = {0};
    test_ok(db_open(test_conninfo_text, &db, &e), &e);
    return db;
}

static void add(struct db *db, const char *key)
{
    struct err e = {0};
    char sql[400];
    snprintf(sql, sizeof(sql),
             "INSERT INTO bouncemx.suppression (address_key, tenant, scope, stream, address, "
             "event_stream, event_at, kind, events, last_event_at, origin) VALUES "
             "('%s', 'main', 'tenant', '', '%s', '', now(), 'bounce', 0, now(), 'manual')",
             key, key);
    test_ok(pg_script(db->pg, sql, PG_CALL_MS, &e), &e);
}

static void test_one_keeper(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *first = test_schema("t_keep"), *other = second();
    bool is = false;
    test_ok(db_become_keeper(first, mx1, TEST_TIME, 300000, &is, &e), &e);
    assert_true(is);
    test_ok(db_become_keeper(other, mx2, TEST_TIME, 300000, &is, &e), &e);
    assert_false(is);
    /* It is silent for too long. */
    usleep(800000);
    test_ok(db_become_keeper(other, mx2, TEST_TIME, 60 * CLOCK_SECOND, &is, &e), &e);
    assert_true(is);
    size_t n;
    unsigned epoch;
    assert_int_equal(db_feed_round(first, 10, &n, &epoch, &e), -EAGAIN);
    db_free(first);
    db_free(other);
}

static void test_rounds(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_keep"), *reader = second();
    struct arena a = arena_make(16 << 20);
    struct db_table t;
    size_t n = 9;
    unsigned epoch = 9;
    test_ok(db_feed_round(db, 2, &n, &epoch, &e), &e);
    assert_int_equal(n, 0);
    assert_int_equal(epoch, 0);
    test_ok(db_listen(reader, &e), &e);
    add(db, "a@example.com");
    add(db, "b@example.com");
    add(db, "c@example.com");
    test_ok(db_feed_round(db, 2, &n, &epoch, &e), &e);
    assert_int_equal(n, 2);
    /* The bell ends the wait long before its time. */
    int64_t began = clock_monotonic();
    test_ok(db_wait(reader, 20000, -1, -1, &e), &e);
    assert_true(clock_monotonic() - began < 10 * CLOCK_SECOND);
    test_ok(db_feed_round(db, 2, &n, &epoch, &e), &e);
    assert_int_equal(n, 1);
    struct str params[] = {STR("1.1"), STR("10")};
    test_ok(db_ask(reader, &a, DB_ASK_FEED, params, 2, &t, &e), &e);
    assert_int_equal(t.rows_n, 2);
    params[0] = STR("1.4");
    assert_int_equal(db_ask(reader, &a, DB_ASK_FEED, params, 2, &t, &e), -ESTALE);
    params[0] = STR("one");
    assert_int_equal(db_ask(reader, &a, DB_ASK_FEED, params, 2, &t, &e), -EINVAL);
    /* The database was promoted. */
    test_ok(pg_script(db->pg, "UPDATE bouncemx.feed_state SET timeline = 77", PG_CALL_MS, &e), &e);
    test_ok(db_feed_round(db, 2, &n, &epoch, &e), &e);
    assert_int_equal(epoch, 2);
    params[0] = STR("1.3");
    assert_int_equal(db_ask(reader, &a, DB_ASK_FEED, params, 2, &t, &e), -ESTALE);
    arena_free(&a);
    db_free(reader);
    db_free(db);
}

static void test_waits(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_keep");
    int fds[2], gone[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(pipe(gone), 0);
    int64_t began = clock_monotonic();
    test_ok(db_wait(db, 50, fds[0], gone[1], &e), &e);
    assert_true(clock_monotonic() - began >= CLOCK_SECOND / 25);
    assert_int_equal(write(fds[1], "x", 1), 1);
    test_ok(db_wait(db, 60000, fds[0], gone[1], &e), &e);
    close(gone[0]);
    test_ok(db_wait(db, 60000, -1, gone[1], &e), &e);
    assert_true(clock_monotonic() - began < 30 * CLOCK_SECOND);
    close(fds[0]);
    close(fds[1]);
    close(gone[1]);
    db_free(db);
}

static void test_tasks(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_keep");
    struct arena a = arena_make(16 << 20);
    struct db_table t;
    size_t n = 9;
    const struct db_retention for_ever = {0, 0, 0}, a_day = {CLOCK_DAY, CLOCK_DAY, CLOCK_DAY};
    add(db, "a@example.com");
    unsigned epoch;
    test_ok(db_feed_round(db, 10, &n, &epoch, &e), &e);
    int64_t later = clock_now() + 500 * CLOCK_DAY;
    test_ok(db_forget_old(db, later, &for_ever, &n, &e), &e);
    assert_int_equal(n, 0);
    test_ok(db_forget_old(db, later, &a_day, &n, &e), &e);
    assert_true(n > 0);
    test_ok(db_forget_used(db, TEST_TIME, &n, &e), &e);
    test_ok(db_expire(db, TEST_TIME, &n, &e), &e);
    assert_int_equal(n, 0);
    test_ok(db_breaker_judge(db, TEST_TIME, &n, &e), &e);
    test_ok(db_maintained(db, "expiry", mx1, TEST_TIME, 3, STR("because"), &e), &e);
    test_ok(db_ask(db, &a, DB_ASK_MAINTENANCE, NULL, 0, &t, &e), &e);
    assert_int_equal(t.rows_n, 1);
    arena_free(&a);
    db_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_keeper),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
