/* returnpath.h - what an envelope address says, without asking anybody. Pure.
 *
 * RCPT TO of a bounce is the reverse-path that the sender chose, so it can carry whose mail it was:
 * in a token that only a holder of the key can make (token.h), in one of the plain shapes that
 * anybody can imitate (verp.h), or in a shape of the user's own (pattern.h). Forwarders may have
 * wrapped it (wrapped.h). */
#ifndef RETURNPATH_RETURNPATH_H
#define RETURNPATH_RETURNPATH_H

#include "base/arena.h"
#include "base/err.h"

/* Which local parts a domain takes, beside role addresses. */
#define RETURNPATH_ACCEPTS(X)                                                           \
    X(RETURNPATH_ACCEPT_VERP, "verp", "role addresses and those that name a recipient") \
    X(RETURNPATH_ACCEPT_ANY, "any", "every local part")                                 \
    X(RETURNPATH_ACCEPT_SIGNED, "signed", "role addresses and those with a valid token")

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
    bool trust_unverified;  /* events that nothing verifies may suppress */
    const struct str *open; /* further local parts that are taken, whatever accept says: feedback */
    size_t open_n;          /* loops write to them, and tokens inside say whose mail it was */
};

/* ---- what is shared: domains, keys, patterns ---- */

enum {
    RETURNPATH_KEY_MIN = 32,
    RETURNPATH_KEY_MAX = 128,
    RETURNPATH_KEYS_MAX = 32, /* as many as there are ids */
    RETURNPATH_BOUNCE_DAYS = 30,
    RETURNPATH_COMPLAINT_DAYS = 400,
    RETURNPATH_DAY_MAX = 32767, /* 2059-09-18: what a token can hold */
};

/* A key that signs and checks tokens. */
struct returnpath_key {
    char id;           /* a-z, 2-7 */
    struct str secret; /* RETURNPATH_KEY_MIN to RETURNPATH_KEY_MAX octets */
    uint32_t until;    /* the last day on which its tokens are good; 0: no end */
};

/* A shape of the user's own: a PCRE2 expression for a whole local part, which tells what it finds
 * by the names of its groups: user and domain, or recipient (user@domain), tenant, stream,
 * campaign, message_id. See pattern.h. */
struct returnpath_pattern {
    struct str name; /* for messages */
    struct str regex;
    struct str domain;   /* the one whose addresses it reads; absent: all */
    bool case_sensitive; /* else ASCII case is folded, as relays may have done */
};

struct returnpath_set_config {
    const struct returnpath_domain *domains; /* in any order */
    size_t domains_n;
    const struct returnpath_key *keys; /* the first that is good on a day mints */
    size_t keys_n;
    const struct returnpath_pattern *patterns; /* the first that matches counts */
    size_t patterns_n;
    uint32_t bounce_days;    /* for how long a token is good; 0: RETURNPATH_BOUNCE_DAYS */
    uint32_t complaint_days; /* also of unsubscribe tokens; 0: RETURNPATH_COMPLAINT_DAYS */
};

/* Immutable, reference-counted, used by many threads at once. */
struct returnpath_set;

/* Copies all of config. -EINVAL: a domain or key id twice, a key of a wrong size, an id outside
 * the alphabet, a pattern that does not compile (*e names it, the place and the reason); -ENOMEM.
 */
int returnpath_set_new(const struct returnpath_set_config *config, struct returnpath_set **ret,
                       struct err *e);
struct returnpath_set *returnpath_set_ref(struct returnpath_set *s);
/* The last reference wipes the keys. */
void returnpath_set_unref(struct returnpath_set *s);

/* The configured domain of a name in any case; NULL when it is none of ours. Lives as long as the
 * set. */
const struct returnpath_domain *returnpath_domain_find(const struct returnpath_set *s,
                                                       struct str name);

/* ---- what one thread reads with ---- */

/* Holds what is expensive to make and changes with use; refers to a set. */
struct returnpath_reader;

/* Takes a reference to s. -ENOMEM. */
int returnpath_reader_new(struct returnpath_set *s, struct returnpath_reader **ret);
void returnpath_reader_free(struct returnpath_reader *r);
const struct returnpath_set *returnpath_reader_set(const struct returnpath_reader *r);

/* Stored in the journal: numbers are never reused. */
enum returnpath_kind {
    RETURNPATH_BOUNCE = 0,
    RETURNPATH_ROLE = 1, /* postmaster, abuse ...: mail for a person (RFC 2142) */
    RETURNPATH_COMPLAINT = 2,
    RETURNPATH_UNSUBSCRIBE = 3,
};

/* Stored in the journal: numbers are never reused. */
enum returnpath_source {
    RETURNPATH_SOURCE_NONE = 0, /* the address says nothing about a recipient */
    RETURNPATH_SOURCE_VERP = 1,
    RETURNPATH_SOURCE_TOKEN = 2,  /* a token that names the recipient */
    RETURNPATH_SOURCE_OPAQUE = 3, /* a token with an id of the sender's */
    RETURNPATH_SOURCE_PATTERN = 4,
};

/* What became of a token. Stored in the journal by number, in the database by name. */
#define RETURNPATH_PROOFS(X)                                                               \
    X(RETURNPATH_UNSIGNED, "unsigned", "there is no token")                                \
    X(RETURNPATH_VALID, "valid", "a token of ours")                                        \
    X(RETURNPATH_FORGED, "forged", "its signature is wrong, or it is none we would make")  \
    X(RETURNPATH_EXPIRED, "expired", "ours, but of too long ago")                          \
    X(RETURNPATH_EARLY, "early", "signed with our key for a day that has not come")        \
    X(RETURNPATH_UNKNOWN_KEY, "unknown_key", "no such key, or one that is no longer used") \
    X(RETURNPATH_WRONG_PURPOSE, "wrong_purpose", "ours, but made for another kind of mail")

enum returnpath_proof {
#define X(id, name, meaning) id,
    RETURNPATH_PROOFS(X)
#undef X
        RETURNPATH_PROOF_COUNT
};
const char *returnpath_proof_name(enum returnpath_proof p);

struct returnpath {
    const struct returnpath_domain *domain;
    enum returnpath_kind kind; /* by the token's purpose; else bounce, or role */
    enum returnpath_source source;
    enum returnpath_proof proof;
    bool verified;        /* proof is RETURNPATH_VALID: nothing else says who wrote the address */
    struct str recipient; /* the address that the mail was sent to; absent: not said (with
                           * RETURNPATH_SOURCE_OPAQUE the sender's table knows) */
    struct str stream;    /* the token's or pattern's own; absent: the domain's counts */
    struct str tenant;    /* the pattern's own; absent: the domain's counts */
    struct str campaign;
    struct str message_id; /* the sender's name for the message */
    struct str token;      /* identity: lower-case head "@" domain, the same for each copy of the
                            * token; absent: no token */
    struct str token_id;   /* RETURNPATH_SOURCE_OPAQUE: the sender's id, lower-case; else absent */
    char key_id;           /* of the token, lower-case; 0: none */
    uint32_t day;          /* of the token: days since 1970-01-01 */
};

/* Reads one RCPT TO address (without <>), which may also be a bare "postmaster" (RFC 5321 section
 * 4.5.1; it belongs to the first domain by name). today: days since 1970-01-01. 0 and *ret, whose
 * strings live in a, in the address or in the set; or
 *   -EINVAL  not an address                     (reply 501 5.1.3)
 *   -EHOSTUNREACH  the domain is not ours       (reply 550 5.7.1)
 *   -ENOENT  the domain does not take this one  (reply 550 5.1.1)
 *   -EKEYREJECTED  a token, but not a valid one, where signed ones alone are taken: *ret is filled,
 *                  so that the reason can be counted (reply 550 5.7.1)
 *   -ENOMEM  the arena is full                  (reply 451 4.3.0)
 * *ret is untouched on the others. A token that is not valid is accepted where unsigned addresses
 * are, with its proof: never as what it would otherwise look like. */
int returnpath_read(struct returnpath_reader *r, struct arena *a, struct str address,
                    uint32_t today, struct returnpath *ret);

/* Reads an address found inside a message (Return-Path, Message-ID ...), whatever its domain takes.
 * 0 only when it is a token of ours, valid or not (see proof), plain or wrapped by forwarders; its
 * local part may be longer than a mailbox's. -ENOENT: anything else; -ENOMEM. *ret is untouched
 * unless 0. */
int returnpath_read_inside(struct returnpath_reader *r, struct arena *a, struct str address,
                           uint32_t today, struct returnpath *ret);

/* ---- minting ---- */

struct returnpath_mint {
    enum returnpath_kind kind; /* bounce, complaint or unsubscribe */
    struct str domain;         /* one of the set's, any form */
    struct str recipient;      /* either it: a token that names it ... */
    struct str token_id;       /* ... or 13 to 26 of a-z 2-7 in any case: an opaque one */
    struct str stream; /* 1 to 16 of a-z 0-9 . _ -; absent: the domain's. Not with token_id */
    uint32_t day;      /* days since 1970-01-01 */
    char key_id;       /* 0: the first that is good on that day */
};

/* *ret: a whole address, local part "@" domain, in a. -EMSGSIZE: the local part would be over 64
 * octets (RFC 5321 section 4.5.3.1.1); -EINVAL: it can't be written so; -ENOKEY: no key mints on
 * that day; -ENOMEM. *e says what, and what to do. */
int returnpath_mint(struct returnpath_reader *r, struct arena *a,
                    const struct returnpath_mint *mint, struct str *ret, struct err *e);

#endif
