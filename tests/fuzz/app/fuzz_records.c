/* A file of any bytes as an import reads it; what it makes a row of goes out in every format. */
#include "app/export_text.h"
#include "app/providers.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_row(const struct db_import_row *row)
{
    struct str cells[EXPORT_COLUMNS] = {[EXPORT_ADDRESS] = row->address,
                                        [EXPORT_KIND] = row->kind,
                                        [EXPORT_DIAGNOSTIC] = row->diagnostic,
                                        [EXPORT_REASON] = row->reason,
                                        [EXPORT_EVENT_AT] = STR("2026-01-31T08:09:10Z")};
    struct buf out;
    bool said;
    buf_init(&out, 16 << 20);
    for (enum export_format f = 0; f < EXPORT_FORMATS_N; f++)
        if (export_row(f, row->kind, cells, &out, &said) < 0 && out.n == 0)
            abort();
    buf_free(&out);
}

static void read_rows(struct records *r, const struct provider_reader *p)
{
    struct arena a = arena_make(16 << 20);
    struct record record;
    struct err e;
    for (int got; (got = records_next(r, &record, &e)) == 1 || got == -EBADMSG;) {
        struct db_import_row row;
        enum import_refusal why;
        if (got == 1 && provider_read(p, &a, &record, &row, &why, &e) == 0) {
            if (row.key.n == 0 || row.kind.n == 0 || row.scope.n == 0)
                abort();
            write_row(&row);
        }
        arena_reset(&a);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct provider_reader p = {.now = INT64_C(1800000000) * 1000000};
    struct records *r = NULL;
    struct err e;
    FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    if (!in)
        return 0;
    if (records_open(in, &r, &e) == 0 &&
        provider_detect(r, STR("bounces"), NULL, NULL, &p.provider, &p.list, &e) == 0)
        read_rows(r, &p);
    records_free(r);
    fclose(in);
    return 0;
}
