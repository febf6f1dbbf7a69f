/* encode.h - private to db/: values in PostgreSQL's binary format, and text made safe for it. */
#ifndef DB_ENCODE_H
#define DB_ENCODE_H

#include "base/buf.h"
#include "base/id.h"

/* Types by their fixed OIDs (pg_type.dat; they never change). */
enum encode_type {
    ENCODE_BOOL = 16,
    ENCODE_BYTEA = 17,
    ENCODE_INT8 = 20,
    ENCODE_INT2 = 21,
    ENCODE_TEXT = 25,
    ENCODE_DATE = 1082,
    ENCODE_TIMESTAMPTZ = 1184,
    ENCODE_UUID = 2950,
};

enum { ENCODE_NUMBER_MAX = 8 };
/* Big-endian, into p; the number of bytes is the type's. */
struct str encode_int8(int64_t v, char p[ENCODE_NUMBER_MAX]);
struct str encode_int4(int32_t v, char p[ENCODE_NUMBER_MAX]);
/* A time of base/clock.h; those that PostgreSQL or a reader could not show are brought to the first
 * or last instant of the years 1 to 9999. */
struct str encode_time(int64_t time, char p[ENCODE_NUMBER_MAX]);

/* A one-dimensional array that grows up to its maximum. A failure to grow is remembered and told by
 * array_end. */
struct array {
    struct buf bytes;
    uint32_t type;
    uint32_t n;
    bool nulls;
    int failed; /* 0, -ENOMEM, -ENOBUFS */
};

void array_init(struct array *a, enum encode_type type, size_t max_bytes);
void array_free(struct array *a);
void array_begin(struct array *a); /* empty again; keeps its memory */
int array_end(struct array *a);    /* completes the head; then a->bytes is the value */

/* Each appends an element; the absent string is NULL. */
void array_bytes(struct array *a, struct str v);
void array_null(struct array *a);
void array_int8(struct array *a, int64_t v);
void array_int2(struct array *a, int16_t v);
void array_bool(struct array *a, bool v);
void array_time(struct array *a, int64_t time);
void array_date(struct array *a, uint32_t day); /* days since 1970-01-01 */
void array_id(struct array *a, struct id id);
/* At most max bytes of v as valid UTF-8 without NUL: whatever is neither becomes U+FFFD. */
void array_text(struct array *a, struct str v, size_t max);
/* Several as one, a line each; a line end inside one becomes U+FFFD. */
void array_lines(struct array *a, const struct str *v, size_t n, size_t max);

/* True when PostgreSQL takes s as text as it is. */
bool text_is_safe(struct str s);
/* The length of the longest start of s of at most max bytes that does not split a character. */
size_t text_cut(struct str s, size_t max);
/* Appends s as above. 0, -ENOMEM or -ENOBUFS. */
int text_safe(struct buf *b, struct str s, size_t max);

#endif
