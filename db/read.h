/* read.h - what the command line asks the database: named questions, answers as tables.
 *
 * The questions are SQL functions and views of the schema (migrations/), so that a person with psql
 * gets the same answers. Times come as RFC 3339 text in UTC. */
#ifndef DB_READ_H
#define DB_READ_H

#include "db/db.h"

/* X(id, parameters, sql): the rows of each are described beside its function in migrations/. */
#define DB_QUESTIONS(X)                                                                          \
    X(DB_ASK_SUPPRESSIONS, 8, "tenant, limit, keys after, time, scope, stream, kind, state")     \
    X(DB_ASK_SUPPRESSION, 2, "address, time: every scope that holds it then")                    \
    X(DB_ASK_SUPPRESSED, 4, "address, tenant or NULL, stream or NULL, time: one row, why")       \
    X(DB_ASK_EVENTS, 2, "limit, before this event id or NULL: the newest first")                 \
    X(DB_ASK_EVENT, 1, "event or message id: one row an event with words, rule and effect")      \
    X(DB_ASK_EVIDENCE, 1, "event or message id: the raw mail, column raw (bytes)")               \
    X(DB_ASK_SET_ASIDE, 1, "limit: the messages set aside, newest first")                        \
    X(DB_ASK_SET_ASIDE_ONE, 1, "id: all that is known of one, column raw (bytes)")               \
    X(DB_ASK_REPLAY_COUNT, 2, "since, until: how many messages have their mail")                 \
    X(DB_ASK_REPLAY_MESSAGES, 5, "since, until, stream or NULL, after id or NULL, limit")        \
    X(DB_ASK_REPLAY_EVENTS, 4, "since, until, first and last message id")                        \
    X(DB_ASK_FEED, 2, "cursor, limit: changes of the list; -ESTALE: export again")               \
    X(DB_ASK_FEED_POSITION, 1, "time: one row, where the feed stands")                           \
    X(DB_ASK_MAINTENANCE, 0, "what the keeper did last, one row a task")                         \
    X(DB_ASK_LANES, 0, "every lane and its position")                                            \
    X(DB_ASK_COUNTS, 0, "rows: name, count; for `status`")                                       \
    X(DB_ASK_UNMATCHED, 2, "since, until: how many complaints nothing identifies")               \
    X(DB_ASK_VOLUMES, 3, "tenant or NULL, stream or NULL, limit: the latest days first")         \
    X(DB_ASK_REPORT_OPERATOR, 3, "since, until, stream or NULL: bounces by who runs the host")   \
    X(DB_ASK_REPORT_CAMPAIGN, 3, "since, until, stream or NULL: bounces by stream and campaign") \
    X(DB_ASK_REPORT_REASONS, 3, "since, until, stream or NULL: by day, kind, category")          \
    X(DB_ASK_REPORT_SPIKES, 3, "since, until, stream or NULL: hours far from usual")             \
    X(DB_ASK_REPORT_BLOCKS, 3, "since, until, stream or NULL: refusals of ourselves")            \
    X(DB_ASK_REPORT_DIAGNOSTICS, 3,                                                              \
      "since, until, stream or NULL: the words that came most often")                            \
    X(DB_ASK_REPORT_UNCLASSIFIED, 3, "since, until, stream or NULL: words that no rule knows")   \
    X(DB_ASK_REPORT_LATENCY, 3, "since, until, stream or NULL: how long bounces take")           \
    X(DB_ASK_REPORT_RATES, 3, "since, until, stream or NULL: in percent of what was sent")       \
    X(DB_ASK_REPORT_FLOW, 3, "since, until, stream or NULL: on the list and off it")             \
    X(DB_ASK_REPORT_SOFT, 3, "since, until, stream or NULL: those near their threshold")         \
    X(DB_ASK_REPORT_FORGED, 3, "since, until, stream or NULL: attempts without effect")          \
    X(DB_ASK_REPORT_RULES, 3, "since, until, stream or NULL: how often each rule decided")       \
    X(DB_ASK_REPORT_UNMATCHED, 3, "since, until, stream or NULL: complaints by reporter")        \
    X(DB_ASK_REPORT_HELD, 3, "since, until, stream or NULL: what the breaker holds")             \
    X(DB_ASK_CHECK, 5, "addresses, their keys, stream or NULL, tenant or NULL, time")            \
    X(DB_ASK_ALLOWED, 1, "tenant or NULL: the allow-list")                                       \
    X(DB_ASK_WEEKS, 0, "count: how many weeks DB_DO_ERASE_WEEK goes through")                    \
    X(DB_DO_ACT_AS, 1, "name: whom all later changes of this connection are noted for")          \
    X(DB_DO_ADD, 8, "address, tenant, scope, stream, reason, kind, end or NULL, time: did")      \
    X(DB_DO_REMOVE, 7, "address, tenant, scope, stream (or NULL), reason, force, time: rows")    \
    X(DB_DO_ERASE, 3, "address, reason, time: place, rows, complete")                            \
    X(DB_DO_ERASE_WEEK, 2, "address, week from 1: place, rows")                                  \
    X(DB_DO_UNDO, 4, "event, reason or NULL, force, time: what was done")                        \
    X(DB_DO_ALLOW, 4, "address or @domain, tenant, reason, time: rows taken off the list")       \
    X(DB_DO_DISALLOW, 3, "address or @domain, tenant, reason: whether it stood there")           \
    X(DB_DO_DELIVERED, 4, "keys, tenants, streams, times: how many scores began anew")

enum db_question {
#define X(id, parameters, meaning) id,
    DB_QUESTIONS(X)
#undef X
        DB_QUESTION_COUNT
};

enum db_type { DB_TEXT, DB_NUMBER, DB_DECIMAL, DB_BOOL, DB_TIME, DB_BYTES };

struct db_cell {
    struct str text; /* DB_BOOL: "true" or "false"; DB_BYTES: the bytes themselves */
    bool null;
};

struct db_table {
    size_t columns_n;
    const struct str *names;
    const enum db_type *types;
    size_t rows_n;
    const struct db_cell *cells; /* row * columns_n + column */
};

/* Asks, or for DB_DO_ changes, in a transaction of its own; params that are absent strings are
 * NULL, times are microseconds since the epoch in decimal. Lists are a line each; force is "true"
 * or "false". All of *ret lives in a. */
int db_ask(struct db *db, struct arena *a, enum db_question question, const struct str *params,
           size_t params_n, struct db_table *ret, struct err *e);

/* Writes a message that was set aside after it was read again (message->id is its own), and takes
 * it from set_aside, in one transaction. -ENOENT: it is not there (any more). -EINVAL: refused
 * again; it stays. */
int db_set_aside_retried(struct db *db, const struct db_message *message, struct err *e);
/* Forgets it. -ENOENT as above. */
int db_set_aside_drop(struct db *db, struct id message, struct err *e);

#endif
