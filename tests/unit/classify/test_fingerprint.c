#include "classify/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *in, *form;
} cases[] = {
    {"", ""},
    {" -- ", ""},
    {"550 5.1.1 User Unknown", "550 5.1.1 user unknown"},
    {"550-5.1.1 <A.b+c@D.example>: no", "550 5.1.1 {address} no"},
    {"550 5.7.1 [192.0.2.7] blocked, see http://x.example/a?b=c.",
     "550 5.7.1 {ip} blocked see {url}"},
    {"host mx1.b.example[2001:db8::1] said:", "host {host} {ip} said"},
    {"id q1-20020a05.123 - gsmtp", "id {id} gsmtp"},
    {"size 18571048 over 5242880", "size {n} over {n}"},
    {"user \"john doe\"@x.example gone", "user {address} gone"},
    {"bounce user=x.example gone", "bounce {id} gone"},
    {"Empf\xc3\xa4nger unbekannt!", "empf\xc3\xa4nger unbekannt"},
    {"(S3150).", "{id}"},
    {"it's full (100%)", "it's full {n}"},
};

static void test_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[256];
        size_t n = fingerprint_text(str_c(cases[i].in), out, sizeof(out));
        if (!str_eq(str_of(out, n), str_c(cases[i].form)))
            fail_msg("%s: \"%.*s\", want \"%s\"", cases[i].in, (int)n, out, cases[i].form);
    }
}

static void test_hash(void **state)
{
    (void)state;
    uint64_t a = fingerprint(STR("550 5.1.1 <a@b.example>: User unknown (x1y2)"));
    assert_int_equal(a, fingerprint(STR("550-5.1.1 c@d.example user  UNKNOWN; z9")));
    assert_int_not_equal(a, fingerprint(STR("550 5.1.2 <a@b.example>: User unknown (x1y2)")));
    assert_int_not_equal(a, 0);
    assert_int_equal(fingerprint(STR("")), 0);
    assert_int_equal(fingerprint(STR("...")), 0);
    /* The number is stored: it must not change between versions. FNV-1a of "ab". */
    assert_true(fingerprint(STR("ab")) == UINT64_C(0x089c4407b545986a));
}

static void test_room(void **state)
{
    (void)state;
    char out[8];
    /* A word that does not fit, and what follows it, does not count. */
    assert_int_equal(fingerprint_text(STR("abc defghijk x"), out, sizeof(out)), 3);
    static char text[100000];
    memset(text, 'a', sizeof(text));
    for (size_t i = 5; i < sizeof(text); i += 6)
        text[i] = ' ';
    assert_int_not_equal(fingerprint(str_of(text, sizeof(text))), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
