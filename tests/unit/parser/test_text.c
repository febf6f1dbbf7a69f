#include "parser/charset.h"
#include "parser/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_charset(void **state)
{
    static const struct {
        const char *in, *charset, *out;
    } t[] = {
        {"plain", NULL, "plain"},
        {"plain", "iso-2022-jp", "plain"},
        {"\xe9t\xe9", NULL, "\xc3\xa9t\xc3\xa9"},
        {"\xc3\xa9t\xc3\xa9", NULL, "\xc3\xa9t\xc3\xa9"},
        {"\xc3\xa9t\xc3\xa9", "us-ascii", "\xc3\xa9t\xc3\xa9"},
        {"\xe9", "iso-8859-1", "\xc3\xa9"},
        {"\x1b$B$\"\x1b(B", "ISO-2022-JP", "\xe3\x81\x82"},
        {"\xcd\xcb", "gb2312", "\xe9\x80\x80"},
        {"\xcf\xd2", "koi8-r", "\xd0\xbe\xd1\x80"},
        {"\xe9", "no-such-charset", "\xc3\xa9"},
        {"\xe9", "utf-8//IGNORE", "\xc3\xa9"},
        {"a\xff\xff"
         "b",
         "euc-jp",
         "a\xef\xbf\xbd\xef\xbf\xbd"
         "b"},
        {"", "utf-8", ""},
    };
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct str got = charset_to_utf8(&a, str_c(t[i].in), str_c(t[i].charset), 1000);
        if (!str_eq(got, str_c(t[i].out)))
            fail_msg("case %zu: got \"%.*s\"", i, STR_ARG(got));
    }
    arena_free(&a);
}

static void test_bounded(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    static const char *const charsets[] = {NULL, "utf-8", "windows-1251", "euc-jp", "utf-16le"};
    for (size_t c = 0; c < sizeof(charsets) / sizeof(charsets[0]); c++)
        for (size_t max = 0; max < 20; max++) {
            struct str in = STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9");
            struct str got = charset_to_utf8(&a, in, str_c(charsets[c]), max);
            assert_true(got.n <= max && str_is_utf8(got));
            got = text_line(&a, in, str_c(charsets[c]), max);
            assert_true(got.n <= max && str_is_utf8(got));
        }
    arena_free(&a);
}

static void test_line(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        {"  a\r\n\t b \n", "a b"},
        {"a\x01\x02"
         "b\x7f",
         "a b"},
        {"", ""},
        {" \r\n ", ""},
    };
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct str got = text_line(&a, str_c(t[i].in), (struct str){NULL, 0}, 100);
        if (!str_eq(got, str_c(t[i].out)))
            fail_msg("case %zu: got \"%.*s\"", i, STR_ARG(got));
    }
    struct str nul = text_line(&a, str_of("a\0b", 3), (struct str){NULL, 0}, 100);
    assert_true(str_eq(nul, STR("a b")));
    assert_true(str_is_absent(text_line(&a, (struct str){NULL, 0}, STR("utf-8"), 100)));
    arena_free(&a);
}

static void test_html(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        {"<p>No <b>such</b> user</p>", "\nNo such user\n"},
        {"a&lt;b&gt;&amp;&nbsp;c &x;", "a<b>& c &x;"},
        {"<style>p{a:b}</style>x", "x"},
        {"mail <a@b.example> failed", "mail <a@b.example> failed"},
        {"<a href=\"mailto:a@b.example\">x</a>", "x"},
        {"a<br/>b<br>c", "a\nb\nc"},
        {"<", ""},
        {"<style>", ""},
        {"&", "&"},
    };
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct str got = text_from_html(&a, str_c(t[i].in), 1000);
        if (!str_eq(got, str_c(t[i].out)))
            fail_msg("case %zu: got \"%.*s\"", i, STR_ARG(got));
    }
    arena_free(&a);
}

static void test_words(void **state)
{
    static const struct str words[] = {STR_INIT("no such"), STR_INIT("unknown")};
    (void)state;
    assert_true(text_has_any(STR("User UNKNOWN"), words, 2));
    assert_true(text_has_any(STR("No Such user"), words, 2));
    assert_false(text_has_any(STR("no suck, unknow"), words, 2));
    assert_false(text_has_any(STR(""), words, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charset), cmocka_unit_test(test_bounded), cmocka_unit_test(test_line),
        cmocka_unit_test(test_html),    cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
