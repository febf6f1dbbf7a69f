#include "base/smtp_command.h"

const char *smtp_command_name(enum smtp_command command)
{
    static const char *const names[] = {
#define X(id, name) name,
        SMTP_COMMANDS(X)
#undef X
    };
    return command < SMTP_COMMAND_COUNT ? names[command] : "";
}

enum smtp_command smtp_command_by_name(struct str name)
{
    for (int i = SMTP_COMMAND_CONNECT; i < SMTP_COMMAND_COUNT; i++)
        if (str_eq(name, str_c(smtp_command_name((enum smtp_command)i))))
            return (enum smtp_command)i;
    return SMTP_COMMAND_NONE;
}

struct phrase {
    struct str words;
    enum smtp_command command;
};

static const struct phrase commands[] = {
    {STR_INIT("rcpt"), SMTP_COMMAND_RCPT},
    {STR_INIT("data"), SMTP_COMMAND_DATA},
    {STR_INIT("bdat"), SMTP_COMMAND_DATA},
    {STR_INIT("mail from"), SMTP_COMMAND_MAIL},
    {STR_INIT("ehlo"), SMTP_COMMAND_EHLO},
    {STR_INIT("helo"), SMTP_COMMAND_EHLO},
    {STR_INIT("lhlo"), SMTP_COMMAND_EHLO},
    {STR_INIT("starttls"), SMTP_COMMAND_STARTTLS},
    {STR_INIT("auth"), SMTP_COMMAND_AUTH},
    {STR_INIT("end of data"), SMTP_COMMAND_DATA},
    {STR_INIT("end of message"), SMTP_COMMAND_DATA},
    {STR_INIT("end-of-data"), SMTP_COMMAND_DATA},
    {STR_INIT("message body"), SMTP_COMMAND_DATA},
    {STR_INIT("initial connection"), SMTP_COMMAND_CONNECT},
};

/* These need no introduction: qmail-remote(8) and Postfix write them, and nobody else. */
static const struct phrase sentences[] = {
    {STR_INIT("does not like recipient"), SMTP_COMMAND_RCPT},
    {STR_INIT("failed on data command"), SMTP_COMMAND_DATA},
    {STR_INIT("failed after i sent the message"), SMTP_COMMAND_DATA},
    {STR_INIT("sender was rejected."), SMTP_COMMAND_MAIL},
    {STR_INIT("greeting failed."), SMTP_COMMAND_CONNECT},
    {STR_INIT("my name was rejected."), SMTP_COMMAND_EHLO},
    {STR_INIT("refused to talk to me"), SMTP_COMMAND_CONNECT},
};

static bool is_word(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || c == '-' ||
           (unsigned char)c >= 0x80;
}

static enum smtp_command phrase_at(struct str text, const struct phrase *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t end = list[i].words.n;
        if (str_istarts(text, list[i].words) &&
            (text.n == end || !is_word(text.p[end - 1]) || !is_word(text.p[end])))
            return list[i].command;
    }
    return SMTP_COMMAND_NONE;
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

enum smtp_command smtp_command_leading(struct str line)
{
    return phrase_at(str_trim(line), commands, COUNT(commands));
}

static bool ends_one_of(struct str s, const struct str *words, size_t n, size_t *ret)
{
    for (size_t i = 0; i < n; i++)
        if (str_iends(s, words[i]) &&
            (s.n == words[i].n || !is_word(words[i].p[0]) || !is_word(s.p[s.n - words[i].n - 1]))) {
            *ret = words[i].n;
            return true;
        }
    return false;
}

/* The words in front of a command make it the one that was answered. */
static bool is_introduced(struct str before)
{
    static const struct str between[] = {STR_INIT("the"),     STR_INIT("pipelined"),
                                         STR_INIT("sending"), STR_INIT("our"),
                                         STR_INIT("smtp"),    STR_INIT("final")};
    static const struct str introductions[] = {
        STR_INIT("in reply to"), STR_INIT("in response to"),   STR_INIT("in answer to"),
        STR_INIT("after"),       STR_INIT("reply to"),         STR_INIT("response to"),
        STR_INIT("sent:"),       STR_INIT("rejected command"), STR_INIT("did not like"),
    };
    size_t n;
    before = str_trim(before);
    while (before.n > 0 && strchr("'\"<`", before.p[before.n - 1]))
        before.n--;
    before = str_trim(before);
    while (ends_one_of(before, between, COUNT(between), &n))
        before = str_trim(str_sub(before, 0, before.n - n));
    return ends_one_of(before, introductions, COUNT(introductions), &n);
}

/* Whether a phrase of either list begins with these two letters: most words are none of them. */
static bool may_begin(char first, char second)
{
    static const char *const seconds[26] = {
        ['a' - 'a'] = "u", ['b' - 'a'] = "d",   ['d' - 'a'] = "ao", ['e' - 'a'] = "hn",
        ['f' - 'a'] = "a", ['g' - 'a'] = "r",   ['h' - 'a'] = "e",  ['i' - 'a'] = "n",
        ['l' - 'a'] = "h", ['m' - 'a'] = "aey", ['r' - 'a'] = "ce", ['s' - 'a'] = "et",
    };
    const char *list = seconds[(first | 0x20) - 'a'];
    return list && ascii_is_alpha(second) && strchr(list, second | 0x20);
}

enum smtp_command smtp_command_find(struct str text)
{
    enum { BEFORE_BYTES = 40 };
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (!ascii_is_alpha(text.p[i]) || !may_begin(text.p[i], text.p[i + 1]) ||
            (i > 0 && is_word(text.p[i - 1])))
            continue;
        struct str rest = str_from(text, i);
        enum smtp_command command = phrase_at(rest, sentences, COUNT(sentences));
        if (command)
            return command;
        command = phrase_at(rest, commands, COUNT(commands));
        if (command && is_introduced(str_sub(text, i > BEFORE_BYTES ? i - BEFORE_BYTES : 0, i)))
            return command;
    }
    return SMTP_COMMAND_NONE;
}
