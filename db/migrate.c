#include "db/migrate.h"

#include "base/require.h"
#include "db/handle.h"
#include "db/steps.h"

#include <errno.h>

/* Any number that no other program is likely to lock. */
#define LOCK_SQL                                          \
    "BEGIN; SET LOCAL statement_timeout = 0; "            \
    "SET LOCAL idle_in_transaction_session_timeout = 0; " \
    "SELECT pg_advisory_xact_lock(7021937415306622834)"

enum { FIRST_VERSION_STEPS = 10, LOCKED_UP_MAX = 20 };

/* What was found in the database. */
struct schema {
    unsigned steps;   /* it has had, also those that this program does not know */
    unsigned version; /* 0: none is whole */
    unsigned changed; /* the first step whose content was another one; 0: none */
};

static unsigned steps_of(unsigned version)
{
    return version == 1 ? FIRST_VERSION_STEPS : db_steps_n;
}

static int number_of_row(const struct pg_result *res, size_t row, struct err *e)
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

static int look_steps(struct db *db, struct schema *s, struct err *e)
{
    struct pg_result *res = NULL;
    int rc = pg_call(db->pg, PG_MIGRATION_LIST,
                     "SELECT number::bigint, checksum FROM bouncemx.schema_migration "
                     "ORDER BY number",
                     NULL, PG_CALL_MS, &res, e);
    for (size_t n = 0; rc == 0 && n < pg_rows(res); n++) {
        rc = number_of_row(res, n, e);
        if (s->changed == 0 && n < db_steps_n &&
            !str_eq(pg_value(res, n, 1), str_c(db_steps[n].checksum)))
            s->changed = (unsigned)n + 1;
        s->steps = (unsigned)n + 1;
    }
    pg_result_free(res);
    return rc;
}

static int look_version(struct db *db, unsigned *ret, struct err *e)
{
    struct pg_result *res = NULL;
    int64_t version = 0;
    int rc = pg_call(db->pg, PG_MIGRATION_VERSION, "SELECT bouncemx.schema_version()::bigint", NULL,
                     PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = pg_number(res, 0, 0, &version, e);
    if (rc == 0 && (version < 1 || version > INT32_MAX))
        rc = err_set(e, -EPROTO, "bouncemx.schema_version() is %lld, expected 1 or more",
                     (long long)version);
    if (rc == 0)
        *ret = (unsigned)version;
    pg_result_free(res);
    return rc;
}

static int look(struct db *db, struct schema *ret, struct err *e)
{
    struct pg_result *res = NULL;
    struct schema s = {0};
    int rc = pg_call(db->pg, PG_MIGRATION_KNOWN,
                     "SELECT to_regclass('bouncemx.schema_migration')::text, "
                     "to_regprocedure('bouncemx.schema_version()')::text",
                     NULL, PG_CALL_MS, &res, e);
    bool known = rc == 0 && pg_rows(res) == 1 && !str_is_absent(pg_value(res, 0, 0));
    bool told = rc == 0 && pg_rows(res) == 1 && !str_is_absent(pg_value(res, 0, 1));
    pg_result_free(res);
    if (rc == 0 && known)
        rc = look_steps(db, &s, e);
    if (rc == 0 && told)
        rc = look_version(db, &s.version, e);
    else if (s.steps >= FIRST_VERSION_STEPS)
        s.version = 1;
    if (rc == 0)
        *ret = s;
    return rc;
}

static int check_versions(const struct schema *s, struct err *e)
{
    if (s->version > DB_SCHEMA_VERSION + 1)
        return err_set(
            e, -EPROTO,
            "the schema is of version %u; this program, of version %d, runs on %d to %d: "
            "install a newer bouncemx; nothing was changed",
            s->version, DB_SCHEMA_VERSION, DB_SCHEMA_VERSION - 1, DB_SCHEMA_VERSION + 1);
    return 0;
}

static int check_migratable(const struct schema *s, struct err *e)
{
    int rc = check_versions(s, e);
    if (rc == 0 && s->changed)
        rc = err_set(e, -EPROTO,
                     "step %u (%s) was run here with another content than this program has: the "
                     "database belongs to another build of bouncemx; nothing was changed",
                     s->changed, db_steps[s->changed - 1].name);
    return rc;
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

/* In an open transaction that holds the lock: looks what there is, and runs the next step, if one
 * is missing of the first `last`. */
static int run_next(struct db *db, unsigned last, db_migrate_fn told, void *ctx, struct schema *ret,
                    struct err *e)
{
    int rc = look(db, ret, e);
    if (rc == 0)
        rc = check_migratable(ret, e);
    if (rc < 0 || ret->steps >= last)
        return rc;
    const struct db_step *step = &db_steps[ret->steps];
    if (told)
        told(ctx, step->number, step->name);
    rc = pg_script(db->pg, step->sql, PG_LONG_MS, e);
    if (rc == 0)
        rc = note(db, step, e);
    return rc < 0 ? err_add(e, rc, "step %u (%s)", step->number, step->name) : 0;
}

/* One step, or none when all are there: then *ret says what there is. */
static int migrate_once(struct db *db, unsigned last, db_migrate_fn step, void *ctx,
                        struct schema *ret, bool *ret_locked_up, struct err *e)
{
    int rc = pg_script(db->pg, LOCK_SQL, PG_LONG_MS, e);
    if (rc == 0)
        rc = run_next(db, last, step, ctx, ret, e);
    if (rc == 0)
        rc = pg_script(db->pg, "COMMIT", PG_CALL_MS, e);
    *ret_locked_up = rc < 0 && strncmp(pg_sqlstate(db->pg), "40", 2) == 0;
    if (rc < 0) {
        /* A connection that is lost rolls back by itself; the first failure is what counts. */
        struct err ignored;
        pg_script(db->pg, "ROLLBACK", PG_CALL_MS, &ignored);
    }
    return rc;
}

int db_migrate_to(struct db *db, unsigned to_version, db_migrate_fn step, void *ctx,
                  unsigned *ret_version, struct err *e)
{
    struct schema s = {0};
    unsigned locked_up = 0;
    REQUIRE(to_version >= 1 && to_version <= DB_SCHEMA_VERSION);
    unsigned last = steps_of(to_version);
    /* The turn that finds nothing missing is the last one. */
    for (bool found_all = false; !found_all;) {
        bool again = false;
        int rc = migrate_once(db, last, step, ctx, &s, &again, e);
        if (rc < 0 && !(again && locked_up++ < LOCKED_UP_MAX))
            return rc;
        found_all = rc == 0 && s.steps >= last;
    }
    if (s.steps > last && s.steps <= db_steps_n)
        return err_set(e, -EINVAL,
                       "the schema has had step %u already, which is behind version %u: migrations "
                       "go forward only",
                       s.steps, to_version);
    *ret_version = s.version;
    return 0;
}

int db_migrate(struct db *db, db_migrate_fn step, void *ctx, unsigned *ret_version, struct err *e)
{
    return db_migrate_to(db, DB_SCHEMA_VERSION, step, ctx, ret_version, e);
}

/* ---- what goes together ---- */

int db_schema_check(struct db *db, struct err *e)
{
    struct schema s = {0};
    char missing[PG_MISSING_MAX] = "";
    int rc = look(db, &s, e);
    if (rc == 0)
        rc = check_versions(&s, e);
    if (rc < 0)
        return rc;
    if (s.version == 0 || s.version + 1 < DB_SCHEMA_VERSION)
        return err_set(e, -EPROTO,
                       "the schema is of version %u%s; this program, of version %d, runs on %d to "
                       "%d: run `bouncemx migrate`",
                       s.version, s.version == 0 && s.steps > 0 ? " (not complete)" : "",
                       DB_SCHEMA_VERSION, DB_SCHEMA_VERSION - 1, DB_SCHEMA_VERSION + 1);
    if (s.version < DB_SCHEMA_VERSION)
        snprintf(missing, sizeof(missing),
                 "this needs schema version %d, and the schema is of version %u: run `bouncemx "
                 "migrate`",
                 DB_SCHEMA_VERSION, s.version);
    pg_missing(db->pg, missing);
    db->schema_version = s.version;
    return 0;
}

unsigned db_schema_version(const struct db *db)
{
    return db->schema_version;
}

int db_schema_is_current(struct db *db, struct err *e)
{
    struct schema s = {0};
    int rc = look(db, &s, e);
    if (rc == 0)
        rc = check_migratable(&s, e);
    if (rc == 0 && s.steps < db_steps_n)
        rc = err_set(e, -EPROTO,
                     "the schema is of version %u with %u of %u steps; this program is of version "
                     "%d: run `bouncemx migrate`",
                     s.version, s.steps, db_steps_n, DB_SCHEMA_VERSION);
    return rc;
}

/* ---- roles ---- */

static int may_grant(struct db *db, bool *ret, struct err *e)
{
    struct pg_result *res = NULL;
    int rc = pg_call(db->pg, PG_ROLES_MAY,
                     "SELECT 1 FROM pg_catalog.pg_proc "
                     "WHERE oid = to_regprocedure('bouncemx.grant_roles()') "
                     "AND pg_has_role(proowner, 'USAGE')",
                     NULL, PG_CALL_MS, &res, e);
    if (rc == 0)
        *ret = pg_rows(res) == 1;
    pg_result_free(res);
    return rc;
}

int db_grant_roles(struct db *db, db_roles_fn missing, void *ctx, struct err *e)
{
    struct pg_result *res = NULL;
    bool may = false;
    int rc = may_grant(db, &may, e);
    if (rc == 0 && may)
        rc = pg_call(db->pg, PG_ROLES_GRANT, "SELECT statement FROM bouncemx.grant_roles()", NULL,
                     PG_CALL_MS, &res, e);
    for (size_t i = 0; rc == 0 && res && i < pg_rows(res); i++)
        missing(ctx, pg_value(res, i, 0));
    pg_result_free(res);
    return rc;
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
