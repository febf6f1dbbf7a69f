#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "attribute/attribute.h"

#include <errno.h>

static void assert_text(struct str got, const char *want)
{
    if (!want)
        assert_true(str_is_absent(got));
    else
        assert_true(str_eq(got, str_c(want)));
}

static void test_order_of_sources(void **state)
{
    (void)state;
    static const struct {
        const char *envelope, *original, *final;
        const char *address, *key;
        enum attribution_source source;
        bool forwarded;
    } t[] = {
        {"Ann@Shop.example", "bob@b.example", "cy@c.example", "Ann@Shop.example",
         "ann@shop.example", ATTRIBUTION_VERP, true},
        {"ann@shop.example", "ann@SHOP.example", "ann@shop.example", "ann@shop.example",
         "ann@shop.example", ATTRIBUTION_VERP, false},
        {"no address", "bob@b.example", NULL, "bob@b.example", "bob@b.example",
         ATTRIBUTION_ORIGINAL, false},
        {NULL, "bob@b.example", "cy@c.example", "bob@b.example", "bob@b.example",
         ATTRIBUTION_ORIGINAL, true},
        {NULL, "bob", "Cy@c.example", "Cy@c.example", "cy@c.example", ATTRIBUTION_FINAL, false},
        {NULL, NULL, "local-only", "local-only", NULL, ATTRIBUTION_FINAL, false},
        {NULL, NULL, NULL, NULL, NULL, ATTRIBUTION_NONE, false},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(1 << 20);
        struct report_recipient r = {.original_recipient = str_c(t[i].original),
                                     .final_recipient = str_c(t[i].final)};
        struct report report = {.recipients = &r, .recipients_n = 1};
        struct returnpath envelope = {
            .source = t[i].envelope ? RETURNPATH_SOURCE_VERP : RETURNPATH_SOURCE_NONE,
            .recipient = str_c(t[i].envelope)};
        struct attribution got;
        assert_int_equal(attribute_recipient(&a, &envelope, &report, 0, &got), 0);
        assert_text(got.address, t[i].address);
        assert_text(got.key, t[i].key);
        assert_int_equal(got.source, t[i].source);
        assert_int_equal(got.forwarded, t[i].forwarded);
        assert_false(got.verified);
        arena_free(&a);
    }
}

static void test_message_that_names_nobody(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    struct report report = {.recipients_n = 0};
    struct returnpath envelope = {.source = RETURNPATH_SOURCE_VERP,
                                  .recipient = STR("ann@shop.example"),
                                  .verified = true};
    struct attribution got;
    assert_int_equal(attribute_recipient(&a, &envelope, &report, 0, &got), 0);
    assert_text(got.address, "ann@shop.example");
    assert_true(got.verified);
    assert_false(got.forwarded);
    arena_free(&a);
}

static void test_several_recipients_are_forwarded(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    struct report_recipient two[2] = {{.final_recipient = STR("ann@shop.example")},
                                      {.final_recipient = STR("ann@shop.example")}};
    struct report report = {.recipients = two, .recipients_n = 2};
    struct returnpath envelope = {.source = RETURNPATH_SOURCE_VERP,
                                  .recipient = STR("ann@shop.example")};
    struct attribution got;
    assert_int_equal(attribute_recipient(&a, &envelope, &report, 1, &got), 0);
    assert_true(got.forwarded);
    arena_free(&a);
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    struct report_recipient r = {.original_recipient = STR("bob@b.example"),
                                 .final_recipient = STR("cy@c.example")};
    struct report report = {.recipients = &r, .recipients_n = 1};
    struct returnpath envelope = {.source = RETURNPATH_SOURCE_VERP,
                                  .recipient = STR("ann@shop.example")};
    int rc = -ENOMEM;
    unsigned failed = 0;
    for (unsigned n = 0; rc == -ENOMEM; n++) {
        struct arena a = arena_make(1 << 20);
        struct attribution got = {.source = ATTRIBUTION_SOURCE_COUNT};
        arena_fail_at(&a, n);
        rc = attribute_recipient(&a, &envelope, &report, 0, &got);
        if (rc < 0) {
            assert_int_equal(rc, -ENOMEM);
            assert_int_equal(got.source, ATTRIBUTION_SOURCE_COUNT);
            failed++;
        }
        arena_free(&a);
    }
    assert_int_equal(rc, 0);
    assert_true(failed > 0);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(attribution_source_name(ATTRIBUTION_NONE), "none");
    assert_string_equal(attribution_source_name(ATTRIBUTION_FINAL), "final_recipient");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_sources),
        cmocka_unit_test(test_message_that_names_nobody),
        cmocka_unit_test(test_several_recipients_are_forwarded),
        cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
