/* migrate.h - brings the schema to this program's version: numbered SQL, forward only. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "db/db.h"

/* Called for each step that is run, before it. */
typedef void (*db_migrate_fn)(void *ctx, unsigned number, const char *name);

/* Runs what is missing, each in its own transaction, under an advisory lock (two at once: the
 * second waits). The steps are inside the program. -EPROTO: the schema has steps that this program
 * does not know; nothing is changed. *ret_version is the version after it. */
int db_migrate(struct db *db, db_migrate_fn step, void *ctx, unsigned *ret_version, struct err *e);

/* 0 when schema and program are of the same version; -EPROTO with both numbers and what to do. */
int db_schema_check(struct db *db, struct err *e);

/* Makes the partitions that rows received about now (microseconds) and in the days after it need.
 */
int db_partitions(struct db *db, int64_t now, struct err *e);

#endif
