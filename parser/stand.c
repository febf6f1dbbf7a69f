#include "parser/stand.h"

#include "parser/mailbox.h"
#include "parser/notice.h"
#include "parser/status.h"

struct str stand_line(struct str text, size_t at)
{
    return str_sub(text, at, str_chr(text, '\n', at));
}

size_t stand_line_start(struct str text, size_t at)
{
    size_t from = at > STAND_LINE_BYTES ? at - STAND_LINE_BYTES : 0;
    struct str before = str_sub(text, from, at);
    size_t newline = str_rchr(before, '\n');
    return newline < before.n ? from + newline + 1 : from;
}

struct str stand_line_around(struct str text, size_t at)
{
    size_t from = stand_line_start(text, at);
    return stand_line(str_sub(text, 0, at + STAND_LINE_BYTES), from);
}

bool stand_is_blank(struct str line)
{
    return str_trim(line).n == 0;
}

bool stand_is_marks(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(" \t<>()[]\"'*-=:;,.|#>\xe2\x80\xa2", s.p[i]) || s.p[i] == '\0')
            return false;
    return true;
}

/* True when the last line with words before at announces what follows: "...:" or "----- ... -----".
 */
static bool is_announced(struct str text, size_t at)
{
    size_t end = stand_line_start(text, at);
    struct str before =
        str_trim(str_sub(text, end > STAND_LINE_BYTES ? end - STAND_LINE_BYTES : 0, end));
    return before.n > 0 && (before.p[before.n - 1] == ':' || before.p[before.n - 1] == '-');
}

/* "c=US;a= ;p=Example;o=Site;dda:SMTP=": the X.400 address around one (RFC 2156). */
static bool is_x400(struct str before)
{
    return (str_istarts(before, STR("c=")) || str_istarts(before, STR("/c=")) ||
            str_istarts(before, STR("/g="))) &&
           (str_iends(before, STR("dda:")) || str_iends(before, STR("dda:smtp=")) ||
            str_iends(before, STR("rfc-822=")));
}

/* "on Mon, 5 Jan 2026": Exchange's date behind an address. */
static bool is_dated(struct str rest)
{
    static const struct str days[] = {STR_INIT("mon"), STR_INIT("tue"), STR_INIT("wed"),
                                      STR_INIT("thu"), STR_INIT("fri"), STR_INIT("sat"),
                                      STR_INIT("sun")};
    if (!str_istarts(rest, STR("on ")))
        return false;
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++)
        if (str_istarts(str_from(rest, 3), days[i]))
            return true;
    return false;
}

/* Without the quotes and brackets that open around an address. */
static struct str opening_drop(struct str s)
{
    while (s.n > 0 && strchr("< \t\"'[(", s.p[s.n - 1]) && s.p[s.n - 1])
        s.n--;
    return s;
}

bool stand_ends_in_colon(struct str s)
{
    s = opening_drop(s);
    return s.n > 0 && s.p[s.n - 1] == ':';
}

/* True when the last word of s is that one. */
static bool ends_in_word(struct str s, struct str word)
{
    return str_iends(s, word) && (s.n == word.n || !ascii_is_alpha(s.p[s.n - word.n - 1]));
}

enum stand stand_of(struct str text, struct str line, struct str address)
{
    size_t from = (size_t)(address.p - line.p), to = from + address.n;
    struct str before = str_trim(str_sub(line, 0, from)), after = str_from(line, to);
    while (after.n > 0 && strchr(">\"')]", after.p[0]) && after.p[0])
        after = str_from(after, 1);
    bool reply = reply_codes_find(line).reply > 0;
    if (stand_is_marks(before) || is_x400(before)) {
        struct str rest = str_trim(after);
        if (rest.n == 0 || strchr(":;,(.-|=", rest.p[0]) || reply || is_dated(rest) ||
            (after.p[0] == '\t' || str_starts(after, STR("  "))) ||
            is_announced(text, (size_t)(line.p - text.p)))
            return STAND_HEAD;
        return STAND_LABELLED;
    }
    if (ends_in_word(opening_drop(before), STR("from")))
        return STAND_NONE; /* the sender */
    if (reply || str_ifind(before, STR("rcpt to"), 0) < before.n)
        return STAND_REPLY;
    if (str_ieq(before, STR("to: <")) || str_ieq(before, STR("to:")))
        return STAND_TO;
    return notice_is_recipient_label(before) ? STAND_NAMED
           : notice_is_label(before)         ? STAND_LABELLED
                                             : STAND_INSIDE;
}
