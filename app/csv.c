#include "app/csv.h"

#include "base/buf.h"

#include <csv.h>
#include <errno.h>

struct csv {
    struct csv_parser parser;
    struct buf bytes; /* of the fields */
    size_t ends[CSV_FIELDS_MAX];
    struct str fields[CSV_FIELDS_MAX];
    size_t n;
    bool more;
    bool ended; /* the record is whole; what comes next begins another */
};

/* A quote that is never closed would make one field of the rest of the file. */
static void *bounded(void *p, size_t n)
{
    return n > CSV_RECORD_MAX ? NULL : realloc(p, n);
}

struct csv *csv_reader_new(char delimiter)
{
    struct csv *c = calloc(1, sizeof(*c));
    if (!c || csv_init(&c->parser, 0) != 0) {
        free(c);
        return NULL;
    }
    buf_init(&c->bytes, CSV_RECORD_MAX);
    csv_set_delim(&c->parser, (unsigned char)delimiter);
    csv_set_realloc_func(&c->parser, bounded);
    return c;
}

void csv_reader_free(struct csv *c)
{
    if (!c)
        return;
    csv_free(&c->parser);
    buf_free(&c->bytes);
    free(c);
}

static void on_field(void *bytes, size_t n, void *ctx)
{
    struct csv *c = ctx;
    if (c->n == CSV_FIELDS_MAX || buf_add(&c->bytes, str_of(bytes, n)) < 0) {
        c->more = c->more || n > 0;
        return;
    }
    c->ends[c->n++] = c->bytes.n;
}

static void on_record(int end, void *ctx)
{
    struct csv *c = ctx;
    (void)end;
    c->ended = true;
}

int csv_reader_feed(struct csv *c, struct str bytes, bool *ret_record, struct err *e)
{
    if (c->ended) {
        c->ended = c->more = false;
        c->n = 0;
        buf_clear(&c->bytes);
    }
    bool taken = str_is_absent(bytes)
                     ? csv_fini(&c->parser, on_field, on_record, c) == 0
                     : csv_parse(&c->parser, bytes.p, bytes.n, on_field, on_record, c) == bytes.n;
    if (!taken)
        return err_set(e, -EINVAL,
                       "a field of over %d bytes; is there a quote (\") that is not closed?",
                       CSV_RECORD_MAX);
    for (size_t i = 0, from = 0; c->ended && i < c->n; from = c->ends[i++])
        c->fields[i] = str_sub(buf_str(&c->bytes), from, c->ends[i]);
    *ret_record = c->ended;
    return 0;
}

const struct str *csv_reader_fields(const struct csv *c, size_t *ret_n, bool *ret_more)
{
    *ret_n = c->n;
    *ret_more = c->more;
    return c->fields;
}
