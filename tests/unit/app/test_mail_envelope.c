#include "app/mail_ingest.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    struct str in;
    const char *out; /* NULL: no date */
} dates[] = {
    {STR_INIT("Tue, 24 Nov 2026 01:02:03 +0100"), "2026-11-24T00:02:03.000000Z"},
    {STR_INIT("24 nov 2026 1:02 -0130 (comment)"), "2026-11-24T02:32:00.000000Z"},
    {STR_INIT("Tue,\r\n 24 Nov 26 01:02:60 GMT"), "2026-11-24T01:02:59.000000Z"},
    {STR_INIT("1 Jan 99 00:00:00 EST"), "1999-01-01T05:00:00.000000Z"},
    {STR_INIT("1 Jan 2026 00:00:00"), "2026-01-01T00:00:00.000000Z"},
    {STR_INIT("1 Jan 2026 00:00:00 X"), "2026-01-01T00:00:00.000000Z"},
    {STR_INIT("31 Apr 2026 00:00:00 GMT"), NULL},
    {STR_INIT("0 Jan 2026 00:00:00 GMT"), NULL},
    {STR_INIT("1 Foo 2026 00:00:00 GMT"), NULL},
    {STR_INIT("1 anf 2026 00:00:00 GMT"), NULL},
    {STR_INIT("1 Jan 1960 00:00:00 GMT"), NULL},
    {STR_INIT("1 Jan 1970 00:00:00 +0100"), NULL},
    {STR_INIT("1 Jan 2026 24:00:00 GMT"), NULL},
    {STR_INIT("1 Jan 2026 00:00:00 +100"), NULL},
    {STR_INIT("1 Jan 2026 00:0x:00 GMT"), NULL},
    {STR_INIT("2026-01-01"), NULL},
    {STR_INIT(","), NULL},
    {STR_INIT(""), NULL},
};

static void test_dates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        int64_t t = 42;
        char text[CLOCK_TEXT];
        bool good = mail_date_read(dates[i].in, &t);
        if (good != (dates[i].out != NULL) ||
            (good && strcmp(clock_format_rfc3339(t, text), dates[i].out) != 0))
            fail_msg("%s: %s", dates[i].in.p, good ? text : "no date");
        if (!good)
            assert_int_equal(t, 42);
    }
}

static void test_headers(void **state)
{
    (void)state;
    struct mail_envelope m;
    mail_envelope_read(STR("RETURN-PATH: <s@x.example>\r\nReturn-Path: <other@x.example>\r\n"
                           "delivered-to: a@b.example\r\nX-Original-To:\r\n <c@b.example>\r\n"
                           "Delivered-To: a@b.example\r\nReceived: nonsense\r\n"
                           "Received: from a by b; Tue,\r\n\t24 Nov 2026 00:00:00 +0000\r\n"
                           "Received: from c by a; 20 Nov 2026 00:00:00 +0000\r\n"
                           "Date: 1 Nov 2026 00:00:00 +0000\r\n\r\nDelivered-To: body@b.example"),
                       &m);
    assert_true(str_eq(m.mail_from, STR("s@x.example")));
    assert_int_equal(m.rcpt_n, 2);
    assert_true(str_eq(m.rcpt[0], STR("a@b.example")) && str_eq(m.rcpt[1], STR("c@b.example")));
    assert_int_equal(m.received, clock_days(2026, 11, 24) * CLOCK_DAY);
    mail_envelope_read(STR("Date: 1 Nov 2026 00:00:00 +0000\nReturn-Path: <>\n\nx"), &m);
    assert_int_equal(m.received, clock_days(2026, 11, 1) * CLOCK_DAY);
    assert_true(!str_is_absent(m.mail_from) && m.mail_from.n == 0 && m.rcpt_n == 0);
    mail_envelope_read(STR(""), &m);
    assert_true(str_is_absent(m.mail_from) && m.received == CLOCK_UNKNOWN);
    mail_envelope_read(STR("\nDate: 1 Nov 2026 00:00:00 +0000\n"), &m);
    assert_true(m.received == CLOCK_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
