#include "tests/unit/db/support.h"

#include <errno.h>

static const struct str absent = {NULL, 0};

static struct db_table ask(struct db *db, struct arena *a, enum db_question q,
                           const struct str *params, size_t n)
{
    struct err e = {0};
    struct db_table t = {0};
    test_ok(db_ask(db, a, q, params, n, &t, &e), &e);
    return t;
}

static struct db_cell cell(const struct db_table *t, size_t row, const char *column)
{
    assert_true(row < t->rows_n);
    for (size_t c = 0; c < t->columns_n; c++)
        if (str_eq(t->names[c], str_c(column)))
            return t->cells[row * t->columns_n + c];
    fail_msg("no column %s", column);
    return (struct db_cell){0};
}

static void is(const struct db_table *t, size_t row, const char *column, const char *expected)
{
    struct db_cell c = cell(t, row, column);
    if (!expected)
        assert_true(c.null);
    else if (c.null || !str_eq(c.text, str_c(expected)))
        fail_msg("%s is %.*s, not %s", column, STR_ARG(c.null ? STR("NULL") : c.text), expected);
}

static void write_all(struct db *db, const struct db_message *m, size_t n)
{
    struct err e = {0};
    struct db_position at;
    struct db_written written;
    test_ok(db_lane_position(db, &test_lane, &at, &e), &e);
    test_ok(db_write(db, &test_lane, at, m, n, &at, &written, &e), &e);
    assert_int_equal(written.messages, n);
}

static void test_questions(void **state)
{
    (void)state;
    struct err e = {0};
    struct arena a = arena_make(16 << 20);
    struct db *db = test_schema("t_read");
    struct test_message t[5];
    struct db_message *m = test_batch(t, 0, 5);
    t[1].verdict = test_verdict(CLASS_SOFT, CATEGORY_MAILBOX_FULL);
    t[2].event.tenant = STR("other");
    t[2].event.attribution.key = STR("user0@example.net");
    t[3].event.trusted = false;
    t[3].event.attribution.verified = false;
    t[3].event.attribution.verification = ATTRIBUTION_UNSIGNED;
    t[3].event.attribution.token = absent;
    m[4].events_n = 0;
    m[4].body = STR("raw\0\xff bytes");
    write_all(db, m, 5);
    char id[ID_TEXT], event[ID_TEXT];
    const struct str now = STR("1795000100000000");

    struct db_table r =
        ask(db, &a, DB_ASK_SUPPRESSIONS,
            (struct str[]){absent, STR("10"), absent, now, absent, absent, absent, absent}, 8);
    assert_int_equal(r.rows_n, 2);
    is(&r, 0, "address_key", "user0@example.net");
    is(&r, 0, "event_at", "2026-11-18T11:06:40.000000Z");
    is(&r, 0, "category", "bad_mailbox");
    is(&r, 0, "events", "1");
    is(&r, 0, "event_id", id_format(id_with_ordinal(m[0].id, 1), event));
    /* A page of one holds both rows of its last address; behind it there is none. */
    r = ask(db, &a, DB_ASK_SUPPRESSIONS,
            (struct str[]){absent, STR("1"), absent, now, absent, absent, absent, absent}, 8);
    assert_int_equal(r.rows_n, 2);
    r = ask(db, &a, DB_ASK_SUPPRESSIONS,
            (struct str[]){absent, STR("1"), STR("user0@example.net"), now, absent, absent, absent,
                           absent},
            8);
    assert_int_equal(r.rows_n, 0);
    r = ask(db, &a, DB_ASK_SUPPRESSIONS,
            (struct str[]){STR("other"), STR("9"), absent, now, absent, absent, absent, absent}, 8);
    assert_int_equal(r.rows_n, 1);

    r = ask(db, &a, DB_ASK_SUPPRESSION, (struct str[]){STR("USER0@Example.NET"), now}, 2);
    assert_int_equal(r.rows_n, 2);
    is(&r, 1, "tenant", "other");
    r = ask(db, &a, DB_ASK_SUPPRESSED,
            (struct str[]){STR("User0@example.net"), STR("main"), absent, now}, 4);
    is(&r, 0, "suppressed", "true");
    is(&r, 0, "scope", "tenant");
    r = ask(db, &a, DB_ASK_SUPPRESSED,
            (struct str[]){STR("User0@example.net"), STR("third"), absent, now}, 4);
    assert_int_equal(r.rows_n, 1);
    is(&r, 0, "suppressed", "false");
    is(&r, 0, "rule", NULL);

    r = ask(db, &a, DB_ASK_EVENTS, (struct str[]){STR("3"), absent}, 2);
    assert_int_equal(r.rows_n, 3);
    is(&r, 0, "effect", "none: not verified");
    is(&r, 1, "effect", "suppressed");
    is(&r, 2, "effect", "soft: counted, does not suppress by itself");
    is(&r, 2, "verification", "token");
    is(&r, 2, "token_day", "2026-11-18");
    is(&r, 2, "reply_code", "550");
    is(&r, 2, "hard", "false");
    is(&r, 2, "fingerprint", "-81985529216486896");
    r = ask(db, &a, DB_ASK_EVENTS, (struct str[]){STR("3"), cell(&r, 2, "event_id").text}, 2);
    assert_int_equal(r.rows_n, 1);
    is(&r, 0, "address", "user0@example.net");

    r = ask(db, &a, DB_ASK_EVENT, (struct str[]){str_c(event)}, 1);
    assert_int_equal(r.rows_n, 1);
    is(&r, 0, "diagnostic", "550 5.1.1 user unknown");
    is(&r, 0, "rcpt_to", "b@bounces.example.test");
    is(&r, 0, "action", "failed");
    r = ask(db, &a, DB_ASK_EVENT, (struct str[]){str_c(id_format(m[4].id, id))}, 1);
    assert_int_equal(r.rows_n, 1);
    is(&r, 0, "event_id", NULL);
    is(&r, 0, "kind", "bounce");
    r = ask(db, &a, DB_ASK_EVENT, (struct str[]){str_c(id_format(id_with_ordinal(m[4].id, 9), id))},
            1);
    assert_int_equal(r.rows_n, 0);
    r = ask(db, &a, DB_ASK_EVIDENCE, (struct str[]){str_c(id)}, 1);
    assert_int_equal(r.rows_n, 1);
    assert_true(str_eq(cell(&r, 0, "raw").text, STR("raw\0\xff bytes")));

    m[4].at = m[4].next;
    m[4].next.offset += 10;
    test_ok(db_set_aside(db, &test_lane, m[4].at, &m[4], STR("killed its workers"), &e), &e);
    r = ask(db, &a, DB_ASK_SET_ASIDE, (struct str[]){STR("5")}, 1);
    is(&r, 0, "reason", "killed its workers");
    is(&r, 0, "sqlstate", NULL);
    r = ask(db, &a, DB_ASK_SET_ASIDE_ONE, (struct str[]){cell(&r, 0, "id").text}, 1);
    assert_int_equal(r.rows_n, 1);
    is(&r, 0, "lane", "0");
    is(&r, 0, "byte_offset", "500");
    assert_true(str_eq(cell(&r, 0, "raw").text, m[4].body));
    r = ask(db, &a, DB_ASK_LANES, NULL, 0);
    is(&r, 0, "byte_offset", "510");
    is(&r, 0, "node", "mx1");
    r = ask(db, &a, DB_ASK_REPORT_FORGED, (struct str[]){STR("1790000000000000"), now, absent}, 3);
    assert_int_equal(r.rows_n, 1);
    is(&r, 0, "day", "2026-11-18");
    is(&r, 0, "attempt", "unsigned");
    r = ask(db, &a, DB_ASK_REPORT_UNMATCHED, (struct str[]){STR("1"), now, STR("x")}, 3);
    assert_int_equal(r.rows_n, 0);
    r = ask(db, &a, DB_ASK_UNMATCHED, (struct str[]){STR("1"), now}, 2);
    is(&r, 0, "count", "0");
    r = ask(db, &a, DB_ASK_COUNTS, NULL, 0);
    is(&r, 0, "count", "5");
    is(&r, 1, "count", "4");
    is(&r, 2, "count", "2");
    is(&r, 3, "name", "set_aside");
    is(&r, 3, "count", "1");
    arena_free(&a);
    free(m);
    db_free(db);
}

static void test_bad_parameters(void **state)
{
    (void)state;
    struct db *db = test_schema("t_read_bad");
    static const struct {
        enum db_question q;
        size_t n;
        struct str p[4];
    } t[] = {
        {DB_ASK_EVENT, 1, {STR_INIT("no id")}},
        {DB_ASK_EVENTS, 2, {STR_INIT("-1"), {NULL, 0}}},
        {DB_ASK_EVENTS, 2, {STR_INIT("99999999999999999999"), {NULL, 0}}},
        {DB_ASK_SUPPRESSION, 2, {STR_INIT("nobody"), STR_INIT("1")}},
        {DB_ASK_REPORT_FORGED, 3, {STR_INIT("yesterday"), STR_INIT("1"), {NULL, 0}}},
        {DB_ASK_SUPPRESSIONS, 4, {STR_INIT("\xff"), STR_INIT("1"), {NULL, 0}, STR_INIT("1")}},
        {DB_ASK_SUPPRESSIONS, 2, {STR_INIT("x"), STR_INIT("1")}},
        {DB_QUESTION_COUNT, 0, {{NULL, 0}}},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(1 << 20);
        struct err e = {0};
        struct db_table r;
        int rc = db_ask(db, &a, t[i].q, t[i].p, t[i].n, &r, &e);
        if (rc != -EINVAL || e.text[0] == '\0')
            fail_msg("case %zu: %d %s", i, rc, e.text);
        arena_free(&a);
    }
    db_free(db);
}

static void test_memory_ends(void **state)
{
    (void)state;
    struct db *db = test_schema("t_read_memory");
    struct test_message t[2];
    struct db_message *m = test_batch(t, 0, 2);
    write_all(db, m, 2);
    int rc = -ENOMEM;
    for (uint64_t k = 0; rc != 0; k++) {
        struct arena a = arena_make(1 << 20);
        struct err e = {0};
        struct db_table r;
        arena_fail_at(&a, k);
        rc = db_ask(db, &a, DB_ASK_EVENTS, (struct str[]){STR("2"), absent}, 2, &r, &e);
        if (rc != 0 && rc != -ENOMEM)
            fail_msg("allocation %u: %d %s", (unsigned)k, rc, e.text);
        assert_true(k < 1000);
        arena_free(&a);
    }
    free(m);
    db_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_bad_parameters),
        cmocka_unit_test(test_memory_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
