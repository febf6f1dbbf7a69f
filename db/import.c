#include "db/import.h"

#include "base/clock.h"
#include "db/content.h"
#include "db/handle.h"

#include <errno.h>

_Static_assert((size_t)DB_IMPORT_ID == CONTENT_HASH, "an import is known by SHA-256");

#define EPOCH_2000 (INT64_C(946684800) * CLOCK_SECOND)

enum { ARRAYS = 16, PART_MAX = 256 << 20 };

int db_import_id(int fd, struct str options, uint8_t ret[DB_IMPORT_ID], struct err *e)
{
    int rc = content_of_file(fd, options, ret);
    return rc < 0 ? err_sys(e, rc, "reading it") : 0;
}

/* ---- the job ---- */

/* Texts of a job made fit for PostgreSQL. */
struct job_texts {
    struct buf file, format, actor;
};

static int texts_init(struct job_texts *t, const struct db_import_job *job)
{
    buf_init(&t->file, ROWS_WORD_MAX + 1);
    buf_init(&t->format, ROWS_WORD_MAX + 1);
    buf_init(&t->actor, ROWS_WORD_MAX + 1);
    int rc = buf_reserve(&t->file, 1); /* so that an empty one is not NULL */
    if (rc == 0)
        rc = buf_reserve(&t->actor, 1);
    if (rc == 0)
        rc = text_safe(&t->file, job->file, ROWS_WORD_MAX);
    if (rc == 0)
        rc = text_safe(&t->format, job->format, ROWS_WORD_MAX);
    return rc == 0 ? text_safe(&t->actor, job->actor, ROWS_WORD_MAX) : rc;
}

static void texts_free(struct job_texts *t)
{
    buf_free(&t->file);
    buf_free(&t->format);
    buf_free(&t->actor);
}

int db_import_begin(struct db *db, const struct db_import_job *job, bool again, int64_t now,
                    struct db_import_state *ret, struct err *e)
{
    char time[ENCODE_NUMBER_MAX];
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    struct job_texts t;
    int64_t records = 0, refused = 0, ended = 0;
    int rc = texts_init(&t, job);
    if (rc < 0)
        rc = err_set(e, -ENOMEM, "import");
    pg_add(&p, str_of(job->id, DB_IMPORT_ID));
    pg_add(&p, buf_str(&t.file));
    pg_add(&p, buf_str(&t.format));
    pg_add(&p, buf_str(&t.actor));
    pg_add(&p, again ? STR("\1") : STR("\0"));
    pg_add(&p, encode_time(now, time));
    if (rc == 0)
        rc = pg_call(db->pg, PG_IMPORT_BEGIN,
                     "SELECT records, refused, ended_at "
                     "FROM bouncemx.import_begin($1, $2, $3, $4, $5, $6)",
                     &p, PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = pg_number(res, 0, 0, &records, e);
    if (rc == 0)
        rc = pg_number(res, 0, 1, &refused, e);
    bool done = rc == 0 && !str_is_absent(pg_value(res, 0, 2));
    if (done)
        rc = pg_number(res, 0, 2, &ended, e);
    if (rc == 0)
        *ret = (struct db_import_state){(uint64_t)records, (uint64_t)refused, done,
                                        done ? ended + EPOCH_2000 : CLOCK_UNKNOWN};
    pg_result_free(res);
    texts_free(&t);
    return rc;
}

int db_import_end(struct db *db, const struct db_import_job *job, int64_t now, struct err *e)
{
    char time[ENCODE_NUMBER_MAX];
    struct pg_parameters p = {0};
    pg_add(&p, str_of(job->id, DB_IMPORT_ID));
    pg_add(&p, encode_time(now, time));
    return pg_call(db->pg, PG_IMPORT_END, "SELECT bouncemx.import_end($1, $2)", &p, PG_CALL_MS,
                   NULL, e);
}

/* ---- rows ---- */

static void time_or_null(struct array *a, int64_t time)
{
    if (time == CLOCK_UNKNOWN)
        array_null(a);
    else
        array_time(a, time);
}

static void add_row(struct array a[ARRAYS], const struct db_import_row *r)
{
    const struct str words[] = {r->key,        r->address, r->tenant,      r->scope,
                                r->stream,     r->kind,    r->class,       r->category,
                                r->confidence, r->rule,    r->mx_operator, r->status};
    size_t i = 0;
    for (; i < sizeof(words) / sizeof(words[0]); i++)
        array_text(&a[i], words[i], ROWS_WORD_MAX);
    array_text(&a[i++], r->diagnostic, ROWS_TEXT_MAX);
    array_time(&a[i++], r->event_at);
    time_or_null(&a[i++], r->expires_at);
    array_text(&a[i], r->reason, ROWS_WORD_MAX);
}

/* The answers: outcome, place or NULL, count. */
static int read_outcomes(const struct pg_result *res, struct db_import_counts *counts,
                         db_import_refused_fn refused, void *ctx, struct err *e)
{
    static const char *const names[] = {
#define X(id, name) name,
        DB_IMPORT_OUTCOMES(X)
#undef X
    };
    for (size_t row = 0; row < pg_rows(res); row++) {
        struct str word = pg_value(res, row, 0);
        int64_t place = 0, count = 0;
        size_t k = 0;
        while (k < IMPORT_OUTCOMES && !str_eq(word, str_c(names[k])))
            k++;
        if (k == IMPORT_OUTCOMES)
            return err_set(e, -EPROTO, "bouncemx.import_put answers with the unknown outcome %.*s",
                           STR_ARG(word));
        int rc = pg_number(res, row, 2, &count, e);
        if (rc == 0 && !str_is_absent(pg_value(res, row, 1))) {
            rc = pg_number(res, row, 1, &place, e);
            if (rc == 0)
                refused(ctx, (size_t)place - 1, (enum db_import_outcome)k);
        }
        if (rc < 0)
            return rc;
        counts->n[k] += (uint64_t)count;
    }
    return 0;
}

int db_import_put(struct db *db, const struct db_import_job *job, bool dry,
                  const struct db_import_span *span, const struct db_import_row *rows, size_t n,
                  int64_t now, struct db_import_counts *counts, db_import_refused_fn refused,
                  void *ctx, struct err *e)
{
    char number[4][ENCODE_NUMBER_MAX];
    struct array a[ARRAYS];
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    struct job_texts t;
    int rc = texts_init(&t, job);
    for (size_t i = 0; i < ARRAYS; i++) {
        array_init(&a[i], i == 13 || i == 14 ? ENCODE_TIMESTAMPTZ : ENCODE_TEXT, PART_MAX);
        array_begin(&a[i]);
    }
    for (size_t i = 0; i < n; i++)
        add_row(a, &rows[i]);
    pg_add(&p, dry ? (struct str){NULL, 0} : str_of(job->id, DB_IMPORT_ID));
    pg_add(&p, encode_int8((int64_t)span->from, number[0]));
    pg_add(&p, encode_int8((int64_t)span->to, number[1]));
    pg_add(&p, encode_int8((int64_t)span->refused, number[2]));
    pg_add(&p, buf_str(&t.actor));
    pg_add(&p, encode_time(now, number[3]));
    for (size_t i = 0; i < ARRAYS; i++) {
        int failed = array_end(&a[i]);
        rc = rc < 0 ? rc : failed;
        pg_add(&p, buf_str(&a[i].bytes));
    }
    if (rc < 0)
        rc = err_set(e, -ENOMEM, "rows of an import");
    else
        rc = pg_call(db->pg, PG_IMPORT_PUT,
                     "SELECT outcome::text, place, count FROM bouncemx.import_put($1, $2, $3, $4, "
                     "$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, "
                     "$21, $22)",
                     &p, PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = read_outcomes(res, counts, refused, ctx, e);
    pg_result_free(res);
    for (size_t i = 0; i < ARRAYS; i++)
        array_free(&a[i]);
    texts_free(&t);
    return rc;
}
