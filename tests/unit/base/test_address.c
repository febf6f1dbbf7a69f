#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define L64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    struct str in;
    const char *local, *domain; /* NULL: no address */
    const char *key;            /* NULL: none */
} cases[] = {
    {STR_INIT("a@b.example"), "a", "b.example", "a@b.example"},
    {STR_INIT("Ann.Other+Tag@B.Example."), "Ann.Other+Tag", "B.Example.",
     "ann.other+tag@b.example"},
    {STR_INIT("\"a\"@b.example"), "\"a\"", "b.example", "a@b.example"},
    {STR_INIT("\"a b\"@b.example"), "\"a b\"", "b.example", "\"a b\"@b.example"},
    {STR_INIT("\"a@b\"@c.example"), "\"a@b\"", "c.example", "\"a@b\"@c.example"},
    {STR_INIT("\"a\\\"b\"@c.example"), "\"a\\\"b\"", "c.example", "\"a\\\"b\"@c.example"},
    {STR_INIT("a@b@c.example"), "a@b", "c.example", "a@b@c.example"},
    {STR_INIT("\xc3\x84@b\xc3\xbc\x63her.example"), "\xc3\x84", "b\xc3\xbc\x63her.example",
     "\xc3\x84@xn--bcher-kva.example"},
    {STR_INIT("a@[192.0.2.1]"), "a", "[192.0.2.1]", NULL},
    {STR_INIT("a@-b"), "a", "-b", NULL},
    {STR_INIT("@b"), NULL, NULL, NULL},
    {STR_INIT("a@"), NULL, NULL, NULL},
    {STR_INIT("a"), NULL, NULL, NULL},
    {STR_INIT(""), NULL, NULL, NULL},
    {STR_INIT("a b@c.example"), NULL, NULL, NULL},
    {STR_INIT("a\n@c.example"), NULL, NULL, NULL},
    {STR_INIT("a@c\0.example"), NULL, NULL, NULL},
    {STR_INIT("<a@c.example>"), NULL, NULL, NULL},
    {STR_INIT("\"a@c.example"), NULL, NULL, NULL},
    {STR_INIT("a@c d"), NULL, NULL, NULL},
    {STR_INIT(L64 "@"
                  "b.example"),
     L64, "b.example", L64 "@b.example"},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a = arena_make(1 << 16);
        struct address parts;
        bool good = address_split(cases[i].in, &parts);
        struct str key = address_key(&a, cases[i].in);
        if (good != (cases[i].local != NULL) ||
            (good && (!str_eq(parts.local, str_c(cases[i].local)) ||
                      !str_eq(parts.domain, str_c(cases[i].domain)))) ||
            str_is_absent(key) != !cases[i].key || !str_eq(key, str_c(cases[i].key)))
            fail_msg("%.*s: key %.*s", STR_ARG(cases[i].in), STR_ARG(key));
        arena_free(&a);
    }
}

static void test_long(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'a', sizeof(text));
    text[1] = '@';
    struct address parts;
    assert_true(address_split(str_of(text, ADDRESS_MAX), &parts));
    assert_false(address_split(str_of(text, ADDRESS_MAX + 1), &parts));
}

static void test_memory_ends(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 2; n++) {
        struct arena a = arena_make(1 << 16);
        arena_fail_at(&a, n);
        assert_true(str_is_absent(address_key(&a, STR("a@b.example"))));
        assert_true(arena_failed(&a));
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_memory_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
