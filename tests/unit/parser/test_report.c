/* report_read: limits, memory and what holds across formats. The formats are in tests/golden. */
#include "tests/support/report_check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct report *read(struct arena *a, const char *message, const struct report_limits *limits)
{
    struct report *r = NULL;
    struct err e;
    assert_int_equal(report_read(a, str_c(message), limits, &r, &e), 0);
    report_check(r, limits);
    return r;
}

#define DSN_HEAD                                                                       \
    "From: MAILER-DAEMON@rcpt.example\nContent-Type: multipart/report; boundary=b\n\n" \
    "--b\n\nNot delivered.\n--b\nContent-Type: message/delivery-status\n\n"            \
    "Reporting-MTA: dns; mx.rcpt.example\n\n"

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(report_kind_name(REPORT_AGGREGATE), "aggregate_report");
    assert_string_equal(report_kind_name(REPORT_KIND_COUNT), "");
    assert_string_equal(report_action_name(REPORT_ACTION_NONE), "");
    assert_string_equal(report_action_name(REPORT_ACTION_EXPANDED), "expanded");
}

static void test_recipients_cut(void **state)
{
    static const char message[] =
        DSN_HEAD "Final-Recipient: rfc822; a@rcpt.example\nAction: failed\n\n"
                 "Final-Recipient: rfc822; b@rcpt.example\nAction: failed\n\n"
                 "Final-Recipient: rfc822; c@rcpt.example\nAction: failed\n\n";
    (void)state;
    struct arena a = arena_make(1 << 20);
    struct report_limits limits = report_limits_default;
    limits.recipients = 3;
    struct report *r = read(&a, message, &limits);
    assert_int_equal(r->recipients_n, 3);
    assert_false(r->recipients_cut);
    limits.recipients = 2;
    r = read(&a, message, &limits);
    assert_int_equal(r->recipients_n, 2);
    assert_true(r->recipients_cut);
    assert_true(str_eq(r->recipients[1].final_recipient, STR("b@rcpt.example")));
    arena_free(&a);
}

static void test_text_cut(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    struct report_limits limits = report_limits_default;
    limits.text_bytes = 22;
    struct report *r = read(&a,
                            DSN_HEAD "Final-Recipient: rfc822; a@rcpt.example\nAction: failed\n"
                                     "Diagnostic-Code: smtp; 550 5.1.1 bo\xc3\xaete inconnue\n\n",
                            &limits);
    assert_true(str_eq(r->recipients[0].diagnostic, STR("550 5.1.1 bo\xc3\xaete incon")));
    limits.text_bytes = 13; /* inside the two bytes of one letter */
    r = read(&a,
             DSN_HEAD "Final-Recipient: rfc822; a@r.example\nAction: failed\n"
                      "Diagnostic-Code: smtp; 550 5.1.1 bo\xc3\xaete inconnue\n\n",
             &limits);
    assert_true(str_eq(r->recipients[0].diagnostic, STR("550 5.1.1 bo")));
    arena_free(&a);
}

/* Over a limit: kind other, but what the top header says is there. */
static void test_over(void **state)
{
    static const char message[] =
        "From: Kim <kim@rcpt.example>\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n"
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b\n\n2\n--b\n\n3\n--b--\n";
    (void)state;
    struct arena a = arena_make(1 << 20);
    struct report_limits limits = report_limits_default;
    const struct report_limits *all = &report_limits_default;
    assert_string_equal(read(&a, message, all)->reader, "none");
    limits.parts = 3;
    struct report *r = read(&a, message, &limits);
    assert_int_equal(r->kind, REPORT_OTHER);
    assert_true(str_eq(r->subject, STR("Gr\xc3\xbc\xc3\x9f"
                                       "e")));
    assert_true(str_eq(r->from, STR("kim@rcpt.example")));
    limits = report_limits_default;
    limits.headers = 2;
    assert_int_equal(read(&a, message, &limits)->kind, REPORT_OTHER);
    limits = report_limits_default;
    limits.header_bytes = 40;
    assert_int_equal(read(&a, message, &limits)->kind, REPORT_OTHER);
    arena_free(&a);
}

/* The header still tells what kind it is. */
static void test_over_kind(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    struct report_limits limits = report_limits_default;
    limits.parts = 1;
    struct report *r = read(&a,
                            "From: kim@rcpt.example\nAuto-Submitted: auto-replied\n"
                            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n\n--b--\n",
                            &limits);
    assert_int_equal(r->kind, REPORT_AUTO_REPLY);
    arena_free(&a);
}

static void test_arena_full(void **state)
{
    (void)state;
    struct arena a = arena_make(64);
    struct report *r = NULL;
    struct err e;
    assert_int_equal(
        report_read(&a, STR("From: a@b.example\n\nx\n"), &report_limits_default, &r, &e), -ENOMEM);
    assert_null(r);
    assert_int_equal(e.code, -ENOMEM);
    arena_free(&a);
}

/* An address header that ends the stack of a parser that recurses. */
static void test_hostile_addresses(void **state)
{
    enum { N = 200000 };
    (void)state;
    struct arena a = arena_make(1 << 22);
    static const char *const heads[] = {
        "To: ", "From: ", "Content-Type: message/rfc822\n\nCc: ",
        ("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
         "message/rfc822\n\nSender: ")};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        char *message = arena_alloc(&a, N + 200);
        assert_non_null(message);
        size_t n = strlen(heads[i]);
        memcpy(message, heads[i], n);
        memset(message + n, '(', N);
        memcpy(message + n + N, "\n\n", 3);
        assert_int_equal(read(&a, message, &report_limits_default)->kind, REPORT_OTHER);
    }
    arena_free(&a);
}

/* A bounce that returns a bounce reports its own recipient; so does a notice in free form. */
static void test_own_group_only(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    struct report *r =
        read(&a,
             "From: MAILER-DAEMON@rcpt.example\nSubject: failure notice\n\n"
             "Hi. Your message could not be delivered.\n\n<kim@rcpt.example>:\nno such user\n\n"
             "--- Below this line is a copy of the message.\n\n"
             "Return-Path: <>\nReceived: by mx\nFrom: x@other.example\nSubject: old\n\n"
             "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; inner@other.example\n"
             "Action: failed\nStatus: 5.1.1\n",
             &report_limits_default);
    assert_int_equal(r->kind, REPORT_BOUNCE);
    assert_int_equal(r->recipients_n, 1);
    assert_true(str_eq(r->recipients[0].final_recipient, STR("kim@rcpt.example")));
    arena_free(&a);
}

/* What a token may stand in: the returned message's fields, also those asked for by name. */
static void test_original_fields(void **state)
{
    (void)state;
    static const struct str keep[] = {STR_INIT("x-token"), STR_INIT("X-Absent")};
    struct report_limits limits = report_limits_default;
    limits.keep = keep;
    limits.keep_n = 2;
    struct arena a = arena_make(1 << 20);
    static const char message[] =
        "Content-Type: multipart/report; boundary=b\n\n"
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
        "Original-Mail-From: <env@sender.example>\n\n"
        "--b\nContent-Type: message/rfc822\n\nReturn-Path: <rp@sender.example>\n"
        "From: news@sender.example\nSubject: =?utf-8?Q?f?=oobar\n"
        "X-Token: one\nX-TOKEN:\n two\nMessage-ID: <1@sender.example>\n\nHi.\n--b--\n";
    const struct report_original *o = &read(&a, message, &limits)->original;
    assert_true(str_eq(o->mail_from, STR("env@sender.example")));
    assert_true(str_eq(o->return_path, STR("rp@sender.example")));
    assert_true(o->subject_hash == UINT64_C(0x85944171f73967e8));
    assert_int_equal(o->kept_n, 2);
    assert_true(str_eq(o->kept[0].name, STR("x-token")));
    assert_true(str_eq(o->kept[0].value, STR("one")));
    assert_true(str_eq(o->kept[1].value, STR("two")));
    assert_int_equal(read(&a, message, &report_limits_default)->original.kept_n, 0);

    struct str many = STR("");
    for (size_t i = 0; i < REPORT_KEPT_MAX + 10; i++)
        many = arena_fmt(&a, "%.*sX-Token: t\n", STR_ARG(many));
    struct str long_message = arena_fmt(&a,
                                        "Content-Type: multipart/report; boundary=b\n\n"
                                        "--b\nContent-Type: message/feedback-report\n\n"
                                        "Feedback-Type: abuse\n\n"
                                        "--b\nContent-Type: message/rfc822\n\nFrom: a@b.example\n"
                                        "To: c@d.example\n%.*s\n--b--\n",
                                        STR_ARG(many));
    o = &read(&a, long_message.p, &limits)->original;
    assert_int_equal(o->kept_n, REPORT_KEPT_MAX);
    assert_int_equal(o->subject_hash, 0);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_recipients_cut),
        cmocka_unit_test(test_text_cut),
        cmocka_unit_test(test_over),
        cmocka_unit_test(test_over_kind),
        cmocka_unit_test(test_arena_full),
        cmocka_unit_test(test_hostile_addresses),
        cmocka_unit_test(test_own_group_only),
        cmocka_unit_test(test_original_fields),
    };
    report_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
