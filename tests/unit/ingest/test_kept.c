#include "ingest/kept.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct str number(char text[24], const char *head, unsigned i)
{
    return str_of(text, (size_t)snprintf(text, 24, "%s%u", head, i));
}

static size_t below(const struct kept *k, struct str key)
{
    size_t n = 0;
    for (const struct kept_entry *e = kept_find(k, key); e; e = kept_next(k, e))
        n++;
    return n;
}

/* As many as there is room for stay: the latest. */
static void test_oldest_go(void **state)
{
    (void)state;
    struct kept *k = kept_new(16);
    char a[24], b[24];
    for (unsigned i = 0; i < 1000; i++) {
        kept_put(k, number(a, "key", i), STR("s"), number(b, "v", i));
        assert_true(str_eq(kept_value(kept_find(k, str_c(a))), str_c(b)));
    }
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(below(k, number(a, "key", i)), i >= 1000 - 16);
    kept_free(k);
}

static void test_replace_and_drop(void **state)
{
    (void)state;
    struct kept *k = kept_new(8);
    kept_put(k, STR("q"), STR("a"), STR("1"));
    kept_put(k, STR("q"), STR("b"), STR("2"));
    kept_put(k, STR("q"), STR("a"), STR("3"));
    kept_put(k, STR("r"), STR(""), STR("4"));
    assert_int_equal(below(k, STR("q")), 2);
    for (const struct kept_entry *e = kept_find(k, STR("q")); e; e = kept_next(k, e))
        assert_true(str_eq(kept_value(e), str_eq(kept_sub(e), STR("a")) ? STR("3") : STR("2")));
    kept_drop(k, STR("q"));
    assert_null(kept_find(k, STR("q")));
    assert_int_equal(below(k, STR("r")), 1);
    kept_free(k);
}

static void test_bounds(void **state)
{
    (void)state;
    struct kept *k = kept_new(4096);
    static char much[KEPT_BYTES_MAX + 1];
    char a[24];
    kept_put(k, STR("q"), STR("a"), str_of(much, sizeof(much)));
    assert_int_equal(below(k, STR("q")), 0);
    for (unsigned i = 0; i < 2 * KEPT_SUBS_MAX; i++)
        kept_put(k, STR("q"), number(a, "s", i), STR("v"));
    assert_int_equal(below(k, STR("q")), KEPT_SUBS_MAX);
    kept_free(k);
    kept_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_go),
        cmocka_unit_test(test_replace_and_drop),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
