/* verdict.h - the one list of classes, categories, faults and confidences.
 * The enums, the names in JSON, SQL and docs/categories.md all come from here. */
#ifndef CLASSIFY_VERDICT_H
#define CLASSIFY_VERDICT_H

#include "base/str.h"
#include "classify/listing.h"

/* What a bounce means for the address. */
#define VERDICT_CLASSES(X)                                                                      \
    X(CLASS_HARD, "hard", "the address will not take mail", "suppress")                         \
    X(CLASS_SOFT, "soft", "a condition of this mailbox that may clear", "counts")               \
    X(CLASS_TRANSIENT, "transient", "a condition of the path or the server", "never counts")    \
    X(CLASS_BLOCK, "block", "sender, address, domain, authentication, rate or content refused", \
      "never counts; alert")                                                                    \
    X(CLASS_MESSAGE, "message", "this one message is unacceptable", "never counts")             \
    X(CLASS_LOCAL, "local", "our side: loop, relay, protocol, upstream suppression",            \
      "never counts; alert")                                                                    \
    X(CLASS_UNKNOWN, "unknown", "not understood", "none; shown for rule writing")

enum verdict_class {
#define X(id, name, meaning, effect) id,
    VERDICT_CLASSES(X)
#undef X
        CLASS_COUNT
};

#define VERDICT_FAULTS(X)           \
    X(FAULT_RECIPIENT, "recipient") \
    X(FAULT_SENDER, "sender")       \
    X(FAULT_MESSAGE, "message")     \
    X(FAULT_NETWORK, "network")     \
    X(FAULT_PROVIDER, "provider")   \
    X(FAULT_UNKNOWN, "unknown")

enum verdict_fault {
#define X(id, name) id,
    VERDICT_FAULTS(X)
#undef X
        FAULT_COUNT
};

#define VERDICT_CONFIDENCES(X)                                           \
    X(CONFIDENCE_HIGH, "high", "explicit text or a provider's own rule") \
    X(CONFIDENCE_MEDIUM, "medium", "enhanced code and reply agree")      \
    X(CONFIDENCE_LOW, "low", "a bare code")

enum verdict_confidence {
#define X(id, name, meaning) id,
    VERDICT_CONFIDENCES(X)
#undef X
        CONFIDENCE_COUNT
};

/* X(id, name, class, fault, meaning) */
#define VERDICT_CATEGORIES(X)                                                                     \
    X(BAD_MAILBOX, "bad_mailbox", HARD, RECIPIENT, "no such mailbox")                             \
    X(BAD_DOMAIN, "bad_domain", HARD, RECIPIENT, "the domain does not exist or has no mail host") \
    X(HOST_NO_MAIL, "host_no_mail", HARD, RECIPIENT, "the host says that it takes no mail")       \
    X(MAILBOX_MOVED, "mailbox_moved", HARD, RECIPIENT, "the person has another address now")      \
    X(MAILBOX_DISABLED, "mailbox_disabled", HARD, RECIPIENT, "closed or switched off for good")   \
    X(BAD_ADDRESS_SYNTAX, "bad_address_syntax", HARD, RECIPIENT, "not an address there")          \
    X(MAILBOX_FULL, "mailbox_full", SOFT, RECIPIENT, "over quota")                                \
    X(MAILBOX_FULL_INACTIVE, "mailbox_full_inactive", SOFT, RECIPIENT,                            \
      "over quota and unused for long")                                                           \
    X(MAILBOX_SUSPENDED, "mailbox_suspended", SOFT, RECIPIENT, "locked for a time")               \
    X(RECIPIENT_RESTRICTED, "recipient_restricted", SOFT, RECIPIENT,                              \
      "takes only some senders, such as its own organisation's")                                  \
    X(RECIPIENT_REFUSED, "recipient_refused", SOFT, RECIPIENT, "the person's own filter said no") \
    X(EXPIRED, "expired", SOFT, NETWORK, "gave up after the queue's life, no better reason told") \
    X(SOFT_OTHER, "soft_other", SOFT, RECIPIENT, "another condition of the mailbox")              \
    X(GREYLISTED, "greylisted", TRANSIENT, PROVIDER, "asked to try again later")                  \
    X(RECIPIENT_RATE, "recipient_rate", TRANSIENT, RECIPIENT, "this mailbox gets too much mail")  \
    X(CONNECTION_FAILURE, "connection_failure", TRANSIENT, NETWORK, "no connection, or it broke") \
    X(DNS_TEMPORARY, "dns_temporary", TRANSIENT, NETWORK, "the look-up failed for now")           \
    X(HOST_UNAVAILABLE, "host_unavailable", TRANSIENT, PROVIDER, "the host takes none for now")   \
    X(SYSTEM_FULL, "system_full", TRANSIENT, PROVIDER, "the host's storage is full")              \
    X(SYSTEM_ERROR, "system_error", TRANSIENT, PROVIDER, "an error inside the host")              \
    X(TLS_FAILURE, "tls_failure", TRANSIENT, NETWORK, "no encryption that both sides accept")     \
    X(TOO_MANY_RECIPIENTS, "too_many_recipients", TRANSIENT, SENDER, "in one transaction")        \
    X(IP_REPUTATION, "ip_reputation", BLOCK, SENDER, "the provider distrusts the sending host")   \
    X(DOMAIN_REPUTATION, "domain_reputation", BLOCK, SENDER, "it distrusts the sending domain")   \
    X(DNSBL, "dnsbl", BLOCK, SENDER, "a public block list names the sending host or domain")      \
    X(RATE_LIMITED, "rate_limited", BLOCK, SENDER, "the sender sends too much or too fast")       \
    X(AUTH_FAILURE, "auth_failure", BLOCK, SENDER, "SPF, DKIM or DMARC")                          \
    X(PTR_MISSING, "ptr_missing", BLOCK, SENDER, "the sending host has no proper reverse name")   \
    X(SENDER_REFUSED, "sender_refused", BLOCK, SENDER, "the sender's address or domain refused")  \
    X(POLICY, "policy", BLOCK, SENDER, "a policy that is not told more exactly")                  \
    X(SPAM_CONTENT, "spam_content", BLOCK, MESSAGE, "a content filter called it spam")            \
    X(URL_BLOCKED, "url_blocked", BLOCK, MESSAGE, "a link in it is on a list")                    \
    X(VIRUS, "virus", BLOCK, MESSAGE, "a virus was found or suspected")                           \
    X(TOO_BIG, "too_big", MESSAGE, MESSAGE, "larger than the host or mailbox takes")              \
    X(MALFORMED, "malformed", MESSAGE, MESSAGE, "headers or structure against the standard")      \
    X(ATTACHMENT_REFUSED, "attachment_refused", MESSAGE, MESSAGE, "a kind of attachment")         \
    X(CHARSET_UNSUPPORTED, "charset_unsupported", MESSAGE, MESSAGE, "8-bit or UTF-8 not taken")   \
    X(RELAY_DENIED, "relay_denied", LOCAL, SENDER, "the host does not relay for us")              \
    X(ROUTING_LOOP, "routing_loop", LOCAL, PROVIDER, "too many hops")                             \
    X(AUTH_REQUIRED, "auth_required", LOCAL, SENDER, "the host wants a log-in")                   \
    X(PROTOCOL_ERROR, "protocol_error", LOCAL, SENDER, "a command or its order")                  \
    X(UPSTREAM_SUPPRESSED, "upstream_suppressed", LOCAL, SENDER, "a relay of ours did not send")  \
    X(UNDETERMINED, "undetermined", UNKNOWN, UNKNOWN, "no rule knows these words")

enum verdict_category {
#define X(id, name, cls, fault, meaning) CATEGORY_##id,
    VERDICT_CATEGORIES(X)
#undef X
        CATEGORY_COUNT
};

struct verdict {
    enum verdict_class class; /* always that of the category */
    enum verdict_category category;
    enum verdict_fault fault; /* the category's, unless a rule says otherwise */
    enum verdict_confidence confidence;
    const char *rule;        /* id of the rule that decided; lives as long as the classifier */
    const char *mx_operator; /* "google"; NULL: not known; lives as long as the classifier */
    struct str evidence;     /* the words that decided: a part of the diagnostic, or a code */
    uint64_t fingerprint;    /* of the normalised diagnostic; 0: there was no text */
    struct listing listing;  /* of a block: what of ours is refused, by which list */
};

const char *verdict_class_name(enum verdict_class c);
const char *verdict_category_name(enum verdict_category c);
const char *verdict_fault_name(enum verdict_fault f);
const char *verdict_confidence_name(enum verdict_confidence c);
enum verdict_class verdict_category_class(enum verdict_category c);
enum verdict_fault verdict_category_fault(enum verdict_category c);
/* False (untouched) when name is none. */
bool verdict_category_parse(struct str name, enum verdict_category *ret);

#endif
