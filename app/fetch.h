/* fetch.h - one file over HTTPS, bounded in time and size. */
#ifndef APP_FETCH_H
#define APP_FETCH_H

#include "base/arena.h"
#include "base/err.h"

struct fetch_config {
    struct str host;             /* whose certificate it must be */
    const struct str *addresses; /* of that host: nothing else is asked for them */
    size_t addresses_n;
    unsigned port;
    struct str path;         /* "/.well-known/mta-sts.txt" */
    const char *authorities; /* PEM file of those who may sign; NULL: the system's */
    int64_t timeout;         /* microseconds, for all of it */
    size_t max_bytes;
};

struct fetch_answer {
    long status;     /* 200; no redirect is followed */
    struct str type; /* Content-Type without parameters; absent: none was said */
    struct str body; /* at most max_bytes */
    bool cut;        /* it was longer */
};

/* GET over TLS 1.2 or later (RFC 9110). The answer lives in a. -EAGAIN: nobody answers, the
 * certificate is not good or what comes is no HTTP, in e's words; -ENOMEM. */
int fetch_https(const struct fetch_config *config, struct arena *a, struct fetch_answer *ret,
                struct err *e);

#endif
