#include "tests/unit/db/support.h"

#include "db/encode.h"

#include <errno.h>

static void test_safe_text(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        size_t max;
        struct str out;
    } t[] = {
        {STR_INIT(""), 10, STR_INIT("")},
        {STR_INIT("plain"), 10, STR_INIT("plain")},
        {STR_INIT("a\0b"), 10,
         STR_INIT("a\xef\xbf\xbd"
                  "b")},
        {STR_INIT("\xff"), 10, STR_INIT("\xef\xbf\xbd")},
        {STR_INIT("\xc3"), 10, STR_INIT("\xef\xbf\xbd")},
        {STR_INIT("\xc0\x80"), 10, STR_INIT("\xef\xbf\xbd\xef\xbf\xbd")},
        /* Cut between characters, also where the cut itself would split one. */
        {STR_INIT("abc"), 2, STR_INIT("ab")},
        {STR_INIT("a\xc3\xa4"), 2, STR_INIT("a")},
        {STR_INIT("a\xe2\x82\xac"
                  "b"),
         4, STR_INIT("a\xe2\x82\xac")},
        {STR_INIT("a\xf0\x9f\x98\x80"), 4, STR_INIT("a")},
        {STR_INIT("\xc3\xa4"), 0, STR_INIT("")},
        /* A replacement is longer than what it replaces: the maximum still holds. */
        {STR_INIT("\xff\xff\xff"), 3, STR_INIT("\xef\xbf\xbd")},
        {STR_INIT("\xff\xff\xff"), 2, STR_INIT("")},
        /* No character ends here: bytes that only go on. */
        {STR_INIT("\x80\x80\x80\x80\x80\x80"), 4, STR_INIT("\xef\xbf\xbd")},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct buf b;
        buf_init(&b, 100);
        assert_int_equal(text_safe(&b, t[i].in, t[i].max), 0);
        assert_true(b.n <= t[i].max);
        assert_true(text_is_safe(buf_str(&b)));
        if (!str_eq(buf_str(&b), t[i].out))
            fail_msg("case %zu: \"%.*s\"", i, STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
}

static void test_array_bytes(void **state)
{
    (void)state;
    struct array a;
    array_init(&a, ENCODE_TEXT, 1000);
    array_begin(&a);
    assert_int_equal(array_end(&a), 0);
    assert_true(str_eq(buf_str(&a.bytes), STR("\0\0\0\0\0\0\0\0\0\0\0\x19")));
    array_begin(&a);
    array_text(&a, STR("hi"), 10);
    array_text(&a, (struct str){NULL, 0}, 10);
    array_text(&a, STR(""), 10);
    assert_int_equal(array_end(&a), 0);
    assert_true(str_eq(buf_str(&a.bytes), STR("\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\3\0\0\0\1"
                                              "\0\0\0\2hi\xff\xff\xff\xff\0\0\0\0")));
    array_free(&a);
    array_init(&a, ENCODE_INT2, 1000);
    array_begin(&a);
    array_int2(&a, -2);
    assert_int_equal(array_end(&a), 0);
    assert_true(str_eq(buf_str(&a.bytes), STR("\0\0\0\1\0\0\0\0\0\0\0\x15\0\0\0\1\0\0\0\1"
                                              "\0\0\0\2\xff\xfe")));
    array_free(&a);
}

static void test_array_full(void **state)
{
    (void)state;
    /* Every maximum: never over it, never a broken value, the failure is told at the end. */
    for (size_t max = 0; max < 120; max++) {
        struct array a;
        struct str two[] = {STR("one\nx"), STR("two")};
        array_init(&a, ENCODE_TEXT, max);
        array_begin(&a);
        array_text(&a, STR("hello\xff"), 20);
        array_null(&a);
        array_bytes(&a, STR("bytes"));
        array_lines(&a, two, 2, 20);
        array_int8(&a, 5);
        int rc = array_end(&a);
        assert_true(a.bytes.n <= max);
        assert_int_equal(rc, max < 72 ? -ENOBUFS : 0);
        /* It can be used again. */
        array_begin(&a);
        assert_int_equal(array_end(&a), max < 20 ? -ENOBUFS : 0);
        array_free(&a);
    }
}

static void test_times(void **state)
{
    (void)state;
    char p[ENCODE_NUMBER_MAX];
    static const struct {
        int64_t in;
        struct str out;
    } t[] = {
        {INT64_C(946684800000000), STR_INIT("\0\0\0\0\0\0\0\0")}, /* 2000-01-01 */
        {INT64_C(946684799999999), STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff")},
        {INT64_MAX, STR_INIT("\x03\x80\xe7\x0b\x91\x3b\x7f\xff")}, /* 9999-12-31 23:59:59.999999 */
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (!str_eq(encode_time(t[i].in, p), t[i].out))
            fail_msg("case %zu", i);
    assert_true(str_eq(encode_int4(-1, p), STR("\xff\xff\xff\xff")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safe_text),
        cmocka_unit_test(test_array_bytes),
        cmocka_unit_test(test_array_full),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
