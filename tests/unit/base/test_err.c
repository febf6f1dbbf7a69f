#include "base/err.h"

#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_set(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(err_set(&e, -EINVAL, "line %d: \"%s\"", 3, "x"), -EINVAL);
    assert_int_equal(e.code, -EINVAL);
    assert_string_equal(e.text, "line 3: \"x\"");
    assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
    assert_int_equal(err_sys(&e, -ENOENT, "open %s", "a"), -ENOENT);
    assert_string_equal(e.text, "open a: No such file or directory");
    assert_int_equal(err_sys(&e, -99999, "x"), -99999);
    assert_string_equal(e.text, "x: unknown error");
    assert_int_equal(err_sys(NULL, -EIO, "x"), -EIO);
}

static void test_add(void **state)
{
    (void)state;
    struct err e = {0};
    err_set(&e, -EPERM, "inner");
    assert_int_equal(err_add(&e, -EIO, "outer %d", 1), -EPERM);
    assert_string_equal(e.text, "outer 1: inner");
    assert_int_equal(err_add(NULL, -EIO, "x"), -EIO);
}

static void test_clean(void **state)
{
    (void)state;
    struct err e;
    /* A terminal or a log must see neither controls, C1 controls included, nor broken UTF-8. */
    err_set(&e, -EINVAL,
            "a\n\x1b[31m\x7f b\xc2\x9b"
            "c \xff \xc3\xa4 \xe9\x82");
    assert_string_equal(e.text, "a??[31m? b?c ? \xc3\xa4 ??");
    assert_true(str_is_utf8(str_c(e.text)));
}

static void test_cut(void **state)
{
    (void)state;
    /* Cut at every place in a character: what is left is UTF-8. */
    for (size_t shift = 0; shift < 4; shift++) {
        char text[600];
        memset(text, 'x', sizeof(text));
        for (size_t i = shift; i + 4 < sizeof(text); i += 4)
            memcpy(text + i, "\xf0\x9f\x90\x88", 4);
        text[sizeof(text) - 1] = '\0';
        struct err e;
        err_set(&e, -EINVAL, "%s", text);
        assert_true(strlen(e.text) < sizeof(e.text));
        assert_true(strlen(e.text) > sizeof(e.text) - 6);
        assert_true(str_is_utf8(str_c(e.text)));
        assert_null(strchr(e.text, '?'));
        err_add(&e, -EINVAL, "%s", text);
        assert_true(str_is_utf8(str_c(e.text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
