/* db.h - rows: the connection, batches written exactly once, and what the command line reads.
 *
 * Errors of every call that talks to the server:
 *   -EAGAIN   the server is away, full, asks to try again, or is not as we need it (no right, no
 *             table, read-only): whatever would hit the next message too
 *   -ESTALE   the lane's position is not what we thought: read it again; of the feed: the cursor is
 *             refused, export again
 *   -EPROTO   the schema is newer or older than this program
 *   -EINVAL   the server refused the data (SQLSTATE 21, 22, 23, 44, 54, P0, XX000), or our argument
 *             is none; the text has SQLSTATE and the server's words
 *   -ERANGE   a position is over what a bigint holds
 *   -ENOMEM
 * No call waits longer than a minute for one transaction. After -EAGAIN the connection is broken:
 * db_reset, with a pause that the caller chooses. */
#ifndef DB_DB_H
#define DB_DB_H

#include "attribute/attribution.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "classify/verdict.h"
#include "parser/report.h"

struct db;

/* Connects (bounded by connect_timeout, 10 s when conninfo has none). Session in UTC. -EINVAL: the
 * conninfo can't be read; -EPROTO: the server is older than 14 or its encoding is not UTF8. */
int db_open(const char *conninfo, struct db **ret, struct err *e);
int db_reset(struct db *db, struct err *e);
void db_free(struct db *db);

/* ---- a batch: messages of one lane, in the order of the lane ---- */

struct db_position {
    uint64_t segment;
    uint64_t offset;
};

struct db_lane {
    struct id journal;
    unsigned lane;
    struct str node;
};

struct db_event {
    const struct report_recipient *recipient; /* NULL: the message names none */
    const struct verdict *verdict;            /* NULL: not a bounce */
    struct attribution attribution;
    enum report_kind kind;
    struct str tenant;
    struct str stream;
    bool trusted; /* verified, or unsigned and its domain says trust_unverified */
};

struct db_message {
    struct id id;
    int64_t received_at; /* microseconds since the epoch */
    struct db_position at, next;
    struct str client_address;
    struct str helo;
    struct str protocol;
    struct str tls;
    struct str mail_from;
    const struct str *rcpt_to;
    size_t rcpt_to_n;
    uint64_t size;
    bool truncated;
    struct str body; /* evidence */
    const struct report *report;
    const struct db_event *events; /* ids are the message's with ordinals 1.. */
    size_t events_n;
};

/* The lane's position; {0, 0} and a new row when the server has none. */
int db_lane_position(struct db *db, const struct db_lane *lane, struct db_position *ret,
                     struct err *e);

/* How many messages of the batch went where. */
struct db_written {
    size_t messages;
    size_t set_aside;
    struct err last_refusal; /* why the last of them was set aside */
};

/* Writes all rows of the messages and moves the lane's position from `from` to the last message's
 * next, in one transaction (in several, each with its part of the way, when the batch is over 32
 * MiB or 10,000 events). Messages that stand already change nothing. Texts that PostgreSQL can't
 * hold are made safe (U+FFFD) and cut at 1000 bytes (diagnostics and the like: 16 KiB); bodies are
 * kept byte by byte up to 256 MiB. A message that the server refuses is found by halving and goes
 * to set_aside with its words and its record; what stands beside it is written. On an error what
 * was committed before it is in *ret_position (start there again), nothing else was written. */
int db_write(struct db *db, const struct db_lane *lane, struct db_position from,
             const struct db_message *messages, size_t n, struct db_position *ret_position,
             struct db_written *ret, struct err *e);

/* The id of a message that came through no journal: the same for the same time and parts, in their
 * order. False when the library that hashes fails. */
bool db_id_of(int64_t received_at, const struct str *parts, size_t n, struct id *ret);

/* How many of the messages that were told to db_ingest went where. */
struct db_ingested {
    size_t written; /* new rows */
    size_t known;   /* stood already: nothing changed */
    size_t refused; /* by the server; told to db_refused_fn */
};
/* A message that the server refused: its place in messages, and the server's words. */
typedef void (*db_refused_fn)(void *ctx, size_t at, const struct err *why);

/* Writes messages that came through no journal, in transactions as db_write makes them. Whoever
 * writes the same messages again changes nothing, so after -EAGAIN all of them may be. */
int db_ingest(struct db *db, struct str node, const struct db_message *messages, size_t n,
              db_refused_fn refused, void *ctx, struct db_ingested *ret, struct err *e);

/* A delivery that the sender told of. Strings may be absent: none is set. */
struct db_delivery {
    struct str key; /* address_key */
    struct str tenant;
    struct str stream;
    int64_t time;
};
/* A log is known by a digest of its first delivery: how many of its deliveries were told. */
enum { DB_SOURCE = 32 };
bool db_source_of(const struct str *parts, size_t n, uint8_t ret[DB_SOURCE]);
int db_log_told(struct db *db, const uint8_t source[DB_SOURCE], uint64_t *ret, struct err *e);
/* Tells the next ones, at most DB_DELIVERIES_MAX in one call; `before` were told before, now is the
 * time. -ESTALE: the log does not stand there, since somebody else reads it. */
enum { DB_DELIVERIES_MAX = 10000 };
int db_log_delivered(struct db *db, const uint8_t source[DB_SOURCE], uint64_t before, int64_t now,
                     const struct db_delivery *list, size_t n, struct err *e);

/* Lets events act that waited for their row in table sent, since `now` (microseconds) less an hour,
 * and whose row is there after all: the writer's and the sender's transactions ran at once. At most
 * some thousand of them; to be called each minute. *ret is how many. */
int db_resolve_waiting(struct db *db, int64_t now, size_t *ret, struct err *e);

/* Puts one message into set_aside without trying it (it killed its workers) and moves on. */
int db_set_aside(struct db *db, const struct db_lane *lane, struct db_position from,
                 const struct db_message *message, struct str reason, struct err *e);

#endif
