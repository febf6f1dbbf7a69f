#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/nearest.h"
#include "app/table.h"

#include <locale.h>
#include <stdlib.h>

static struct str word(const void *ctx, size_t i)
{
    return str_c(((const char *const *)ctx)[i]);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const words[] = {"classify", "status", "serve", "set-aside list", "", NULL};
    static const struct {
        const char *typed, *want;
    } t[] = {
        {"clasify", "classify"},
        {"Classify", "classify"},
        {"classfiy", "classify"},
        {"stats", "status"},
        {"srve", "serve"},
        {"set-aside lsit", "set-aside list"},
        {"quite-other", NULL},
        {"", NULL},
        {"x", NULL},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct str got = nearest_word(str_c(t[i].typed), word, words);
        assert_true(t[i].want ? str_eq(got, str_c(t[i].want)) : str_is_absent(got));
    }
    char big[4096];
    memset(big, 'a', sizeof(big));
    assert_true(str_is_absent(nearest_word(str_of(big, sizeof(big)), word, words)));
}

static void test_clean(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *out;
    } t[] = {
        {STR_INIT("plain"), "plain"},
        {STR_INIT("a\x1b[31m\r\n\t\x7f"), "a\\x1b[31m\\x0d\\x0a\\x09\\x7f"},
        {STR_INIT("nul\0x"), "nul\\x00x"},
        {STR_INIT("\xc3\xbc\xe4\xb8\xad"), "\xc3\xbc\xe4\xb8\xad"},
        {STR_INIT("\xff\xc3"), "\\xff\\xc3"},
        /* C1 controls and right-to-left overrides steer as well. */
        {STR_INIT("\xc2\x9b"
                  "1m"),
         "\\xc2\\x9b1m"},
        {STR_INIT("\xe2\x80\xae"), "\\xe2\\x80\\xae"},
        {STR_INIT(""), ""},
        {{NULL, 0}, "-"},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(1 << 20);
        assert_true(str_eq(table_clean(&a, t[i].in), str_c(t[i].out)));
        arena_free(&a);
    }
}

static void test_alignment(void **state)
{
    (void)state;
    static const char *const columns[] = {"NAME", ">N", "TEXT"};
    char *out = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&out, &n);
    struct table *t = table_new(columns, 3);
    assert_non_null(f);
    assert_non_null(t);
    table_flush(t, f); /* nothing yet: no heading either */
    assert_int_equal(table_row(t, (struct str[]){STR("\xe4\xb8\xad"), STR("7"), STR("one")}), 0);
    assert_int_equal(table_row(t, (struct str[]){STR("abcdef"), STR("1234"), {NULL, 0}}), 0);
    assert_int_equal(table_rows(t), 2);
    table_flush(t, f);
    assert_int_equal(table_rows(t), 0);
    assert_int_equal(table_row(t, (struct str[]){STR("z"), STR("5"), STR("two")}), 0);
    table_flush(t, f);
    table_free(t);
    fclose(f);
    assert_string_equal(out, "NAME       N  TEXT\n"
                             "\xe4\xb8\xad         7  one\n"
                             "abcdef  1234  -\n"
                             "z          5  two\n");
    free(out);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
