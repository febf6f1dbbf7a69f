/* writer.h - a lane's segments, one after the other, as its writer makes them. Private to spool/;
 * once it is open only the lane's sync thread has it, but for payload_seed, which stays. */
#ifndef SPOOL_WRITER_H
#define SPOOL_WRITER_H

#include "spool/group.h"
#include "spool/segment.h"

struct writer {
    const struct spool *s;
    unsigned lane;
    uint64_t payload_seed;  /* of all its segments: a payload is summed before its place is known */
    struct segment segment; /* fd -1: none is open */
    uint64_t last_number;
};

/* Starts a segment above all that the lane has; on a full disk none yet. After an error
 * writer_close is fine. -EIO, and what a folder that can't be read says. */
int writer_open(struct writer *w, const struct spool *s, unsigned lane, struct err *e);

/* Writes and syncs the group, over as many segments as it takes, and sets each entry's result: 0,
 * -ENOSPC or -EIO. A segment whose write or sync failed is sealed before it, never tried again.
 * Returns the last result. */
int writer_commit(struct writer *w, struct group *g);

void writer_close(struct writer *w);

#endif
