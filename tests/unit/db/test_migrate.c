#include "tests/unit/db/support.h"

#include "db/steps.h"

#include <errno.h>
#include <pthread.h>

static void note_step(void *ctx, unsigned number, const char *name)
{
    unsigned *seen = ctx;
    assert_int_equal(number, *seen + 1);
    assert_true(name[0] != '\0');
    *seen = number;
}

static void test_twice(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_open(test_database("t_migrate"));
    unsigned version = 0, seen = 0;
    assert_int_equal(db_schema_check(db, &e), -EPROTO);
    assert_non_null(strstr(e.text, "bouncemx migrate"));
    assert_int_equal(db_schema_is_current(db, &e), -EPROTO);
    test_ok(db_migrate(db, note_step, &seen, &version, &e), &e);
    assert_int_equal(seen, db_steps_n);
    assert_int_equal(version, DB_SCHEMA_VERSION);
    test_ok(db_schema_check(db, &e), &e);
    test_ok(db_schema_is_current(db, &e), &e);
    seen = 77;
    version = 0;
    test_ok(db_migrate(db, note_step, &seen, &version, &e), &e);
    assert_int_equal(seen, 77); /* nothing to do */
    assert_int_equal(version, DB_SCHEMA_VERSION);
    db_free(db);
}

static void test_one_version_back(void **state)
{
    (void)state;
    struct err e = {0};
    unsigned version = 77, seen = 0;
    struct arena a = arena_make(1 << 20);
    struct db_table table;
    const struct str limit = STR("1");
    struct db *db = test_open(test_database("t_migrate_back"));
    test_ok(db_migrate_to(db, 1, note_step, &seen, &version, &e), &e);
    assert_int_equal(version, 1);
    assert_int_equal(seen, 10);
    test_ok(db_schema_check(db, &e), &e);
    assert_int_equal(db_schema_version(db), 1);
    assert_int_equal(db_schema_is_current(db, &e), -EPROTO);
    /* A function that version 1 has not: not the server's words alone. */
    test_run(db, "ALTER FUNCTION bouncemx.set_aside_list(bigint) RENAME TO not_there_yet");
    assert_int_equal(db_ask(db, &a, DB_ASK_SET_ASIDE, &limit, 1, &table, &e), -EPROTO);
    assert_non_null(strstr(e.text, "needs schema version 2"));
    assert_non_null(strstr(e.text, "run `bouncemx migrate`"));
    test_run(db, "ALTER FUNCTION bouncemx.not_there_yet(bigint) RENAME TO set_aside_list");
    test_ok(db_ask(db, &a, DB_ASK_SET_ASIDE, &limit, 1, &table, &e), &e);
    test_ok(db_migrate(db, note_step, &seen, &version, &e), &e);
    assert_int_equal(version, DB_SCHEMA_VERSION);
    test_ok(db_schema_check(db, &e), &e);
    assert_int_equal(db_schema_version(db), DB_SCHEMA_VERSION);
    /* The words of a version that is whole are the server's again. */
    test_run(db, "ALTER FUNCTION bouncemx.set_aside_list(bigint) RENAME TO gone");
    assert_int_equal(db_ask(db, &a, DB_ASK_SET_ASIDE, &limit, 1, &table, &e), -EAGAIN);
    assert_int_equal(db_migrate_to(db, 1, NULL, NULL, &version, &e), -EINVAL);
    assert_non_null(strstr(e.text, "forward only"));
    arena_free(&a);
    db_free(db);
}

static void run_step(struct db *db, const struct db_step *step)
{
    char sql[300];
    snprintf(sql, sizeof(sql), "INSERT INTO bouncemx.schema_migration VALUES (%u, '%s', '%s')",
             step->number, step->name, step->checksum);
    test_run(db, step->sql);
    test_run(db, sql);
}

/* Killed between any two steps: this program writes on, on the connection that it had, too. */
static void test_half_way(void **state)
{
    (void)state;
    struct err e = {0};
    unsigned version = 0;
    const char *conninfo = test_database("t_migrate_half");
    struct db *db = test_open(conninfo), *writer = test_open(conninfo);
    struct test_message t[64];
    struct db_position at = {0, 0};
    struct db_written written;
    test_ok(db_migrate_to(db, 1, NULL, NULL, &version, &e), &e);
    test_ok(db_partitions(db, TEST_TIME, &e), &e);
    test_ok(db_lane_position(writer, &test_lane, &at, &e), &e);
    for (unsigned n = 0; n <= db_steps_n - 10; n++) {
        if (n > 0)
            run_step(db, &db_steps[9 + n]);
        test_ok(db_schema_check(writer, &e), &e);
        assert_int_equal(db_schema_version(writer), n < db_steps_n - 10 ? 1 : DB_SCHEMA_VERSION);
        assert_true(n < 64);
        test_message(&t[n], n);
        test_ok(db_write(writer, &test_lane, at, &t[n].message, 1, &at, &written, &e), &e);
        assert_int_equal(written.messages, 1);
    }
    db_free(writer);
    test_ok(db_migrate(db, NULL, NULL, &version, &e), &e);
    assert_int_equal(version, DB_SCHEMA_VERSION);

    /* Half way to version 1 there is nothing to work with. */
    test_run(db, "DROP SCHEMA bouncemx, bouncemx_private CASCADE");
    test_run(db, db_steps[0].sql);
    assert_int_equal(db_schema_check(db, &e), -EPROTO);
    db_free(db);
}

struct racer {
    char conninfo[512];
    unsigned ran;
    int rc;
    struct err e;
};

static void count_step(void *ctx, unsigned number, const char *name)
{
    (void)number;
    (void)name;
    ((struct racer *)ctx)->ran++;
}

static void *race(void *arg)
{
    struct racer *r = arg;
    struct db *db = NULL;
    unsigned version = 0;
    r->rc = db_open(r->conninfo, &db, &r->e);
    if (r->rc == 0)
        r->rc = db_migrate(db, count_step, r, &version, &r->e);
    if (r->rc == 0 && version != DB_SCHEMA_VERSION)
        r->rc = -ERANGE;
    db_free(db);
    return NULL;
}

static void test_two_at_once(void **state)
{
    (void)state;
    const char *conninfo = test_database("t_migrate_race");
    struct racer r[4] = {0};
    pthread_t threads[4];
    unsigned ran = 0;
    for (size_t i = 0; i < 4; i++) {
        snprintf(r[i].conninfo, sizeof(r[i].conninfo), "%s", conninfo);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &r[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        test_ok(r[i].rc, &r[i].e);
        ran += r[i].ran;
    }
    assert_int_equal(ran, db_steps_n);
}

static const char *schema_version_is(unsigned version)
{
    static char sql[200];
    snprintf(sql, sizeof(sql),
             "CREATE OR REPLACE FUNCTION bouncemx.schema_version() RETURNS integer LANGUAGE sql "
             "IMMUTABLE PARALLEL SAFE RETURN %u",
             version);
    return sql;
}

static void test_refused(void **state)
{
    (void)state;
    struct err e = {0};
    unsigned version = 77;
    struct db *db = test_schema("t_migrate_newer");
    test_run(db, "UPDATE bouncemx.schema_migration SET checksum = 'other' WHERE number = 2");
    assert_int_equal(db_migrate(db, NULL, NULL, &version, &e), -EPROTO);
    assert_non_null(strstr(e.text, "step 2"));
    db_free(db);

    /* The next version is worked with and left alone, the one after it refused. */
    db = test_schema("t_migrate_newer");
    char sql[200];
    snprintf(sql, sizeof(sql), "INSERT INTO bouncemx.schema_migration VALUES (%u, 'future', 'x')",
             db_steps_n + 1);
    test_run(db, sql);
    test_run(db, schema_version_is(DB_SCHEMA_VERSION + 1));
    test_ok(db_migrate(db, NULL, NULL, &version, &e), &e);
    assert_int_equal(version, DB_SCHEMA_VERSION + 1);
    test_ok(db_schema_check(db, &e), &e);
    test_run(db, schema_version_is(DB_SCHEMA_VERSION + 2));
    version = 77;
    assert_int_equal(db_migrate(db, NULL, NULL, &version, &e), -EPROTO);
    assert_non_null(strstr(e.text, "newer"));
    assert_int_equal(version, 77);
    assert_int_equal(db_schema_check(db, &e), -EPROTO);
    assert_non_null(strstr(e.text, "newer"));
    db_free(db);
}

/* A sequence counts on through what is rolled back. */
static const char lock_up[] =
    "CREATE SEQUENCE bouncemx.tries; "
    "CREATE FUNCTION bouncemx.lock_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF nextval('bouncemx.tries') <= TG_ARGV[0]::int THEN "
    "RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$; "
    "CREATE TRIGGER lock_up BEFORE INSERT ON bouncemx.schema_migration "
    "FOR EACH ROW EXECUTE FUNCTION bouncemx.lock_up";

static void test_locked_up(void **state)
{
    (void)state;
    static const struct {
        const char *argument;
        bool ends;
    } cases[] = {{"('3')", true}, {"('1000')", false}};
    for (size_t i = 0; i < 2; i++) {
        struct err e = {0};
        unsigned version = 0;
        char sql[1000];
        struct db *db = test_open(test_database("t_migrate_locked"));
        test_ok(db_migrate_to(db, 1, NULL, NULL, &version, &e), &e);
        snprintf(sql, sizeof(sql), "%s%s", lock_up, cases[i].argument);
        test_run(db, sql);
        int rc = db_migrate(db, NULL, NULL, &version, &e);
        assert_int_equal(rc, cases[i].ends ? 0 : -EAGAIN);
        if (!cases[i].ends)
            assert_non_null(strstr(e.text, "deadlock"));
        assert_int_equal(version, cases[i].ends ? DB_SCHEMA_VERSION : 1);
        db_free(db);
    }
}

static void test_failing_step(void **state)
{
    (void)state;
    /* A table of a later step is in the way: that step fails as a whole, the earlier ones stay. */
    struct err e = {0};
    unsigned version = 77;
    struct db *db = test_open(test_database("t_migrate_fail"));
    test_run(db, "CREATE SCHEMA bouncemx; CREATE TYPE bouncemx.event_kind AS ENUM ('x')");
    assert_true(db_migrate(db, NULL, NULL, &version, &e) < 0);
    assert_non_null(strstr(e.text, "step 1 (ground)"));
    assert_value(db, "SELECT to_regclass('bouncemx.schema_migration') IS NULL", "true");
    test_run(db, "DROP TYPE bouncemx.event_kind");
    test_ok(db_migrate(db, NULL, NULL, &version, &e), &e);
    db_free(db);
}

static void test_bad_conninfo(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = NULL;
    assert_int_equal(db_open("host=x nonsense", &db, &e), -EINVAL);
    assert_non_null(strstr(e.text, "conninfo"));
    assert_int_equal(db_open("host=/nonexistent-folder connect_timeout=2", &db, &e), -EAGAIN);
    assert_null(db);
    db_free(NULL);
}

static void test_encoding_refused(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_open(test_cluster());
    test_run(db, "DROP DATABASE IF EXISTS t_latin1");
    test_run(db, "CREATE DATABASE t_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    db_free(db);
    char conninfo[512];
    snprintf(conninfo, sizeof(conninfo), "%s dbname=t_latin1", test_cluster());
    assert_int_equal(db_open(conninfo, &db, &e), -EPROTO);
    assert_non_null(strstr(e.text, "UTF8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_one_version_back),
        cmocka_unit_test(test_half_way),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_locked_up),
        cmocka_unit_test(test_failing_step),
        cmocka_unit_test(test_bad_conninfo),
        cmocka_unit_test(test_encoding_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
