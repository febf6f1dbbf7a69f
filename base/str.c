#include "base/str.h"

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool ieq_n(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ascii_lower(a[i]) != ascii_lower(b[i]))
            return false;
    return true;
}

bool str_ieq(struct str a, struct str b)
{
    return a.n == b.n && ieq_n(a.p, b.p, a.n);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool str_istarts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && ieq_n(s.p, prefix.p, prefix.n);
}

bool str_iends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_ieq(str_from(s, s.n - suffix.n), suffix);
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

size_t str_chr(struct str s, char c, size_t from)
{
    if (from >= s.n)
        return s.n;
    const char *hit = memchr(s.p + from, c, s.n - from);
    return hit ? (size_t)(hit - s.p) : s.n;
}

size_t str_find(struct str s, struct str needle, size_t from)
{
    if (from > s.n)
        return s.n;
    if (needle.n == 0)
        return from;
    const char *hit =
        s.n - from >= needle.n ? memmem(s.p + from, s.n - from, needle.p, needle.n) : NULL;
    return hit ? (size_t)(hit - s.p) : s.n;
}

size_t str_ifind(struct str s, struct str needle, size_t from)
{
    if (from > s.n)
        return s.n;
    if (needle.n == 0)
        return from;
    for (size_t i = from; i + needle.n <= s.n; i++)
        if (ieq_n(s.p + i, needle.p, needle.n))
            return i;
    return s.n;
}

size_t str_rchr(struct str s, char c)
{
    const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;
    return hit ? (size_t)(hit - s.p) : s.n;
}

struct str str_sub(struct str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return (struct str){s.p ? s.p + from : NULL, to - from};
}

struct str str_trim(struct str s)
{
    size_t from = 0;
    while (from < s.n && ascii_is_space(s.p[from]))
        from++;
    size_t to = s.n;
    while (to > from && ascii_is_space(s.p[to - 1]))
        to--;
    return str_sub(s, from, to);
}

struct str str_cut(struct str *rest, char c)
{
    size_t at = str_chr(*rest, c, 0);
    struct str head = str_sub(*rest, 0, at);
    *rest = str_from(*rest, at < rest->n ? at + 1 : at);
    return head;
}

bool str_line(struct str *rest, struct str *ret_line)
{
    if (rest->n == 0)
        return false;
    size_t end = 0;
    while (end < rest->n && rest->p[end] != '\n' && rest->p[end] != '\r')
        end++;
    *ret_line = str_sub(*rest, 0, end);
    if (end < rest->n)
        end += rest->p[end] == '\r' && end + 1 < rest->n && rest->p[end + 1] == '\n' ? 2 : 1;
    *rest = str_from(*rest, end);
    return true;
}

bool str_to_u64(struct str s, uint64_t *ret)
{
    uint64_t value = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value))
            return false;
    }
    *ret = value;
    return true;
}

bool str_to_u32(struct str s, uint32_t *ret)
{
    uint64_t wide;
    if (!str_to_u64(s, &wide) || wide > UINT32_MAX)
        return false;
    *ret = (uint32_t)wide;
    return true;
}

/* Bytes that follow a lead byte, and the range the first of them must lie in (RFC 3629 section 4).
 */
static size_t utf8_tail(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef) {
        *low = lead == 0xe0 ? 0xa0 : 0x80;
        *high = lead == 0xed ? 0x9f : 0xbf;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *low = lead == 0xf0 ? 0x90 : 0x80;
        *high = lead == 0xf4 ? 0x8f : 0xbf;
        return 3;
    }
    return 0;
}

bool str_is_utf8(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char lead = (unsigned char)s.p[i++];
        if (lead < 0x80)
            continue;
        unsigned char low, high;
        size_t tail = utf8_tail(lead, &low, &high);
        if (tail == 0 || s.n - i < tail)
            return false;
        for (; tail > 0; tail--, low = 0x80, high = 0xbf) {
            unsigned char next = (unsigned char)s.p[i++];
            if (next < low || next > high)
                return false;
        }
    }
    return true;
}
