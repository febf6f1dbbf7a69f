/* pg.h - private to db/: one connection to PostgreSQL; pg.c is the only file that sees libpq.
 *
 * Every wait has an end: connecting (connect_timeout), each call (PG_CALL_MS; the server gives up a
 * little earlier by statement_timeout), a peer that vanished (keepalives, tcp_user_timeout).
 * Errors: those of db.h. -EINVAL is kept for what the data of one call may cause (SQLSTATE classes
 * 21, 22, 23, 44, 54, P0 and XX000): all other refusals would hit the next message too, so they are
 * -EAGAIN, with the server's words. -ESTALE: SQLSTATE class ZF, the feed refuses a cursor. */
#ifndef DB_PG_H
#define DB_PG_H

#include "base/err.h"
#include "base/str.h"

struct pg;
struct pg_result;

enum {
    PG_CALL_MS = 60 * 1000,
    PG_LONG_MS = 3600 * 1000, /* a step of a migration, and the wait for another's */
    PG_PARAMETERS_MAX = 96,
    PG_SQLSTATE = 6, /* bytes of one, with its NUL */
    PG_MISSING_MAX = 120,
};

/* A statement is prepared on its first use on a connection, under its place in pg_statement. */
enum pg_statement {
    PG_LANE_POSITION,
    PG_WRITE,
    PG_SET_ASIDE,
    PG_RETRY,
    PG_DROP,
    PG_PARTITIONS,
    PG_RESOLVE,
    PG_KEEPER,
    PG_FORGET_OLD,
    PG_FORGET_USED,
    PG_EXPIRE,
    PG_BREAKER,
    PG_FEED_DUE,
    PG_FEED_EPOCH,
    PG_FEED_NUMBER,
    PG_MAINTAINED,
    PG_IMPORT_BEGIN,
    PG_IMPORT_PUT,
    PG_IMPORT_END,
    PG_VOLUME_PUT,
    PG_REPLAY,
    PG_FEED_CURSOR,
    PG_INGEST,
    PG_LOG_TOLD,
    PG_LOG_DELIVERED,
    PG_REPLAY_APPLY,
    PG_MIGRATION_KNOWN,
    PG_MIGRATION_NOTE,
    PG_MIGRATION_LIST,
    PG_MIGRATION_VERSION,
    PG_ROLES_MAY,
    PG_ROLES_GRANT,
    PG_ASK, /* + enum db_question */
    PG_STATEMENTS_MAX = 96,
};

int pg_open(const char *conninfo, struct pg **ret, struct err *e);
/* A new connection in place of the old one, which is closed in any case. */
int pg_reset(struct pg *pg, struct err *e);
void pg_free(struct pg *pg);

/* Parameters in PostgreSQL's binary format; p == NULL is NULL. Types are the server's choice, so
 * sql casts where a function does not say. */
struct pg_parameters {
    size_t n;
    const char *values[PG_PARAMETERS_MAX];
    int lengths[PG_PARAMETERS_MAX];
    int formats[PG_PARAMETERS_MAX];
};
/* Adds one; a value over INT32_MAX bytes is our own bug. */
void pg_add(struct pg_parameters *p, struct str value);

/* Runs one statement; rows come in binary format. *ret (free it with pg_result_free) may be NULL
 * when no rows are wanted. */
int pg_call(struct pg *pg, enum pg_statement which, const char *sql,
            const struct pg_parameters *parameters, int limit_ms, struct pg_result **ret,
            struct err *e);
/* Runs statements without parameters, separated by ';', as one transaction unless sql says
 * otherwise; the rows are dropped. */
int pg_script(struct pg *pg, const char *sql, int limit_ms, struct err *e);

/* Runs sql, a COPY ... FROM STDIN, with text as all of its lines. Unlike parameters, they never
 * come into a server's log of statements. */
int pg_copy(struct pg *pg, const char *sql, struct str text, int limit_ms, struct err *e);

/* Waits until the server rings a channel that LISTEN named, until timeout_ms are over, until
 * readable can be read, or until whoever reads from gone went away (-1: no such descriptor).
 * -EAGAIN: the connection is gone. */
int pg_wait(struct pg *pg, int timeout_ms, int readable, int gone, struct err *e);
/* Runs sql, a COPY ... TO STDOUT, and gives each line to line (its end is cut off), which may
 * refuse to go on: what it returns below 0 is passed on. limit_ms is for the whole. */
typedef int (*pg_line_fn)(void *ctx, struct str line, struct err *e);
int pg_copy_out(struct pg *pg, const char *sql, pg_line_fn line, void *ctx, int limit_ms,
                struct err *e);

/* Appends text as an SQL literal, or NULL for the absent string. -EINVAL: it is no text in UTF-8;
 * -ENOBUFS, -ENOMEM as those of buf.h. */
struct buf;
int pg_literal(struct pg *pg, struct buf *sql, struct str text, struct err *e);

/* The statement in this place is prepared anew by its next call, from another text. */
void pg_forget(struct pg *pg, enum pg_statement which);

/* What a call for a function, table or column that the server has not fails with from now on, as
 * -EPROTO; "": with the server's own words. Kept over pg_reset. */
void pg_missing(struct pg *pg, const char *text);

/* Of the last call that failed: five characters, or "" when the server said none. */
const char *pg_sqlstate(const struct pg *pg);

void pg_result_free(struct pg_result *r);
size_t pg_rows(const struct pg_result *r);
size_t pg_columns(const struct pg_result *r);
struct str pg_name(const struct pg_result *r, size_t column);
uint32_t pg_type(const struct pg_result *r, size_t column);
/* The absent string for NULL. Lives as long as r. */
struct str pg_value(const struct pg_result *r, size_t row, size_t column);
/* -EPROTO when it is NULL or not of that size: the schema is not ours. */
int pg_number(const struct pg_result *r, size_t row, size_t column, int64_t *ret, struct err *e);

#endif
