/* import.h - the list from files of others, the list as a file, and volumes told by the sender.
 *
 * Behind it: bouncemx.import_begin, import_put, import_end, exported, volume_put (migrations/).
 * Errors: those of db.h. */
#ifndef DB_IMPORT_H
#define DB_IMPORT_H

#include "db/db.h"

enum { DB_IMPORT_ID = 32, DB_IMPORT_BATCH = 5000 };

/* SHA-256 of what can be read from fd, from its begin, and of the options. -EIO and the like: it
 * can't be read. */
int db_import_id(int fd, struct str options, uint8_t ret[DB_IMPORT_ID], struct err *e);

struct db_import_job {
    uint8_t id[DB_IMPORT_ID];
    struct str file;
    struct str format;
    struct str actor;
};

struct db_import_state {
    uint64_t records; /* done already, from the begin */
    uint64_t refused; /* by the program, among them */
    bool ended;
    int64_t ended_at;
};

/* Begins, or finds one that began: then it goes on behind ret->records. again: one that has ended
 * begins anew. */
int db_import_begin(struct db *db, const struct db_import_job *job, bool again, int64_t now,
                    struct db_import_state *ret, struct err *e);

/* A row to put on the list. Absent strings are NULL; words are those of the schema's enums. */
struct db_import_row {
    struct str key, address, tenant, scope, stream, kind;
    struct str class, category, confidence, rule, mx_operator;
    struct str status, diagnostic, reason;
    int64_t event_at;
    int64_t expires_at; /* CLOCK_UNKNOWN: never */
};

#define DB_IMPORT_OUTCOMES(X)      \
    X(IMPORT_NEW, "new")           \
    X(IMPORT_WIDER, "wider")       \
    X(IMPORT_LONGER, "longer")     \
    X(IMPORT_STRONGER, "stronger") \
    X(IMPORT_RELEASED, "released") \
    X(IMPORT_STANDING, "standing") \
    X(IMPORT_ALLOWED, "allowed")   \
    X(IMPORT_ERASED, "erased")

enum db_import_outcome {
#define X(id, name) id,
    DB_IMPORT_OUTCOMES(X)
#undef X
        IMPORT_OUTCOMES
};

struct db_import_counts {
    uint64_t n[IMPORT_OUTCOMES];
};

/* Which records of the file the rows come from. */
struct db_import_span {
    uint64_t from, to;
    uint64_t refused; /* records that gave no row */
};

/* Of a row that the database refused: its place among the rows, from 0. */
typedef void (*db_import_refused_fn)(void *ctx, size_t place, enum db_import_outcome why);

/* Puts the rows on the list and moves the job, in one transaction. dry: changes nothing. Adds to
 * *counts. -EINVAL too when another import of the same file has moved the job. */
int db_import_put(struct db *db, const struct db_import_job *job, bool dry,
                  const struct db_import_span *span, const struct db_import_row *rows, size_t n,
                  int64_t now, struct db_import_counts *counts, db_import_refused_fn refused,
                  void *ctx, struct err *e);

int db_import_end(struct db *db, const struct db_import_job *job, int64_t now, struct err *e);

/* ---- export ---- */

/* The columns of bouncemx.exported, in its order. */
#define DB_EXPORT_COLUMNS(X)           \
    X(EXPORT_ADDRESS, "address")       \
    X(EXPORT_TENANT, "tenant")         \
    X(EXPORT_SCOPE, "scope")           \
    X(EXPORT_STREAM, "stream")         \
    X(EXPORT_KIND, "kind")             \
    X(EXPORT_CLASS, "class")           \
    X(EXPORT_CATEGORY, "category")     \
    X(EXPORT_CONFIDENCE, "confidence") \
    X(EXPORT_STATE, "state")           \
    X(EXPORT_ORIGIN, "origin")         \
    X(EXPORT_RULE, "rule")             \
    X(EXPORT_OPERATOR, "operator")     \
    X(EXPORT_STATUS, "status")         \
    X(EXPORT_DIAGNOSTIC, "diagnostic") \
    X(EXPORT_EVENT_ID, "event_id")     \
    X(EXPORT_EVENT_AT, "event_at")     \
    X(EXPORT_CREATED_AT, "created_at") \
    X(EXPORT_EXPIRES_AT, "expires_at") \
    X(EXPORT_REASON, "reason")         \
    X(EXPORT_ACTOR, "actor")

enum db_export_column {
#define X(id, name) id,
    DB_EXPORT_COLUMNS(X)
#undef X
        EXPORT_COLUMNS
};

struct db_export {
    struct str tenant; /* absent: of all */
    struct str stream; /* absent: of all */
    bool pending;      /* those that wait, too */
    int64_t now;
    /* The feed's number that the snapshot stands at: called once, before the rows. */
    int (*begin)(void *ctx, struct str cursor, struct err *e);
    /* Each row; absent cells are NULL, times are RFC 3339 in UTC. Cells live until it returns. */
    int (*row)(void *ctx, const struct str cells[EXPORT_COLUMNS], struct err *e);
    void *ctx;
};

/* The list as one snapshot sees it, in no order. What begin or row returns below 0 ends it. */
int db_export(struct db *db, const struct db_export *what, struct err *e);

/* ---- volume ---- */

struct db_volume {
    uint32_t day; /* since 1970-01-01 */
    struct str tenant, stream, mx_operator;
    int64_t sent;
    int64_t delivered; /* below 0: not told */
};

#define DB_VOLUME_OUTCOMES(X)      \
    X(VOLUME_NEW, "new")           \
    X(VOLUME_CHANGED, "changed")   \
    X(VOLUME_STANDING, "standing") \
    X(VOLUME_REPEATED, "repeated")

enum db_volume_outcome {
#define X(id, name) id,
    DB_VOLUME_OUTCOMES(X)
#undef X
        VOLUME_OUTCOMES
};

/* Adds to counts. */
int db_volume_put(struct db *db, bool dry, const struct db_volume *rows, size_t n, int64_t now,
                  uint64_t counts[VOLUME_OUTCOMES], struct err *e);

#endif
