#include "app/records.h"

#include "app/csv.h"
#include "app/json.h"
#include "app/json_split.h"
#include "base/arena.h"

#include <errno.h>
#include <stdlib.h>

enum { CHUNK = 64 << 10, ARENA_MAX = 16 << 20 };

struct records {
    FILE *in;
    char chunk[CHUNK];
    size_t at, n;
    uint64_t bytes, line;
    bool cr; /* the last byte was CR: a LF behind it is of the same line end */
    bool json;
    bool first; /* JSON: the first object was read already */
    bool over;  /* CSV: its end was told */
    struct csv *csv;
    struct json_split split;
    struct arena header_arena, arena;
    size_t header_n;
    struct str header[CSV_FIELDS_MAX];
    struct str names[CSV_FIELDS_MAX], values[CSV_FIELDS_MAX];
    struct record now;
};

/* ---- bytes and lines ---- */

static int fill(struct records *r, struct err *e)
{
    r->at = 0;
    r->n = fread(r->chunk, 1, sizeof(r->chunk), r->in);
    r->bytes += r->n;
    return ferror(r->in) ? err_set(e, -EIO, "reading it failed") : 0;
}

static void count_line(struct records *r, char c)
{
    r->line += c == '\r' || (c == '\n' && !r->cr);
    r->cr = c == '\r';
}

static struct str plain_name(struct arena *a, struct str name)
{
    char text[64];
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < sizeof(text); i++)
        if (ascii_is_alpha(name.p[i]) || ascii_is_digit(name.p[i]))
            text[n++] = ascii_lower(name.p[i]);
    return arena_str(a, str_of(text, n));
}

static int failed(struct records *r, int rc, struct err *e)
{
    return err_add(e, rc, "line %llu", (unsigned long long)r->now.line);
}

/* ---- CSV ---- */

/* The next record that is no empty line: 1, or 0 at the end. */
static int csv_next(struct records *r, struct err *e)
{
    bool whole = false, inside = false;
    while (!whole) {
        if (r->at == r->n && !r->over) {
            int rc = fill(r, e);
            if (rc < 0)
                return rc;
            r->over = r->n == 0;
        }
        struct str run = {NULL, 0};
        if (!inside)
            r->now.line = r->line;
        if (!r->over) {
            size_t end = r->at;
            while (end < r->n && r->chunk[end] != '\n' && r->chunk[end] != '\r')
                end++;
            end += end < r->n;
            run = str_of(r->chunk + r->at, end - r->at);
            inside = inside || (run.n && !ascii_is_space(run.p[0]));
            r->at = end;
            count_line(r, run.p[run.n - 1]);
        }
        int rc = csv_reader_feed(r->csv, run, &whole, e);
        if (rc < 0)
            return failed(r, rc, e);
        if (r->over && !whole)
            return 0;
    }
    return 1;
}

static int csv_record(struct records *r, struct record *ret, struct err *e)
{
    int rc = csv_next(r, e);
    if (rc <= 0)
        return rc;
    size_t n;
    bool more;
    const struct str *fields = csv_reader_fields(r->csv, &n, &more);
    for (size_t i = r->header_n; i < n; i++)
        more = more || str_trim(fields[i]).n > 0;
    r->now.n = n < r->header_n ? n : r->header_n;
    r->now.names = r->header;
    r->now.values = fields;
    *ret = r->now;
    if (more)
        return err_set(e, -EBADMSG, "expected at most %zu fields, as in the header", r->header_n);
    return 1;
}

/* What separates the names of the header: comma, else semicolon or tab. */
static char delimiter_of(const struct records *r)
{
    struct str rest = str_of(r->chunk + r->at, r->n - r->at), line;
    if (!str_line(&rest, &line) || memchr(line.p, ',', line.n))
        return ',';
    return memchr(line.p, ';', line.n) ? ';' : memchr(line.p, '\t', line.n) ? '\t' : ',';
}

static int csv_begin(struct records *r, struct err *e)
{
    r->csv = csv_reader_new(delimiter_of(r));
    if (!r->csv)
        return err_set(e, -ENOMEM, "a CSV file");
    int rc = csv_next(r, e);
    if (rc <= 0)
        return rc;
    bool more;
    const struct str *fields = csv_reader_fields(r->csv, &r->header_n, &more);
    for (size_t i = 0; i < r->header_n; i++)
        r->header[i] = plain_name(&r->header_arena, fields[i]);
    if (more || arena_failed(&r->header_arena))
        return err_set(e, -EINVAL, "line 1: expected a header of at most %d names", CSV_FIELDS_MAX);
    return 0;
}

/* ---- JSON ---- */

static int json_object_ends(struct records *r, struct record *ret, struct err *e)
{
    arena_reset(&r->arena);
    r->now.names = r->names;
    r->now.values = r->values;
    r->now.n = 0;
    int rc = json_fields(&r->arena, json_split_object(&r->split), CSV_FIELDS_MAX, r->names,
                         r->values, &r->now.n, e);
    for (size_t i = 0; rc == 0 && i < r->now.n; i++)
        r->names[i] = plain_name(&r->arena, r->names[i]);
    *ret = r->now;
    return rc < 0 ? rc : 1;
}

static int json_record(struct records *r, struct record *ret, struct err *e)
{
    for (;;) {
        if (r->at == r->n) {
            int rc = fill(r, e);
            if (rc < 0)
                return rc;
            if (r->n == 0 && !json_split_idle(&r->split)) {
                err_set(e, -EINVAL, "the file ends inside this object or list");
                return failed(r, -EINVAL, e);
            }
            if (r->n == 0)
                return 0;
        }
        char c = r->chunk[r->at++];
        if (c == '{' && !r->split.in_string && r->split.depth == r->split.list_depth)
            r->now.line = r->line;
        count_line(r, c);
        int rc = json_split_feed(&r->split, c);
        if (rc == 1)
            return json_object_ends(r, ret, e);
        if (rc < 0) {
            err_set(e, rc, "expected JSON objects of at most %d bytes and brackets in pairs",
                    JSON_OBJECT_MAX);
            return failed(r, rc, e);
        }
    }
}

static int json_begin(struct records *r, struct err *e)
{
    struct record first;
    int rc = json_record(r, &first, e);
    /* Our own export begins with a line about itself. */
    if (rc == 1 && names_have(first.names, first.n, "cursor") &&
        !names_have(first.names, first.n, "address"))
        rc = json_record(r, &first, e);
    if (rc == -EBADMSG)
        return failed(r, -EINVAL, e);
    if (rc <= 0)
        return rc;
    r->first = true;
    r->header_n = first.n;
    for (size_t i = 0; i < first.n; i++)
        r->header[i] = arena_str(&r->header_arena, first.names[i]);
    return arena_failed(&r->header_arena) ? err_set(e, -ENOMEM, "a JSON object") : 0;
}

/* ---- either ---- */

int records_open(FILE *in, struct records **ret, struct err *e)
{
    struct records *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(e, -ENOMEM, "a file of records");
    r->in = in;
    r->line = 1;
    r->header_arena = arena_make(1 << 20);
    r->arena = arena_make(ARENA_MAX);
    json_split_init(&r->split);
    int rc = fill(r, e);
    struct str head = str_of(r->chunk, r->n);
    if (rc == 0 && (str_starts(head, STR("\xff\xfe")) || str_starts(head, STR("\xfe\xff"))))
        rc = err_set(e, -EINVAL, "it is UTF-16; expected UTF-8");
    if (str_starts(head, STR("\xef\xbb\xbf")))
        r->at = 3;
    struct str text = str_trim(str_from(head, r->at));
    r->json = text.n && (text.p[0] == '{' || text.p[0] == '[');
    if (rc == 0)
        rc = r->json ? json_begin(r, e) : csv_begin(r, e);
    if (rc < 0) {
        records_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void records_free(struct records *r)
{
    if (!r)
        return;
    csv_reader_free(r->csv);
    json_split_free(&r->split);
    arena_free(&r->header_arena);
    arena_free(&r->arena);
    free(r);
}

bool records_are_json(const struct records *r)
{
    return r->json;
}

const struct str *records_names(const struct records *r, size_t *ret_n)
{
    *ret_n = r->header_n;
    return r->header;
}

int records_next(struct records *r, struct record *ret, struct err *e)
{
    if (!r->json)
        return csv_record(r, ret, e);
    if (!r->first)
        return json_record(r, ret, e);
    r->first = false;
    *ret = r->now;
    return 1;
}

uint64_t records_bytes(const struct records *r)
{
    return r->bytes - (r->n - r->at);
}

bool names_have(const struct str *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(names[i], str_c(name)))
            return true;
    return false;
}

struct str record_raw(const struct record *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (str_eq(r->names[i], str_c(name)) && r->values[i].n)
            return r->values[i];
    return (struct str){NULL, 0};
}

struct str record_get(const struct record *r, const char *name)
{
    struct str v = str_trim(record_raw(r, name));
    return v.n ? v : (struct str){NULL, 0};
}
