/* ingest.c - messages that came through no journal, and deliveries that the sender told of. */
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

int db_delivered(struct db *db, const struct db_delivery *list, size_t n, struct err *e)
{
    enum { KEYS, TENANTS, STREAMS, TIMES, COLUMNS };
    struct array column[COLUMNS];
    struct pg_parameters p = {0};
    int rc = 0;
    for (size_t i = 0; i < COLUMNS; i++) {
        array_init(&column[i], i == TIMES ? ENCODE_TIMESTAMPTZ : ENCODE_TEXT, DELIVERIES_BYTES);
        array_begin(&column[i]);
    }
    for (size_t i = 0; i < n && i < DB_DELIVERIES_MAX; i++) {
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
        rc = pg_call(db->pg, PG_DELIVERED, "SELECT bouncemx.delivered($1, $2, $3, $4)", &p,
                     PG_CALL_MS, NULL, e);
    for (size_t i = 0; i < COLUMNS; i++)
        array_free(&column[i]);
    return rc;
}
