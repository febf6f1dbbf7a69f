#include "parser/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(const char *in, struct str got, const char *want)
{
    if (!str_eq(got, str_c(want)) || str_is_absent(got) != (want == NULL))
        fail_msg("\"%s\": got \"%.*s\", expected \"%s\"", in, STR_ARG(got), want ? want : "(none)");
}

static void test_typed(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        {"rfc822; a@b.example", "a@b.example"},
        {"RFC822;<a@b.example>", "a@b.example"},
        {"rfc822;  \"a b\"@b.example (comment)", "\"a b\"@b.example"},
        {"a@b.example", "a@b.example"},
        {"rfc822; @relay.example:a@b.example", "a@b.example"},
        {"rfc822; a+2Bb@b.example", "a+b@b.example"},
        {"rfc822; a+3Db@b.example", "a=b@b.example"},
        {"rfc822; a+ab@b.example", "a\xab@b.example"},
        {"rfc822; a+40b.example", "a@b.example"},
        {"rfc822; user+1@b.example", "user+1@b.example"},
        {"utf-8; j\\x{F6}rg@b.example", "j\xc3\xb6rg@b.example"},
        {"utf-8; \\x{1F600}@b.example", "\xf0\x9f\x98\x80@b.example"},
        {"utf-8; \\x{D800}@b.example", "\\x{D800}@b.example"},
        {"utf-8; \\x{00}@b.example", "\\x{00}@b.example"},
        {"rfc822; |/usr/bin/filter a@b.example", "a@b.example"},
        {"rfc822; root", NULL},
        {"rfc822; @b.example", NULL},
        {"x400; /c=us/", NULL},
        {"rfc822; SMTP:a@b.example", "a@b.example"},
        {"", NULL},
        {";", NULL},
        {"<", NULL},
    };
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        /* One byte that is no UTF-8 by itself is taken as windows-1252. */
        if (strcmp(t[i].in, "rfc822; a+ab@b.example") == 0) {
            check(t[i].in, mailbox_typed(&a, str_c(t[i].in)), "a\xc2\xab@b.example");
            continue;
        }
        check(t[i].in, mailbox_typed(&a, str_c(t[i].in)), t[i].out);
    }
    arena_free(&a);
}

static void test_first(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        {"a@b.example", "a@b.example"},
        {"\"x@y.example\" <a@b.example>", "a@b.example"},
        {"Name <a@b.example>, Other <c@d.example>", "a@b.example"},
        {"a@b.example (Name)", "a@b.example"},
        {"<>", NULL},
        {"undisclosed-recipients:;", NULL},
        {"Group: a@b.example;", "a@b.example"},
        {"", NULL},
    };
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        check(t[i].in, mailbox_first(&a, str_c(t[i].in)), t[i].out);
    arena_free(&a);
}

static void test_next(void **state)
{
    static const char text[] = "to <a@b.example>: no. 'c@d.example', @ @x y@ e@f.example.\n"
                               "mailto:g@h.example \"i j\"@k.example l@[192.0.2.1]";
    static const char *const want[] = {"a@b.example", "c@d.example",       "e@f.example",
                                       "g@h.example", "\"i j\"@k.example", "l@[192.0.2.1]"};
    (void)state;
    size_t at = 0, n = 0;
    struct str got;
    while (mailbox_next(str_c(text), &at, &got)) {
        assert_true(n < sizeof(want) / sizeof(want[0]));
        check(text, got, want[n++]);
    }
    assert_int_equal(n, sizeof(want) / sizeof(want[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typed),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
