/* Every example of every shipped rule is won by its own rule. */
#include "classify/classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_examples(void **state)
{
    (void)state;
    struct err e;
    struct classifier *c = NULL;
    size_t rules = 0, lost = 0;
    if (classifier_load(NULL, 0, &c, &e) < 0)
        fail_msg("%s", e.text);
    bool seen[CATEGORY_COUNT] = {false};
    for (const struct classify_rule *r; (r = classifier_rule(c, rules)) != NULL; rules++) {
        seen[r->category] = true;
        assert_string_equal(r->file, "");
        assert_true(r->line > 0 && r->source && *r->source && r->pattern);
        assert_true(r->examples_n > 0);
        for (size_t k = 0; k < r->examples_n; k++) {
            struct report_recipient rcpt;
            struct verdict v = classify_reply(c, str_c(r->examples[k]), str_c(r->host), &rcpt);
            if (strcmp(v.rule, r->id) != 0) {
                print_error("%s:%u: example won by %s (\"%.*s\"): %s\n", r->id, r->line, v.rule,
                            STR_ARG(v.evidence), r->examples[k]);
                lost++;
            }
        }
    }
    assert_int_equal(lost, 0);
    assert_true(rules >= 150);
    for (size_t i = 0; i < CATEGORY_COUNT; i++)
        if (!seen[i])
            fail_msg("no rule gives %s", verdict_category_name((enum verdict_category)i));
    classifier_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
