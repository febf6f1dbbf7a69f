#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct str absent = {NULL, 0};

static void test_compare(void **state)
{
    (void)state;
    assert_true(str_eq(STR(""), absent));
    assert_true(str_eq(STR("ab"), STR("ab")));
    assert_false(str_eq(STR("ab"), STR("aB")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_ieq(STR("aB"), STR("Ab")));
    assert_false(str_ieq(STR("a["), STR("a{"))); /* differ by 0x20, but are no letters */
    assert_false(str_ieq(STR("\xc3\xa4"), STR("\xc3\x84")));
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts(STR("abc"), STR("")));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_istarts(STR("ABC"), STR("ab")));
    assert_true(str_iends(STR("xABC"), STR("bc")));
    assert_false(str_iends(STR("c"), STR("bc")));
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_int_equal(str_cmp(absent, STR("")), 0);
    assert_true(str_is_absent(absent));
    assert_false(str_is_absent(STR("")));
    assert_true(str_is_absent(str_c(NULL)));
}

static const struct {
    const char *s, *needle;
    size_t from, at, iat;
} finds[] = {
    {"abcabc", "bc", 0, 1, 1}, {"abcabc", "bc", 2, 4, 4}, {"abcabc", "BC", 0, 6, 1},
    {"abc", "", 0, 0, 0},      {"abc", "", 3, 3, 3},      {"abc", "x", 9, 3, 3},
    {"abc", "abcd", 0, 3, 3},  {"", "a", 0, 0, 0},        {"", "", 0, 0, 0},
};

static void test_find(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(finds) / sizeof(finds[0]); i++) {
        struct str s = str_c(finds[i].s), needle = str_c(finds[i].needle);
        assert_int_equal(str_find(s, needle, finds[i].from), finds[i].at);
        assert_int_equal(str_ifind(s, needle, finds[i].from), finds[i].iat);
    }
    assert_int_equal(str_find(absent, STR("a"), 0), 0);
    assert_int_equal(str_ifind(absent, STR("a"), 0), 0);
    assert_int_equal(str_ifind(absent, absent, 0), 0);
    assert_int_equal(str_chr(STR("a.b.c"), '.', 0), 1);
    assert_int_equal(str_chr(STR("a.b.c"), '.', 2), 3);
    assert_int_equal(str_chr(STR("abc"), '.', 7), 3);
    assert_int_equal(str_chr(absent, '.', 0), 0);
    assert_int_equal(str_rchr(STR("a.b.c"), '.'), 3);
    assert_int_equal(str_rchr(STR("abc"), '.'), 3);
    assert_int_equal(str_rchr(absent, '.'), 0);
}

static void test_parts(void **state)
{
    (void)state;
    struct str s = STR("abc");
    assert_true(str_eq(str_sub(s, 1, 2), STR("b")));
    assert_true(str_eq(str_sub(s, 1, 99), STR("bc")));
    assert_true(str_eq(str_sub(s, 9, 99), STR("")));
    assert_true(str_eq(str_sub(s, 2, 1), STR("")));
    assert_false(str_is_absent(str_sub(s, 9, 99)));
    assert_true(str_is_absent(str_sub(absent, 1, 2)));
    assert_true(str_eq(str_trim(STR(" \t\r\n\v\fa b ")), STR("a b")));
    assert_true(str_eq(str_trim(STR("  ")), STR("")));
    assert_true(str_eq(str_trim(absent), STR("")));
    struct str rest = STR("a,,b");
    assert_true(str_eq(str_cut(&rest, ','), STR("a")));
    assert_true(str_eq(str_cut(&rest, ','), STR("")));
    assert_true(str_eq(str_cut(&rest, ','), STR("b")));
    assert_int_equal(rest.n, 0);
    assert_true(str_eq(str_cut(&rest, ','), STR("")));
}

static void test_lines(void **state)
{
    (void)state;
    struct str rest = STR("a\r\nb\n\rc\r\r\nd"), line;
    static const char *const want[] = {"a", "b", "", "c", "", "d"};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_true(str_line(&rest, &line));
        assert_true(str_eq(line, str_c(want[i])));
    }
    assert_false(str_line(&rest, &line));
    rest = absent;
    assert_false(str_line(&rest, &line));
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t wide = 7;
    uint32_t narrow = 7;
    assert_true(str_to_u64(STR("18446744073709551615"), &wide) && wide == UINT64_MAX);
    assert_true(str_to_u64(STR("007"), &wide) && wide == 7);
    assert_false(str_to_u64(STR("18446744073709551616"), &wide));
    assert_false(str_to_u64(STR("99999999999999999999999"), &wide));
    assert_false(str_to_u64(STR(""), &wide));
    assert_false(str_to_u64(absent, &wide));
    assert_false(str_to_u64(STR("+1"), &wide));
    assert_false(str_to_u64(STR("1 "), &wide));
    assert_true(wide == 7);
    assert_true(str_to_u32(STR("4294967295"), &narrow) && narrow == UINT32_MAX);
    narrow = 7;
    assert_false(str_to_u32(STR("4294967296"), &narrow));
    assert_int_equal(narrow, 7);
}

static const struct {
    struct str s;
    bool good;
} utf8[] = {
    {STR_INIT(""), true},
    {STR_INIT("a\0b"), true},
    {STR_INIT("\xc3\xa4\xe9\x82\xae\xf0\x9f\x90\x88"), true},
    {STR_INIT("\xc2\x80"), true},
    {STR_INIT("\xed\x9f\xbf\xee\x80\x80"), true},
    {STR_INIT("\xf4\x8f\xbf\xbf"), true},
    {STR_INIT("\x80"), false},
    {STR_INIT("\xc0\x80"), false},     /* overlong */
    {STR_INIT("\xc1\xbf"), false},     /* overlong */
    {STR_INIT("\xe0\x9f\xbf"), false}, /* overlong */
    {STR_INIT("\xf0\x8f\xbf\xbf"), false},
    {STR_INIT("\xed\xa0\x80"), false}, /* surrogate */
    {STR_INIT("\xf4\x90\x80\x80"), false},
    {STR_INIT("\xf5\x80\x80\x80"), false},
    {STR_INIT("\xc3"), false},
    {STR_INIT("\xe9\x82"), false},
    {STR_INIT("\xe9\x82z"), false},
    {STR_INIT("\xff"), false},
};

static void test_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++)
        if (str_is_utf8(utf8[i].s) != utf8[i].good)
            fail_msg("case %zu", i);
    assert_true(str_is_utf8(absent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare), cmocka_unit_test(test_find),
        cmocka_unit_test(test_parts),   cmocka_unit_test(test_lines),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
