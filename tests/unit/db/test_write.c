#include "tests/unit/db/support.h"

#include <errno.h>

static const struct db_position start = {0, 0};

static void write_ok(struct db *db, struct db_position from, const struct db_message *m, size_t n)
{
    struct err e = {0};
    struct db_written written;
    struct db_position at;
    test_ok(db_write(db, &test_lane, from, m, n, &at, &written, &e), &e);
    assert_int_equal(written.messages, n);
    assert_int_equal(written.set_aside, 0);
    if (n > 0) {
        assert_int_equal(at.segment, m[n - 1].next.segment);
        assert_int_equal(at.offset, m[n - 1].next.offset);
    } else {
        assert_int_equal(at.offset, from.offset);
    }
}

static struct db_position stands(struct db *db)
{
    struct err e = {0};
    struct db_position p = {77, 77};
    test_ok(db_lane_position(db, &test_lane, &p, &e), &e);
    return p;
}

static void test_once(void **state)
{
    (void)state;
    struct db *db = test_schema("t_write_once");
    struct test_message *t = calloc(1000, sizeof(*t));
    struct db_message *m = test_batch(t, 0, 1000);
    assert_int_equal(stands(db).offset, 0);
    write_ok(db, start, m, 0);
    write_ok(db, start, m, 1);
    assert_int_equal(stands(db).offset, 100);
    write_ok(db, m[0].next, m + 1, 999);
    assert_value(db, "SELECT count(*) FROM bouncemx.message", "1000");
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "1000");
    assert_value(db, "SELECT count(*) FROM bouncemx.evidence", "1000");
    assert_value(db, "SELECT count(*) FROM bouncemx.suppression WHERE events = 1", "1000");
    assert_value(db, "SELECT count(*) FROM bouncemx.event_default", "0");
    assert_value(db,
                 "SELECT count(*) FROM bouncemx.event e JOIN bouncemx.message m "
                 "ON m.id = bouncemx.message_of(e.id) WHERE right(e.id::text, 4) = '0001'",
                 "1000");

    /* The lane goes back: the same messages again change nothing, new ones beside them count. */
    test_run(db, "UPDATE bouncemx.lane_position SET segment = 0, byte_offset = 0");
    write_ok(db, start, m, 1000);
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "1000");
    assert_value(db, "SELECT sum(events) FROM bouncemx.suppression", "1000");
    test_run(db, "DELETE FROM bouncemx.evidence; DELETE FROM bouncemx.event; "
                 "DELETE FROM bouncemx.suppression; "
                 "DELETE FROM bouncemx.message WHERE right(helo, 1) = 'm' AND "
                 "received_at > (SELECT max(received_at) - interval '499.5 ms' FROM "
                 "bouncemx.message); "
                 "UPDATE bouncemx.lane_position SET segment = 0, byte_offset = 0");
    write_ok(db, start, m, 1000);
    assert_value(db, "SELECT count(*) FROM bouncemx.message", "1000");
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "500");
    assert_value(db, "SELECT count(*) FROM bouncemx.evidence", "500");
    assert_value(db, "SELECT count(*) FROM bouncemx.suppression", "500");
    free(m);
    free(t);
    db_free(db);
}

/* What a report says beside its verdict: each fact in the column that is named after it. */
static void test_facts(void **state)
{
    (void)state;
    struct db *db = test_schema("t_write_facts");
    struct test_message t[2];
    struct db_message *m = test_batch(t, 0, 2);
    t[0].report.envelope_id = STR("the envelope_id");
    t[0].report.arrival_date = STR("the arrival_date");
    t[0].report.source_ip = STR("the source_ip");
    t[0].report.user_agent = STR("the user_agent");
    t[0].report.original = (struct report_original){
        .message_id = STR("the original_message_id"),
        .from = STR("the original_from"),
        .to = STR("the original_to"),
        .return_path = STR("the original_return_path"),
        .mail_from = STR("not shown"),
        .date = STR("the original_date"),
        .subject_hash = UINT64_MAX,
        .feedback_id = STR("the feedback_id"),
        .list_id = STR("the list_id"),
        .list_unsubscribe = STR("the list_unsubscribe"),
        .cfbl_address = STR("the cfbl_address"),
        .cfbl_feedback_id = STR("the cfbl_feedback_id"),
        .dkim_domain = STR("the dkim_domain"),
    };
    t[0].recipient.last_attempt = STR("the last_attempt");
    t[0].recipient.retry_until = STR("the retry_until");
    t[0].recipient.final_log_id = STR("the final_log_id");
    t[0].verdict = test_verdict(CLASS_BLOCK, CATEGORY_DNSBL);
    t[0].verdict.listing = (struct listing){.address = STR("2001:DB8:0::1"),
                                            .list = STR("the blocklist"),
                                            .url = STR("the lookup_url")};
    t[1].report.original.mail_from = STR("sender@example.com");
    stands(db);
    write_ok(db, start, m, 2);
    assert_value(db,
                 "SELECT count(*) FROM (SELECT m.id, f.key, f.value FROM bouncemx.message m, "
                 "jsonb_each_text(to_jsonb(m)) f UNION ALL SELECT e.id, f.key, f.value FROM "
                 "bouncemx.event e, jsonb_each_text(to_jsonb(e)) f) v "
                 "WHERE value = 'the ' || key",
                 "21"); /* original_message_id stands in both */
    assert_value(db,
                 "SELECT string_agg(concat_ws(' ', original_return_path, original_subject_hash, "
                 "num_nulls(envelope_id, arrival_date, source_ip, original_from, feedback_id, "
                 "dkim_domain)), '|' ORDER BY received_at) FROM bouncemx.message",
                 "the original_return_path -1 0|sender@example.com 6");
    assert_value(db,
                 "SELECT string_agg(concat_ws(' ', host(listed_address), num_nulls(last_attempt, "
                 "retry_until, final_log_id, blocklist, lookup_url)), '|' ORDER BY received_at) "
                 "FROM bouncemx.event",
                 "2001:db8::1 0|5");
    free(m);
    db_free(db);
}

static void test_stale(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_write_stale"), *other = test_open(test_conninfo_text);
    struct test_message t[3];
    struct db_message *m = test_batch(t, 0, 3);
    struct db_position at = {9, 9};
    struct db_written written;
    /* A lane without a row: nobody asked where it stands. */
    assert_int_equal(db_write(db, &test_lane, start, m, 1, &at, &written, &e), -ESTALE);
    stands(db);
    write_ok(db, start, m, 1);
    /* The other writer thinks that it stands at the start. */
    assert_int_equal(db_write(other, &test_lane, start, m, 2, &at, &written, &e), -ESTALE);
    assert_int_equal(at.offset, 0);
    assert_int_equal(written.messages, 0);
    assert_int_equal(db_set_aside(other, &test_lane, start, m, STR("x"), &e), -ESTALE);
    assert_value(db, "SELECT count(*) FROM bouncemx.message", "1");
    assert_value(db, "SELECT count(*) FROM bouncemx.set_aside", "0");
    write_ok(other, stands(other), m + 1, 1);
    assert_int_equal(db_write(db, &test_lane, m[0].next, m + 1, 2, &at, &written, &e), -ESTALE);
    write_ok(db, stands(db), m + 2, 1);
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "3");
    /* Another lane of the same journal stands by itself. */
    struct db_lane lane = test_lane;
    lane.lane = 1;
    test_ok(db_lane_position(db, &lane, &at, &e), &e);
    assert_int_equal(at.offset, 0);
    assert_value(db, "SELECT count(*) FROM bouncemx.lane_position", "2");
    free(m);
    db_free(other);
    db_free(db);
}

static void test_refused(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_write_refused");
    enum { N = 100 };
    struct test_message t[N];
    struct db_message *m = test_batch(t, 0, N);
    struct db_written written;
    struct db_position at;
    for (size_t i = 0; i < N; i++)
        if (i == 13 || i == 64 || i == 65 || i == 99)
            m[i].helo = STR("refuse-me");
    test_run(db, "ALTER TABLE bouncemx.message ADD CONSTRAINT no CHECK (helo <> 'refuse-me')");
    stands(db);
    test_ok(db_write(db, &test_lane, start, m, N, &at, &written, &e), &e);
    assert_int_equal(written.messages, N - 4);
    assert_int_equal(written.set_aside, 4);
    assert_int_equal(written.last_refusal.code, -EINVAL);
    assert_non_null(strstr(written.last_refusal.text, "23514"));
    assert_int_equal(at.offset, m[N - 1].next.offset);
    assert_int_equal(stands(db).offset, at.offset);
    assert_value(db, "SELECT count(*) FROM bouncemx.message", "96");
    assert_value(db, "SELECT count(*) FROM bouncemx.suppression", "96");
    assert_value(db,
                 "SELECT string_agg(concat_ws(' ', byte_offset, sqlstate, node, rcpt_to[1], "
                 "mail_from = '', tls IS NULL, size, position('no_row' IN reason) = 0), '|' "
                 "ORDER BY byte_offset) FROM bouncemx.set_aside",
                 "1300 23514 mx1 b@bounces.example.test t t 4000 t|"
                 "6400 23514 mx1 b@bounces.example.test t t 4000 t|"
                 "6500 23514 mx1 b@bounces.example.test t t 4000 t|"
                 "9900 23514 mx1 b@bounces.example.test t t 4000 t");
    assert_value(db, "SELECT min(encode(raw, 'escape')) FROM bouncemx.set_aside",
                 "Subject: Undelivered\r\n\r\nno\r\n");

    /* Refused again it stays; then it is taken, once; another is dropped, once. */
    assert_int_equal(db_set_aside_retried(db, &m[13], &e), -EINVAL);
    assert_value(db, "SELECT count(*) FROM bouncemx.set_aside", "4");
    test_run(db, "ALTER TABLE bouncemx.message DROP CONSTRAINT no");
    test_ok(db_set_aside_retried(db, &m[13], &e), &e);
    assert_int_equal(db_set_aside_retried(db, &m[13], &e), -ENOENT);
    assert_value(db, "SELECT count(*) FROM bouncemx.set_aside", "3");
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "97");
    assert_value(db, "SELECT count(*) FROM bouncemx.message WHERE node = 'mx1'", "97");
    test_ok(db_set_aside_drop(db, m[64].id, &e), &e);
    assert_int_equal(db_set_aside_drop(db, m[64].id, &e), -ENOENT);

    /* All of a batch refused. */
    test_run(db, "ALTER TABLE bouncemx.event ADD CONSTRAINT no CHECK (tenant <> 'main') NOT VALID");
    struct db_message *more = test_batch(t, N, N);
    test_ok(db_write(db, &test_lane, at, more, N, &at, &written, &e), &e);
    assert_int_equal(written.set_aside, N);
    assert_value(db, "SELECT count(*) FROM bouncemx.set_aside", "102");
    free(more);
    free(m);
    db_free(db);
}

/* What would hit every message is no reason to set any aside. */
static void test_server_not_ready(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_write_not_ready");
    struct test_message t[3];
    struct db_message *m = test_batch(t, 0, 3);
    struct db_written written;
    struct db_position at;
    stands(db);
    write_ok(db, start, m, 1);
    test_run(db, "ALTER TABLE bouncemx.event RENAME TO gone");
    assert_int_equal(db_write(db, &test_lane, m[0].next, m + 1, 2, &at, &written, &e), -EAGAIN);
    assert_non_null(strstr(e.text, "42P01"));
    test_run(db,
             "ALTER TABLE bouncemx.gone RENAME TO event; SET default_transaction_read_only = on");
    assert_int_equal(db_write(db, &test_lane, m[0].next, m + 1, 2, &at, &written, &e), -EAGAIN);
    assert_non_null(strstr(e.text, "25006"));
    test_run(db, "SET default_transaction_read_only = off");
    assert_value(db, "SELECT count(*) FROM bouncemx.set_aside", "0");
    write_ok(db, m[0].next, m + 1, 2);
    free(m);
    db_free(db);
}

/* An error that is nobody's fault ends the batch: what was committed before it is told. */
static void test_stops_in_the_middle(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_write_middle");
    enum { N = 100 };
    struct test_message t[N];
    struct db_message *m = test_batch(t, 0, N);
    struct db_written written;
    struct db_position at;
    m[10].helo = STR("refuse-me");
    m[50].helo = STR("later");
    test_run(db, "CREATE FUNCTION check_helo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                 "IF NEW.helo = 'refuse-me' THEN RAISE EXCEPTION 'no such message'; END IF; "
                 "IF NEW.helo = 'later' THEN RAISE EXCEPTION 'later' USING ERRCODE = '40001'; "
                 "END IF; RETURN NEW; END $$; CREATE TRIGGER check_helo BEFORE INSERT ON "
                 "bouncemx.message FOR EACH ROW EXECUTE FUNCTION check_helo()");
    stands(db);
    assert_int_equal(db_write(db, &test_lane, start, m, N, &at, &written, &e), -EAGAIN);
    assert_non_null(strstr(e.text, "40001"));
    assert_int_equal(written.set_aside, 1);
    assert_non_null(strstr(written.last_refusal.text, "no such message"));
    size_t k = (size_t)at.offset / 100;
    assert_true(k > 10 && k <= 50);
    assert_int_equal(written.messages, k - 1);
    assert_int_equal(stands(db).offset, at.offset);
    test_run(db, "DROP TRIGGER check_helo ON bouncemx.message");
    write_ok(db, at, m + k, N - k);
    assert_value(db, "SELECT count(*) FROM bouncemx.message", "99");

    /* The lane goes back over one that is set aside, then it is written; tried again it changes
     * nothing but leaves set_aside. */
    test_run(db, "UPDATE bouncemx.lane_position SET segment = 0, byte_offset = 0");
    write_ok(db, start, m, N);
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "100");
    test_ok(db_set_aside_retried(db, &m[10], &e), &e);
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "100");
    assert_value(db, "SELECT count(*) FROM bouncemx.set_aside", "0");
    free(m);
    db_free(db);
}

static void test_too_much(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_write_much");
    struct test_message t[5];
    struct db_message *m = test_batch(t, 0, 5);
    struct db_written written;
    struct db_position at;
    size_t n = 20 << 20;
    char *big = calloc(1, n);
    assert_non_null(big);
    for (size_t i = 0; i < 4; i++)
        m[i].body = str_of(big, n);
    stands(db);
    write_ok(db, start, m, 4);
    assert_value(db, "SELECT count(DISTINCT xmin::text) FROM bouncemx.evidence", "4");
    assert_value(db, "SELECT sum(octet_length(raw)) FROM bouncemx.evidence", "83886080");
    /* More events than there are ids. */
    struct db_event *events = calloc(ID_ORDINAL_MAX + 1, sizeof(*events));
    assert_non_null(events);
    m[4].events = events;
    m[4].events_n = ID_ORDINAL_MAX + 1;
    test_ok(db_write(db, &test_lane, m[3].next, m + 4, 1, &at, &written, &e), &e);
    assert_int_equal(written.set_aside, 1);
    assert_value(db, "SELECT concat_ws(' ', sqlstate IS NULL, reason) FROM bouncemx.set_aside",
                 "t a message gave 65536 events; 65535 have an id");
    /* As many as there are. */
    m[4].events_n = ID_ORDINAL_MAX;
    test_ok(db_set_aside_retried(db, &m[4], &e), &e);
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "65539");
    free(events);
    free(big);
    free(m);
    db_free(db);
}

static void test_odd_bytes(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = test_schema("t_write_odd");
    struct test_message t[6];
    struct db_message *m = test_batch(t, 0, 6);
    char *huge = malloc(3 << 20);
    memset(huge, 'x', 3 << 20);
    /* 0: NUL and bytes that are no UTF-8 everywhere; the raw bytes stay as they are. */
    struct str bad = STR("a\0b\xff\xc3(\xe2\x82 \xed\xa0\x80 c");
    struct str two[] = {bad, STR("line\nend")};
    m[0].helo = m[0].client_address = m[0].tls = m[0].protocol = m[0].mail_from = bad;
    m[0].rcpt_to = two;
    m[0].rcpt_to_n = 2;
    m[0].body = bad;
    t[0].report.subject = t[0].report.reporting_mta = bad;
    t[0].recipient.diagnostic = t[0].recipient.status = t[0].recipient.remote_mta = bad;
    t[0].verdict.evidence = bad;
    t[0].event.attribution.address = t[0].event.attribution.key = bad;
    t[0].event.tenant = t[0].event.stream = bad;
    /* 1: nothing known at all. */
    m[1] = (struct db_message){.id = m[1].id, .received_at = m[1].received_at, .next = m[1].next};
    /* 2: an event of nobody, no verdict. */
    t[2].event = (struct db_event){.kind = REPORT_OTHER};
    /* 3: huge texts. */
    t[3].recipient.diagnostic = t[3].verdict.evidence = t[3].report.subject = str_of(huge, 3 << 20);
    t[3].event.attribution.key = t[3].event.attribution.address = str_of(huge, 3 << 20);
    m[3].body = str_of(huge, 3 << 20);
    m[3].size = UINT64_MAX;
    /* 4, 5: times out of all range. */
    m[4].received_at = INT64_MIN;
    m[5].received_at = INT64_MAX;
    stands(db);
    write_ok(db, start, m, 6);
    assert_value(db, "SELECT count(*) FROM bouncemx.message", "6");
    assert_value(db, "SELECT count(*) FROM bouncemx.event", "5");
    assert_value(db,
                 "SELECT raw = '\\x610062ffc328e28220eda0802063' FROM bouncemx.evidence "
                 "WHERE octet_length(raw) = 14",
                 "true");
    assert_value(db, "SELECT helo FROM bouncemx.message WHERE cardinality(rcpt_to) = 2",
                 "a\xef\xbf\xbd"
                 "b\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd"
                 "\xef\xbf\xbd c");
    assert_value(db, "SELECT rcpt_to[2] FROM bouncemx.message WHERE cardinality(rcpt_to) = 2",
                 "line\xef\xbf\xbd"
                 "end");
    assert_value(db, "SELECT count(*) FROM bouncemx.event WHERE address_key IS NULL", "3");
    assert_value(db, "SELECT max(octet_length(diagnostic)) FROM bouncemx.event", "16384");
    assert_value(db, "SELECT max(octet_length(raw)) FROM bouncemx.evidence", "3145728");
    assert_value(db, "SELECT max(size) FROM bouncemx.message", "9223372036854775807");
    assert_value(db,
                 "SELECT concat_ws(' ', kind, mail_from = '', cardinality(rcpt_to), size) "
                 "FROM bouncemx.message WHERE reader IS NULL",
                 "other t 0 0");
    assert_value(db, "SELECT min(received_at) || ' ' || max(received_at) FROM bouncemx.message",
                 "0001-01-01 00:00:00+00 9999-12-31 23:59:59.999999+00");
    assert_value(db, "SELECT count(*) FROM bouncemx.message_default", "2");
    assert_value(db, "SELECT count(*) FROM bouncemx.suppression", "2");
    /* They can be set aside too. */
    struct db_message again = m[0];
    again.next = (struct db_position){2, 0};
    test_ok(db_set_aside(db, &test_lane, m[5].next, &again, bad, &e), &e);
    assert_value(db, "SELECT octet_length(raw) || rcpt_to[2] FROM bouncemx.set_aside",
                 "14line\xef\xbf\xbd"
                 "end");
    free(huge);
    free(m);
    db_free(db);
}

static void test_suppression_policy(void **state)
{
    (void)state;
    struct db *db = test_schema("t_write_policy");
    struct test_message t[8];
    struct db_message *m = test_batch(t, 0, 8);
    for (size_t i = 0; i < 8; i++)
        t[i].event.attribution.key = t[i].event.attribution.address = STR("one@example.net");
    t[0].event.attribution.verification = ATTRIBUTION_FORGED;
    t[0].event.attribution.token = (struct str){NULL, 0};
    t[1].verdict = test_verdict(CLASS_SOFT, CATEGORY_MAILBOX_FULL);
    t[2].event.kind = REPORT_DELAYED;
    t[3].event.attribution.key = (struct str){NULL, 0};
    t[4].verdict.evidence = STR("first");
    t[5].verdict.evidence = STR("second");
    t[6].event.tenant = STR("other");
    stands(db);
    write_ok(db, start, m, 4);
    assert_value(db, "SELECT count(*) FROM bouncemx.suppression", "0");
    write_ok(db, m[3].next, m + 4, 3);
    assert_value(db,
                 "SELECT string_agg(concat_ws(' ', tenant, scope, evidence_text, events, "
                 "rule, event_at, last_event_at), '|' ORDER BY tenant) FROM bouncemx.suppression",
                 "main tenant first 2 test.rule 2026-11-18 11:06:40.004+00 "
                 "2026-11-18 11:06:40.005+00|"
                 "other tenant user unknown 1 test.rule 2026-11-18 11:06:40.006+00 "
                 "2026-11-18 11:06:40.006+00");
    write_ok(db, m[6].next, m + 7, 1);
    assert_value(db,
                 "SELECT concat_ws(' ', evidence_text, events, last_event_at, "
                 "right(last_event_id::text, 4)) FROM bouncemx.suppression WHERE tenant = 'main'",
                 "first 3 2026-11-18 11:06:40.007+00 0001");
    free(m);
    db_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_server_not_ready),
        cmocka_unit_test(test_stops_in_the_middle),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_odd_bytes),
        cmocka_unit_test(test_suppression_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
