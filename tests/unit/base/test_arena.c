#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_alloc(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    /* Many sizes: aligned, zeroed, apart from one another. */
    unsigned char *p[400];
    for (size_t i = 0; i < 400; i++) {
        p[i] = arena_alloc(&a, i * 7);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < i * 7; k++)
            assert_int_equal(p[i][k], 0);
        memset(p[i], (int)i & 0xff, i * 7);
    }
    for (size_t i = 0; i < 400; i++)
        for (size_t k = 0; k < i * 7; k++)
            assert_int_equal(p[i][k], i & 0xff);
    assert_false(arena_failed(&a));
    assert_true(a.used <= a.limit);
    assert_ptr_not_equal(arena_alloc(&a, 0), arena_alloc(&a, 0));
    arena_free(&a);
    assert_int_equal(a.used, 0);
}

static void test_limit(void **state)
{
    (void)state;
    struct arena a = arena_make(100000);
    assert_null(arena_alloc(&a, 100001));
    assert_true(arena_failed(&a));
    arena_free(&a);
    assert_false(arena_failed(&a));
    size_t got = 0;
    while (arena_alloc(&a, 1000))
        got += 1000;
    assert_true(got <= 100000 && got >= 90000);
    assert_true(a.used <= 100000);
    arena_free(&a);
    /* A limit below the chunk size still serves. */
    a = arena_make(64);
    assert_non_null(arena_alloc(&a, 64));
    assert_null(arena_alloc(&a, 1));
    arena_free(&a);
    a = arena_make(0);
    assert_null(arena_alloc(&a, 1));
    arena_free(&a);
}

static void test_overflow(void **state)
{
    (void)state;
    struct arena a = arena_make(SIZE_MAX);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 20));
    assert_true(arena_failed(&a));
    arena_free(&a);
    assert_non_null(ARENA_ARRAY(&a, 3, int));
    arena_free(&a);
}

static void test_reset(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (int round = 0; round < 100; round++) {
        char *p = arena_alloc(&a, 5000);
        assert_non_null(p);
        for (size_t i = 0; i < 5000; i++)
            assert_int_equal(p[i], 0); /* also when the chunk was used before */
        memset(p, 0xff, 5000);
        assert_non_null(arena_alloc(&a, 200000));
        arena_reset(&a);
        assert_true(a.used <= 64 * 1024);
    }
    assert_null(arena_alloc(&a, 2 << 20));
    arena_reset(&a);
    assert_false(arena_failed(&a));
    arena_free(&a);
    arena_reset(&a);
}

static void test_strings(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    struct str s = arena_str(&a, STR("a\0b"));
    assert_true(str_eq(s, STR("a\0b")));
    assert_int_equal(s.p[s.n], '\0');
    assert_true(str_is_absent(arena_str(&a, str_c(NULL))));
    assert_false(str_is_absent(arena_str(&a, STR(""))));
    s = arena_fmt(&a, "%d-%s", 42, "x");
    assert_true(str_eq(s, STR("42-x")));
    assert_int_equal(s.p[s.n], '\0');
    arena_free(&a);
}

static void test_fail_at(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 5; n++) {
        struct arena a = arena_make(1 << 20);
        arena_fail_at(&a, n);
        for (uint64_t i = 0; i < n; i++)
            assert_non_null(arena_alloc(&a, 8));
        assert_false(arena_failed(&a));
        assert_null(arena_alloc(&a, 8));
        assert_true(str_is_absent(arena_str(&a, STR("x"))));
        assert_true(str_is_absent(arena_fmt(&a, "x")));
        assert_true(arena_failed(&a));
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),    cmocka_unit_test(test_limit),
        cmocka_unit_test(test_overflow), cmocka_unit_test(test_reset),
        cmocka_unit_test(test_strings),  cmocka_unit_test(test_fail_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
