/* csv.h - records of comma separated values (RFC 4180), pushed in as bytes. libcsv stays in csv.c.
 */
#ifndef APP_CSV_H
#define APP_CSV_H

#include "base/err.h"
#include "base/str.h"

enum { CSV_FIELDS_MAX = 128, CSV_RECORD_MAX = 1 << 20 };

struct csv;

/* NULL: memory ended. */
struct csv *csv_reader_new(char delimiter);
void csv_reader_free(struct csv *c);

/* Takes bytes that hold at most one line end, at their end; those of the end of the file are
 * absent. True in *ret_record: they ended a record, which csv_reader_fields gives until the next
 * call. -EINVAL: it can't go on, since a record never ends. */
int csv_reader_feed(struct csv *c, struct str bytes, bool *ret_record, struct err *e);

/* At most CSV_FIELDS_MAX; ret_more: fields with text behind those, or over CSV_RECORD_MAX bytes,
 * were dropped. */
const struct str *csv_reader_fields(const struct csv *c, size_t *ret_n, bool *ret_more);

#endif
