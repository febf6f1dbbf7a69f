#include "resolver/rdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Bytes in an exact allocation, so that a read behind the end is seen. */
static struct str exact(struct str s, char **ret)
{
    *ret = malloc(s.n ? s.n : 1);
    assert_non_null(*ret);
    if (s.n)
        memcpy(*ret, s.p, s.n);
    return str_of(*ret, s.n);
}

enum kind { TXT, NAME, MX };

static const struct {
    enum kind kind;
    struct str rdata;
    const char *text; /* NULL: broken */
} rows[] = {
    {TXT, STR_INIT("\3abc"), "abc"},
    {TXT, STR_INIT("\3abc\0\2de"), "abcde"},
    {TXT, STR_INIT("\0"), ""},
    {TXT, STR_INIT(""), NULL},
    {TXT, STR_INIT("\4abc"), NULL},
    {TXT, STR_INIT("\3abc\xff"), NULL},
    {NAME, STR_INIT("\3mx1\7Example\3COM\0"), "mx1.example.com"},
    {NAME, STR_INIT("\0"), ""},
    {NAME, STR_INIT("\1_\3a.b\1 \0"), "_.a\\046b.\\032"},
    {NAME, STR_INIT("\1\0\1\xff\0"), "\\000.\\255"},
    {NAME, STR_INIT(""), NULL},
    {NAME, STR_INIT("\3abc"), NULL},
    {NAME, STR_INIT("\3ab"), NULL},
    {NAME, STR_INIT("\1a\0x"), NULL},
    {NAME, STR_INIT("\300\014"), NULL},
    {NAME, STR_INIT("\100" L63 "a\0"), NULL},
    {NAME,
     STR_INIT("\77" L63 "\77" L63 "\77" L63 "\75aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              "aaaaaaaaaaaaaa\0"),
     L63 "." L63 "." L63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {NAME, STR_INIT("\77" L63 "\77" L63 "\77" L63 "\77" L63 "\0"), NULL},
    {MX, STR_INIT("\0\012\2mx\1e\0"), "10 mx.e"},
    {MX, STR_INIT("\1\0\0"), "256 "},
    {MX, STR_INIT("\0\012"), NULL},
    {MX, STR_INIT("\0\012\2mx"), NULL},
};

static void records(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = arena_make(1 << 20);
        struct rdata_mx mx;
        struct str text = {NULL, 0};
        char *bytes;
        struct str in = exact(rows[i].rdata, &bytes);
        bool read = rows[i].kind == TXT    ? rdata_txt(&a, in, &text)
                    : rows[i].kind == NAME ? rdata_name(&a, in, &text)
                                           : rdata_mx(&a, in, &mx);
        if (read && rows[i].kind == MX)
            text = arena_fmt(&a, "%u %.*s", mx.preference, STR_ARG(mx.host));
        if (read != (rows[i].text != NULL) || (read && !str_eq(text, str_c(rows[i].text))))
            fail_msg("row %zu: %.*s", i, STR_ARG(text));
        free(bytes);
        arena_free(&a);
    }
}

static void tlsa(void **state)
{
    (void)state;
    struct rdata_tlsa t;
    assert_true(rdata_tlsa(STR("\3\1\1ab"), &t));
    assert_int_equal(t.usage * 100 + t.selector * 10 + t.matching, 311);
    assert_true(str_eq(t.data, STR("ab")));
    assert_false(rdata_tlsa(STR("\3\1\1"), &t));
    assert_false(rdata_tlsa(STR(""), &t));
}

static void addresses(void **state)
{
    (void)state;
    char text[RDATA_ADDRESS_TEXT];
    assert_true(rdata_address(STR("\300\0\2\1"), text));
    assert_string_equal(text, "192.0.2.1");
    assert_true(rdata_address(STR("\x20\1\15\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), text));
    assert_string_equal(text, "2001:db8::1");
    assert_false(rdata_address(STR("\300\0\2"), text));
}

static void reverse(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    assert_true(str_eq(rdata_reverse(&a, STR("192.0.2.25")), STR("25.2.0.192.in-addr.arpa")));
    assert_true(str_eq(rdata_reverse(&a, STR("2001:db8::567:89ab")),
                       STR("b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
                           "ip6.arpa")));
    assert_true(str_is_absent(rdata_reverse(&a, STR("mx.example.com"))));
    assert_true(str_is_absent(rdata_reverse(&a, STR(""))));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(tlsa),
        cmocka_unit_test(addresses),
        cmocka_unit_test(reverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
