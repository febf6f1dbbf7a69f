#include "support.h"

#define HEAD "2026-02-03T04:05:06Z mta postfix/smtp[7]: 4abcde: "
#define TO   "to=<a@b.example>, relay=mx.b.example[192.0.2.1]:25, delay=1, delays=0/0/0/1, "

static const struct {
    struct str line;
    enum ingest_kind kind;
    const char *recipient, *orig_to, *host, *ip, *status, *text, *command;
    unsigned reply;
} t[] = {
    {STR_INIT(HEAD TO "dsn=5.1.1, status=bounced (host mx.b.example[192.0.2.1] said: 550 5.1.1 "
                      "no, such, user (in reply to RCPT TO command))"),
     INGEST_BOUNCED, "a@b.example", NULL, "mx.b.example", "192.0.2.1", "5.1.1",
     "550 5.1.1 no, such, user", "RCPT TO", 550},
    /* The words' own code counts before that of the record. */
    {STR_INIT(HEAD TO "dsn=5.0.0, status=bounced (host c[2001:db8::1] said: 552-5.2.2 full (in "
                      "reply to end of DATA command))"),
     INGEST_BOUNCED, "a@b.example", NULL, "c", "2001:db8::1", "5.2.2", "552-5.2.2 full",
     "end of DATA", 552},
    {STR_INIT(HEAD TO "dsn=4.0.0, status=deferred (host x[192.0.2.9] refused to talk to me: 421 "
                      "busy)"),
     INGEST_DEFERRED, "a@b.example", NULL, "x", "192.0.2.9", "4.0.0", "421 busy", NULL, 421},
    {STR_INIT(HEAD "to=<a@b.example>, relay=none, delay=1, dsn=5.4.4, status=bounced (Host or "
                   "domain name not found. Name service error for name=b.example type=A: Host not "
                   "found)"),
     INGEST_BOUNCED, "a@b.example", NULL, NULL, NULL, "5.4.4",
     "Host or domain name not found. Name service error for name=b.example type=A: Host not found",
     NULL, 0},
    {STR_INIT("2026-02-03T04:05:06Z mta postfix/a/local[7]: 4abcde: to=<a@b.example>, "
              "orig_to=<c@b.example>, relay=local, dsn=5.1.1, status=bounced (unknown user: "
              "\"a\")"),
     INGEST_BOUNCED, "a@b.example", "c@b.example", NULL, NULL, "5.1.1", "unknown user: \"a\"", NULL,
     0},
    /* An address that would say more than it may. */
    {STR_INIT(HEAD "to=<\"x>, dsn=5.1.1, status=bounced (550 \\\"\"@b.example>, relay=none, "
                   "dsn=2.0.0, status=sent (250 ok)"),
     INGEST_SENT, "\"x>, dsn=5.1.1, status=bounced (550 \\\"\"@b.example", NULL, NULL, NULL,
     "2.0.0", "250 ok", NULL, 250},
    {STR_INIT(HEAD TO "dsn=2.0.0, status=sent (forwarded as 4abcdf)"), INGEST_OTHER, "a@b.example",
     NULL, "mx.b.example", "192.0.2.1", "2.0.0", "forwarded as 4abcdf", NULL, 0},
    {STR_INIT(HEAD TO "dsn=5.0.0, status=undeliverable (550 no)"), INGEST_OTHER, "a@b.example",
     NULL, "mx.b.example", "192.0.2.1", "5.0.0", "550 no", NULL, 550},
    {STR_INIT(HEAD TO "dsn=5.1.1, status=bounced (550 caf\xe9\x01)"), INGEST_BOUNCED, "a@b.example",
     NULL, "mx.b.example", "192.0.2.1", "5.1.1", "550 caf?", NULL, 550},
};

static void test_lines(void **state)
{
    (void)state;
    struct fed f;
    feed_open(&f, INGEST_POSTFIX);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct ingest_record r = feed_one(&f, t[i].line);
        assert_int_equal(r.kind, t[i].kind);
        assert_int_equal(r.time,
                         (clock_days(2026, 2, 3) * 86400 + 4 * 3600 + 5 * 60 + 6) * CLOCK_SECOND);
        check_text(r.recipient, t[i].recipient, "recipient");
        check_text(r.orig_to, t[i].orig_to, "orig_to");
        check_text(r.remote_host, t[i].host, "host");
        check_text(r.remote_ip, t[i].ip, "ip");
        check_text(r.status, t[i].status, "status");
        check_text(str_trim(r.text), t[i].text, "text");
        check_text(r.command, t[i].command, "command");
        assert_int_equal(r.reply_code, t[i].reply);
        check_text(r.queue_id, "4abcde", "queue id");
        check_text(r.evidence, t[i].line.p, "evidence");
    }
    feed_close(&f);
}

static void test_silent(void **state)
{
    (void)state;
    static const struct str lines[] = {
        STR_INIT(""),
        STR_INIT("2026-02-03T04:05:06Z mta kernel: to=<a@b.example>, status=sent (x)"),
        STR_INIT("2026-02-03T04:05:06Z mta postfix/smtpd[1]: connect from x[192.0.2.1]"),
        STR_INIT("2026-02-03T04:05:06Z mta postfix/smtp[1]: NOQUEUE: to=<a@b>"),
        STR_INIT(HEAD "removed"),
        STR_INIT("2026-02-03T04:05:06Z"),
    };
    struct fed f;
    feed_open(&f, INGEST_POSTFIX);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct ingest_records got;
        assert_int_equal(feed_line(&f, lines[i], &got), 0);
        assert_int_equal(got.n, 0);
    }
    feed_close(&f);
}

static void test_unreadable(void **state)
{
    (void)state;
    static const struct {
        struct str line;
        const char *why;
    } bad[] = {
        {STR_INIT("hello"), "expected a time"},
        {STR_INIT("Feb 30 01:02:03 mta postfix/smtp[1]: 4abcde: x"), "expected a time"},
        {STR_INIT("Nov  4 25:02:03 mta x"), "expected a time"},
        {STR_INIT("2026-13-03T04:05:06Z mta x"), "expected a time"},
        {STR_INIT(HEAD "to=<a@b.example, dsn=5.1.1, status=bounced (x)"), "expected to=<address>"},
        {STR_INIT(HEAD TO "dsn=5.1.1, status=odd (x)"), "expected to=<address>"},
        {STR_INIT(HEAD "to=<>, dsn=5.1.1, status=sent (x)"), "expected to=<address>"},
    };
    struct fed f;
    feed_open(&f, INGEST_POSTFIX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ingest_records got;
        assert_int_equal(feed_line(&f, bad[i].line, &got), -EINVAL);
        assert_non_null(strstr(f.e.text, bad[i].why));
    }
    feed_close(&f);
}

/* Message-ID and sender of lines before, and why a message that expired was deferred last. */
static void test_kept(void **state)
{
    (void)state;
    struct fed f;
    struct ingest_records got;
    feed_open(&f, INGEST_POSTFIX);
    assert_int_equal(feed_line(&f,
                               STR("2026-02-03T04:05:06Z m postfix/cleanup[1]: 4abcde: "
                                   "message-id=<m@x>"),
                               &got),
                     0);
    assert_int_equal(feed_line(&f,
                               STR("2026-02-03T04:05:06Z m postfix/qmgr[1]: 4abcde: from=<>, "
                                   "size=1, nrcpt=2 (queue active)"),
                               &got),
                     0);
    feed_one(&f, STR(HEAD TO "dsn=4.0.0, status=deferred (first)"));
    feed_one(&f, STR(HEAD TO "dsn=4.0.0, status=deferred (second)"));
    struct ingest_record r = feed_one(&f, STR(HEAD "to=<c@b.example>, relay=none, dsn=4.1.1, "
                                                   "status=deferred (third)"));
    check_text(r.message_id, "m@x", "message-id");
    assert_true(!str_is_absent(r.sender) && r.sender.n == 0);
    assert_int_equal(feed_line(&f,
                               STR("2026-02-04T04:05:06Z m postfix/qmgr[1]: 4abcde: from=<>, "
                                   "status=expired, returned to sender"),
                               &got),
                     0);
    assert_int_equal(got.n, 2);
    for (size_t i = 0; i < 2; i++) {
        bool first = str_eq(got.list[i].recipient, STR("a@b.example"));
        assert_int_equal(got.list[i].kind, INGEST_EXPIRED);
        check_text(got.list[i].text, first ? "second" : "third", "text");
        assert_int_equal(got.list[i].time / CLOCK_DAY, clock_days(2026, 2, 4));
    }
    assert_int_equal(feed_line(&f, STR(HEAD "removed"), &got), 0);
    feed_one(&f, STR(HEAD TO "dsn=2.0.0, status=sent (ok)"));
    assert_int_equal(
        feed_line(&f, STR("2026-02-04T04:05:06Z m postfix/qmgr[1]: 4abcde: removed"), &got), 0);
    r = feed_one(&f, STR(HEAD TO "dsn=2.0.0, status=sent (ok)"));
    assert_true(str_is_absent(r.sender) && str_is_absent(r.message_id));
    feed_close(&f);
}

static int64_t an_hour_ahead(int64_t local)
{
    return local - 3600 * CLOCK_SECOND;
}

static void test_years(void **state)
{
    (void)state;
    static const struct {
        int year;
        int64_t (*zone)(int64_t);
        struct str stamps[3];
        int years[3];
    } y[] = {
        /* The latest that is not after 2026-03-01 and a day. */
        {0, NULL, {STR_INIT("Mar  1"), STR_INIT("Mar  3"), STR_INIT("Jan 31")}, {2026, 2025, 2026}},
        {0, NULL, {STR_INIT("Feb 29"), STR_INIT("Dec 31"), STR_INIT("Feb 28")}, {2024, 2025, 2026}},
        {2024,
         NULL,
         {STR_INIT("Dec 31"), STR_INIT("Jan  1"), STR_INIT("Dec 31")},
         {2024, 2025, 2024}},
        {2024,
         an_hour_ahead,
         {STR_INIT("Feb 29"), STR_INIT("Nov  1"), STR_INIT("Feb  1")},
         {2024, 2023, 2024}},
    };
    for (size_t i = 0; i < sizeof(y) / sizeof(y[0]); i++) {
        struct fed f;
        feed_open(&f, INGEST_POSTFIX);
        f.clock.year = y[i].year;
        f.clock.zone = y[i].zone;
        for (size_t k = 0; k < 3; k++) {
            char line[200];
            snprintf(line, sizeof(line),
                     "%.*s 12:00:00 m postfix/smtp[1]: 4abcde: " TO "dsn=2.0.0, status=sent (ok)",
                     STR_ARG(y[i].stamps[k]));
            struct ingest_record r = feed_one(&f, str_c(line));
            char text[CLOCK_TEXT], want[8];
            snprintf(want, sizeof(want), "%d", y[i].years[k]);
            clock_format_rfc3339(r.time, text);
            if (strncmp(text, want, 4) != 0)
                fail_msg("row %zu, %zu: %s, expected %s", i, k, text, want);
            assert_memory_equal(text + 11, y[i].zone ? "11" : "12", 2);
        }
        feed_close(&f);
    }
}

static void test_memory(void **state)
{
    (void)state;
    struct str lines[8];
    for (size_t i = 0; i < 7; i++)
        lines[i] = t[i].line;
    lines[7] = STR("2026-02-04T04:05:06Z m postfix/qmgr[1]: 4abcde: from=<>, status=expired, x");
    check_memory(INGEST_POSTFIX, lines, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_silent),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_kept),
        cmocka_unit_test(test_years),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
