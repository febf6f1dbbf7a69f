/* table.h - aligned tables for people: width of characters counted, controls escaped, lines cut to
 * the terminal. */
#ifndef APP_TABLE_H
#define APP_TABLE_H

#include "base/arena.h"

#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 16 };

struct table;

/* Columns by their headings; one that begins with '>' is aligned right. */
struct table *table_new(const char *const *columns, size_t n);
void table_free(struct table *t);

/* cells has one text for each column. Copies. -ENOMEM. */
int table_row(struct table *t, const struct str *cells);

/* Writes what was gathered and forgets it; the heading only the first time. */
void table_flush(struct table *t, FILE *out);
size_t table_rows(const struct table *t);

/* Columns of the terminal behind out; 0 when it is none. */
unsigned table_terminal(FILE *out);

/* s as a terminal may see it: controls and bytes that are not UTF-8 as \xNN. Absent: "-". */
struct str table_clean(struct arena *a, struct str s);

#endif
