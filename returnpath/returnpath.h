/* returnpath.h - what an envelope address says, without asking anybody. Pure.
 *
 * RCPT TO of a bounce is the reverse-path that the sender chose, so it can carry whose mail it was
 * (VERP: prefix+user=domain@return-path-domain). */
#ifndef RETURNPATH_RETURNPATH_H
#define RETURNPATH_RETURNPATH_H

#include "base/arena.h"

/* Which local parts a domain takes. */
#define RETURNPATH_ACCEPTS(X)                                                           \
    X(RETURNPATH_ACCEPT_VERP, "verp", "role addresses and those that name a recipient") \
    X(RETURNPATH_ACCEPT_ANY, "any", "every local part")

enum returnpath_accept {
#define X(id, name, meaning) id,
    RETURNPATH_ACCEPTS(X)
#undef X
};

struct returnpath_domain {
    struct str name; /* lower-case A-label */
    enum returnpath_accept accept;
    struct str tenant;
    struct str stream;
    bool trust_unverified; /* events that nothing verifies may suppress */
};

/* Domains sorted by name (str_cmp). Strings belong to whoever made the table. */
struct returnpath_domains {
    const struct returnpath_domain *list;
    size_t n;
};

/* Stored in the journal: numbers are never reused. */
enum returnpath_kind {
    RETURNPATH_BOUNCE = 0,
    RETURNPATH_ROLE = 1, /* postmaster, abuse ...: mail for a person (RFC 2142) */
};

enum returnpath_source {
    RETURNPATH_SOURCE_NONE = 0, /* the address says nothing about a recipient */
    RETURNPATH_SOURCE_VERP = 1,
};

struct returnpath {
    const struct returnpath_domain *domain;
    enum returnpath_kind kind;
    enum returnpath_source source;
    bool verified;        /* nothing forged this: only signed tokens can say so */
    struct str recipient; /* the address that the mail was sent to; absent: not said */
};

/* The configured domain of a name in any case; NULL when it is none of ours. */
const struct returnpath_domain *returnpath_domain_find(const struct returnpath_domains *d,
                                                       struct str name);

/* Reads one RCPT TO address (without <>), which may also be a bare "postmaster" (RFC 5321 section
 * 4.5.1; it belongs to the first domain). 0 and *ret, whose strings live in a; or
 *   -EINVAL  not an address                     (reply 501 5.1.3)
 *   -EHOSTUNREACH  the domain is not ours       (reply 550 5.7.1)
 *   -ENOENT  the domain does not take this one  (reply 550 5.1.1)
 *   -ENOMEM  the arena is full                  (reply 451 4.3.0) */
int returnpath_read(const struct returnpath_domains *d, struct arena *a, struct str address,
                    struct returnpath *ret);

#endif
