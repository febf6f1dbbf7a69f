#include "db/migrate.h"

#include "db/handle.h"
#include "db/steps.h"

#include <errno.h>

/* Any number that no other program is likely to lock. */
#define LOCK_SQL                                          \
    "BEGIN; SET LOCAL statement_timeout = 0; "            \
    "SET LOCAL idle_in_transaction_session_timeout = 0; " \
    "SELECT pg_advisory_xact_lock(7021937415306622834)"

static int version_of_row(const struct pg_result *res, size_t row, struct err *e)
{
    int64_t number;
    int rc = pg_number(res, row, 0, &number, e);
    if (rc < 0)
        return rc;
    if (number != (int64_t)row + 1)
        return err_set(e, -EPROTO, "bouncemx.schema_migration has step %lld where %zu was expected",
                       (long long)number, row + 1);
    return 0;
}

/* The steps that the database has had; *ret_changed is the first whose content was another one, or
 * 0. */
static int applied(struct db *db, unsigned *ret_version, unsigned *ret_changed, struct err *e)
{
    struct pg_result *res = NULL;
    size_t n = 0;
    unsigned changed = 0;
    int rc =
        pg_call(db->pg, PG_MIGRATION_KNOWN, "SELECT to_regclass('bouncemx.schema_migration')::text",
                NULL, PG_CALL_MS, &res, e);
    bool known = rc == 0 && pg_rows(res) == 1 && !str_is_absent(pg_value(res, 0, 0));
    pg_result_free(res);
    res = NULL;
    if (known)
        rc = pg_call(db->pg, PG_MIGRATION_LIST,
                     "SELECT number::bigint, checksum FROM bouncemx.schema_migration "
                     "ORDER BY number",
                     NULL, PG_CALL_MS, &res, e);
    for (n = 0; rc == 0 && res && n < pg_rows(res); n++) {
        rc = version_of_row(res, n, e);
        if (rc == 0 && changed == 0 && n < db_steps_n &&
            !str_eq(pg_value(res, n, 1), str_c(db_steps[n].checksum)))
            changed = (unsigned)n + 1;
    }
    pg_result_free(res);
    if (rc == 0) {
        *ret_version = (unsigned)n;
        *ret_changed = changed;
    }
    return rc;
}

static int check_known(unsigned version, unsigned changed, struct err *e)
{
    if (version > db_steps_n)
        return err_set(e, -EPROTO,
                       "the schema is of version %u, this program knows up to %u: run a newer "
                       "bouncemx; nothing was changed",
                       version, db_steps_n);
    if (changed)
        return err_set(e, -EPROTO,
                       "step %u (%s) was run here with another content than this program has: the "
                       "database belongs to another build of bouncemx; nothing was changed",
                       changed, db_steps[changed - 1].name);
    return 0;
}

static int note(struct db *db, const struct db_step *step, struct err *e)
{
    struct pg_parameters p = {0};
    char number[ENCODE_NUMBER_MAX];
    pg_add(&p, encode_int4((int32_t)step->number, number));
    pg_add(&p, str_c(step->name));
    pg_add(&p, str_c(step->checksum));
    return pg_call(db->pg, PG_MIGRATION_NOTE,
                   "INSERT INTO bouncemx.schema_migration (number, name, checksum) "
                   "VALUES ($1, $2, $3)",
                   &p, PG_CALL_MS, NULL, e);
}

/* In an open transaction that holds the lock: runs the next step, if one is missing. */
static int run_next(struct db *db, db_migrate_fn told, void *ctx, unsigned *ret_version,
                    struct err *e)
{
    unsigned version = 0, changed = 0;
    int rc = applied(db, &version, &changed, e);
    if (rc == 0)
        rc = check_known(version, changed, e);
    if (rc < 0)
        return rc;
    if (version < db_steps_n) {
        const struct db_step *step = &db_steps[version];
        if (told)
            told(ctx, step->number, step->name);
        rc = pg_script(db->pg, step->sql, PG_LONG_MS, e);
        if (rc == 0)
            rc = note(db, step, e);
        if (rc < 0)
            return err_add(e, rc, "step %u (%s)", step->number, step->name);
        version++;
    }
    *ret_version = version;
    return 0;
}

int db_migrate(struct db *db, db_migrate_fn step, void *ctx, unsigned *ret_version, struct err *e)
{
    unsigned version = 0;
    for (unsigned i = 0; i <= db_steps_n && version < db_steps_n; i++) {
        int rc = pg_script(db->pg, LOCK_SQL, PG_LONG_MS, e);
        if (rc == 0)
            rc = run_next(db, step, ctx, &version, e);
        if (rc == 0)
            rc = pg_script(db->pg, "COMMIT", PG_CALL_MS, e);
        if (rc < 0) {
            /* A connection that is lost rolls back by itself; the first failure is what counts. */
            struct err ignored;
            pg_script(db->pg, "ROLLBACK", PG_CALL_MS, &ignored);
            return rc;
        }
    }
    *ret_version = version;
    return 0;
}

int db_schema_check(struct db *db, struct err *e)
{
    unsigned version = 0, changed = 0;
    int rc = applied(db, &version, &changed, e);
    if (rc < 0)
        return rc;
    if (version < db_steps_n)
        return err_set(e, -EPROTO,
                       "the schema is of version %u, this program needs %u: run `bouncemx migrate`",
                       version, db_steps_n);
    if (version > db_steps_n)
        return err_set(e, -EPROTO,
                       "the schema is of version %u, this program knows up to %u: run a newer "
                       "bouncemx",
                       version, db_steps_n);
    return 0;
}

int db_partitions(struct db *db, int64_t now, struct err *e)
{
    struct pg_parameters p = {0};
    char time[ENCODE_NUMBER_MAX];
    pg_add(&p, encode_time(now, time));
    /* Mail that waits in a journal is a little older; a host that maintains nothing for a fortnight
     * still finds its partitions. */
    return pg_call(db->pg, PG_PARTITIONS,
                   "SELECT bouncemx.ensure_partitions($1::timestamptz - interval '3 days', "
                   "$1::timestamptz + interval '14 days')",
                   &p, PG_CALL_MS, NULL, e);
}
