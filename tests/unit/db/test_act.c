/* What counts, whatever comes in which order, in which batches, by which writers. */
#include "base/address.h"
#include "tests/unit/db/support.h"

#include <pthread.h>

static const struct str absent = {NULL, 0};

static void write_all(struct db *db, const struct db_lane *lane, const struct db_message *m,
                      size_t n)
{
    struct err e = {0};
    struct db_position at;
    struct db_written written;
    test_ok(db_lane_position(db, lane, &at, &e), &e);
    test_ok(db_write(db, lane, at, m, n, &at, &written, &e), &e);
    assert_int_equal(written.messages, n);
}

/* Nobody signed it; its domain trusts that. */
static void unsign(struct test_message *t)
{
    t->event.attribution.verification = ATTRIBUTION_UNSIGNED;
    t->event.attribution.source = ATTRIBUTION_VERP;
    t->event.attribution.verified = false;
    t->event.attribution.token = absent;
    t->event.attribution.day = 0;
}

static void test_content(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int64_t hours;
        const char *effect;
    } t[] = {
        {"Subject: a\r\nDate: 1\r\n\r\nuser unknown 1\r\n", 0, "strike"},
        {"Subject: a\r\nDate: 2\r\n\r\nuser unknown 1\r\n", 30, "repeat"}, /* another header only */
        {"Received: x\n\nuser unknown 1\r\n", 31, "repeat"},
        {"Subject: a\r\n\r\nuser unknown 2\r\n", 20, "strike"},
        {"Subject: a\r\n\r\nuser unknown 3\r\n", 24, "suppressed"},
        {"no empty line", 25, "counted"},
    };
    struct db *db = test_schema("t_act_content");
    struct test_message m[1];
    char sql[200];
    for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct db_message *message = test_batch(m, i, 1);
        unsign(m);
        message->received_at += t[i].hours * 3600 * CLOCK_SECOND;
        message->body = str_c(t[i].body);
        m->event.attribution.address = m->event.attribution.key = STR("one@example.net");
        write_all(db, &test_lane, message, 1);
        snprintf(sql, sizeof(sql), "SELECT effect FROM bouncemx.event ORDER BY id DESC LIMIT 1");
        assert_value(db, sql, t[i].effect);
        free(message);
    }
    assert_value(db, "SELECT count(DISTINCT content_hash) FROM bouncemx.message", "4");
    /* The same words about another address are another content. */
    struct db_message *message = test_batch(m, 90, 1);
    unsign(m);
    message->body = str_c(t[0].body);
    write_all(db, &test_lane, message, 1);
    assert_value(db, "SELECT effect FROM bouncemx.event WHERE address_key = 'user90@example.net'",
                 "strike");
    free(message);
    db_free(db);
}

/* ---- any order, any batches ---- */

enum { EVENTS = 300, PEOPLE = 60 };

static uint32_t seed;
static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* What is said of one person by one token is of one time but for minutes, of one stream and
 * category: a sender's token says no two things. Whether it bounces, how surely, how often and by
 * whom it is reported is anybody's guess. */
static void some_event(struct test_message *t, unsigned i)
{
    static char body[EVENTS][80];
    struct db_event *e = &t->event;
    unsigned who = dice(PEOPLE), token = dice(7);
    int64_t hours = (who % 3) * 7 + token * (who % 2 ? 50 : 3);
    test_message(t, i);
    snprintf(t->address, sizeof(t->address), "p%u@example.net", who);
    snprintf(t->token, sizeof(t->token), "b1b%u-p%u@bounces.example.test", token, who);
    e->attribution.address = e->attribution.key = str_c(t->address);
    e->attribution.token = str_c(t->token);
    e->stream = token % 2 ? STR("news") : STR("offers");
    t->message.received_at = TEST_TIME + (hours * 60 + dice(20)) * 60 * CLOCK_SECOND;
    t->verdict =
        test_verdict(CLASS_HARD, who % 4 ? CATEGORY_BAD_MAILBOX : CATEGORY_MAILBOX_DISABLED);
    t->verdict.confidence = dice(40) ? CONFIDENCE_MEDIUM : CONFIDENCE_HIGH;
    if (dice(3) == 0) {
        unsign(t);
        snprintf(body[i], sizeof(body[i]), "\r\n\r\nunknown %u", token);
        t->message.body = str_c(body[i]);
    }
    unsigned what = dice(10);
    if (what == 0) {
        e->kind = REPORT_COMPLAINT;
        e->verdict = NULL;
    } else if (what == 1) {
        t->verdict.class = CLASS_SOFT;
    } else if (what == 2) {
        e->attribution.counts = false;
    }
}

static void test_any_order(void **state)
{
    (void)state;
    static char first[200000], again[200000];
    static const char list[] =
        "SELECT (SELECT string_agg(concat_ws(' ', address_key, tenant, scope, stream, state, "
        "times, "
        "expires_at::date), '|' ORDER BY address_key, scope, stream) FROM bouncemx.suppression) || "
        "(SELECT string_agg(concat_ws(' ', address_key, tenant, stream, days, points, score, "
        "times), "
        "'|' ORDER BY address_key, stream) FROM bouncemx.address_score)";
    struct test_message *t = calloc(EVENTS, sizeof(*t));
    struct db_message *m = calloc(EVENTS, sizeof(*m));
    assert_true(t && m);
    seed = 4711;
    for (unsigned i = 0; i < EVENTS; i++)
        some_event(&t[i], i);
    for (unsigned round = 0; round < 4; round++) {
        struct db *db = test_schema("t_act_order");
        for (unsigned i = 0; i < EVENTS; i++) {
            m[i] = t[i].message;
            m[i].report = &t[i].report;
            m[i].events = &t[i].event;
        }
        for (unsigned i = EVENTS; round > 0 && i > 1; i--) {
            unsigned k = dice(i);
            struct db_message swap = m[i - 1];
            m[i - 1] = m[k];
            m[k] = swap;
        }
        for (unsigned i = 0; i < EVENTS; i++) {
            m[i].at = (struct db_position){1, i * 100u};
            m[i].next = (struct db_position){1, i * 100u + 100};
        }
        for (unsigned i = 0, n; i < EVENTS; i += n) {
            n = round == 0 ? 1 : round == 1 ? EVENTS : 1 + dice(50);
            n = n > EVENTS - i ? EVENTS - i : n;
            write_all(db, &test_lane, m + i, n);
        }
        test_value(db, list, round ? again : first, sizeof(first));
        if (round)
            assert_string_equal(again, first);
        db_free(db);
    }
    /* The events are such that the order could matter. */
    assert_non_null(strstr(first, " tenant "));
    assert_non_null(strstr(first, " stream news"));
    free(t);
    free(m);
}

/* ---- at once ---- */

/* A strike each from two writers, of which neither sees the other's before it has written. */
static void *strike_later(void *arg)
{
    struct db *db = test_open(arg);
    struct db_lane lane = test_lane;
    struct test_message t[1];
    struct db_message *m = test_batch(t, 1, 1);
    lane.lane = 1;
    t->verdict.confidence = CONFIDENCE_MEDIUM;
    m->received_at += 2 * CLOCK_DAY;
    t->event.attribution.address = t->event.attribution.key = STR("one@example.net");
    write_all(db, &lane, m, 1);
    free(m);
    db_free(db);
    return NULL;
}

static void wait_for(struct db *db, const char *sql)
{
    for (unsigned i = 0; i < 6000; i++) {
        char value[100];
        test_value(db, sql, value, sizeof(value));
        if (strcmp(value, "true") == 0)
            return;
        test_run(db, "SELECT pg_sleep(0.01)");
    }
    fail_msg("never true: %s", sql);
}

static const char others_wait[] =
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock')";

static void test_two_strikes_at_once(void **state)
{
    (void)state;
    struct db *db = test_schema("t_act_strikes"), *watch = test_open(test_conninfo_text);
    char conninfo[512];
    pthread_t thread;
    snprintf(conninfo, sizeof(conninfo), "%s", test_conninfo_text);
    struct test_message t[1];
    struct db_message *m = test_batch(t, 0, 1);
    t->verdict.confidence = CONFIDENCE_MEDIUM;
    t->event.attribution.address = t->event.attribution.key = STR("one@example.net");
    test_run(db, "BEGIN");
    write_all(db, &test_lane, m, 1);
    assert_int_equal(pthread_create(&thread, NULL, strike_later, conninfo), 0);
    wait_for(watch, others_wait);
    test_run(db, "COMMIT");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_value(db, "SELECT string_agg(effect::text, ' ' ORDER BY id) FROM bouncemx.event",
                 "strike suppressed");
    free(m);
    db_free(watch);
    db_free(db);
}

/* The event's transaction and the sender's do not see each other: the sweep finds what both left.
 */
static void test_sent_at_once(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_act_sent"), *sender = test_open(test_conninfo_text);
    struct test_message t[1];
    struct db_message *m = test_batch(t, 0, 1);
    size_t resolved = 77;
    t->event.attribution.verification = ATTRIBUTION_WAITING;
    t->event.attribution.verified = t->event.trusted = false;
    t->event.attribution.address = t->event.attribution.key = absent;
    t->event.attribution.token_id = STR("aaaaaaaaaaaaa");
    t->recipient.final_recipient = STR("s@example.net");
    test_run(db, "BEGIN");
    write_all(db, &test_lane, m, 1);
    test_run(sender, "INSERT INTO bouncemx.sent (day, id, recipient) "
                     "VALUES (date '1970-01-01' + 20775, 'aaaaaaaaaaaaa', 'S@example.net')");
    test_run(db, "COMMIT");
    assert_value(db, "SELECT effect || ' ' || verification FROM bouncemx.event", "waiting waiting");
    test_ok(db_resolve_waiting(db, clock_now(), &resolved, &e), &e);
    assert_int_equal(resolved, 1);
    assert_value(db,
                 "SELECT concat_ws(' ', effect, verification, address, address_key) "
                 "FROM bouncemx.event",
                 "suppressed sent S@example.net s@example.net");
    assert_value(db, "SELECT count(*) FROM bouncemx.event_waiting", "0");
    test_ok(db_resolve_waiting(db, clock_now(), &resolved, &e), &e);
    assert_int_equal(resolved, 0);
    free(m);
    db_free(sender);
    db_free(db);
}

/* A role that may do nothing but insert into sent: what waited acts all the same. */
static void test_sender_role(void **state)
{
    (void)state;
    char conninfo[600];
    struct err e = {0};
    struct db *db = test_schema("t_act_role");
    struct test_message t[1];
    struct db_message *m = test_batch(t, 0, 1);
    t->event.attribution.verification = ATTRIBUTION_WAITING;
    t->event.attribution.address = t->event.attribution.key = absent;
    t->event.attribution.token_id = STR("aaaaaaaaaaaaa");
    write_all(db, &test_lane, m, 1);
    snprintf(conninfo, sizeof(conninfo), "%s user=postgres", test_conninfo_text);
    struct db *sender = test_open(conninfo);
    test_run(sender, "DROP ROLE IF EXISTS t_sender");
    test_run(sender, "CREATE ROLE t_sender");
    test_run(sender, "GRANT USAGE ON SCHEMA bouncemx TO t_sender; "
                     "GRANT INSERT ON bouncemx.sent TO t_sender; SET ROLE t_sender");
    assert_true(pg_script(sender->pg, "SELECT * FROM bouncemx.event", PG_CALL_MS, &e) < 0);
    assert_non_null(strstr(e.text, "42501"));
    test_run(sender, "INSERT INTO bouncemx.sent (day, id, recipient) "
                     "VALUES (date '1970-01-01' + 20775, 'aaaaaaaaaaaaa', 'S@example.net')");
    assert_value(db, "SELECT effect FROM bouncemx.event WHERE address_key = 's@example.net'",
                 "strike"); /* the report names another address */
    test_run(sender, "RESET ROLE; DROP OWNED BY t_sender; DROP ROLE t_sender");
    free(m);
    db_free(sender);
    db_free(db);
}

struct writer {
    char conninfo[512];
    unsigned lane;
};

enum { WRITERS = 4, EACH = 400, AT_ONCE = 40 };

/* All meet on the same tokens, strikes and rows of the list, in other orders. */
static void *meet(void *arg)
{
    struct writer *w = arg;
    struct db *db = test_open(w->conninfo);
    struct db_lane lane = test_lane;
    struct test_message *t = calloc(EACH, sizeof(*t));
    lane.lane = w->lane;
    struct db_message *m = test_batch(t, w->lane * EACH, EACH);
    for (unsigned i = 0; i < EACH; i++) {
        unsigned k = (i * (2 * w->lane + 7) + w->lane) % 30;
        snprintf(t[i].address, sizeof(t[i].address), "shared%u@example.net", k);
        snprintf(t[i].token, sizeof(t[i].token), "shared%u.%u@bounces.example.test", k, i % 5);
        t[i].event.attribution.address = t[i].event.attribution.key = str_c(t[i].address);
        t[i].event.attribution.token = str_c(t[i].token);
        if (i % 7 == 0)
            t[i].verdict = test_verdict(CLASS_SOFT, CATEGORY_MAILBOX_FULL);
        t[i].verdict.confidence = i % 3 ? CONFIDENCE_MEDIUM : CONFIDENCE_HIGH;
        m[i].received_at += (i % 5) * 2 * CLOCK_DAY;
        if (i % 4 == 1)
            unsign(&t[i]);
    }
    for (unsigned i = 0; i < EACH; i += AT_ONCE)
        write_all(db, &lane, m + i, AT_ONCE);
    free(m);
    free(t);
    db_free(db);
    return NULL;
}

static void test_writers_meet(void **state)
{
    (void)state;
    struct db *db = test_schema("t_act_meet");
    struct writer w[WRITERS];
    pthread_t threads[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        w[i].lane = i;
        snprintf(w[i].conninfo, sizeof(w[i].conninfo), "%s", test_conninfo_text);
        assert_int_equal(pthread_create(&threads[i], NULL, meet, &w[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_value(db, "SELECT count(*) FROM bouncemx.message", "1600");
    /* Nothing is lost, and nothing counted twice: what is not kept is counted. */
    assert_value(db,
                 "SELECT (SELECT count(*) FROM bouncemx.event) + "
                 "(SELECT coalesce(sum(events), 0) FROM bouncemx.token_flood)",
                 "1600");
    assert_value(db, "SELECT sum(events) FROM bouncemx.token_seen", "1200");
    /* One count a day, whoever counted it. */
    assert_value(
        db,
        "SELECT bool_and(days = (SELECT array_agg(DISTINCT (e.received_at AT TIME ZONE "
        "'UTC')::date ORDER BY (e.received_at AT TIME ZONE 'UTC')::date) "
        "FROM bouncemx.event e WHERE e.address_key = s.address_key AND e.effect = 'soft')) "
        "AND count(*) = 30 FROM bouncemx.address_score s",
        "true");
    assert_value(db,
                 "SELECT (SELECT sum(strikes) FROM bouncemx.struck) = (SELECT count(*) "
                 "FROM bouncemx.event e WHERE EXISTS (SELECT FROM bouncemx.token_seen s "
                 "WHERE s.strike = e.id) OR EXISTS (SELECT FROM bouncemx.content_seen c "
                 "WHERE c.event_id = e.id AND c.use = 'strike'))",
                 "true");
    assert_value(db,
                 "SELECT sum(events) = (SELECT count(*) FROM bouncemx.event "
                 "WHERE effect IN ('suppressed', 'counted')) FROM bouncemx.suppression",
                 "true");
    db_free(db);
}

/* SQL makes the same keys of addresses with A-label domains. */
static void test_keys(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "User@Example.COM",
        "a.b+c=d@x.example",
        "\"a.b\"@x.example.",
        "\"a b\"@x",
        "\"a\\\"b\"@x",
        "a@b@x.example",
        "\xc3\x84@x.example",
        "\"\xc3\x84\"@x",
        "no",
        "@x",
        "a@",
        "a b@x",
        "a@-x",
        "a@x-",
        "a@x..y",
        "a@.x",
        "<a@x>",
        "a@x_y.example",
        "\"a@x",
        "a\"b@x",
        "a@[192.0.2.1]",
        "postmaster@xn--bcher-kva.example",
        "\"\"@x",
        "a@x..",
        "a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"};
    struct db *db = test_open(test_conninfo_text);
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct arena a = arena_make(1 << 20);
        struct str key = address_key(&a, str_c(addresses[i]));
        char expected[300], sql[400];
        snprintf(expected, sizeof(expected), "%.*s",
                 STR_ARG(str_is_absent(key) ? STR("NULL") : key));
        snprintf(sql, sizeof(sql), "SELECT bouncemx.address_key($address$%s$address$)",
                 addresses[i]);
        assert_value(db, sql, expected);
        arena_free(&a);
    }
    db_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),      cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_sent_at_once), cmocka_unit_test(test_two_strikes_at_once),
        cmocka_unit_test(test_sender_role),  cmocka_unit_test(test_writers_meet),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
