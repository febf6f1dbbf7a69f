/* check_dns.h - what stands in the DNS about this host and its domains, check by check.
 *
 * Each check tells what it found as struct check_result; nothing here prints. A question that
 * nobody answers makes its check CHECK_UNKNOWN, and soon all others without a wait (resolver.h). */
#ifndef APP_CHECK_DNS_H
#define APP_CHECK_DNS_H

#include "app/config.h"
#include "resolver/resolver.h"

#define CHECK_RESULTS(X)                                             \
    X(CHECK_GOOD, "good", "nothing to do")                           \
    X(CHECK_MISSING, "missing", "it is not there")                   \
    X(CHECK_WRONG, "wrong", "it is there, and says the wrong thing") \
    X(CHECK_UNKNOWN, "unknown", "the DNS gave no answer to go by")

enum check_verdict {
#define X(id, name, meaning) id,
    CHECK_RESULTS(X)
#undef X
        CHECK_VERDICT_COUNT
};
const char *check_verdict_name(enum check_verdict v);

struct check_result {
    const char *check; /* "mx", "spf" ... */
    struct str name;   /* what was looked at */
    enum check_verdict verdict;
    struct str found;    /* absent: nothing */
    struct str expected; /* a record to paste, or words */
    struct str advice;   /* what to do; absent when it is good */
};

typedef void (*check_say_fn)(void *ctx, const struct check_result *result);

struct check {
    const struct config *config;
    struct resolver *resolver; /* takes answers as they come */
    struct resolver *secure;   /* follows signatures; NULL: there are no anchors */
    int64_t timeout;           /* of one question */
    unsigned https_port;       /* where MTA-STS policies are read */
    const char *authorities;   /* PEM file of who may sign for them; NULL: the system's */
    int64_t now;               /* wall clock */
    check_say_fn say;
    void *ctx;
    struct arena arena; /* of one domain's or the host's checks */
    bool no_memory;
};

/* All checks: of the host, then of each domain. -ENOMEM. */
int check_all(struct check *c);

/* ---- for the checks ---- */

void check_say(struct check *c, const char *check, struct str name, enum check_verdict verdict,
               struct str found, struct str expected, struct str advice);

/* Asks. False: there was no answer to go by, which was told as CHECK_UNKNOWN of this check. */
bool check_ask(struct check *c, const char *check, struct str name, enum resolver_type type,
               struct resolver_answer *ret);

/* The TXT records at name that begin with version ("v=spf1"), joined; *ret_other: how many others
 * are there. As check_ask. */
struct check_texts {
    struct str *list;
    size_t n, other;
};
bool check_texts(struct check *c, const char *check, struct str name, const char *version,
                 struct check_texts *ret);
/* The value of "name=value" in a list parted by ';'; absent: it is not there. */
struct str check_tag(struct str text, const char *name);
/* "a | b" */
struct str check_join(struct check *c, const struct str *list, size_t n);

void check_host(struct check *c);                     /* check_host.c: addresses, PTR */
void check_mx(struct check *c, struct str domain);    /* check_mx.c */
void check_spf(struct check *c, struct str domain);   /* check_spf.c */
void check_dmarc(struct check *c, struct str domain); /* check_policy.c */
void check_tls_rpt(struct check *c, struct str domain);
void check_wildcard(struct check *c, struct str domain);
void check_mta_sts(struct check *c, struct str domain); /* check_mta_sts.c */
void check_tlsa(struct check *c);                       /* check_tlsa.c */

#endif
