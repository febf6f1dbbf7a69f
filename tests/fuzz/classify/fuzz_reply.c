/* Any bytes as an SMTP reply: a verdict whose words lie in the text, twice the same. */
#include "classify/classify.h"

#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct str part, struct str text)
{
    return part.n == 0 || (part.p >= text.p && part.p + part.n <= text.p + text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct classifier *c;
    struct err e;
    if (!c)
        REQUIRE(classifier_load(NULL, 0, &c, &e) == 0);
    struct str text = str_of(data, size);
    struct report_recipient rcpt;
    struct verdict v = classify_reply(c, text, STR("mx.example"), &rcpt);
    REQUIRE(v.class == verdict_category_class(v.category));
    REQUIRE(v.rule && (size_t)v.fault < FAULT_COUNT && (size_t)v.confidence < CONFIDENCE_COUNT);
    REQUIRE(is_within(rcpt.final_recipient, text) && is_within(rcpt.diagnostic, text));
    REQUIRE(is_within(rcpt.status, text));
    /* What is not in the text is the code in the id of a rule. */
    REQUIRE(is_within(v.evidence, text) || v.evidence.n <= 16);
    struct verdict again = classify_reply(c, text, STR("mx.example"), &rcpt);
    REQUIRE(again.rule == v.rule && again.fingerprint == v.fingerprint);
    return 0;
}
