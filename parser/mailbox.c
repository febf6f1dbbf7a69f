#include "parser/mailbox.h"

#include "base/address.h"
#include "parser/charset.h"

static int hex(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str mailbox_xtext(struct arena *a, struct str text)
{
    bool has_at = str_chr(text, '@', 0) < text.n;
    if (str_chr(text, '+', 0) == text.n)
        return text;
    char *out = arena_alloc(a, text.n + 1);
    if (!out)
        return (struct str){NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int high = text.p[i] == '+' && i + 2 < text.n ? hex(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex(text.p[i + 2]) : -1;
        int c = low >= 0 ? high << 4 | low : -1;
        if (c == '+' || c == '=' || c >= 0x80 || (c == '@' && !has_at)) {
            out[n++] = (char)c;
            i += 2;
        } else {
            out[n++] = text.p[i];
        }
    }
    return str_of(out, n);
}

static size_t utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[tail] | c >> (6 * tail));
    for (size_t i = 1; i <= tail; i++)
        out[i] = (char)(0x80 | (c >> (6 * (tail - i)) & 0x3f));
    return tail + 1;
}

struct str mailbox_unescape(struct arena *a, struct str text)
{
    if (str_find(text, STR("\\x{"), 0) == text.n)
        return text;
    char *out = arena_alloc(a, text.n + 1);
    if (!out)
        return (struct str){NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < text.n;) {
        size_t end = i + 3;
        uint32_t c = 0;
        if (str_starts(str_from(text, i), STR("\\x{")))
            while (end < text.n && end - i < 9 && hex(text.p[end]) >= 0)
                c = c << 4 | (uint32_t)hex(text.p[end++]);
        bool whole = end > i + 3 && end < text.n && text.p[end] == '}' && c > 0x20 && c != 0x7f &&
                     c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        if (whole) {
            n += utf8_put(out + n, c); /* at most four bytes for at least five */
            i = end + 1;
        } else {
            out[n++] = text.p[i++];
        }
    }
    return str_of(out, n);
}

/* True for what address_split takes and no white space. */
static bool is_mailbox(struct str s)
{
    struct address parts;
    return address_split(s, &parts) && parts.domain.p[0] != '.' && parts.domain.p[0] != '@';
}

/* "@a,@b:user@c" -> "user@c". RFC 5321 section 4.1.2: routes are ignored. */
static struct str route_drop(struct str s)
{
    size_t colon = str_chr(s, ':', 0);
    return s.n > 0 && s.p[0] == '@' && colon < s.n ? str_from(s, colon + 1) : s;
}

/* The inside of the first <...>, or the first word. */
static struct str word(struct str s)
{
    size_t open = str_chr(s, '<', 0);
    if (open < s.n) {
        size_t close = str_chr(s, '>', open);
        struct str inside = str_trim(str_sub(s, open + 1, close));
        if (str_chr(inside, '@', 0) < inside.n)
            return inside;
    }
    if (s.n > 0 && s.p[0] == '"') {
        /* A quoted local part may hold spaces. */
        size_t end = 1;
        while (end < s.n && s.p[end] != '"')
            end += s.p[end] == '\\' ? 2 : 1;
        while (end < s.n && !ascii_is_space(s.p[end]) && s.p[end] != '(')
            end++;
        return str_sub(s, 0, end);
    }
    size_t end = 0;
    while (end < s.n && !ascii_is_space(s.p[end]) && s.p[end] != '(' && s.p[end] != ',' &&
           s.p[end] != ';')
        end++;
    return str_sub(s, 0, end);
}

static struct str mailto_drop(struct str s)
{
    if (str_istarts(s, STR("mailto:")))
        s = str_from(s, 7);
    else if (str_istarts(s, STR("smtp:")))
        s = str_from(s, 5);
    while (s.n > 0 && (s.p[s.n - 1] == '.' || s.p[s.n - 1] == ',' || s.p[s.n - 1] == ':'))
        s.n--;
    return s;
}

struct str mailbox_copy(struct arena *a, struct str text)
{
    static const struct str none = {NULL, 0};
    if (!is_mailbox(text))
        return none;
    if (str_is_utf8(text))
        return arena_str(a, text);
    /* Decoded it is longer, and may be too long. */
    enum { DECODED_MAX = 4 * ADDRESS_MAX };
    text = charset_to_utf8(a, text, none, DECODED_MAX);
    return is_mailbox(text) ? arena_str(a, text) : none; /* it may still be a part of the input */
}

struct str mailbox_typed(struct arena *a, struct str value)
{
    struct str rest = str_trim(value);
    size_t semicolon = str_chr(rest, ';', 0);
    /* A type is an atom: no '@' in front of the semicolon. */
    if (semicolon < rest.n && str_chr(rest, '@', 0) > semicolon)
        rest = str_trim(str_from(rest, semicolon + 1));
    struct str address = mailto_drop(route_drop(word(rest)));
    address = mailbox_unescape(a, mailbox_xtext(a, address));
    struct str found = str_is_absent(address) ? address : mailbox_copy(a, address);
    size_t at = 0;
    /* "|/usr/bin/filter user@example.com": the address of an expansion. */
    if (str_is_absent(found) && mailbox_next(rest, &at, &address))
        found = mailbox_copy(a, address);
    return found;
}

struct str mailbox_first(struct arena *a, struct str value)
{
    struct str s = str_trim(value);
    /* The display name goes: a quoted string or words in front of '<'. */
    for (size_t at = 0; at < s.n;) {
        size_t open = str_chr(s, '<', at);
        if (open == s.n)
            break;
        struct str inside = str_trim(str_sub(s, open + 1, str_chr(s, '>', open)));
        if (is_mailbox(route_drop(inside)))
            return mailbox_copy(a, route_drop(inside));
        at = open + 1;
    }
    struct str found;
    size_t at = 0;
    if (is_mailbox(word(s)))
        return mailbox_copy(a, mailto_drop(word(s)));
    return mailbox_next(s, &at, &found) ? mailbox_copy(a, found) : (struct str){NULL, 0};
}

static bool is_local_char(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80 ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool is_domain_char(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80 || c == '-' ||
           c == '.' || c == '_';
}

bool mailbox_next(struct str text, size_t *at, struct str *ret)
{
    /* Longer ones than RFC 5321 allows are seen. */
    enum { LOCAL_MAX = 128 };
    for (size_t sign = *at; (sign = str_chr(text, '@', sign)) < text.n; sign++) {
        size_t from = sign, to = sign + 1;
        if (from > *at && text.p[from - 1] == '"') {
            from--;
            while (from > *at && sign - from < ADDRESS_LOCAL_MAX && text.p[--from] != '"')
                ;
        } else {
            while (from > *at && sign - from < LOCAL_MAX && is_local_char(text.p[from - 1]))
                from--;
        }
        bool literal = to < text.n && text.p[to] == '[';
        while (to < text.n && to - sign < ADDRESS_DOMAIN_MAX &&
               (is_domain_char(text.p[to]) || (literal && strchr("[]:", text.p[to]))))
            to++;
        /* Marks of the sentence or quotes around, not of the address. */
        while (from < sign && strchr(".'`=*/|!", text.p[from]))
            from++;
        while (to > sign + 1 &&
               (text.p[to - 1] == '.' || text.p[to - 1] == '-' || text.p[to - 1] == '_'))
            to--;
        struct str found = str_sub(text, from, to);
        if (str_istarts(found, STR("mailto:")))
            found = str_from(found, 7);
        /* An X.400 domain-defined attribute (RFC 2156 section 4.2.3), as gateways write it. */
        if (str_istarts(found, STR("smtp=")) || str_istarts(found, STR("rfc-822=")))
            found = str_from(found, str_chr(found, '=', 0) + 1);
        if (from < sign && to > sign + 1 && is_mailbox(found)) {
            *ret = found;
            *at = to;
            return true;
        }
    }
    *at = text.n;
    return false;
}

bool mailbox_eq(struct str a, struct str b)
{
    return a.n > 0 && str_ieq(a, b);
}
