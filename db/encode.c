#include "db/encode.h"

#include "base/clock.h"

#include <errno.h>

/* PostgreSQL counts microseconds from 2000-01-01. */
#define EPOCH_SHIFT (INT64_C(946684800) * CLOCK_SECOND)
#define EPOCH_DAYS  10957
#define TIME_MIN    (INT64_C(-62135596800) * CLOCK_SECOND)     /* 0001-01-01 */
#define TIME_MAX    (INT64_C(253402300800) * CLOCK_SECOND - 1) /* 9999-12-31 */

static const struct str REPLACEMENT = STR_INIT("\xef\xbf\xbd");

static struct str big_endian(uint64_t v, size_t n, char *p)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(uint8_t)(v >> (8 * (n - 1 - i)));
    return str_of(p, n);
}

struct str encode_int8(int64_t v, char p[ENCODE_NUMBER_MAX])
{
    return big_endian((uint64_t)v, 8, p);
}

struct str encode_int4(int32_t v, char p[ENCODE_NUMBER_MAX])
{
    return big_endian((uint32_t)v, 4, p);
}

struct str encode_time(int64_t time, char p[ENCODE_NUMBER_MAX])
{
    if (time < TIME_MIN)
        time = TIME_MIN;
    if (time > TIME_MAX)
        time = TIME_MAX;
    return encode_int8(time - EPOCH_SHIFT, p);
}

/* ---- text ---- */

bool text_is_safe(struct str s)
{
    return s.n == 0 || (!memchr(s.p, '\0', s.n) && str_is_utf8(s));
}

size_t text_cut(struct str s, size_t max)
{
    if (s.n <= max)
        return s.n;
    size_t n = max;
    /* Bytes 10xxxxxx go on with a character; no character has more than three of them. */
    while (n > 0 && max - n < 3 && ((uint8_t)s.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* The length of the well-formed character at s, 0 when there is none. */
static size_t character(struct str s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++)
        if (str_is_utf8(str_sub(s, 0, n)))
            return s.p[0] ? n : 0;
    return 0;
}

int text_safe(struct buf *b, struct str s, size_t max)
{
    s = str_sub(s, 0, text_cut(s, max));
    if (text_is_safe(s))
        return buf_add(b, s);
    int rc = 0;
    size_t end = b->n + max;
    for (size_t at = 0, n; rc == 0 && at < s.n; at += n ? n : 1) {
        n = character(str_from(s, at));
        struct str c = n ? str_sub(s, at, at + n) : REPLACEMENT;
        if (b->n + c.n > end)
            break;
        rc = buf_add(b, c);
    }
    return rc;
}

/* ---- arrays: dimensions, flags, type, length, lower bound; then length and bytes of each ---- */

enum { HEAD = 20 };

void array_init(struct array *a, enum encode_type type, size_t max_bytes)
{
    *a = (struct array){.type = (uint32_t)type};
    buf_init(&a->bytes, max_bytes);
}

void array_free(struct array *a)
{
    buf_free(&a->bytes);
}

void array_begin(struct array *a)
{
    static const char head[HEAD];
    a->n = 0;
    a->nulls = false;
    buf_clear(&a->bytes);
    a->failed = buf_add(&a->bytes, str_of(head, HEAD));
}

int array_end(struct array *a)
{
    if (a->failed)
        return a->failed;
    char *p = a->bytes.p;
    big_endian(a->n > 0 ? 1 : 0, 4, p);
    big_endian(a->nulls ? 1 : 0, 4, p + 4);
    big_endian(a->type, 4, p + 8);
    big_endian(a->n, 4, p + 12);
    big_endian(1, 4, p + 16);
    if (a->n == 0)
        a->bytes.n = 12; /* no dimension, so neither length nor bound */
    return 0;
}

static void add(struct array *a, struct str v)
{
    char length[4];
    big_endian(v.n, 4, length);
    if (a->failed == 0)
        a->failed = v.n > INT32_MAX ? -ENOBUFS : buf_reserve(&a->bytes, 4 + v.n);
    if (a->failed)
        return;
    buf_add(&a->bytes, str_of(length, 4));
    buf_add(&a->bytes, v);
    a->n++;
}

void array_null(struct array *a)
{
    if (a->failed == 0)
        a->failed = buf_add(&a->bytes, STR("\xff\xff\xff\xff"));
    a->nulls = true;
    a->n++;
}

void array_bytes(struct array *a, struct str v)
{
    if (str_is_absent(v))
        array_null(a);
    else
        add(a, v);
}

void array_int8(struct array *a, int64_t v)
{
    char p[ENCODE_NUMBER_MAX];
    add(a, encode_int8(v, p));
}

void array_int2(struct array *a, int16_t v)
{
    char p[ENCODE_NUMBER_MAX];
    add(a, big_endian((uint16_t)v, 2, p));
}

void array_bool(struct array *a, bool v)
{
    add(a, v ? STR("\1") : STR("\0"));
}

void array_time(struct array *a, int64_t time)
{
    char p[ENCODE_NUMBER_MAX];
    add(a, encode_time(time, p));
}

void array_date(struct array *a, uint32_t day)
{
    char p[ENCODE_NUMBER_MAX];
    /* Beyond what PostgreSQL can hold it is a day that never comes. */
    add(a, encode_int4(day < INT32_MAX / 2 ? (int32_t)day - EPOCH_DAYS : INT32_MAX, p));
}

void array_id(struct array *a, struct id id)
{
    add(a, str_of(id.b, sizeof(id.b)));
}

/* Puts the length of what was appended behind `at` into the four bytes there. */
static void close_element(struct array *a, size_t at)
{
    if (a->failed)
        return;
    big_endian(a->bytes.n - at - 4, 4, a->bytes.p + at);
    a->n++;
}

void array_text(struct array *a, struct str v, size_t max)
{
    if (str_is_absent(v)) {
        array_null(a);
        return;
    }
    size_t at = a->bytes.n;
    if (a->failed == 0)
        a->failed = buf_add(&a->bytes, STR("\0\0\0\0"));
    if (a->failed == 0)
        a->failed = text_safe(&a->bytes, v, max);
    close_element(a, at);
}

static int add_line(struct buf *b, struct str line, size_t max)
{
    int rc = 0;
    while (rc == 0) {
        size_t n = str_chr(line, '\n', 0);
        rc = text_safe(b, str_sub(line, 0, n), max);
        if (n == line.n)
            break;
        if (rc == 0)
            rc = buf_add(b, REPLACEMENT);
        line = str_from(line, n + 1);
    }
    return rc;
}

void array_lines(struct array *a, const struct str *v, size_t n, size_t max)
{
    size_t at = a->bytes.n;
    if (a->failed == 0)
        a->failed = buf_add(&a->bytes, STR("\0\0\0\0"));
    for (size_t i = 0; i < n && a->failed == 0; i++) {
        if (i > 0)
            a->failed = buf_add_byte(&a->bytes, '\n');
        if (a->failed == 0)
            a->failed = add_line(&a->bytes, v[i], max);
    }
    close_element(a, at);
}
