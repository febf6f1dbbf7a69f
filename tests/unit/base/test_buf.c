#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_grow(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_add_byte(&b, (char)('a' + i % 26)), 0);
    assert_int_equal(buf_add_byte(&b, 'x'), -ENOBUFS);
    assert_int_equal(b.n, 1000);
    assert_true(b.room <= b.max);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(b.p[i], 'a' + i % 26);
    buf_consume(&b, 990);
    assert_true(str_eq(buf_str(&b), STR("cdefghijkl")));
    assert_int_equal(buf_add(&b, STR("12")), 0);
    assert_true(str_eq(buf_str(&b), STR("cdefghijkl12")));
    buf_consume(&b, b.n);
    assert_int_equal(b.n, 0);
    buf_free(&b);
    assert_int_equal(b.max, 1000);
    assert_int_equal(buf_add(&b, STR("again")), 0);
    buf_clear(&b);
    assert_int_equal(buf_str(&b).n, 0);
    buf_free(&b);
}

static void test_limits(void **state)
{
    (void)state;
    static const size_t max[] = {0, 1, 10, 255, 256, 257, 511, 512, 513};
    for (size_t i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
        struct buf b;
        buf_init(&b, max[i]);
        assert_int_equal(buf_reserve(&b, max[i] + 1), -ENOBUFS);
        assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOBUFS);
        assert_int_equal(buf_reserve(&b, max[i]), 0);
        assert_true(b.room <= max[i]);
        size_t n = 0;
        while (buf_add_byte(&b, 'x') == 0)
            n++;
        assert_int_equal(n, max[i]);
        assert_true(b.room <= max[i]);
        assert_int_equal(buf_add(&b, STR("")), 0);
        buf_free(&b);
    }
}

static void test_fmt(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 20);
    assert_int_equal(buf_fmt(&b, "%s=%d;", "a", 7), 0);
    assert_int_equal(buf_fmt(&b, "%s", "b"), 0);
    assert_true(str_eq(buf_str(&b), STR("a=7;b")));
    assert_int_equal(buf_fmt(&b, "%030d", 1), -ENOBUFS);
    assert_true(str_eq(buf_str(&b), STR("a=7;b")));
    buf_free(&b);
    buf_consume(&b, 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_fmt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
