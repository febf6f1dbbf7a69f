#include "db/handle.h"
#include "db/import.h"

#include <errno.h>

enum { ARRAYS = 6, PART_MAX = 64 << 20 };

static int read_counts(const struct pg_result *res, uint64_t counts[VOLUME_OUTCOMES], struct err *e)
{
    static const char *const names[] = {
#define X(id, name) name,
        DB_VOLUME_OUTCOMES(X)
#undef X
    };
    for (size_t row = 0; row < pg_rows(res); row++) {
        int64_t n;
        int rc = pg_number(res, row, 1, &n, e);
        if (rc < 0)
            return rc;
        for (size_t k = 0; k < VOLUME_OUTCOMES; k++)
            if (str_eq(pg_value(res, row, 0), str_c(names[k])))
                counts[k] += (uint64_t)n;
    }
    return 0;
}

int db_volume_put(struct db *db, bool dry, const struct db_volume *rows, size_t n, int64_t now,
                  uint64_t counts[VOLUME_OUTCOMES], struct err *e)
{
    static const enum encode_type types[ARRAYS] = {ENCODE_DATE, ENCODE_TEXT, ENCODE_TEXT,
                                                   ENCODE_TEXT, ENCODE_INT8, ENCODE_INT8};
    char time[ENCODE_NUMBER_MAX];
    struct array a[ARRAYS];
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    int rc = 0;
    for (size_t i = 0; i < ARRAYS; i++) {
        array_init(&a[i], types[i], PART_MAX);
        array_begin(&a[i]);
    }
    for (size_t i = 0; i < n; i++) {
        array_date(&a[0], rows[i].day);
        array_text(&a[1], rows[i].tenant, ROWS_WORD_MAX);
        array_text(&a[2], rows[i].stream, ROWS_WORD_MAX);
        array_text(&a[3], rows[i].mx_operator, ROWS_WORD_MAX);
        array_int8(&a[4], rows[i].sent);
        if (rows[i].delivered < 0)
            array_null(&a[5]);
        else
            array_int8(&a[5], rows[i].delivered);
    }
    pg_add(&p, dry ? STR("\1") : STR("\0"));
    pg_add(&p, encode_time(now, time));
    for (size_t i = 0; i < ARRAYS; i++) {
        int failed = array_end(&a[i]);
        rc = rc < 0 ? rc : failed;
        pg_add(&p, buf_str(&a[i].bytes));
    }
    if (rc < 0)
        rc = err_set(e, -ENOMEM, "volumes");
    else
        rc = pg_call(
            db->pg, PG_VOLUME_PUT,
            "SELECT outcome, count FROM bouncemx.volume_put($1, $2, $3, $4, $5, $6, $7, $8)", &p,
            PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = read_counts(res, counts, e);
    pg_result_free(res);
    for (size_t i = 0; i < ARRAYS; i++)
        array_free(&a[i]);
    return rc;
}
