#include "attribute/attribute.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct rcpt {
    const char *original, *final;
};

static const struct {
    const char *name;
    const char *verp;
    bool verified;
    struct rcpt rcpts[3];
    size_t n, i;
    bool cut;
    const char *address, *key;
    enum attribution_source source;
    bool want_verified, forwarded;
} cases[] = {
    {"VERP before all",
     "Ann@B.example",
     false,
     {{"c@d.example", "e@f.example"}},
     1,
     0,
     false,
     "Ann@B.example",
     "ann@b.example",
     ATTRIBUTION_VERP,
     false,
     true},
    {"VERP agrees in another spelling",
     "Ann@B.example",
     false,
     {{NULL, "ann@b.EXAMPLE"}},
     1,
     0,
     false,
     "Ann@B.example",
     "ann@b.example",
     ATTRIBUTION_VERP,
     false,
     false},
    {"VERP alone",
     "ann@b.example",
     false,
     {{NULL, NULL}},
     1,
     0,
     false,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_VERP,
     false,
     false},
    {"VERP, no recipient at all",
     "ann@b.example",
     false,
     {{NULL, NULL}},
     0,
     0,
     false,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_VERP,
     false,
     false},
    {"a verified envelope",
     "ann@b.example",
     true,
     {{NULL, "ann@b.example"}},
     1,
     0,
     false,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_VERP,
     true,
     false},
    {"verified says nothing without an address in the envelope",
     NULL,
     true,
     {{NULL, "ann@b.example"}},
     1,
     0,
     false,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_FINAL,
     false,
     false},
    {"VERP, final differs",
     "ann@b.example",
     false,
     {{NULL, "bob@c.example"}},
     1,
     0,
     false,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_VERP,
     false,
     true},
    {"VERP, original agrees, final differs",
     "ann@b.example",
     false,
     {{"ann@b.example", "bob@c.example"}},
     1,
     0,
     false,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_VERP,
     false,
     true},
    {"VERP, several groups",
     "ann@b.example",
     false,
     {{NULL, "ann@b.example"}, {NULL, "bob@c.example"}},
     2,
     1,
     false,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_VERP,
     false,
     true},
    {"VERP, groups were cut",
     "ann@b.example",
     false,
     {{NULL, "ann@b.example"}},
     1,
     0,
     true,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_VERP,
     false,
     true},
    {"original before final",
     NULL,
     false,
     {{"ann@b.example", "bob@c.example"}},
     1,
     0,
     false,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_ORIGINAL,
     false,
     true},
    {"original is final",
     NULL,
     false,
     {{"ann@b.example", "ANN@b.example"}},
     1,
     0,
     false,
     "ann@b.example",
     "ann@b.example",
     ATTRIBUTION_ORIGINAL,
     false,
     false},
    {"final alone",
     NULL,
     false,
     {{NULL, "bob@c.example"}},
     1,
     0,
     false,
     "bob@c.example",
     "bob@c.example",
     ATTRIBUTION_FINAL,
     false,
     false},
    {"the second of two",
     NULL,
     false,
     {{NULL, "ann@b.example"}, {NULL, "bob@c.example"}},
     2,
     1,
     false,
     "bob@c.example",
     "bob@c.example",
     ATTRIBUTION_FINAL,
     false,
     true},
    {"original is no address",
     NULL,
     false,
     {{"unknown", "bob@c.example"}},
     1,
     0,
     false,
     "bob@c.example",
     "bob@c.example",
     ATTRIBUTION_FINAL,
     false,
     true},
    {"nothing is an address",
     NULL,
     false,
     {{NULL, "/dev/null"}},
     1,
     0,
     false,
     "/dev/null",
     NULL,
     ATTRIBUTION_FINAL,
     false,
     false},
    {"IDN domain in two forms",
     "ann@b\xc3\xbc\x63her.example",
     false,
     {{NULL, "ann@xn--bcher-kva.example"}},
     1,
     0,
     false,
     "ann@b\xc3\xbc\x63her.example",
     "ann@xn--bcher-kva.example",
     ATTRIBUTION_VERP,
     false,
     false},
    {"nothing",
     NULL,
     false,
     {{NULL, NULL}},
     1,
     0,
     false,
     NULL,
     NULL,
     ATTRIBUTION_NONE,
     false,
     false},
    {"nothing, no recipient",
     NULL,
     false,
     {{NULL, NULL}},
     0,
     0,
     false,
     NULL,
     NULL,
     ATTRIBUTION_NONE,
     false,
     false},
};

static void check_str(struct str got, const char *want, const char *name)
{
    if (!want ? !str_is_absent(got) : !str_eq(got, str_c(want)))
        fail_msg("%s: got \"%.*s\", want \"%s\"", name, STR_ARG(got), want ? want : "(absent)");
}

static int attribute_case(size_t k, struct arena *a, struct attribution *ret)
{
    struct report_recipient rcpts[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        rcpts[i].original_recipient = str_c(cases[k].rcpts[i].original);
        rcpts[i].final_recipient = str_c(cases[k].rcpts[i].final);
    }
    struct report report = {
        .kind = REPORT_BOUNCE,
        .recipients = rcpts,
        .recipients_n = cases[k].n,
        .recipients_cut = cases[k].cut,
        /* Never looked at: forwarders rewrite it. */
        .original = {.to = STR("to@header.example")},
    };
    struct returnpath envelope = {
        .recipient = str_c(cases[k].verp),
        .verified = cases[k].verified,
        .source = cases[k].verp ? RETURNPATH_SOURCE_VERP : RETURNPATH_SOURCE_NONE,
    };
    return attribute_recipient(a, &envelope, &report, cases[k].i, ret);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct arena a = arena_make(1 << 20);
        struct attribution got;
        assert_int_equal(attribute_case(k, &a, &got), 0);
        check_str(got.address, cases[k].address, cases[k].name);
        check_str(got.key, cases[k].key, cases[k].name);
        if (got.source != cases[k].source || got.verified != cases[k].want_verified ||
            got.forwarded != cases[k].forwarded)
            fail_msg("%s: source %s verified %d forwarded %d", cases[k].name,
                     attribution_source_name(got.source), got.verified, got.forwarded);
        arena_free(&a);
    }
}

static void test_memory_ends(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        for (uint64_t n = 0;; n++) {
            struct arena a = arena_make(1 << 20);
            struct attribution got = {.source = ATTRIBUTION_SOURCE_COUNT};
            arena_fail_at(&a, n);
            int rc = attribute_case(k, &a, &got);
            bool failed = arena_failed(&a);
            arena_free(&a);
            assert_int_equal(rc, failed ? -12 : 0);
            if (!failed)
                break;
            assert_int_equal(got.source, ATTRIBUTION_SOURCE_COUNT); /* untouched */
            assert_true(n < 100);
        }
    }
}

/* A forged report may return a "message" To: anybody. */
static void test_guess_is_nobody(void **state)
{
    (void)state;
    struct report_recipient to = {.original_recipient = STR("victim@a.example"), .guessed = true};
    struct report report = {.recipients = &to, .recipients_n = 1};
    struct returnpath envelope = {0};
    struct arena a = arena_make(1 << 20);
    struct attribution got;
    assert_int_equal(attribute_recipient(&a, &envelope, &report, 0, &got), 0);
    assert_int_equal(got.source, ATTRIBUTION_NONE);
    assert_true(str_is_absent(got.address) && str_is_absent(got.key));

    envelope =
        (struct returnpath){.source = RETURNPATH_SOURCE_VERP, .recipient = STR("ann@b.example")};
    assert_int_equal(attribute_recipient(&a, &envelope, &report, 0, &got), 0);
    assert_int_equal(got.source, ATTRIBUTION_VERP);
    check_str(got.address, "ann@b.example", "the envelope's");
    assert_false(got.forwarded);
    arena_free(&a);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(attribution_source_name(ATTRIBUTION_VERP), "verp");
    assert_string_equal(attribution_source_name(ATTRIBUTION_NONE), "none");
    assert_string_equal(attribution_source_name(ATTRIBUTION_FINAL), "final_recipient");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_memory_ends),
        cmocka_unit_test(test_guess_is_nobody),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
