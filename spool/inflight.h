/* inflight.h - what a worker has in hand, told to whoever comes after its death.
 *
 * A small file per lane, mapped shared: stores survive the death of the process (not of the
 * machine, after which no message can have killed anybody). A worker marks each record before it
 * reads it. The next worker looks: a record that was in hand is read again alone, nothing else
 * unwritten, and only deaths of a worker that had it alone count against it. So a kill at random
 * does not set good mail aside, a poisoned message is set aside after two tries. */
#ifndef SPOOL_INFLIGHT_H
#define SPOOL_INFLIGHT_H

#include "spool/spool.h"

struct inflight;

struct inflight_mark {
    struct spool_position at; /* {0, 0}: nothing was in hand */
    bool alone;
    uint32_t deaths; /* of workers that had the record alone, before this mark */
    int64_t since;   /* CLOCK_MONOTONIC microseconds, when it was taken in hand */
};

/* Makes the lane's file while there is room: a disk that mail has filled is emptied by a worker,
 * who could not begin without it. 0, also on a disk that is full already; -EIO, -EACCES. */
int inflight_prepare(struct spool *s, unsigned lane, struct err *e);

/* Opens the lane's file; a missing, short or damaged one reads as nothing in hand. */
int inflight_open(struct spool *s, unsigned lane, struct inflight **ret, struct err *e);
void inflight_free(struct inflight *f);

struct inflight_mark inflight_read(const struct inflight *f);
/* Each a few plain stores; a reader in another process sees a whole mark or the one before. */
void inflight_take(struct inflight *f, const struct inflight_mark *mark);
void inflight_clear(struct inflight *f);

#endif
