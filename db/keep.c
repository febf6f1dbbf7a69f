#include "db/keep.h"

#include "db/handle.h"

#include <stdio.h>

/* A call whose answer is one bigint. */
static int call(struct db *db, enum pg_statement which, const char *sql,
                const struct pg_parameters *p, int64_t *ret, struct err *e)
{
    struct pg_result *res = NULL;
    int rc = pg_call(db->pg, which, sql, p, PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = pg_number(res, 0, 0, ret, e);
    pg_result_free(res);
    return rc;
}

int db_become_keeper(struct db *db, struct str node, int64_t now, int64_t idle, bool *ret,
                     struct err *e)
{
    struct pg_parameters p = {0};
    char sql[256], time[ENCODE_NUMBER_MAX];
    long long idle_ms = idle / 1000;
    int64_t is_keeper = 0;
    snprintf(sql, sizeof(sql),
             "SET idle_session_timeout = %lld; SET idle_in_transaction_session_timeout = %lld; "
             "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; "
             "SET tcp_keepalives_count = 3",
             idle_ms, idle_ms);
    pg_add(&p, node);
    pg_add(&p, encode_time(now, time));
    int rc = call(db, PG_KEEPER, "SELECT bouncemx.become_keeper($1, $2)::integer::bigint", &p,
                  &is_keeper, e);
    if (rc == 0 && is_keeper)
        rc = pg_script(db->pg, sql, PG_CALL_MS, e);
    if (rc == 0)
        *ret = is_keeper != 0;
    return rc;
}

/* The transaction's snapshot decides what is numbered: nothing of it may be seen before. */
static int number(struct db *db, uint64_t limit, int64_t *ret, struct err *e)
{
    struct pg_parameters p = {0};
    char n[ENCODE_NUMBER_MAX];
    pg_add(&p, encode_int8((int64_t)limit, n));
    int rc = pg_script(db->pg, "BEGIN ISOLATION LEVEL REPEATABLE READ", PG_CALL_MS, e);
    if (rc == 0)
        rc = call(db, PG_FEED_NUMBER, "SELECT bouncemx.feed_number($1)", &p, ret, e);
    if (rc == 0)
        return pg_script(db->pg, "COMMIT", PG_CALL_MS, e);
    struct err ignored;
    pg_script(db->pg, "ROLLBACK", PG_CALL_MS, &ignored);
    return rc;
}

int db_feed_round(struct db *db, uint64_t limit, size_t *ret, unsigned *ret_epoch, struct err *e)
{
    struct pg_result *res = NULL;
    int64_t numbered = 0, epoch = 0;
    int rc = pg_call(db->pg, PG_FEED_DUE, "SELECT bouncemx.feed_due()", NULL, PG_CALL_MS, &res, e);
    struct str due = rc == 0 && pg_rows(res) == 1 ? pg_value(res, 0, 0) : (struct str){NULL, 0};
    if (rc == 0 && str_eq(due, STR("epoch")))
        rc = call(db, PG_FEED_EPOCH, "SELECT bouncemx.feed_new_epoch()::bigint", NULL, &epoch, e);
    else if (rc == 0 && str_eq(due, STR("changes")))
        rc = number(db, limit, &numbered, e);
    pg_result_free(res);
    if (rc == 0) {
        *ret = (size_t)numbered;
        *ret_epoch = (unsigned)epoch;
    }
    return rc;
}

int db_forget_old(struct db *db, int64_t now, const struct db_retention *keep, size_t *ret,
                  struct err *e)
{
    const int64_t times[] = {keep->evidence, keep->events, keep->feed};
    struct pg_parameters p = {0};
    char time[ENCODE_NUMBER_MAX], numbers[3][ENCODE_NUMBER_MAX];
    int64_t n = 0;
    pg_add(&p, encode_time(now, time));
    for (size_t i = 0; i < 3; i++)
        pg_add(&p, times[i] ? encode_int8(times[i], numbers[i]) : (struct str){NULL, 0});
    int rc = call(db, PG_FORGET_OLD,
                  "SELECT bouncemx.forget_old($1, $2::bigint * interval '1 microsecond', "
                  "$3::bigint * interval '1 microsecond', $4::bigint * interval '1 microsecond')",
                  &p, &n, e);
    if (rc == 0)
        *ret = (size_t)n;
    return rc;
}

/* A call that takes the time and says how much it did. */
static int call_at(struct db *db, enum pg_statement which, const char *sql, int64_t now,
                   size_t *ret, struct err *e)
{
    struct pg_parameters p = {0};
    char time[ENCODE_NUMBER_MAX];
    int64_t n = 0;
    pg_add(&p, encode_time(now, time));
    int rc = call(db, which, sql, &p, &n, e);
    if (rc == 0)
        *ret = (size_t)n;
    return rc;
}

int db_forget_used(struct db *db, int64_t now, size_t *ret, struct err *e)
{
    return call_at(db, PG_FORGET_USED, "SELECT bouncemx.forget_used($1)::bigint", now, ret, e);
}

int db_expire(struct db *db, int64_t now, size_t *ret, struct err *e)
{
    return call_at(db, PG_EXPIRE, "SELECT bouncemx.expire_suppressions($1, 1000)", now, ret, e);
}

int db_breaker_judge(struct db *db, int64_t now, size_t *ret, struct err *e)
{
    return call_at(db, PG_BREAKER,
                   "SELECT opened + held + released + removed FROM bouncemx.breaker_judge($1)", now,
                   ret, e);
}

int db_maintained(struct db *db, const char *task, struct str node, int64_t now, size_t did,
                  struct str failure, struct err *e)
{
    struct pg_parameters p = {0};
    char time[ENCODE_NUMBER_MAX], n[ENCODE_NUMBER_MAX];
    pg_add(&p, str_c(task));
    pg_add(&p, node);
    pg_add(&p, encode_time(now, time));
    pg_add(&p, encode_int8((int64_t)did, n));
    pg_add(&p, failure);
    return pg_call(db->pg, PG_MAINTAINED, "SELECT bouncemx.maintained($1, $2, $3, $4, $5)", &p,
                   PG_CALL_MS, NULL, e);
}

int db_listen(struct db *db, struct err *e)
{
    return pg_script(db->pg, "LISTEN bouncemx_feed", PG_CALL_MS, e);
}

int db_wait(struct db *db, int timeout_ms, int readable, int gone, struct err *e)
{
    return pg_wait(db->pg, timeout_ms, readable, gone, e);
}
