#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    int year, month, day;
    int64_t days;
} days[] = {
    {1970, 1, 1, 0},      {1970, 1, 2, 1},       {1969, 12, 31, -1},    {2000, 2, 29, 11016},
    {2000, 3, 1, 11017},  {1900, 3, 1, -25508},  {1900, 2, 28, -25509}, {2100, 3, 1, 47541},
    {2100, 2, 28, 47540}, {2026, 11, 23, 20780}, {1, 1, 1, -719162},    {9999, 12, 31, 2932896},
    {0, 3, 1, -719468},   {-400, 3, 1, -865565},
};

static void test_days(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++)
        if (clock_days(days[i].year, days[i].month, days[i].day) != days[i].days)
            fail_msg("%d-%d-%d: %lld", days[i].year, days[i].month, days[i].day,
                     (long long)clock_days(days[i].year, days[i].month, days[i].day));
    /* Every day of 400 years follows the one before. */
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t next = clock_days(1900, 1, 1);
    for (int y = 1900; y < 2300; y++) {
        bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
        for (int m = 1; m <= 12; m++)
            for (int d = 1; d <= length[m - 1] + (m == 2 && leap); d++)
                assert_int_equal(clock_days(y, m, d), next++);
    }
}

static const struct {
    int64_t time;
    const char *rfc3339, *rfc5322;
} formats[] = {
    {0, "1970-01-01T00:00:00.000000Z", "Thu, 1 Jan 1970 00:00:00 +0000"},
    {-1, "1969-12-31T23:59:59.999999Z", "Wed, 31 Dec 1969 23:59:59 +0000"},
    {INT64_C(951782400123456), "2000-02-29T00:00:00.123456Z", "Tue, 29 Feb 2000 00:00:00 +0000"},
    {INT64_C(1769846950123456), "2026-01-31T08:09:10.123456Z", "Sat, 31 Jan 2026 08:09:10 +0000"},
    {-719162 * CLOCK_DAY, "0001-01-01T00:00:00.000000Z", "Mon, 1 Jan 0001 00:00:00 +0000"},
    {2932897 * CLOCK_DAY - 1, "9999-12-31T23:59:59.999999Z", "Fri, 31 Dec 9999 23:59:59 +0000"},
    {-719162 * CLOCK_DAY - 1, "", ""},
    {2932897 * CLOCK_DAY, "", ""},
    {CLOCK_UNKNOWN, "", ""},
    {INT64_MIN + 1, "", ""},
    {INT64_MAX, "", ""},
};

static void test_formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        char text[CLOCK_TEXT];
        assert_string_equal(clock_format_rfc3339(formats[i].time, text), formats[i].rfc3339);
        assert_string_equal(clock_format_rfc5322(formats[i].time, text), formats[i].rfc5322);
    }
}

static void test_now(void **state)
{
    (void)state;
    assert_true(clock_now() > INT64_C(1700000000000000));
    int64_t a = clock_monotonic(), b = clock_monotonic();
    assert_true(a <= b);
}

static void test_days_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t day;
    } good[] = {
        {"1970-01-01", 0}, {"2026-11-23", 20780}, {"2000-02-29", 11016}, {"9999-12-31", 2932896}};
    char text[CLOCK_TEXT];
    uint32_t day;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(clock_day_read(str_c(good[i].text), &day));
        assert_int_equal(day, good[i].day);
        assert_string_equal(clock_format_day(day, text), good[i].text);
    }
    static const char *const bad[] = {"",           "2026-11-2",  "2026-11-233", "2026-13-01",
                                      "2026-00-01", "2026-11-31", "2026-02-29",  "2100-02-29",
                                      "2026/11/23", "2026-11-00", "1969-12-31",  "0000-01-01",
                                      "+026-11-23", "2026-1 -23", "2026-11--3"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        day = 7;
        if (clock_day_read(str_c(bad[i]), &day) || day != 7)
            fail_msg("%s was read as day %u", bad[i], day);
    }
    assert_string_equal(clock_format_day(2932897, text), "");
    assert_string_equal(clock_format_day(UINT32_MAX, text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_days_as_text),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
