/* migrate.h - schema and program: numbered SQL, forward only, and which versions go together.
 *
 * A version of the schema is a set of steps: the first ten are version 1, those behind them version
 * 2. The last step of a version makes bouncemx.schema_version() say its number; a schema without
 * that function is of version 1, or half way to it (version 0). A program of version N runs on
 * schemas N-1, N and N+1, so that of several hosts one after the other can be brought to the next
 * version, whether the schema goes first or last. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "db/db.h"

enum { DB_SCHEMA_VERSION = 2 }; /* of this program */

/* Called for each step that is run, before it. */
typedef void (*db_migrate_fn)(void *ctx, unsigned number, const char *name);

/* Runs what is missing, each step in its own transaction, under an advisory lock (two at once: the
 * second waits). Writers may be at work: a step that locks up with one is run again. The steps are
 * inside the program. A schema of the next version is left as it is. -EPROTO: it is of a version
 * after that, or has had steps of another content; nothing is changed. *ret_version is the schema's
 * version afterwards. */
int db_migrate(struct db *db, db_migrate_fn step, void *ctx, unsigned *ret_version, struct err *e);
/* As db_migrate, no further than to that version. -EINVAL: the schema is of a later one. */
int db_migrate_to(struct db *db, unsigned to_version, db_migrate_fn step, void *ctx,
                  unsigned *ret_version, struct err *e);

/* 0 when program and schema go together; from then on a call for what an older schema has not is
 * -EPROTO with "run `bouncemx migrate`". -EPROTO: they do not, with both versions and what to do.
 */
int db_schema_check(struct db *db, struct err *e);
/* As the last db_schema_check found it; 0: there was none. */
unsigned db_schema_version(const struct db *db);
/* 0 when db_migrate would have nothing to do; -EPROTO with what there is to do. */
int db_schema_is_current(struct db *db, struct err *e);

/* Called with each statement that a superuser has to run before the roles of the schema are there.
 */
typedef void (*db_roles_fn)(void *ctx, struct str statement);
/* Gives the roles bouncemx_writer, _reader and _admin their rights (bouncemx.grant_roles), where
 * the schema has that function and this login is its owner. */
int db_grant_roles(struct db *db, db_roles_fn missing, void *ctx, struct err *e);

/* Makes the partitions that rows received about now (microseconds) and in the days after it need.
 */
int db_partitions(struct db *db, int64_t now, struct err *e);

#endif
