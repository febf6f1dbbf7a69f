#include "parser/fields.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* "name=value" with '|' between fields and '/' in front of one behind a blank line. */
static struct str shape(struct arena *a, const struct fields *f)
{
    struct str all = STR("");
    for (size_t i = 0; i < f->n; i++)
        all = arena_fmt(a, "%.*s%s%s%.*s=%.*s", STR_ARG(all), i ? "|" : "",
                        f->v[i].after_blank ? "/" : "", STR_ARG(f->v[i].name),
                        STR_ARG(str_trim(f->v[i].value)));
    return all;
}

static void test_header(void **state)
{
    static const struct {
        const char *in, *out, *rest;
    } t[] = {
        {"A: b\nC: d\n\nbody", "A=b|C=d", "body"},
        {"A: b\r\nC: d\r\n\r\nbody", "A=b|C=d", "body"},
        {"A: b\rC: d\r\rbody", "A=b|C=d", "body"},
        {"A: b\n c\n\td\nE:f\n", "A=b\n c\n\td|E=f", ""},
        {"A : b\n", "A=b", ""},
        {"garbage\nA: b\n", "A=b", ""},
        {"\n\nA: b\n\nx", "/A=b", "x"},
        {"A:\n\n", "A=", ""},
        {"one\ntwo\nthree\nA: b\n", "", "A: b\n"},
        {"", "", ""},
        {":\n", "", ""},
    };
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct fields f;
        assert_int_equal(fields_read_header(&a, str_c(t[i].in), 100, &f), 0);
        struct str got = shape(&a, &f), rest = str_from(str_c(t[i].in), f.end);
        if (!str_eq(got, str_c(t[i].out)) || !str_eq(rest, str_c(t[i].rest)))
            fail_msg("case %zu: got \"%.*s\", rest \"%.*s\"", i, STR_ARG(got), STR_ARG(rest));
    }
    arena_free(&a);
}

static void test_groups(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        {"A: b\n\nC: d\n\n\nE: f", "A=b|/C=d|/E=f"},
        {"A: b\n  \nC: d\n", "A=b|/C=d"},
        {"A: b\nnot folded\nC: d\n", "A=b\nnot folded|C=d"},
        {"A: smtp; 550-x\n550 y\nC: d\n", "A=smtp; 550-x\n550 y|C=d"},
        {"A: b\n\n  C: d\n", "A=b|/C=d"},
    };
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct fields f;
        assert_int_equal(fields_read_groups(&a, str_c(t[i].in), 100, &f), 0);
        struct str got = shape(&a, &f);
        if (!str_eq(got, str_c(t[i].out)))
            fail_msg("case %zu: got \"%.*s\"", i, STR_ARG(got));
    }
    arena_free(&a);
}

static void test_limits(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    struct fields f;
    assert_int_equal(fields_read_groups(&a, STR("A: 1\nB: 2\nC: 3\n"), 2, &f), 0);
    assert_int_equal(f.n, 2);
    assert_true(f.cut);
    assert_true(str_eq(fields_get(&f, STR("b")), STR("2")));
    assert_true(str_is_absent(fields_get(&f, STR("c"))));
    arena_free(&a);
    arena_fail_at(&a, 0);
    assert_int_equal(fields_read_groups(&a, STR("A: 1\n"), 2, &f), -ENOMEM);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
