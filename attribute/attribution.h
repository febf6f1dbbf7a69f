/* attribution.h - whose address a report is about, and how sure that is.
 *
 * In order: what the envelope's RCPT TO says (signed token, VERP) -> Original-Recipient ->
 * Final-Recipient. Never To:, which forwarders rewrite. */
#ifndef ATTRIBUTE_ATTRIBUTION_H
#define ATTRIBUTE_ATTRIBUTION_H

#include "base/arena.h"

#define ATTRIBUTION_SOURCES(X)                                                       \
    X(ATTRIBUTION_NONE, "none", "nothing names a recipient")                         \
    X(ATTRIBUTION_VERP, "verp", "the envelope recipient names it")                   \
    X(ATTRIBUTION_ORIGINAL, "original_recipient", "the report's Original-Recipient") \
    X(ATTRIBUTION_FINAL, "final_recipient", "the report's Final-Recipient or its text")

enum attribution_source {
#define X(id, name, meaning) id,
    ATTRIBUTION_SOURCES(X)
#undef X
        ATTRIBUTION_SOURCE_COUNT
};
const char *attribution_source_name(enum attribution_source s);

struct attribution {
    struct str address; /* as found; absent with ATTRIBUTION_NONE */
    struct str key;     /* address_key(address); absent when it is no address */
    enum attribution_source source;
    bool verified;  /* nothing unsigned is */
    bool forwarded; /* the report names another address than the envelope, or several */
};

#endif
