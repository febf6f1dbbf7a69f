#include "attribute/attribute.h"

#include "base/address.h"

#include <errno.h>

static const char *const source_names[] = {
#define X(id, name, meaning) [id] = (name),
    ATTRIBUTION_SOURCES(X)
#undef X
};

static const char *const verification_names[] = {
#define X(id, name, meaning) [id] = (name),
    ATTRIBUTION_VERIFICATIONS(X)
#undef X
};

const char *attribution_verification_name(enum attribution_verification v)
{
    return (size_t)v < ATTRIBUTION_VERIFICATION_COUNT ? verification_names[v] : "";
}

const char *attribution_source_name(enum attribution_source s)
{
    return (size_t)s < ATTRIBUTION_SOURCE_COUNT ? source_names[s] : "";
}

/* An address and the key that makes two spellings of it one. */
struct named {
    struct str address;
    struct str key; /* absent: it is no address */
};

/* 0 or -ENOMEM. */
static int name_address(struct arena *a, struct str address, struct named *ret)
{
    bool failed_before = arena_failed(a);
    *ret = (struct named){.address = address};
    if (address.n == 0) {
        ret->address = (struct str){NULL, 0};
        return 0;
    }
    ret->key = address_key(a, address);
    return !failed_before && arena_failed(a) ? -ENOMEM : 0;
}

static bool same(const struct named *a, const struct named *b)
{
    if (!str_is_absent(a->key) && !str_is_absent(b->key))
        return str_eq(a->key, b->key);
    return str_ieq(a->address, b->address);
}

/* The report speaks of somebody else than the one it is attributed to, or of several: what was
 * bounced went on from the first address to others. */
static bool is_forwarded(const struct report *report, const struct named *whose,
                         const struct named *original, const struct named *final)
{
    if (report->recipients_n > 1 || report->recipients_cut)
        return true;
    return (!str_is_absent(original->address) && !same(original, whose)) ||
           (!str_is_absent(final->address) && !same(final, whose));
}

int attribute_recipient(struct arena *a, const struct returnpath *envelope,
                        const struct report *report, size_t i, struct attribution *ret)
{
    struct str none = {NULL, 0}, original_text = none, final_text = none;
    /* Forwarders rewrite To:, so what was guessed from a returned message is nobody's address. */
    if (i < report->recipients_n && !report->recipients[i].guessed) {
        original_text = report->recipients[i].original_recipient;
        final_text = report->recipients[i].final_recipient;
    }
    struct named verp, original, final;
    if (name_address(a, envelope->recipient, &verp) < 0 ||
        name_address(a, original_text, &original) < 0 || name_address(a, final_text, &final) < 0)
        return -ENOMEM;
    /* What can't be an address does not stand before what can: a report may say
     * "Original-Recipient: rfc822; unknown". */
    const struct {
        const struct named *named;
        enum attribution_source source;
    } order[] = {
        {&verp, ATTRIBUTION_VERP},
        {&original, ATTRIBUTION_ORIGINAL},
        {&final, ATTRIBUTION_FINAL},
    };
    struct attribution found = {.source = ATTRIBUTION_NONE, .counts = true};
    for (size_t must_be_address = 1;; must_be_address--) {
        for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
            const struct named *n = order[k].named;
            if (str_is_absent(n->address) || (must_be_address && str_is_absent(n->key)))
                continue;
            found = (struct attribution){
                .address = n->address,
                .key = n->key,
                .source = order[k].source,
                .verified = order[k].source == ATTRIBUTION_VERP && envelope->verified,
                .forwarded = is_forwarded(report, n, &original, &final),
                .counts = true,
            };
            found.medium = found.forwarded;
            *ret = found;
            return 0;
        }
        if (!must_be_address)
            break;
    }
    *ret = found;
    return 0;
}
