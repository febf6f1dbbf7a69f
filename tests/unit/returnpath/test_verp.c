#include "returnpath/verp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* All NULL: no known shape. The plain shapes stand in test_returnpath.c. */
static const struct {
    const char *local, *user, *domain, *message_id;
} cases[] = {
    /* SendGrid */
    {"bounces+61689-10be-kit=example.jp", "kit", "example.jp", NULL},
    {"Bounces+61689-10BE-a-b+c=example.jp", "a-b+c", "example.jp", NULL},
    {"bounces+61689-xyz-kit=example.jp", "61689-xyz-kit", "example.jp", NULL},
    {"bounce+61689-10be-kit=example.jp", "61689-10be-kit", "example.jp", NULL},
    {"bounces+61689-10be-=example.jp", "61689-10be-", "example.jp", NULL},
    /* Mailgun */
    {"bounce+0a1b2c.d3e4f5-ann=example.com", "ann", "example.com", NULL},
    {"bounce+0a1b2c.d3e4f5-a=b-c=example.com", "a=b-c", "example.com", NULL},
    {"bounce+0a1b2c.ghijkl-ann=example.com", "0a1b2c.ghijkl-ann", "example.com", NULL},
    /* Sympa */
    {"bounce+ann==a==example.com==list", "ann", "example.com", NULL},
    {"bounce+ann==a==example.com==list==w", "ann", "example.com", NULL},
    {"b-x+a-b+c==a==example.com==l.x==17", "a-b+c", "example.com", NULL},
    {"bounce+ann==a==example.com", "ann==a=", "example.com", NULL},
    {"bounce+ann==a==example==list", NULL, NULL, NULL},
    {"bounce+==a==example.com==list", NULL, NULL, NULL},
    /* Mautic */
    {"news+bounce_5f2b1c3d4e", NULL, NULL, "5f2b1c3d4e"},
    {"a-b+BOUNCE_x", NULL, NULL, "x"},
    {"news+bounce_", NULL, NULL, NULL},
    {"news+bounce_5f-2b", NULL, NULL, NULL},
    {"+bounce_5f2b", NULL, NULL, NULL},
    {"bounce_5f2b", NULL, NULL, NULL},
    {"news+bounce_5f=example.com", "bounce_5f", "example.com", NULL},
    /* Amazon SES */
    {"0100017a1b2c3d4e-5f6a7b8c-1234-5678-9abc-def012345678-000000", NULL, NULL,
     "0100017a1b2c3d4e-5f6a7b8c-1234-5678-9abc-def012345678-000000"},
    {"0100017a1b2c3d4e-5f6a7b8c-1234-5678-9abc-def012345678-00000", NULL, NULL, NULL},
    {"0100017a1b2c3d4e-5f6a7b8c-1234-5678-9abc-def012345678-0000000", NULL, NULL, NULL},
    {"0100017a1b2c3d4e1-5f6a7b8c-1234-5678-9abc-def012345678-000000", NULL, NULL, NULL},
    {"0100017a1b2c3d4g-5f6a7b8c-1234-5678-9abc-def012345678-000000", NULL, NULL, NULL},
    /* ezmlm, whose mark may stand in the list's name */
    {"x-return-y-return-7-ann=example.com", "ann", "example.com", NULL},
    {"x-return-7-return-8-ann=example.com", "return-8-ann", "example.com", NULL},
    {"-return-7-ann=example.com", NULL, NULL, NULL},
    {"x+y-return-7-ann=example.com", "y-return-7-ann", "example.com", NULL},
    /* a prefix holds no '+' */
    {"+a-b=example.com", NULL, NULL, NULL},
    {"p-a+b=example.com", "b", "example.com", NULL},
    /* Postfix with XVERP=-= */
    {"list-ann=example.com", "ann", "example.com", NULL},
    {"", NULL, NULL, NULL},
    {"%p+%u=%d", NULL, NULL, NULL},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct verp got = {.message_id = STR("untouched")};
        bool known = cases[i].user || cases[i].message_id;
        if (verp_read(str_c(cases[i].local), &got) != known)
            fail_msg("%s: %.*s at %.*s", cases[i].local, STR_ARG(got.recipient.local),
                     STR_ARG(got.recipient.domain));
        if (!known) {
            assert_true(str_eq(got.message_id, STR("untouched")));
            continue;
        }
        if (!str_eq(got.recipient.local, str_c(cases[i].user)) ||
            !str_eq(got.recipient.domain, str_c(cases[i].domain)) ||
            !str_eq(got.message_id, str_c(cases[i].message_id)))
            fail_msg("%s: %.*s at %.*s, %.*s", cases[i].local, STR_ARG(got.recipient.local),
                     STR_ARG(got.recipient.domain), STR_ARG(got.message_id));
    }
}

static void test_recipient(void **state)
{
    (void)state;
    static const struct {
        const char *local, *domain;
        bool good;
    } t[] = {
        {"a", "b.c", true},         {"a..b.", "docomo.example", true},
        {"a", "b", false},          {"", "b.c", false},
        {"a", "", false},           {"a", "10.0.0.1", false},
        {"a b", "b.c", false},      {"a\tb", "b.c", false},
        {"a@b", "b.c", false},      {"\"a\"", "b.c", false},
        {"a", "[10.0.0.1]", false}, {"a\177", "b.c", false},
        {"\303\274", "b.c", true},  {"a", "b..c", false},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct address a = {str_c(t[i].local), str_c(t[i].domain)};
        if (verp_is_recipient(&a) != t[i].good)
            fail_msg("%s at %s", t[i].local, t[i].domain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_recipient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
