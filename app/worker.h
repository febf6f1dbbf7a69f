/* worker.h - a processor worker: some lanes of the journal, one connection to PostgreSQL. */
#ifndef APP_WORKER_H
#define APP_WORKER_H

#include "app/feedback.h"
#include "app/reading.h"
#include "app/service.h"
#include "spool/inflight.h"

/* Messages of one lane that wait for their transaction, each in its own memory. */
struct batch {
    struct arena *arenas;
    struct db_message *messages;
    size_t n, room;
    size_t events;
    uint64_t bytes;
    int64_t since; /* when the first was read; CLOCK_MONOTONIC */
};

struct lane {
    unsigned number;
    struct db_lane db;
    struct spool_reader *reader; /* NULL: not open */
    struct inflight *inflight;
    struct db_position position; /* what is committed */
    bool positioned;             /* position is what the server said, and the reader stands right */
    struct inflight_mark suspect; /* a record that a worker died with */
    struct batch batch;
    int64_t retry_at; /* not before: its reader lock was held, or its disk failed */
    struct spool_reader_stats told;
};

struct worker {
    const struct config *config;
    struct reading reading;
    struct feedback *feedback; /* NULL: no source is listed */
    struct spool *spool;
    struct db *db;
    bool connected;
    unsigned index, count; /* owns lanes with number % count == index */
    struct lane lanes[SPOOL_LANES_MAX];
    size_t lanes_n;
    uint64_t messages, set_aside;
};

/* One turn of a lane: reads what is there, writes when a batch is due. 1: something was done, 0:
 * nothing to do now (*ret_due: when its batch is due, CLOCK_MONOTONIC), -EAGAIN: the server is
 * away; -Exxx of the lane alone was told and is tried again later. */
int lane_turn(struct worker *w, struct lane *l, int64_t now, int64_t *ret_due, struct err *e);
/* Writes what waits, when the server is there. */
int lane_finish(struct worker *w, struct lane *l, struct err *e);
void lane_close(struct lane *l);

/* The whole life of worker number index of count, in a process of its own. The classifier comes
 * from its parent: compiling the rules takes longer than all else at a start. Exit code. */
int worker_run(const struct config *c, struct classifier *classifier, unsigned index,
               unsigned count);

#endif
