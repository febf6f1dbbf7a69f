#include "app/zone.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t at(int month, int day, int hour)
{
    return clock_days(2026, month, day) * CLOCK_DAY + hour * 3600 * CLOCK_SECOND + 7;
}

static void test_zones(void **state)
{
    (void)state;
    static const struct {
        struct str name;
        int winter, summer; /* hours ahead of UTC */
        bool named;
    } t[] = {
        {{NULL, 0}, 0, 0, false},
        {STR_INIT("utc"), 0, 0, false},
        {STR_INIT("+02:00"), 2, 2, false},
        {STR_INIT("-0800"), -8, -8, false},
        {STR_INIT("Europe/Berlin"), 1, 2, true},
        {STR_INIT("America/New_York"), -5, -4, true},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct err e;
        if (t[i].named && access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
            continue; /* no tzdata */
        assert_int_equal(zone_set(t[i].name, &e), 0);
        assert_int_equal(zone_utc(at(1, 15, 12)), at(1, 15, 12 - t[i].winter));
        assert_int_equal(zone_utc(at(7, 15, 12)), at(7, 15, 12 - t[i].summer));
    }
}

static void test_none(void **state)
{
    (void)state;
    static const struct str bad[] = {
        STR_INIT("Nowhere/At_All"), STR_INIT("../../etc/passwd"),
        STR_INIT("/etc/localtime"), STR_INIT("+2"),
        STR_INIT("+25:00"),         STR_INIT("+02:60"),
        STR_INIT("+02x00"),         STR_INIT("UTC0;x"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e;
        assert_int_equal(zone_set(bad[i], &e), -EINVAL);
        assert_non_null(strstr(e.text, "expected UTC"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
