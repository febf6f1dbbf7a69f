/* backlog.h - what the journal holds that PostgreSQL does not: spool and lane positions together.
 */
#ifndef APP_BACKLOG_H
#define APP_BACKLOG_H

#include "app/answer.h"
#include "spool/spool.h"

struct backlog_lane {
    unsigned lane;
    bool known; /* the server has a position; else all of the lane is left */
    struct spool_position position;
    uint64_t octets; /* at most so many are left */
    char moved_at[40];
};

struct backlog {
    struct backlog_lane lanes[SPOOL_LANES_MAX];
    size_t n;
    uint64_t octets;
};

/* Opens the spool for looking only: -ENOENT when there is none (spool_open would make one). */
int backlog_spool(const struct config *c, struct spool **ret, struct err *e);

/* a: an answer to DB_ASK_LANES; NULL: the server is away, all of every lane counts. */
int backlog_read(struct spool *spool, const struct answer *a, struct backlog *ret, struct err *e);

#endif
