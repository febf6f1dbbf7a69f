#include "attribute/attribute.h"

#include "base/address.h"

#include <errno.h>

static const char *const source_names[] = {
#define X(id, name, meaning) [id] = (name),
    ATTRIBUTION_SOURCES(X)
#undef X
};

const char *attribution_source_name(enum attribution_source s)
{
    return source_names[s];
}

/* As a mailbox of one person: the key in *ret_key, false when text is no address. */
static bool read_address(struct arena *a, struct str text, struct str *ret_key)
{
    if (text.n == 0)
        return false;
    *ret_key = address_key(a, text);
    return !str_is_absent(*ret_key);
}

/* The report speaks of somebody else than the envelope, or of several people: a forwarder or an
 * alias stands between. */
static bool is_forwarded(struct arena *a, const struct report *report, struct str key)
{
    for (size_t i = 0; i < report->recipients_n; i++) {
        const struct report_recipient *r = &report->recipients[i];
        struct str other;
        if (read_address(a, r->final_recipient, &other) && !str_eq(other, key))
            return true;
        if (read_address(a, r->original_recipient, &other) && !str_eq(other, key))
            return true;
    }
    return report->recipients_n > 1;
}

/* Original and final of one recipient differ. */
static bool is_rewritten(struct arena *a, const struct report_recipient *r)
{
    struct str original, final;
    return read_address(a, r->original_recipient, &original) &&
           read_address(a, r->final_recipient, &final) && !str_eq(original, final);
}

int attribute_recipient(struct arena *a, const struct returnpath *envelope,
                        const struct report *report, size_t i, struct attribution *ret)
{
    struct attribution found = {.source = ATTRIBUTION_NONE};
    const struct report_recipient *r = i < report->recipients_n ? &report->recipients[i] : NULL;
    if (envelope->source == RETURNPATH_SOURCE_VERP &&
        read_address(a, envelope->recipient, &found.key)) {
        /* Never another address that the report names. */
        found.address = envelope->recipient;
        found.source = ATTRIBUTION_VERP;
        found.verified = envelope->verified;
        found.forwarded = is_forwarded(a, report, found.key);
    } else if (r && read_address(a, r->original_recipient, &found.key)) {
        found.address = r->original_recipient;
        found.source = ATTRIBUTION_ORIGINAL;
        found.forwarded = is_rewritten(a, r);
    } else if (r && r->final_recipient.n) {
        /* What is no address is shown as it was found, and counts for nobody. */
        found.address = r->final_recipient;
        found.source = ATTRIBUTION_FINAL;
        if (!read_address(a, r->final_recipient, &found.key))
            found.key = (struct str){NULL, 0};
    }
    if (arena_failed(a))
        return -ENOMEM;
    *ret = found;
    return 0;
}
