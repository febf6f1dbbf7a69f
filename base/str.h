/* str.h - wire bytes as {pointer, length} by value.
 *
 * A struct str never owns its bytes and is not NUL-terminated. The empty string is {NULL, 0} or
 * any pointer with n == 0; str_is_absent() tells "not there" from "there and empty".
 * All case-insensitive functions fold ASCII only: protocol words are ASCII, and a locale must not
 * change what a report means. Nothing here allocates or fails unless it says so. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof("" literal) - 1})
/* For static tables, where a compound literal is not a constant expression. */
#define STR_INIT(literal)                 \
    {                                     \
        (literal), sizeof("" literal) - 1 \
    }
/* printf arguments for "%.*s"; the length is clamped to what an int holds. */
#define STR_ARG(s) ((s).n > INT32_MAX ? INT32_MAX : (int)(s).n), ((s).p ? (s).p : "")

static inline struct str str_of(const void *p, size_t n)
{
    return (struct str){p, n};
}

/* The bytes of a C string; NULL gives the absent string. */
static inline struct str str_c(const char *c)
{
    return (struct str){c, c ? strlen(c) : 0};
}

static inline bool str_is_absent(struct str s)
{
    return s.p == NULL;
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static inline bool ascii_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_iends(struct str s, struct str suffix);

/* memcmp order, the shorter first among equals: <0, 0, >0. */
int str_cmp(struct str a, struct str b);

/* Index of the first match at or after from, or s.n when there is none (so a result can always be
 * used as an end). An empty needle is found at from. */
size_t str_chr(struct str s, char c, size_t from);
size_t str_find(struct str s, struct str needle, size_t from);
size_t str_ifind(struct str s, struct str needle, size_t from);
/* Index of the last c, or s.n when there is none. */
size_t str_rchr(struct str s, char c);

/* Bytes [from, to); both are clamped to s. */
struct str str_sub(struct str s, size_t from, size_t to);
static inline struct str str_from(struct str s, size_t from)
{
    return str_sub(s, from, s.n);
}

/* Without the ASCII white space at both ends. */
struct str str_trim(struct str s);

/* Cuts *rest at the first c: returns what stands before it, *rest keeps what follows. Without c
 * returns all and leaves *rest empty at its end. Loop while (rest.n) to walk fields. */
struct str str_cut(struct str *rest, char c);

/* Next line of *rest without its end; CRLF, LF and a lone CR each end a line. False at the end. */
bool str_line(struct str *rest, struct str *ret_line);

/* The whole of s is a decimal number: true and *ret set; false (untouched) on an empty string, any
 * other byte or an overflow. */
bool str_to_u64(struct str s, uint64_t *ret);
bool str_to_u32(struct str s, uint32_t *ret);

/* True when s is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);

#endif
