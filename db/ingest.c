/* ingest.c - messages that came through no journal, and deliveries that the sender told of. */
#include "base/require.h"
#include "db/halving.h"
#include "db/handle.h"

#include <errno.h>

enum { DELIVERIES_BYTES = 64 << 20 };

static int write_once(struct db *db, struct str node, const struct db_message *messages, size_t n,
                      size_t *ret_written, struct err *e)
{
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    struct buf name;
    int64_t written = 0;
    buf_init(&name, ROWS_WORD_MAX);
    int rc = text_safe(&name, node, ROWS_WORD_MAX);
    rc = rc < 0 ? err_set(e, -ENOMEM, "rows of a batch") : rows_encode(&db->rows, messages, n, e);
    if (rc == 0) {
        pg_add(&p, name.n ? buf_str(&name) : STR(""));
        rows_parameters(&db->rows, &p);
        rc = pg_call(db->pg, PG_INGEST, db->ingest_sql, &p, PG_CALL_MS, &res, e);
    }
    if (rc == 0)
        rc = pg_number(res, 0, 0, &written, e);
    if (rc == 0)
        *ret_written = (size_t)written;
    pg_result_free(res);
    buf_free(&name);
    return rc;
}

int db_ingest(struct db *db, struct str node, const struct db_message *messages, size_t n,
              db_refused_fn refused, void *ctx, struct db_ingested *ret, struct err *e)
{
    struct halving h = {.limit = SIZE_MAX};
    *ret = (struct db_ingested){0};
    for (size_t at = 0; at < n;) {
        size_t left = n - at, written = 0;
        size_t k = rows_fit(messages + at, left < h.limit ? left : h.limit);
        int rc = write_once(db, node, messages + at, k, &written, e);
        if (rc == -EINVAL && k > 1) {
            halving_refused(&h, at, k);
            continue;
        }
        if (rc == -EINVAL) {
            ret->refused++;
            refused(ctx, at, e);
            halving_found(&h);
        } else if (rc < 0) {
            return rc;
        } else {
            ret->written += written;
            ret->known += k - written;
            halving_written(&h, at + k);
        }
        at += k;
    }
    return 0;
}

int db_log_told(struct db *db, const uint8_t source[DB_SOURCE], uint64_t *ret, struct err *e)
{
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    int64_t told = 0;
    pg_add(&p, str_of(source, DB_SOURCE));
    int rc =
        pg_call(db->pg, PG_LOG_TOLD, "SELECT bouncemx.log_told_of($1)", &p, PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = pg_number(res, 0, 0, &told, e);
    if (rc == 0)
        *ret = told > 0 ? (uint64_t)told : 0;
    pg_result_free(res);
    return rc;
}

/* The only value is a boolean. */
static int check_stood(const struct pg_result *res, uint64_t before, struct err *e)
{
    struct str stood = pg_value(res, 0, 0);
    if (stood.n == 1 && stood.p[0] == 1)
        return 0;
    return err_set(e, -ESTALE, "delivery %llu of the log was told by somebody else meanwhile",
                   (unsigned long long)before + 1);
}

int db_log_delivered(struct db *db, const uint8_t source[DB_SOURCE], uint64_t before, int64_t now,
                     const struct db_delivery *list, size_t n, struct err *e)
{
    enum { KEYS, TENANTS, STREAMS, TIMES, COLUMNS };
    struct array column[COLUMNS];
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    char number[ENCODE_NUMBER_MAX], time[ENCODE_NUMBER_MAX];
    int rc = 0;
    REQUIRE(n <= DB_DELIVERIES_MAX && before <= INT64_MAX);
    pg_add(&p, str_of(source, DB_SOURCE));
    pg_add(&p, encode_int8((int64_t)before, number));
    pg_add(&p, encode_time(now, time));
    for (size_t i = 0; i < COLUMNS; i++) {
        array_init(&column[i], i == TIMES ? ENCODE_TIMESTAMPTZ : ENCODE_TEXT, DELIVERIES_BYTES);
        array_begin(&column[i]);
    }
    for (size_t i = 0; i < n; i++) {
        array_text(&column[KEYS], list[i].key, ROWS_KEY_MAX);
        array_text(&column[TENANTS], list[i].tenant.n ? list[i].tenant : STR(""), ROWS_WORD_MAX);
        array_text(&column[STREAMS], list[i].stream.n ? list[i].stream : STR(""), ROWS_WORD_MAX);
        array_time(&column[TIMES], list[i].time);
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        if (array_end(&column[i]) < 0)
            rc = err_set(e, -ENOMEM, "deliveries of a batch");
        pg_add(&p, buf_str(&column[i].bytes));
    }
    if (rc == 0)
        rc = pg_call(db->pg, PG_LOG_DELIVERED,
                     "SELECT bouncemx.log_delivered($1, $2, $3, $4, $5, $6, $7)", &p, PG_CALL_MS,
                     &res, e);
    if (rc == 0)
        rc = check_stood(res, before, e);
    pg_result_free(res);
    for (size_t i = 0; i < COLUMNS; i++)
        array_free(&column[i]);
    return rc;
}
