/* Several writers at once, and a server that is killed under them. */
#include "tests/unit/db/support.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGES = 400, BATCH = 20 };

struct writer {
    char conninfo[512];
    unsigned lane;
    unsigned first; /* number of its first message */
    bool same_addresses;
    size_t stale;
    int rc;
    struct err e;
};

/* Writes the lane to its end, batch by batch, from wherever it stands; others may write it too. */
static int write_lane(struct db *db, struct writer *w, const struct db_message *m)
{
    struct db_lane lane = test_lane;
    struct db_position at;
    struct db_written written;
    lane.lane = w->lane;
    int rc = db_lane_position(db, &lane, &at, &w->e);
    while (rc == 0 && at.offset < MESSAGES * 100) {
        size_t i = (size_t)at.offset / 100, n = MESSAGES - i < BATCH ? MESSAGES - i : BATCH;
        rc = db_write(db, &lane, at, m + i, n, &at, &written, &w->e);
        if (rc == -ESTALE) {
            w->stale++;
            rc = db_lane_position(db, &lane, &at, &w->e);
        }
    }
    return rc;
}

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    struct test_message *t = calloc(MESSAGES, sizeof(*t));
    struct db_message *m = calloc(MESSAGES, sizeof(*m));
    struct db *db = NULL;
    w->rc = t && m ? db_open(w->conninfo, &db, &w->e) : -ENOMEM;
    for (unsigned i = 0; w->rc == 0 && i < MESSAGES; i++) {
        test_message(&t[i], w->first + i);
        m[i] = t[i].message;
        m[i].at.offset = (uint64_t)i * 100;
        m[i].next.offset = (uint64_t)i * 100 + 100;
        if (w->same_addresses) {
            /* The same 50 addresses for all, in another order for each. */
            snprintf(t[i].address, sizeof(t[i].address), "shared%u@example.net",
                     (i * (2 * w->lane + 7)) % 50);
            t[i].event.attribution.address = t[i].event.attribution.key = str_c(t[i].address);
        }
    }
    if (w->rc == 0)
        w->rc = write_lane(db, w, m);
    db_free(db);
    free(m);
    free(t);
    return NULL;
}

static void run_writers(struct writer *w, size_t n)
{
    pthread_t threads[8];
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, writer_run, &w[i]), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < n; i++)
        test_ok(w[i].rc, &w[i].e);
}

static void test_own_lanes(void **state)
{
    (void)state;
    struct db *db = test_schema("t_writers_lanes");
    struct writer w[4] = {0};
    for (unsigned i = 0; i < 4; i++) {
        w[i] = (struct writer){.lane = i, .first = i * MESSAGES, .same_addresses = true};
        snprintf(w[i].conninfo, sizeof(w[i].conninfo), "%s", test_conninfo_text);
    }
    run_writers(w, 4);
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "1600");
    assert_value(db, "SELECT count(*) || ' ' || sum(events) FROM bouncemx.suppression", "50 1600");
    db_free(db);
}

static void test_one_lane(void **state)
{
    (void)state;
    struct db *db = test_schema("t_writers_one");
    struct writer w[3] = {0};
    for (unsigned i = 0; i < 3; i++)
        snprintf(w[i].conninfo, sizeof(w[i].conninfo), "%s", test_conninfo_text);
    run_writers(w, 3);
    assert_value(db, "SELECT count(*) FROM bouncemx.message", "400");
    assert_value(db, "SELECT count(*) || ' ' || sum(events) FROM bouncemx.suppression", "400 400");
    db_free(db);
}

/* ---- a cluster of one's own, to be killed ---- */

static char folder[64];

static void cluster(const char *what)
{
    char command[4200];
    const char *sh = getenv("BOUNCEMX_POSTGRES_SH");
    snprintf(command, sizeof(command), "'%s' %s %s %s >/dev/null 2>&1",
             sh ? sh : TEST_SOURCE_DIR "/tests/support/postgres.sh", what, folder,
             strcmp(what, "start") == 0 ? "--no-fsync" : "");
    if (system(command) != 0)
        fail_msg("%s", command);
}

static int cluster_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/bouncemx-kill.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    cluster("start");
    return 0;
}

static int cluster_remove(void **state)
{
    (void)state;
    char command[200];
    cluster("stop");
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static pid_t kill_later(unsigned ms)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        usleep(ms * 1000);
        cluster("kill9");
        _exit(0);
    }
    return pid;
}

static void await(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static struct db *own_schema(char conninfo[512])
{
    struct err e = {0};
    unsigned version;
    snprintf(conninfo, 512, "host=%s/socket port=5432 user=bouncemx dbname=bouncemx", folder);
    struct db *db = test_open(conninfo);
    test_run(db, "DROP SCHEMA IF EXISTS bouncemx, bouncemx_private CASCADE");
    test_ok(db_migrate(db, NULL, NULL, &version, &e), &e);
    return db;
}

static void test_killed_in_a_batch(void **state)
{
    (void)state;
    char conninfo[512];
    struct err e = {0};
    struct db *db = own_schema(conninfo);
    struct test_message t[10];
    struct db_message *m = test_batch(t, 0, 10);
    struct db_position at;
    struct db_written written;
    test_run(db, "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
                 "'BEGIN PERFORM pg_sleep(30); RETURN NEW; END'; CREATE TRIGGER wait BEFORE INSERT "
                 "ON bouncemx.suppression FOR EACH STATEMENT EXECUTE FUNCTION wait()");
    test_ok(db_lane_position(db, &test_lane, &at, &e), &e);
    int64_t began = clock_monotonic();
    pid_t killer = kill_later(300);
    assert_int_equal(db_write(db, &test_lane, at, m, 10, &at, &written, &e), -EAGAIN);
    assert_true(clock_monotonic() - began < 20 * CLOCK_SECOND);
    assert_int_equal(at.offset, 0);
    assert_int_equal(written.messages, 0);
    await(killer);
    /* While it is away every call says so at once. */
    assert_int_equal(db_lane_position(db, &test_lane, &at, &e), -EAGAIN);
    assert_int_equal(db_reset(db, &e), -EAGAIN);
    assert_int_equal(db_write(db, &test_lane, at, m, 10, &at, &written, &e), -EAGAIN);
    cluster("start");
    test_ok(db_reset(db, &e), &e);
    test_run(db, "DROP TRIGGER wait ON bouncemx.suppression; DROP FUNCTION wait()");
    test_ok(db_lane_position(db, &test_lane, &at, &e), &e);
    assert_int_equal(at.offset, 0);
    test_ok(db_write(db, &test_lane, at, m, 10, &at, &written, &e), &e);
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "10");

    /* A server that does not answer: the call ends by itself. */
    began = clock_monotonic();
    assert_int_equal(pg_script(db->pg, "SELECT pg_sleep(20)", 300, &e), -EAGAIN);
    assert_non_null(strstr(e.text, "in time"));
    assert_true(clock_monotonic() - began < 10 * CLOCK_SECOND);
    assert_int_equal(db_lane_position(db, &test_lane, &at, &e), -EAGAIN);
    test_ok(db_reset(db, &e), &e);
    /* Its own limit, or an administrator's cancel, sets no message aside. */
    test_run(db, "SET statement_timeout = 100");
    assert_int_equal(pg_script(db->pg, "SELECT pg_sleep(20)", PG_CALL_MS, &e), -EAGAIN);
    assert_non_null(strstr(e.text, "57014"));
    free(m);
    db_free(db);
}

static void test_killed_again_and_again(void **state)
{
    (void)state;
    enum { KILLS = 8 };
    char conninfo[512];
    struct err e = {0};
    struct db *db = own_schema(conninfo);
    struct test_message *t = calloc(BATCH, sizeof(*t));
    struct db_message m[BATCH];
    struct db_position at = {0, 0};
    unsigned kills = 0;
    pid_t killer = kill_later(100);
    int rc = db_lane_position(db, &test_lane, &at, &e);
    /* Each kill comes by its own time, however much is written until then. */
    int64_t give_up = clock_monotonic() + 60 * CLOCK_SECOND;
    while (kills < KILLS && clock_monotonic() < give_up) {
        unsigned first = (unsigned)(at.offset / 100);
        struct db_written written;
        for (unsigned i = 0; i < BATCH; i++) {
            test_message(&t[i], first + i);
            m[i] = t[i].message;
        }
        if (rc == 0)
            rc = db_write(db, &test_lane, at, m, BATCH, &at, &written, &e);
        if (rc == 0)
            continue;
        assert_int_equal(rc, -EAGAIN);
        await(killer);
        cluster("start");
        kills++;
        killer = kill_later(60 + 37 * kills);
        rc = db_reset(db, &e);
        if (rc == 0)
            rc = db_lane_position(db, &test_lane, &at, &e);
    }
    await(killer);
    cluster("start");
    test_ok(db_reset(db, &e), &e);
    test_ok(db_lane_position(db, &test_lane, &at, &e), &e);
    assert_int_equal(kills, KILLS);
    assert_true(at.offset > 0);
    /* Exactly the messages before the position, each once, with all that belongs to it. */
    char expected[40];
    snprintf(expected, sizeof(expected), "%llu", (unsigned long long)at.offset / 100);
    assert_value(db, "SELECT count(*) FROM bouncemx.message", expected);
    assert_value(db, "SELECT count(*) FROM bouncemx.event", expected);
    assert_value(db, "SELECT count(*) FROM bouncemx.evidence", expected);
    assert_value(db, "SELECT sum(events) FROM bouncemx.suppression", expected);
    free(t);
    db_free(db);
}

int main(void)
{
    const struct CMUnitTest shared[] = {
        cmocka_unit_test(test_own_lanes),
        cmocka_unit_test(test_one_lane),
    };
    const struct CMUnitTest own[] = {
        cmocka_unit_test(test_killed_in_a_batch),
        cmocka_unit_test(test_killed_again_and_again),
    };
    int failed = cmocka_run_group_tests(shared, NULL, NULL);
    return failed + cmocka_run_group_tests(own, cluster_make, cluster_remove);
}
