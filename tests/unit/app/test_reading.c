#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/reading.h"

#include <errno.h>
#include <stdio.h>

static struct classifier *classifier;

static const struct returnpath_domain domain_list[] = {
    {STR_INIT("strict.example"), RETURNPATH_ACCEPT_ANY, STR_INIT("now"), STR_INIT("now"), false,
     NULL, 0},
    {STR_INIT("trusting.example"), RETURNPATH_ACCEPT_ANY, STR_INIT("now"), STR_INIT("now"), true,
     NULL, 0},
};
static struct returnpath_set *set;

#define REPORT(groups)                                                                \
    "From: MAILER-DAEMON@r.example\r\nSubject: failure\r\nMIME-Version: 1.0\r\n"      \
    "Content-Type: multipart/report; report-type=delivery-status; boundary=e\r\n\r\n" \
    "--e\r\nContent-Type: text/plain\r\n\r\nFailed.\r\n\r\n"                          \
    "--e\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; "        \
    "r.example\r\n\r\n" groups "--e--\r\n"
#define GROUP(address, action, status)                                              \
    "Final-Recipient: rfc822; " address "\r\nAction: " action "\r\nStatus: " status \
    "\r\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\r\n\r\n"

static int read_one(struct arena *a, struct str body, const struct spool_recipient *to, size_t n,
                    struct db_message *ret)
{
    struct err e = {0};
    struct spool_record record = {.at = {3, 100},
                                  .next = {3, 900},
                                  .envelope = {.id = id_make(0),
                                               .received_at = 77,
                                               .mail_from = STR(""),
                                               .recipients = to,
                                               .recipients_n = n,
                                               .size = body.n},
                                  .body = body};
    struct reading reading = {classifier, set};
    return reading_message(&reading, a, &record, ret, &e);
}

static const struct spool_recipient plain = {.address = STR_INIT("x@strict.example"),
                                             .domain = STR_INIT("strict.example"),
                                             .tenant = STR_INIT("t1"),
                                             .stream = STR_INIT("s1")};

static void test_events_of_a_report(void **state)
{
    (void)state;
    struct arena a = arena_make(READING_ARENA_MAX);
    struct db_message m;
    assert_int_equal(read_one(&a,
                              STR(REPORT(GROUP("a@x.example", "failed", "5.1.1")
                                             GROUP("b@x.example", "delivered", "2.0.0")
                                                 GROUP("c@x.example", "delayed", "4.0.0"))),
                              &plain, 1, &m),
                     0);
    assert_int_equal(m.at.offset, 100);
    assert_int_equal(m.next.offset, 900);
    assert_int_equal(m.received_at, 77);
    assert_int_equal(m.events_n, 3);
    assert_int_equal(m.events[0].kind, REPORT_BOUNCE);
    assert_int_equal(m.events[0].verdict->class, CLASS_HARD);
    assert_true(str_eq(m.events[0].attribution.key, STR("a@x.example")));
    assert_int_equal(m.events[1].kind, REPORT_DELIVERED);
    assert_null(m.events[1].verdict);
    assert_int_equal(m.events[2].kind, REPORT_DELAYED);
    for (size_t i = 0; i < 3; i++) {
        assert_true(str_eq(m.events[i].tenant, STR("t1")));
        assert_true(str_eq(m.events[i].stream, STR("s1")));
        assert_false(m.events[i].trusted);
    }
    arena_free(&a);
}

/* Trust is today's configuration; what the record says of tenant and stream stays. */
static void test_trust(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        bool verified, trusted;
    } t[] = {
        {"strict.example", false, false}, {"trusting.example", false, true},
        {"gone.example", false, false},   {"", false, false},
        {"strict.example", true, true},   {"gone.example", true, true},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        struct spool_recipient to = plain;
        to.domain = str_c(t[i].domain);
        to.source = RETURNPATH_SOURCE_VERP;
        to.recipient = STR("a@x.example");
        to.verified = t[i].verified;
        assert_int_equal(
            read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), &to, 1, &m), 0);
        assert_int_equal(m.events_n, 1);
        assert_int_equal(m.events[0].trusted, t[i].trusted);
        assert_true(str_eq(m.events[0].tenant, STR("t1")));
        arena_free(&a);
    }
}

static void test_mail_for_a_person(void **state)
{
    (void)state;
    struct arena a = arena_make(READING_ARENA_MAX);
    struct db_message m;
    struct spool_recipient to = plain;
    to.kind = RETURNPATH_ROLE;
    to.domain = STR("trusting.example");
    assert_int_equal(read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), &to, 1, &m),
                     0);
    assert_int_equal(m.events_n, 1);
    assert_int_equal(m.events[0].kind, REPORT_OTHER);
    assert_null(m.events[0].recipient);
    assert_null(m.events[0].verdict);
    assert_false(m.events[0].trusted);
    assert_int_equal(read_one(&a, STR("Subject: hello\r\n\r\nCall me.\r\n"), &plain, 1, &m), 0);
    assert_int_equal(m.events_n, 1);
    assert_int_equal(m.events[0].kind, REPORT_OTHER);
    arena_free(&a);
}

/* One transaction to several of our addresses: what says the same counts once. */
static void test_several_envelope_recipients(void **state)
{
    (void)state;
    struct arena a = arena_make(READING_ARENA_MAX);
    struct db_message m;
    struct spool_recipient to[4] = {plain, plain, plain, plain};
    to[1].address = STR("y@strict.example");
    to[2].recipient = STR("v@x.example");
    to[2].source = RETURNPATH_SOURCE_VERP;
    to[3].stream = STR("s2");
    assert_int_equal(read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), to, 4, &m),
                     0);
    assert_int_equal(m.rcpt_to_n, 4);
    assert_int_equal(m.events_n, 3);
    assert_true(str_eq(m.events[0].attribution.key, STR("a@x.example")));
    assert_true(str_eq(m.events[1].attribution.key, STR("v@x.example")));
    assert_true(str_eq(m.events[2].stream, STR("s2")));
    arena_free(&a);
}

/* 1000 recipients of the envelope, 900 of the report: bounded. */
static void test_events_are_bounded(void **state)
{
    (void)state;
    static struct spool_recipient to[SPOOL_RECIPIENTS_MAX];
    static char names[SPOOL_RECIPIENTS_MAX][24];
    struct arena a = arena_make(READING_ARENA_MAX), text = arena_make(8 << 20);
    struct str groups = STR("");
    for (size_t i = 0; i < SPOOL_RECIPIENTS_MAX; i++) {
        to[i] = plain;
        snprintf(names[i], sizeof(names[i]), "s%zu", i);
        to[i].stream = str_c(names[i]);
    }
    char *list = arena_alloc(&text, 900 * 80);
    assert_non_null(list);
    size_t n = 0;
    for (int i = 0; i < 900; i++)
        n += (size_t)snprintf(list + n, 80,
                              "Final-Recipient: rfc822; u%d@x.example\r\n"
                              "Action: failed\r\nStatus: 5.1.1\r\n\r\n",
                              i);
    groups = str_of(list, n);
    struct str body = arena_fmt(&text, REPORT("%.*s"), STR_ARG(groups));
    struct db_message m;
    assert_int_equal(read_one(&a, body, to, SPOOL_RECIPIENTS_MAX, &m), 0);
    assert_int_equal(m.report->recipients_n, 900);
    assert_int_equal(m.events_n, READING_EVENTS_MAX);
    arena_free(&a);
    arena_free(&text);
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    int rc = -ENOMEM;
    unsigned failed = 0;
    for (unsigned n = 0; rc == -ENOMEM && n < 10000; n++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        arena_fail_at(&a, n);
        rc = read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), &plain, 1, &m);
        failed += rc == -ENOMEM;
        arena_free(&a);
    }
    assert_int_equal(rc, 0);
    assert_true(failed > 3);
}

int main(void)
{
    struct err e;
    report_init();
    const struct returnpath_set_config returnpath = {.domains = domain_list, .domains_n = 2};
    if (classifier_load(NULL, 0, &classifier, &e) < 0 ||
        returnpath_set_new(&returnpath, &set, &e) < 0)
        fail_msg("%s", e.text);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_of_a_report),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_mail_for_a_person),
        cmocka_unit_test(test_several_envelope_recipients),
        cmocka_unit_test(test_events_are_bounded),
        cmocka_unit_test(test_every_allocation_fails),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    classifier_free(classifier);
    return rc;
}
