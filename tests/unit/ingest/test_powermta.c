#include "support.h"

#define HEAD "type,timeLogged,orig,rcpt,dsnStatus,dsnDiag,dsnMta,jobId,header_Message-Id"
#define AT   "2026-02-03 04:05:06+0200"

static const struct {
    struct str line;
    enum ingest_kind kind;
    const char *recipient, *text, *status, *host, *ip;
    unsigned reply;
} t[] = {
    {STR_INIT("b," AT
              ",s@x.example,a@b.example,\"5.1.1 (bad, mailbox)\",\"smtp;550 5.1.1 \"\"no\"\""
              " user\",mx.b.example (192.0.2.1),job,<m@x>"),
     INGEST_BOUNCED, "a@b.example", "550 5.1.1 \"no\" user", "5.1.1", "mx.b.example", "192.0.2.1",
     550},
    {STR_INIT("d," AT ",<s@x.example>,<a@b.example>,2.0.0,smtp;250 ok,,job,m@x"), INGEST_SENT,
     "a@b.example", "250 ok", "2.0.0", NULL, NULL, 250},
    {STR_INIT("t," AT ",s@x.example,a@b.example,,,(192.0.2.1),job,m@x,more,than,headings"),
     INGEST_DEFERRED, "a@b.example", NULL, NULL, NULL, "192.0.2.1", 0},
};

static void test_lines(void **state)
{
    (void)state;
    struct fed f;
    struct ingest_records got;
    feed_open(&f, INGEST_POWERMTA);
    assert_int_equal(feed_line(&f, STR(HEAD "\r"), &got), 0);
    assert_int_equal(got.n, 0);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct ingest_record r = feed_one(&f, t[i].line);
        assert_int_equal(r.kind, t[i].kind);
        assert_int_equal(r.time,
                         (clock_days(2026, 2, 3) * 86400 + 2 * 3600 + 5 * 60 + 6) * CLOCK_SECOND);
        check_text(r.recipient, t[i].recipient, "recipient");
        check_text(r.sender, "s@x.example", "sender");
        check_text(r.text, t[i].text, "text");
        check_text(r.status, t[i].status, "status");
        check_text(r.remote_host, t[i].host, "host");
        check_text(r.remote_ip, t[i].ip, "ip");
        check_text(r.campaign, "job", "campaign");
        check_text(r.message_id, "m@x", "message-id");
        assert_int_equal(r.reply_code, t[i].reply);
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
        {STR_INIT("b," AT ",s,a@b.example,5.1.1,\"x"), "a quote"},
        {STR_INIT("b," AT ",s,a@b.example,5.1.1,x\"y\"z"), "a quote"},
        {STR_INIT("z," AT ",s,a@b.example,5.1.1,x"), "type \"z\": expected"},
        {STR_INIT("b,,s,a@b.example,5.1.1,x"), "timeLogged \"\": expected"},
        {STR_INIT("b," AT ",s,,5.1.1,x"), "rcpt is empty"},
        {STR_INIT("type,rcpt"), "there is no column timeLogged"},
    };
    struct fed f;
    struct ingest_records got;
    feed_open(&f, INGEST_POWERMTA);
    assert_int_equal(feed_line(&f, t[0].line, &got), -EINVAL); /* without headings */
    assert_int_equal(feed_line(&f, STR(HEAD), &got), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(feed_line(&f, bad[i].line, &got), -EINVAL);
        if (!strstr(f.e.text, bad[i].why))
            fail_msg("%s: %s", bad[i].line.p, f.e.text);
        feed_one(&f, t[0].line); /* one harms no other */
    }
    /* Files put together: other headings from there on. */
    assert_int_equal(feed_line(&f, STR("type,rcpt,timeLogged,dsnDiag,dsnStatus"), &got), 0);
    check_text(feed_one(&f, STR("b,q@b.example," AT ",550 no,5.0.0")).recipient, "q@b.example",
               "recipient");
    feed_close(&f);
}

static void test_memory(void **state)
{
    (void)state;
    struct str lines[4] = {STR(HEAD)};
    for (size_t i = 0; i < 3; i++)
        lines[i + 1] = t[i].line;
    check_memory(INGEST_POWERMTA, lines, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
