/* support.h - for tests of db/: a database of one's own in the cluster of the fixture, messages to
 * write into it, and one-value questions. */
#ifndef TESTS_UNIT_DB_SUPPORT_H
#define TESTS_UNIT_DB_SUPPORT_H

#include "base/clock.h"
#include "db/db.h"
#include "db/handle.h"
#include "db/migrate.h"
#include "db/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants these before it. */
#include <cmocka.h>

#define TEST_TIME (INT64_C(1795000000) * CLOCK_SECOND) /* 2026-11-18 */

static char test_conninfo_text[512];

/* The cluster: BOUNCEMX_TEST_CONNINFO (postgres.sh run), or the folder named in the file
 * BOUNCEMX_TEST_CLUSTER (the fixture). */
static inline const char *test_cluster(void)
{
    static char conninfo[400];
    const char *given = getenv("BOUNCEMX_TEST_CONNINFO"), *file = getenv("BOUNCEMX_TEST_CLUSTER");
    char folder[200] = "";
    if (given)
        return given;
    FILE *f = file ? fopen(file, "r") : NULL;
    if (!f || fscanf(f, "%199s", folder) != 1)
        fail_msg("no cluster: run by ctest, or by tests/support/postgres.sh run");
    fclose(f);
    snprintf(conninfo, sizeof(conninfo), "host=%s/socket port=5432 user=bouncemx dbname=bouncemx",
             folder);
    return conninfo;
}

static inline void test_ok(int rc, const struct err *e)
{
    if (rc != 0)
        fail_msg("%d: %s", rc, e->text);
}

/* Makes an empty database under this name; returns its conninfo. */
static inline const char *test_database(const char *name)
{
    char sql[200];
    struct db *db = NULL;
    struct err e = {0};
    test_ok(db_open(test_cluster(), &db, &e), &e);
    snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", name);
    test_ok(pg_script(db->pg, sql, PG_CALL_MS, &e), &e);
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
    test_ok(pg_script(db->pg, sql, PG_CALL_MS, &e), &e);
    db_free(db);
    snprintf(test_conninfo_text, sizeof(test_conninfo_text), "%s dbname=%s", test_cluster(), name);
    return test_conninfo_text;
}

static inline struct db *test_open(const char *conninfo)
{
    struct db *db = NULL;
    struct err e = {0};
    test_ok(db_open(conninfo, &db, &e), &e);
    return db;
}

/* A database with the schema, and a connection to it. */
static inline struct db *test_schema(const char *name)
{
    struct err e = {0};
    unsigned version = 0;
    struct db *db = test_open(test_database(name));
    test_ok(db_migrate(db, NULL, NULL, &version, &e), &e);
    test_ok(db_partitions(db, TEST_TIME, &e), &e);
    return db;
}

static inline void test_run(struct db *db, const char *sql)
{
    struct err e = {0};
    test_ok(pg_script(db->pg, sql, PG_CALL_MS, &e), &e);
}

/* The one value that sql gives, as text. For several statements the same slot is prepared anew. */
static inline void test_value(struct db *db, const char *sql, char *text, size_t room)
{
    struct err e = {0};
    struct pg_result *res = NULL;
    char query[2000];
    enum { SLOT = PG_STATEMENTS_MAX - 1 };
    snprintf(query, sizeof(query), "DEALLOCATE s%d", SLOT);
    pg_script(db->pg, query, PG_CALL_MS, &e);
    snprintf(query, sizeof(query), "SELECT (%s)::text", sql);
    pg_forget(db->pg, (enum pg_statement)SLOT);
    test_ok(pg_call(db->pg, (enum pg_statement)SLOT, query, NULL, PG_CALL_MS, &res, &e), &e);
    assert_int_equal(pg_rows(res), 1);
    struct str v = pg_value(res, 0, 0);
    snprintf(text, room, "%.*s", STR_ARG(str_is_absent(v) ? STR("NULL") : v));
    pg_result_free(res);
}

#define assert_value(db, sql, expected)              \
    do {                                             \
        char value_[8192];                           \
        test_value(db, sql, value_, sizeof(value_)); \
        assert_string_equal(value_, expected);       \
    } while (0)

/* ---- messages ---- */

struct test_message {
    struct report report;
    struct report_recipient recipient;
    struct verdict verdict;
    struct db_event event;
    struct db_message message;
    char address[64], token[64];
    struct str rcpt_to;
};

static const struct db_lane test_lane = {
    .journal = {{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}},
    .lane = 0,
    .node = STR_INIT("mx1"),
};

static inline struct verdict test_verdict(enum verdict_class class, enum verdict_category category)
{
    return (struct verdict){.class = class,
                            .category = category,
                            .fault = FAULT_RECIPIENT,
                            .confidence = CONFIDENCE_HIGH,
                            .rule = "test.rule",
                            .mx_operator = "google",
                            .evidence = STR("user unknown"),
                            .fingerprint = UINT64_C(0xfedcba9876543210)};
}

/* Message number i of a lane whose records are 100 bytes long: a hard bounce by a signed
 * token, of user<i>@example.net. Its address and token stay at *t. */
static inline void test_message(struct test_message *t, unsigned i)
{
    *t = (struct test_message){0};
    snprintf(t->address, sizeof(t->address), "user%u@example.net", i);
    snprintf(t->token, sizeof(t->token), "b1baaaaid%u@bounces.example.test", i);
    struct str address = str_c(t->address);
    t->recipient = (struct report_recipient){
        .final_recipient = address,
        .action = REPORT_ACTION_FAILED,
        .status = STR("5.1.1"),
        .reply_code = 550,
        .diagnostic = STR("550 5.1.1 user unknown"),
        .remote_mta = STR("mx.example.net"),
    };
    t->report = (struct report){
        .kind = REPORT_BOUNCE,
        .reader = "dsn",
        .recipients = &t->recipient,
        .recipients_n = 1,
        .reporting_mta = STR("out.example.com"),
        .subject = STR("Undelivered"),
        .from = STR("mailer-daemon@example.com"),
        .original = {.message_id = STR("1@example.com")},
    };
    t->verdict = test_verdict(CLASS_HARD, CATEGORY_BAD_MAILBOX);
    t->event = (struct db_event){
        .recipient = &t->recipient,
        .verdict = &t->verdict,
        .attribution = {.address = address,
                        .key = address,
                        .source = ATTRIBUTION_TOKEN,
                        .verification = ATTRIBUTION_TOKEN_VALID,
                        .verified = true,
                        .counts = true,
                        .token = str_c(t->token),
                        .day = 20775},
        .kind = REPORT_BOUNCE,
        .tenant = STR("main"),
        .stream = STR("news"),
        .trusted = true,
    };
    t->rcpt_to = STR("b@bounces.example.test");
    t->message = (struct db_message){
        .received_at = TEST_TIME + (int64_t)i * 1000,
        .at = {1, (uint64_t)i * 100},
        .next = {1, ((uint64_t)i + 1) * 100},
        .client_address = STR("192.0.2.1"),
        .helo = STR("out.example.com"),
        .protocol = STR("ESMTP"),
        .mail_from = STR(""),
        .rcpt_to = &t->rcpt_to,
        .rcpt_to_n = 1,
        .size = 4000,
        .body = STR("Subject: Undelivered\r\n\r\nno\r\n"),
        .report = &t->report,
        .events = &t->event,
        .events_n = 1,
    };
    t->message.id = id_make(t->message.received_at);
    /* The same id whenever the same number is asked for. */
    for (size_t k = 6; k < 14; k++)
        t->message.id.b[k] = (uint8_t)(k == 6 ? 0x70 : k == 8 ? 0x80 : i >> (8 * (k % 4)));
}

/* Fills n of them and the array of db_message over them, numbers from first. */
static inline struct db_message *test_batch(struct test_message *t, unsigned first, size_t n)
{
    struct db_message *m = calloc(n ? n : 1, sizeof(*m));
    assert_non_null(m);
    for (size_t i = 0; i < n; i++) {
        test_message(&t[i], first + (unsigned)i);
        m[i] = t[i].message;
    }
    return m;
}

#endif
