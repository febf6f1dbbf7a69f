/* A whole message, whose keys are all the same: the seeds are signed with it. */
#include "attribute/dkim.h"
#include "base/clock.h"
#include "base/require.h"

static const char record[] = "v=DKIM1; k=rsa; p="
                             "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDYRAG/rh9JmONz0ZG3TiZGiRRz"
                             "QK6/wmnAsLxfaN8ztDUw37G7cetmadMuOSMmav/l6vWUJhA21hLzXyvLlydE0VTV"
                             "1YhsYPNPFChtJ8Y0rwH2g73+A9EICffrG3p4Zo2qaRV8nLV2BMl2qWb0AUCyDOmp"
                             "0aEDx73oO58WqRoAlQIDAQAB";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int find(void *ctx, struct arena *a, struct str name, struct str *ret)
{
    unsigned *asked = ctx;
    REQUIRE(++*asked <= DKIM_SIGNATURES_MAX && name.n < 600);
    *ret = arena_str(a, str_of(record, sizeof(record) - 1));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const domains[] = {"arf.fbl.example", "mail.fbl.example"};
    struct dkim_verifier *v = NULL;
    struct dkim_verdict verdict;
    unsigned asked = 0;
    REQUIRE(dkim_verifier_new(domains, 2, find, &asked, &v, NULL) == 0);
    struct arena a = arena_make(64 << 20);
    int64_t received = INT64_C(1500000060) * CLOCK_SECOND;
    if (dkim_verifier_check(v, &a, str_of(data, size), STR("feedback@arf.fbl.example"), received,
                            &verdict) == 0) {
        REQUIRE(*dkim_outcome_name(verdict.outcome) && verdict.why);
        REQUIRE((verdict.outcome == DKIM_OUTCOME_PASS) == (*verdict.why == '\0'));
        REQUIRE(str_is_absent(verdict.domain) == (verdict.outcome == DKIM_OUTCOME_UNSIGNED));
    }
    arena_free(&a);
    dkim_verifier_free(v);
    return 0;
}
