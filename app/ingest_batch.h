/* ingest_batch.h - what `ingest` gathers and writes: messages of logs and of stored mail, and
 * deliveries; what it tells of lines and messages that it could not take. */
#ifndef APP_INGEST_BATCH_H
#define APP_INGEST_BATCH_H

#include "app/command.h"
#include "app/progress.h"
#include "db/db.h"
#include "ingest/ingest.h"

/* Messages and deliveries that wait; what one line gives goes above a full batch. */
enum {
    INGEST_BATCH = 1000,
    INGEST_ROOM = INGEST_BATCH + INGEST_RECORDS_MAX,
    INGEST_DELIVERIES = DB_DELIVERIES_MAX - INGEST_RECORDS_MAX,
    INGEST_TOLD_MAX = 20
};

struct ingest_counts {
    uint64_t lines;      /* or messages, of stored mail */
    uint64_t unreadable; /* not what they should be */
    uint64_t unowned;    /* whose mail it is can't be told */
    uint64_t reports;    /* of logs: of the null sender, so no mail to a list */
    uint64_t bounced, expired, deferred, delivered;
    uint64_t written, known, refused; /* of what became a message in the database */
    uint64_t told;                    /* deliveries */
};

struct ingest_batch {
    const struct command_line *line;
    struct db *db;
    struct str node;
    bool patient; /* waits for a database that is away: what is read can't be read again */
    int64_t retry_min, retry_max;
    struct ingest_counts counts;
    uint64_t complaints; /* how many were told on standard error */
    struct progress progress;
    int64_t since;      /* CLOCK_MONOTONIC when the first that waits was added; 0: none waits */
    struct arena arena; /* of all that waits */
    struct db_message messages[INGEST_ROOM];
    const char *names[INGEST_ROOM]; /* where each is from, */
    uint64_t places[INGEST_ROOM];   /* and in which line */
    size_t messages_n;
    struct db_delivery deliveries[DB_DELIVERIES_MAX];
    size_t deliveries_n;
    const char *name;          /* of what is read now; as long as what waits */
    uint8_t source[DB_SOURCE]; /* of its first delivery */
    bool has_source;
    uint64_t told, skip; /* deliveries of it: told before or now; still to be skipped */
};

/* NULL after a message. c and db outlive it. */
struct ingest_batch *ingest_batch_new(const struct command_line *l, const struct config *c,
                                      struct db *db);
void ingest_batch_free(struct ingest_batch *b);

/* Another log or file begins: what waits is written. */
int ingest_batch_begin(struct ingest_batch *b, const char *name, bool patient);

/* Tells "name:place: why" (place 0: "name: why"), the first INGEST_TOLD_MAX of them. */
void ingest_batch_complain(struct ingest_batch *b, uint64_t place, const char *why);

/* Adds a message, all of it in b->arena. Between two calls of ingest_batch_due no more are added
 * than one line gives. */
void ingest_batch_add(struct ingest_batch *b, const struct db_message *m, uint64_t place);
/* Adds a delivery likewise. evidence: its line, by whose first the log is known; tenant: that the
 * command line names. Negative: it can't go on, after a message. */
int ingest_batch_deliver(struct ingest_batch *b, const struct db_delivery *d, struct str evidence,
                         struct str tenant);

/* Writes all that waits and forgets it, and whatever else is in the arena. Negative after a
 * message. */
int ingest_batch_flush(struct ingest_batch *b);
/* The same for a batch that is full, large or has waited for a second. */
int ingest_batch_due(struct ingest_batch *b, int64_t now);

#endif
