#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_make(void **state)
{
    (void)state;
    struct id a = id_make(INT64_C(1769846950123456)), b = id_make(INT64_C(1769846950123456));
    assert_false(id_eq(a, b));
    assert_int_equal(a.b[6] >> 4, 7);
    assert_int_equal(a.b[8] >> 6, 2);
    assert_int_equal(id_ordinal(a), 0);
    uint64_t ms = 0;
    for (size_t i = 0; i < 6; i++)
        ms = ms << 8 | a.b[i];
    assert_true(ms == UINT64_C(1769846950123));
    struct id r = id_random();
    assert_int_equal(r.b[6] >> 4, 4);
    assert_int_equal(r.b[8] >> 6, 2);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(id_make(-5).b[i], 0);
}

static void test_ordinal(void **state)
{
    (void)state;
    struct id m = id_make(1);
    struct id e = id_with_ordinal(m, ID_ORDINAL_MAX);
    assert_int_equal(id_ordinal(e), 65535);
    assert_false(id_eq(m, e));
    assert_true(id_eq(m, id_with_ordinal(e, 0)));
    assert_int_equal(id_ordinal(id_with_ordinal(m, 258)), 258);
}

static void test_text(void **state)
{
    (void)state;
    char text[ID_TEXT];
    struct id id = {{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x7c, 0xde, 0x8f, 0, 1, 2, 3, 4, 5, 6}};
    assert_string_equal(id_format(id, text), "01234567-89ab-7cde-8f00-010203040506");
    struct id back;
    assert_true(id_parse(str_c(text), &back) && id_eq(id, back));
    assert_true(id_parse(STR("01234567-89AB-7CDE-8F00-010203040506"), &back) && id_eq(id, back));
    static const char *const bad[] = {
        "",
        "01234567-89ab-7cde-8f00-01020304050",
        "01234567-89ab-7cde-8f00-0102030405066",
        "01234567-89ab-7cde-8f00-01020304050g",
        "0123456-789ab-7cde-8f00-010203040506",
        "{1234567-89ab-7cde-8f00-010203040506",
        "01234567089ab-7cde-8f00-010203040506",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        back = id;
        assert_false(id_parse(str_c(bad[i]), &back));
        assert_true(id_eq(back, id));
    }
}

/* Ids of one moment are as many as asked for. */
static void test_unique(void **state)
{
    (void)state;
    enum { N = 2000 };
    static struct id ids[N];
    for (size_t i = 0; i < N; i++) {
        ids[i] = id_make(1);
        for (size_t k = 0; k < i; k++)
            assert_false(id_eq(ids[i], ids[k]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_ordinal),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
