#include "base/require.h"
#include "db/halving.h"
#include "db/handle.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the connection ---- */

int db_open(const char *conninfo, struct db **ret, struct err *e)
{
    struct db *db = calloc(1, sizeof(*db));
    if (!db)
        return err_set(e, -ENOMEM, "connection to PostgreSQL");
    rows_init(&db->rows);
    rows_sql(db->write_sql, sizeof(db->write_sql),
             "SELECT CASE WHEN bouncemx.lane_move($1, $2, $3, $4, $5, $6, $7) "
             "THEN bouncemx.write_messages($3, ",
             8, ") END");
    rows_sql(db->retry_sql, sizeof(db->retry_sql), "SELECT bouncemx.write_messages(taken.node, ", 2,
             ") FROM bouncemx.set_aside_take($1) AS taken (node) WHERE taken.node IS NOT NULL");
    rows_sql(db->ingest_sql, sizeof(db->ingest_sql), "SELECT bouncemx.write_messages($1, ", 2, ")");
    int rc = pg_open(conninfo, &db->pg, e);
    if (rc < 0) {
        db_free(db);
        return rc;
    }
    *ret = db;
    return 0;
}

int db_reset(struct db *db, struct err *e)
{
    return pg_reset(db->pg, e);
}

void db_free(struct db *db)
{
    if (!db)
        return;
    pg_free(db->pg);
    rows_free(&db->rows);
    free(db);
}

/* ---- a lane's position ---- */

static int lane_parameters(struct lane_values *v, const struct db_lane *lane,
                           struct pg_parameters *p, struct err *e)
{
    buf_init(&v->node, ROWS_WORD_MAX);
    int rc = text_safe(&v->node, lane->node, ROWS_WORD_MAX);
    if (rc < 0)
        return err_set(e, -ENOMEM, "position of a lane");
    REQUIRE(lane->lane <= INT32_MAX);
    pg_add(p, str_of(lane->journal.b, sizeof(lane->journal.b)));
    pg_add(p, encode_int4((int32_t)lane->lane, v->lane));
    pg_add(p, v->node.n ? buf_str(&v->node) : STR(""));
    return 0;
}

int db_position_parameter(char number[2][ENCODE_NUMBER_MAX], struct db_position position,
                          struct pg_parameters *p, struct err *e)
{
    if (position.segment > INT64_MAX || position.offset > INT64_MAX)
        return err_set(e, -ERANGE, "position %llu, %llu is over what a bigint holds",
                       (unsigned long long)position.segment, (unsigned long long)position.offset);
    pg_add(p, encode_int8((int64_t)position.segment, number[0]));
    pg_add(p, encode_int8((int64_t)position.offset, number[1]));
    return 0;
}

int db_move_parameters(struct lane_values *v, const struct db_lane *lane, struct db_position from,
                       struct db_position to, struct pg_parameters *p, struct err *e)
{
    int rc = lane_parameters(v, lane, p, e);
    if (rc == 0)
        rc = db_position_parameter(v->position, from, p, e);
    if (rc == 0)
        rc = db_position_parameter(v->position + 2, to, p, e);
    return rc;
}

int db_lane_position(struct db *db, const struct db_lane *lane, struct db_position *ret,
                     struct err *e)
{
    struct pg_parameters p = {0};
    struct lane_values values = {0};
    struct pg_result *res = NULL;
    int64_t segment = 0, offset = 0;
    int rc = lane_parameters(&values, lane, &p, e);
    if (rc == 0)
        rc = pg_call(db->pg, PG_LANE_POSITION,
                     "SELECT segment, byte_offset FROM bouncemx.lane_position_of($1, $2, $3)", &p,
                     PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = pg_number(res, 0, 0, &segment, e);
    if (rc == 0)
        rc = pg_number(res, 0, 1, &offset, e);
    if (rc == 0 && (segment < 0 || offset < 0))
        rc = err_set(e, -EPROTO, "position %lld, %lld of the lane is negative", (long long)segment,
                     (long long)offset);
    if (rc == 0)
        *ret = (struct db_position){(uint64_t)segment, (uint64_t)offset};
    pg_result_free(res);
    buf_free(&values.node);
    return rc;
}

/* ---- batches ---- */

int db_check_moved(const struct pg_result *res, const struct db_lane *lane, struct db_position from,
                   struct err *e)
{
    if (pg_rows(res) == 1 && pg_columns(res) == 1 && !str_is_absent(pg_value(res, 0, 0)))
        return 0;
    return err_set(e, -ESTALE, "lane %u does not stand at segment %llu, offset %llu", lane->lane,
                   (unsigned long long)from.segment, (unsigned long long)from.offset);
}

/* What the server said against the rows. */
struct refusal {
    struct err err;
    char sqlstate[PG_SQLSTATE];
};

static int write_once(struct db *db, const struct db_lane *lane, struct db_position from,
                      const struct db_message *messages, size_t n, struct refusal *refusal)
{
    struct err *e = &refusal->err;
    struct pg_parameters p = {0};
    struct lane_values values = {0};
    struct pg_result *res = NULL;
    int rc = rows_encode(&db->rows, messages, n, e);
    if (rc == 0)
        rc = db_move_parameters(&values, lane, from, messages[n - 1].next, &p, e);
    if (rc == 0) {
        rows_parameters(&db->rows, &p);
        rc = pg_call(db->pg, PG_WRITE, db->write_sql, &p, PG_CALL_MS, &res, e);
        snprintf(refusal->sqlstate, sizeof(refusal->sqlstate), "%s", pg_sqlstate(db->pg));
    }
    if (rc == 0)
        rc = db_check_moved(res, lane, from, e);
    pg_result_free(res);
    buf_free(&values.node);
    return rc;
}

int db_write(struct db *db, const struct db_lane *lane, struct db_position from,
             const struct db_message *messages, size_t n, struct db_position *ret_position,
             struct db_written *ret, struct err *e)
{
    struct halving h = {.limit = SIZE_MAX};
    *ret = (struct db_written){0};
    *ret_position = from;
    for (size_t at = 0; at < n;) {
        size_t left = n - at;
        size_t k = rows_fit(messages + at, left < h.limit ? left : h.limit);
        struct refusal refusal = {0};
        int rc = write_once(db, lane, *ret_position, messages + at, k, &refusal);
        if (rc == -EINVAL && k > 1) {
            halving_refused(&h, at, k);
            continue;
        }
        if (rc == -EINVAL) {
            rc = db_set_aside_as(db, lane, *ret_position, &messages[at], str_c(refusal.err.text),
                                 str_c(refusal.sqlstate), e);
            if (rc < 0)
                return rc;
            ret->set_aside++;
            ret->last_refusal = refusal.err;
            halving_found(&h);
        } else if (rc < 0) {
            return err_set(e, rc, "%s", refusal.err.text);
        } else {
            ret->messages += k;
            halving_written(&h, at + k);
        }
        at += k;
        *ret_position = messages[at - 1].next;
    }
    return 0;
}

int db_resolve_waiting(struct db *db, int64_t now, size_t *ret, struct err *e)
{
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    char time[ENCODE_NUMBER_MAX];
    int64_t n = 0;
    pg_add(&p, encode_time(now, time));
    int rc = pg_call(db->pg, PG_RESOLVE,
                     "SELECT bouncemx.resolve_waiting($1::timestamptz - interval '1 hour', 5000)",
                     &p, PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = pg_number(res, 0, 0, &n, e);
    if (rc == 0)
        *ret = (size_t)n;
    pg_result_free(res);
    return rc;
}
