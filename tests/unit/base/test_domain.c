#include "base/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    struct str in;
    bool valid;
    const char *ascii; /* NULL: none */
} names[] = {
    {STR_INIT("example.com"), true, "example.com"},
    {STR_INIT("EXAMPLE.Com"), true, "example.com"},
    {STR_INIT("example.com."), false, "example.com"},
    {STR_INIT("localhost"), true, "localhost"},
    {STR_INIT("_dmarc.example"), true, "_dmarc.example"},
    {STR_INIT("a-b.example"), true, "a-b.example"},
    {STR_INIT("-a.example"), false, NULL},
    {STR_INIT("a-.example"), false, NULL},
    {STR_INIT("a..b"), false, NULL},
    {STR_INIT(".a"), false, NULL},
    {STR_INIT("."), false, NULL},
    {STR_INIT(""), false, NULL},
    {STR_INIT("a b"), false, NULL},
    {STR_INIT("a\0b"), false, NULL},
    {STR_INIT("[192.0.2.1]"), false, NULL},
    {STR_INIT(L63 ".example"), true, L63 ".example"},
    {STR_INIT(L63 "a.example"), false, NULL},
    {STR_INIT(L63 "." L63 "." L63 "." L61), true, L63 "." L63 "." L63 "." L61},
    {STR_INIT(L63 "." L63 "." L63 "." L61 "a"), false, NULL},
    {STR_INIT("b\xc3\xbc\x63her.example"), false, "xn--bcher-kva.example"},
    {STR_INIT("B\xc3\x9c\x43HER.example"), false, "xn--bcher-kva.example"},
    {STR_INIT("fa\xc3\x9f.de"), false, "xn--fa-hia.de"}, /* non-transitional: not fass.de */
    {STR_INIT("\xe4\xbe\x8b\xe3\x81\x88.jp"), false, "xn--r8jz45g.jp"},
    {STR_INIT("\xff.example"), false, NULL},
    {STR_INIT("b\xc3\xbc\0.example"), false, NULL},
    {STR_INIT("XN--BCHER-KVA.example"), true, "xn--bcher-kva.example"},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct arena a = arena_make(1 << 16);
        struct str got = domain_to_ascii(&a, names[i].in);
        if (domain_is_valid(names[i].in) != names[i].valid ||
            str_is_absent(got) != !names[i].ascii || !str_eq(got, str_c(names[i].ascii)))
            fail_msg("%.*s: %.*s", STR_ARG(names[i].in), STR_ARG(got));
        assert_false(arena_failed(&a));
        arena_free(&a);
    }
}

static void test_memory_ends(void **state)
{
    (void)state;
    struct str in[] = {STR("a.example"), STR("b\xc3\xbc\x63her.example")};
    for (size_t i = 0; i < 2; i++) {
        struct arena a = arena_make(1 << 16);
        arena_fail_at(&a, 0);
        assert_true(str_is_absent(domain_to_ascii(&a, in[i])));
        assert_true(arena_failed(&a));
        arena_free(&a);
    }
}

static void test_registrable(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } t[] = {
        {"mail.example.com", "example.com"},
        {"example.com", "example.com"},
        {"a.b.example.co.uk", "example.co.uk"},
        {"co.uk", "co.uk"},
        {"com", "com"},
        {"", ""},
        {"mx.xn--bcher-kva.de", "xn--bcher-kva.de"},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct str in = str_c(t[i].in), out = domain_registrable(in);
        assert_true(str_eq(out, str_c(t[i].out)));
        assert_true(out.p >= in.p && out.p + out.n == in.p + in.n);
    }
}

static void test_within(void **state)
{
    (void)state;
    assert_true(domain_is_within(STR("a.B.example"), STR("b.EXAMPLE")));
    assert_true(domain_is_within(STR("b.example"), STR("b.example")));
    assert_false(domain_is_within(STR("ab.example"), STR("b.example")));
    assert_false(domain_is_within(STR("example"), STR("b.example")));
    assert_false(domain_is_within(STR("a.example"), STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_memory_ends),
        cmocka_unit_test(test_registrable),
        cmocka_unit_test(test_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
