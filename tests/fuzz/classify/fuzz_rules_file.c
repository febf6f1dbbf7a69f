/* Any bytes as a rule file: read or refused with a place, never more than its limits. */
#include "classify/rule.h"

#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rule_set set;
    struct err e = {0};
    rule_set_init(&set);
    int rc = rule_set_read(&set, "f", str_of(data, size), &e);
    REQUIRE(rc == 0 || e.code == rc);
    REQUIRE(rc == 0 || str_starts(str_c(e.text), STR("f:")) || rc != -22);
    for (size_t i = 0; rc == 0 && i < set.n; i++) {
        const struct rule *r = &set.rules[i];
        REQUIRE(r->examples_n > 0 && r->examples_n <= RULE_LINES_MAX && r->source && r->id);
        REQUIRE(r->patterns_n <= RULE_LINES_MAX && r->operators_n <= RULE_CONDITIONS_MAX);
    }
    rule_set_free(&set);
    return 0;
}
