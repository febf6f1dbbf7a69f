#include "base/clock.h"
#include "db/handle.h"
#include "db/import.h"

#include <errno.h>

enum { CURSOR_MAX = 64, SQL_MAX = 16 << 10, LINE_MAX_BYTES = 4 << 20 };

struct lines {
    const struct db_export *what;
    struct buf cells; /* of one row, with what COPY escaped put back */
};

/* "2026-01-31 08:09:10.5+00", in place of which RFC 3339 goes to the buffer. */
static int add_time(struct buf *b, struct str text)
{
    size_t zone = str_chr(text, '+', 0);
    int rc = text.n > 10 && text.p[10] == ' ' ? buf_add(b, str_sub(text, 0, 10)) : -EPROTO;
    if (rc == 0)
        rc = buf_add_byte(b, 'T');
    if (rc == 0)
        rc = buf_add(b, str_sub(text, 11, zone));
    return rc == 0 ? buf_add_byte(b, 'Z') : rc;
}

/* Of COPY's text format: \b \f \n \r \t \v and \\ are what it writes. */
static int add_text(struct buf *b, struct str text)
{
    static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
    int rc = 0;
    while (rc == 0 && text.n) {
        size_t at = str_chr(text, '\\', 0);
        rc = buf_add(b, str_sub(text, 0, at));
        if (rc == 0 && at + 1 < text.n) {
            char c = text.p[at + 1];
            const char *known = strchr(from, c);
            rc = buf_add_byte(b, known && c ? to[known - from] : c);
        }
        text = str_from(text, at + 2);
    }
    return rc;
}

static int export_line(void *ctx, struct str line, struct err *e)
{
    struct lines *l = ctx;
    struct str cells[EXPORT_COLUMNS];
    size_t begins[EXPORT_COLUMNS], ends[EXPORT_COLUMNS];
    struct str rest = line;
    int rc = 0;
    buf_clear(&l->cells);
    for (size_t i = 0; rc == 0 && i < EXPORT_COLUMNS; i++) {
        struct str text = str_cut(&rest, '\t');
        bool time = i == EXPORT_EVENT_AT || i == EXPORT_CREATED_AT || i == EXPORT_EXPIRES_AT;
        bool null = str_eq(text, STR("\\N"));
        cells[i] = text;
        begins[i] = l->cells.n;
        ends[i] = SIZE_MAX;
        if (null)
            cells[i] = (struct str){NULL, 0};
        else if (time)
            rc = add_time(&l->cells, text);
        else if (text.n && memchr(text.p, '\\', text.n))
            rc = add_text(&l->cells, text);
        else
            continue;
        if (!null)
            ends[i] = l->cells.n;
    }
    if (rc < 0)
        return err_set(e, rc, "a row of the list can't be read");
    /* Only now does the buffer stay where it is. */
    for (size_t i = 0; i < EXPORT_COLUMNS; i++)
        if (ends[i] != SIZE_MAX)
            cells[i] = str_sub(buf_str(&l->cells), begins[i], ends[i]);
    return l->what->row(l->what->ctx, cells, e);
}

static int ask_cursor(struct db *db, char cursor[CURSOR_MAX], struct err *e)
{
    struct pg_result *res = NULL;
    int rc =
        pg_call(db->pg, PG_FEED_CURSOR, "SELECT bouncemx.feed_cursor()", NULL, PG_CALL_MS, &res, e);
    struct str text = rc == 0 && pg_rows(res) ? pg_value(res, 0, 0) : (struct str){NULL, 0};
    if (rc == 0 && (str_is_absent(text) || text.n >= CURSOR_MAX))
        rc = err_set(e, -EPROTO, "bouncemx.feed_cursor() gives no number to continue from");
    if (rc == 0)
        snprintf(cursor, CURSOR_MAX, "%.*s", STR_ARG(text));
    pg_result_free(res);
    return rc;
}

static int copy_sql(struct db *db, const struct db_export *what, struct buf *sql, struct err *e)
{
    char now[CLOCK_TEXT];
    int rc = buf_add(sql, STR("COPY (SELECT * FROM bouncemx.exported("));
    if (rc == 0)
        rc = pg_literal(db->pg, sql, what->tenant, e);
    if (rc == 0)
        rc = buf_add(sql, STR(", "));
    if (rc == 0)
        rc = pg_literal(db->pg, sql, what->stream, e);
    if (rc == 0)
        rc = buf_fmt(sql, ", %s, '%s')) TO STDOUT", what->pending ? "true" : "false",
                     clock_format_rfc3339(what->now, now));
    if (rc == 0)
        rc = buf_add_byte(sql, '\0');
    return rc < 0 && rc != -EINVAL ? err_set(e, rc, "tenant or stream is too long") : rc;
}

int db_export(struct db *db, const struct db_export *what, struct err *e)
{
    struct lines l = {.what = what};
    struct buf sql;
    char cursor[CURSOR_MAX];
    buf_init(&sql, SQL_MAX);
    buf_init(&l.cells, LINE_MAX_BYTES);
    int rc = copy_sql(db, what, &sql, e);
    /* The list is as long as it is, and its reader may be slow. */
    if (rc == 0)
        rc = pg_script(db->pg,
                       "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                       "SET LOCAL statement_timeout = '1h'",
                       PG_CALL_MS, e);
    bool began = rc == 0;
    if (rc == 0)
        rc = ask_cursor(db, cursor, e);
    if (rc == 0)
        rc = what->begin(what->ctx, str_c(cursor), e);
    if (rc == 0)
        rc = pg_copy_out(db->pg, sql.p, export_line, &l, PG_LONG_MS, e);
    if (began) {
        int end =
            pg_script(db->pg, rc == 0 ? "COMMIT" : "ROLLBACK", PG_CALL_MS, rc == 0 ? e : NULL);
        rc = rc < 0 ? rc : end;
    }
    buf_free(&l.cells);
    buf_free(&sql);
    return rc;
}
