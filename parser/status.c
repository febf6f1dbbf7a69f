#include "parser/status.h"

static size_t digits(struct str s, size_t at)
{
    size_t n = 0;
    while (at + n < s.n && ascii_is_digit(s.p[at + n]))
        n++;
    return n;
}

static bool is_word_char(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Length of the code "d.ddd.ddd" at s[at], 0 when there is none. */
static size_t code_at(struct str s, size_t at)
{
    if (at + 5 > s.n || (s.p[at] != '2' && s.p[at] != '4' && s.p[at] != '5') || s.p[at + 1] != '.')
        return 0;
    size_t subject = digits(s, at + 2);
    if (subject < 1 || subject > 3 || at + 2 + subject >= s.n || s.p[at + 2 + subject] != '.')
        return 0;
    size_t from = at + 2 + subject + 1, detail = digits(s, from);
    if (detail < 1 || detail > 3)
        return 0;
    size_t end = from + detail;
    if (end < s.n && (is_word_char(s.p[end]) || s.p[end] == '@'))
        return 0;
    /* A fourth number: an IP address or a version. */
    if (end + 1 < s.n && s.p[end] == '.' && is_word_char(s.p[end + 1]))
        return 0;
    return end - at;
}

struct str status_leading(struct str s)
{
    s = str_trim(s);
    size_t at = 0;
    while (at < s.n && (s.p[at] == '(' || s.p[at] == '#' || s.p[at] == '"' || s.p[at] == '<'))
        at++;
    size_t n = code_at(s, at);
    return n ? str_sub(s, at, at + n) : (struct str){NULL, 0};
}

bool status_is_bare(struct str status)
{
    return status.n == 5 && str_iends(status, STR(".0.0"));
}

/* RFC 3463 defines subjects 0-7; "Version 4.92.3" is none. */
static bool subject_is_known(struct str code)
{
    return code.p[3] == '.' && code.p[2] <= '7';
}

/* The word that ends before at, over blanks and punctuation such as ": ". */
static struct str word_before(struct str s, size_t at)
{
    size_t end = at;
    while (end > 0 && !is_word_char(s.p[end - 1]) && s.p[end - 1] != '\n')
        end--;
    size_t from = end;
    while (from > 0 && is_word_char(s.p[from - 1]))
        from--;
    return str_sub(s, from, end);
}

/* A number behind one of these is a program's version. */
static bool is_version_word(struct str word)
{
    static const struct str words[] = {
        STR_INIT("version"), STR_INIT("ver"),     STR_INIT("v"),           STR_INIT("exim"),
        STR_INIT("postfix"), STR_INIT("release"), STR_INIT("sendmail"),    STR_INIT("mailer"),
        STR_INIT("build"),   STR_INIT("rev"),     STR_INIT("spamassassin")};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_ieq(word, words[i]))
            return true;
    return false;
}

/* The three digits in front of the code at s[at], over the marks of "550-5.1.1" and "550 (#5.1.1)";
 * 0 when there are none. */
static uint16_t number_before(struct str s, size_t at)
{
    size_t end = at;
    while (end > 0 && at - end < 3 && strchr(" -#([:", s.p[end - 1]) && s.p[end - 1])
        end--;
    if (end == at || end < 3 || digits(s, end - 3) != 3 || (end > 3 && is_word_char(s.p[end - 4])))
        return 0;
    return (uint16_t)((s.p[end - 3] - '0') * 100 + (s.p[end - 2] - '0') * 10 + s.p[end - 1] - '0');
}

/* The first code of the class (0: 4 or 5) that stands alone at or after from. Not one that belongs
 * to a reply other than ours (0: any): pipelined commands have several. */
static struct str code_alone(struct str s, size_t from, char class, uint16_t ours)
{
    for (size_t i = from; i + 5 <= s.n; i++) {
        if (s.p[i + 1] != '.' || (class ? s.p[i] != class : s.p[i] != '4' && s.p[i] != '5'))
            continue;
        if (i > 0 && (is_word_char(s.p[i - 1]) || s.p[i - 1] == '.' || s.p[i - 1] == '/'))
            continue;
        size_t n = code_at(s, i);
        struct str code = str_sub(s, i, i + n);
        if (!n || !subject_is_known(code) || is_version_word(word_before(s, i)))
            continue;
        uint16_t other = ours ? number_before(s, i) : 0;
        if (other < 400 || other == ours)
            return code;
    }
    return (struct str){NULL, 0};
}

/* An enhanced code right behind the reply code that ends at: "550 5.1.1", "550-5.1.1",
 * "550 #5.1.1", "550 (5.1.1)". */
static struct str code_behind(struct str s, size_t at, char class)
{
    size_t from = at;
    while (from < s.n && from - at < 3 && strchr(" -#([:", s.p[from]) && s.p[from])
        from++;
    size_t n = from > at ? code_at(s, from) : 0;
    return n && s.p[from] == class ? str_sub(s, from, from + n) : (struct str){NULL, 0};
}

/* Words in front of a quoted reply. */
static bool introduces_reply(struct str word)
{
    static const struct str words[] = {
        STR_INIT("said"),     STR_INIT("smtp"),       STR_INIT("error"),    STR_INIT("code"),
        STR_INIT("reply"),    STR_INIT("response"),   STR_INIT("status"),   STR_INIT("replied"),
        STR_INIT("returned"), STR_INIT("responded"),  STR_INIT("was"),      STR_INIT("host"),
        STR_INIT("failed"),   STR_INIT("rejected"),   STR_INIT("answered"), STR_INIT("reason"),
        STR_INIT("message"),  STR_INIT("transfail"),  STR_INIT("data"),     STR_INIT("server"),
        STR_INIT("result"),   STR_INIT("diagnostic"), STR_INIT("remotely"), STR_INIT("by"),
        STR_INIT("is"),       STR_INIT("unix"),       STR_INIT("command"),  STR_INIT("because"),
        STR_INIT("rcpt"),     STR_INIT("ehlo"),       STR_INIT("from"),
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_ieq(word, words[i]))
            return true;
    return false;
}

/* " KB", " bytes" ...: the number in front is an amount. */
static bool is_measure(struct str s)
{
    static const struct str words[] = {
        STR_INIT("kb"),        STR_INIT("mb"),      STR_INIT("bytes"),    STR_INIT("kilobytes"),
        STR_INIT("megabytes"), STR_INIT("seconds"), STR_INIT("minutes"),  STR_INIT("hours"),
        STR_INIT("days"),      STR_INIT("percent"), STR_INIT("messages"),
    };
    s = str_trim(s);
    size_t end = 0;
    while (end < s.n && ascii_is_alpha(s.p[end]))
        end++;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_ieq(str_sub(s, 0, end), words[i]))
            return true;
    return false;
}

/* How surely the three digits at s[at] are a reply code: 0 no, 1 perhaps, 2 yes. */
static int reply_at(struct str s, size_t at)
{
    if (s.p[at] != '4' && s.p[at] != '5')
        return 0;
    if (digits(s, at) != 3 || s.p[at + 1] > '7' || (at > 0 && is_word_char(s.p[at - 1])))
        return 0;
    size_t end = at + 3;
    char next = end < s.n ? s.p[end] : '\n';
    if (is_word_char(next) || next == '@' || next == '/' || next == '%' ||
        (next == '.' && end + 1 < s.n && is_word_char(s.p[end + 1])))
        return 0;
    if (at > 0 && strchr("./+$@", s.p[at - 1]))
        return 0;
    if (at > 1 && s.p[at - 1] == '-' && is_word_char(s.p[at - 2]))
        return 0;
    if (next == ',' && end + 1 < s.n && ascii_is_digit(s.p[end + 1]))
        return 0;
    if (code_behind(s, end, s.p[at]).n > 0)
        return 2;
    struct str before = word_before(s, at);
    if (before.n == 0 || introduces_reply(before))
        return 2;
    if (at > 0 && strchr("\n:;>([\"'<|-", s.p[at - 1]))
        return 2;
    if (at > 1 && s.p[at - 1] == ' ' && strchr(":;>)]|", s.p[at - 2]))
        return 2;
    return s.p[at + 1] <= '5' && (next == ' ' || next == '-') && !is_measure(str_from(s, end)) ? 1
                                                                                               : 0;
}

/* Index of the first reply code at or after from, sure ones first; text.n when there is none. */
static size_t reply_find(struct str text, size_t from)
{
    size_t maybe = text.n;
    for (size_t i = from; i + 3 <= text.n; i++) {
        int how = ascii_is_digit(text.p[i]) ? reply_at(text, i) : 0;
        if (how == 2)
            return i;
        if (how == 1 && maybe == text.n)
            maybe = i;
    }
    return maybe;
}

/* "554 <a@b.example>... 550 Host unknown": the reply inside is the one that counts. */
static size_t reply_inside(struct str text, size_t at)
{
    enum { ADDRESS_BYTES = 300 };
    struct str near = str_sub(text, 0, at + ADDRESS_BYTES);
    size_t dots = str_find(near, STR("... "), at);
    size_t inner = dots + 4;
    if (inner + 3 < near.n && ascii_is_digit(text.p[inner]) && reply_at(text, inner) > 0)
        return inner;
    return at;
}

/* x.4.7 and Microsoft's 5.4.300: somebody gave up. */
static bool is_expiry(struct str status)
{
    return str_iends(status, STR(".4.7")) || str_iends(status, STR(".4.300"));
}

/* The same in words. */
static bool says_expired(struct str text)
{
    return str_ifind(text, STR("expired"), 0) < text.n ||
           str_ifind(text, STR("timeout"), 0) < text.n ||
           str_ifind(text, STR("timed out"), 0) < text.n;
}

/* The last reply that a text about giving up quotes: "message timeout (last transfail: 454 ...)".
 */
static size_t reply_last(struct str text, size_t at)
{
    enum { LOOKS_MAX = 16 };
    for (size_t looks = 0, next = at + 3; looks < LOOKS_MAX; looks++) {
        next = reply_find(text, next);
        if (next >= text.n || reply_at(text, next) < 2)
            break;
        at = next;
        next += 3;
    }
    return at;
}

static uint16_t reply_number(struct str s, size_t at)
{
    return (uint16_t)((s.p[at] - '0') * 100 + (s.p[at + 1] - '0') * 10 + (s.p[at + 2] - '0'));
}

/* The reply at text[at] and its enhanced code. */
static struct status_codes codes_at(struct str text, size_t at)
{
    struct status_codes codes = {.reply = reply_number(text, at)};
    codes.status = code_behind(text, at + 3, text.p[at]);
    if (str_is_absent(codes.status))
        codes.status = code_alone(text, at, text.p[at], codes.reply);
    return codes;
}

struct status_codes reply_codes_find(struct str text)
{
    struct status_codes codes = {{NULL, 0}, 0};
    size_t at = reply_find(text, 0);
    if (at < text.n) {
        at = reply_inside(text, at);
        codes = codes_at(text, at);
    }
    if (str_is_absent(codes.status))
        codes.status = code_alone(text, 0, 0, codes.reply);
    enum { WORDS_BYTES = 100 };
    if (at < text.n && (codes.status.n > 0 ? is_expiry(codes.status)
                                           : says_expired(str_sub(text, at, at + WORDS_BYTES)))) {
        size_t last = reply_last(text, at);
        struct status_codes inner = last != at ? codes_at(text, last) : codes;
        codes = str_is_absent(inner.status) ? codes : inner;
    }
    if (str_is_absent(codes.status))
        codes.status = code_alone(text, 0, '2', codes.reply);
    return codes;
}

bool status_is_vaguer(struct str status, struct str than)
{
    return str_iends(status, STR(".0")) && !str_iends(than, STR(".0")) && than.n > status.n - 1 &&
           str_eq(str_sub(than, 0, status.n - 1), str_sub(status, 0, status.n - 1));
}
