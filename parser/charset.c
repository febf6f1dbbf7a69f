#include "parser/charset.h"

#include <errno.h>
#include <iconv.h>

enum { NAME_MAX_BYTES = 40 };

static const char replacement[] = "\xef\xbf\xbd";

/* What iconv_open returns on failure (iconv_open(3)). */
#define NO_ICONV ((iconv_t)-1) /* NOLINT(performance-no-int-to-ptr) */

/* Cuts s to at most max bytes, never inside a character; s is valid UTF-8. */
static struct str cut(struct str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return str_sub(s, 0, max);
}

static bool is_plain_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80 || s.p[i] == 0x1b)
            return false;
    return true;
}

/* Charsets in which bytes below 0x80 can stand for something else. */
static bool is_stateful(struct str name)
{
    return str_istarts(name, STR("iso-2022")) || str_istarts(name, STR("utf-16")) ||
           str_istarts(name, STR("utf-32")) || str_istarts(name, STR("utf-7")) ||
           str_istarts(name, STR("hz")) || str_istarts(name, STR("ucs-")) ||
           str_istarts(name, STR("csiso2022"));
}

static bool says_nothing(struct str name)
{
    static const struct str names[] = {
        STR_INIT("us-ascii"),  STR_INIT("ascii"),         STR_INIT("utf-8"),
        STR_INIT("utf8"),      STR_INIT("unknown"),       STR_INIT("unknown-8bit"),
        STR_INIT("x-unknown"), STR_INIT("default"),       STR_INIT("iso-8859-1"),
        STR_INIT("latin1"),    STR_INIT("x-user-defined")};
    if (name.n == 0)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_ieq(name, names[i]))
            return true;
    return false;
}

/* The name as iconv wants it; false when it is none that could be one. */
static bool name_copy(struct str name, char copy[NAME_MAX_BYTES + 1])
{
    if (name.n == 0 || name.n > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        /* No '/' and no ',': they would be iconv's own options. */
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && c != '.' &&
            c != ':' && c != '+')
            return false;
        copy[i] = c;
    }
    copy[name.n] = '\0';
    return true;
}

static const char *alias(const char *name)
{
    static const struct {
        struct str from;
        const char *to;
    } t[] = {
        /* Labels that mailers write for a superset (WHATWG Encoding, section 4.2). */
        {STR_INIT("gb2312"), "GB18030"},
        {STR_INIT("gbk"), "GB18030"},
        {STR_INIT("x-gbk"), "GB18030"},
        {STR_INIT("ks_c_5601-1987"), "CP949"},
        {STR_INIT("euc-kr"), "CP949"},
        {STR_INIT("shift_jis"), "CP932"},
        {STR_INIT("shift-jis"), "CP932"},
        {STR_INIT("x-sjis"), "CP932"},
        {STR_INIT("iso-2022-jp"), "ISO-2022-JP-3"},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (str_ieq(str_c(name), t[i].from))
            return t[i].to;
    return name;
}

/* Converts until the input or the room ends; what iconv can't read becomes U+FFFD. */
static struct str convert(struct arena *a, iconv_t cd, struct str bytes, size_t max)
{
    /* No charset takes more than four bytes of UTF-8 for a byte. */
    size_t room = bytes.n < max / 4 ? bytes.n * 4 + 8 : max;
    char *out = arena_alloc(a, room);
    if (!out)
        return (struct str){NULL, 0};
    /* iconv takes char **, but doesn't write to the input. */
    union {
        const char *from;
        char *in;
    } u = {.from = bytes.p};
    char *in = u.in, *to = out;
    size_t in_n = bytes.n, to_n = room;
    while (in_n > 0) {
        size_t rc = iconv(cd, &in, &in_n, &to, &to_n);
        if (rc != (size_t)-1 || errno == E2BIG)
            break;
        if (to_n < 3 || in_n == 0)
            break;
        memcpy(to, replacement, sizeof(replacement) - 1);
        to += 3;
        to_n -= 3;
        in++;
        in_n--;
    }
    return str_of(out, (size_t)(to - out));
}

struct str charset_to_utf8(struct arena *a, struct str bytes, struct str charset, size_t max)
{
    charset = str_trim(charset);
    bool nothing = says_nothing(charset);
    if (is_plain_ascii(bytes) && (nothing || !is_stateful(charset)))
        return cut(bytes, max);
    if (nothing && str_is_utf8(bytes))
        return cut(bytes, max);
    /* A cut in the middle of a message leaves half a character at the end. */
    for (size_t less = 1; nothing && less < 4 && less < bytes.n; less++)
        if ((unsigned char)bytes.p[bytes.n - less] >= 0xc0) {
            struct str whole = str_sub(bytes, 0, bytes.n - less);
            if (str_is_utf8(whole) && !is_plain_ascii(whole))
                return cut(whole, max);
            break;
        }
    char name[NAME_MAX_BYTES + 1];
    iconv_t cd = NO_ICONV;
    if (!nothing && name_copy(charset, name))
        cd = iconv_open("UTF-8", alias(name));
    if (cd == NO_ICONV) {
        if (str_is_utf8(bytes))
            return cut(bytes, max);
        cd = iconv_open("UTF-8", "WINDOWS-1252");
    }
    if (cd == NO_ICONV) {
        cd = iconv_open("UTF-8", "ISO-8859-1"); /* built into the C library */
        if (cd == NO_ICONV)
            return str_sub(bytes, 0, 0);
    }
    struct str utf8 = convert(a, cd, bytes, max);
    iconv_close(cd);
    /* The output is cut by room only between characters; what iconv wrote is checked all the same,
     * since everything behind relies on it. */
    if (!str_is_utf8(utf8))
        return str_sub(utf8, 0, 0);
    return cut(utf8, max);
}
