/* resolver.h - questions to the DNS, each bounded in time.
 *
 * Answers are cached, positive and negative, as long as their TTL says (a day, and five minutes, at
 * most) in memory of a fixed size. A server that stays silent is not waited for again and again:
 * after RESOLVER_SILENCES questions in a row without an answer none is asked for RESOLVER_PAUSE.
 *
 * The work is done by a thread of the library: open it in the process that asks, behind any fork.
 * One caller at a time. RFC 1035, 2308; DNSSEC RFC 4033. */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include "base/arena.h"
#include "base/err.h"

struct resolver;

enum { RESOLVER_SERVERS_MAX = 8, RESOLVER_SILENCES = 3, RESOLVER_RECORDS_MAX = 256 };
#define RESOLVER_PAUSE (INT64_C(30) * 1000000) /* microseconds */

struct resolver_config {
    const char *const *servers; /* "192.0.2.53", "::1@5353"; none: those of /etc/resolv.conf */
    size_t servers_n;
    /* File of DNSKEY or DS records from which signatures are followed; NULL: nothing is checked and
     * nothing is secure. */
    const char *anchors;
};

/* Values are those of the protocol. */
enum resolver_type {
    RESOLVER_A = 1,
    RESOLVER_PTR = 12,
    RESOLVER_MX = 15,
    RESOLVER_TXT = 16,
    RESOLVER_AAAA = 28,
    RESOLVER_TLSA = 52,
};
const char *resolver_type_name(enum resolver_type type);

enum resolver_status {
    RESOLVER_FOUND,
    RESOLVER_NO_DATA, /* the name exists, but has nothing of this type */
    RESOLVER_NO_NAME, /* NXDOMAIN */
    RESOLVER_FAILED,  /* a server answered that it can't: SERVFAIL, REFUSED ... */
    RESOLVER_BOGUS,   /* signatures are wrong: as good as no answer */
};

struct resolver_answer {
    enum resolver_status status;
    bool secure;          /* signatures were followed down from an anchor, also of "no such" */
    int64_t ttl;          /* microseconds */
    struct str canonical; /* where CNAMEs led, without the last dot; absent: there were none */
    struct str *records;  /* RDATA as on the wire, names in it not compressed; resolver/rdata.h */
    size_t records_n;     /* more than RESOLVER_RECORDS_MAX are cut */
};

/* An address literal, with @PORT or without. */
bool resolver_is_server(struct str text);

/* -EINVAL: a server or the anchors can't be used; -EIO: resolv.conf can't be read; -ENOMEM. */
int resolver_new(const struct resolver_config *config, struct resolver **ret, struct err *e);
void resolver_free(struct resolver *r);

/* Asks for the records of a name in A-label form (a dot at its end is fine) and waits for the
 * answer, timeout microseconds at most. What a server says is no failure: see status. The answer
 * lives in a. -ETIMEDOUT: nobody answered; -EHOSTDOWN: nobody did of late, so it was not tried;
 * -EINVAL: name is no domain name; -ENOMEM; -EIO. */
int resolver_query(struct resolver *r, struct arena *a, struct str name, enum resolver_type type,
                   int64_t timeout, struct resolver_answer *ret, struct err *e);

#endif
