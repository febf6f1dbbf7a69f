/* attribution.h - whose address a report is about, and how sure that is.
 *
 * In order: a valid signed token in RCPT TO -> a valid one inside the returned message -> what RCPT
 * TO says unsigned (VERP, a pattern) -> Original-Recipient -> Final-Recipient or the report's text.
 * Never To:, which forwarders rewrite. */
#ifndef ATTRIBUTE_ATTRIBUTION_H
#define ATTRIBUTE_ATTRIBUTION_H

#include "base/arena.h"

/* Names are those of JSON, SQL (enum address_source) and docs. */
#define ATTRIBUTION_SOURCES(X)                                                                   \
    X(ATTRIBUTION_NONE, "none", "nothing names a recipient")                                     \
    X(ATTRIBUTION_TOKEN, "token", "a signed token in RCPT TO names it")                          \
    X(ATTRIBUTION_RETURNED_TOKEN, "returned_token",                                              \
      "a signed token inside the returned message or the report names it")                       \
    X(ATTRIBUTION_VERP, "verp", "RCPT TO names it, unsigned")                                    \
    X(ATTRIBUTION_PATTERN, "pattern", "RCPT TO names it, unsigned, in a form of the user's own") \
    X(ATTRIBUTION_ORIGINAL, "original_recipient", "the report's Original-Recipient")             \
    X(ATTRIBUTION_FINAL, "final_recipient", "the report's Final-Recipient or its text")          \
    X(ATTRIBUTION_LOG, "log", "the sender's own log names it")

enum attribution_source {
#define X(id, name, meaning) id,
    ATTRIBUTION_SOURCES(X)
#undef X
        ATTRIBUTION_SOURCE_COUNT
};
const char *attribution_source_name(enum attribution_source s);

/* What vouches for it, or why nothing does. Names are those of JSON, SQL (enum verification) and
 * docs. */
#define ATTRIBUTION_VERIFICATIONS(X)                                                             \
    X(ATTRIBUTION_UNSIGNED, "unsigned", "anybody could have written it")                         \
    X(ATTRIBUTION_TOKEN_VALID, "token", "a valid token of ours names the recipient")             \
    X(ATTRIBUTION_SENT, "sent", "a valid opaque token whose row stands in table sent")           \
    X(ATTRIBUTION_DKIM, "dkim", "a listed feedback source signed the report")                    \
    X(ATTRIBUTION_WAITING, "waiting", "a valid opaque token; its row in sent is not there yet")  \
    X(ATTRIBUTION_FORGED, "forged", "the token's signature is wrong")                            \
    X(ATTRIBUTION_EXPIRED, "expired", "the token is too old")                                    \
    X(ATTRIBUTION_EARLY, "early", "the token's day is still to come")                            \
    X(ATTRIBUTION_UNKNOWN_KEY, "unknown_key", "the token's key is not known, or no longer")      \
    X(ATTRIBUTION_WRONG_PURPOSE, "wrong_purpose", "the token is valid, but made for other mail") \
    X(ATTRIBUTION_TOLD, "log", "the sender's own log says so")

enum attribution_verification {
#define X(id, name, meaning) id,
    ATTRIBUTION_VERIFICATIONS(X)
#undef X
        ATTRIBUTION_VERIFICATION_COUNT
};
const char *attribution_verification_name(enum attribution_verification v);

static inline bool attribution_is_verified(enum attribution_verification v)
{
    return v == ATTRIBUTION_TOKEN_VALID || v == ATTRIBUTION_SENT || v == ATTRIBUTION_DKIM ||
           v == ATTRIBUTION_TOLD;
}

struct attribution {
    struct str address; /* as found; absent with ATTRIBUTION_NONE and ATTRIBUTION_WAITING */
    struct str key;     /* address_key(address); absent when it is no address */
    enum attribution_source source;
    enum attribution_verification verification;
    bool verified;  /* attribution_is_verified(verification) */
    bool forwarded; /* the report names another address, or several; with WAITING only what can be
                     * told without the row: compare the report's addresses with it then */
    bool medium;    /* confidence is capped: forwarded, a real (non-null) sender's bounce, or one
                     * that a complaint or unsubscribe token inside attributes */
    bool counts;    /* may make a strike or a soft count. Not when a group of the report was
                     * delivered, relayed or expanded (or groups were cut), nor a real sender's
                     * bounce without a valid token */
    bool in_report; /* the report itself names the address, so a signature on it covers that */
    /* Of the valid token that attributed it; absent (day 0) without one, so that a forged token
     * never uses up a genuine one's single strike. */
    struct str token;    /* its identity */
    struct str token_id; /* of an opaque one: the id in table sent */
    uint32_t day;
    /* That count: the token's or pattern's own, else its domain's; absent: none says. */
    struct str tenant, stream;
    struct str campaign, message_id; /* of patterns; else absent */
};

#endif
