#include "classify/codes.h"

static bool digits(struct str text, size_t *at, unsigned *ret)
{
    size_t from = *at;
    unsigned value = 0;
    while (*at < text.n && *at - from < 3 && ascii_is_digit(text.p[*at]))
        value = value * 10 + (unsigned)(text.p[(*at)++] - '0');
    *ret = value;
    return *at > from;
}

/* Reads a status at *at, moves behind it. */
static bool status_at(struct str text, size_t *at, struct status *ret)
{
    size_t i = *at;
    unsigned subject, detail;
    if (i + 5 > text.n || (text.p[i] != '2' && text.p[i] != '4' && text.p[i] != '5') ||
        text.p[i + 1] != '.')
        return false;
    unsigned class = (unsigned)(text.p[i] - '0');
    i += 2;
    if (!digits(text, &i, &subject) || i >= text.n || text.p[i] != '.')
        return false;
    i++;
    if (!digits(text, &i, &detail))
        return false;
    /* Not an address such as 5.1.1.7, not a longer number. A dot may end the sentence. */
    if (i < text.n && (ascii_is_digit(text.p[i]) ||
                       (text.p[i] == '.' && i + 1 < text.n && ascii_is_digit(text.p[i + 1]))))
        return false;
    *ret = (struct status){(uint8_t) class, (uint16_t)subject, (uint16_t)detail};
    *at = i;
    return true;
}

bool codes_parse(struct str text, struct status *ret)
{
    size_t at = 0;
    struct status s;
    text = str_trim(text);
    if (!status_at(text, &at, &s) ||
        (at < text.n && !ascii_is_space(text.p[at]) && text.p[at] != '('))
        return false;
    *ret = s;
    return true;
}

static bool is_word(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '_';
}

/* A reply code at i: [245] and two digits that stand alone. In front only a space, a bracket or
 * punctuation that MTAs put there ("said:", "smtp;", "->", "RCPT="); behind a space, '-', ':',
 * '#' or the end. */
static bool reply_at(struct str text, size_t i, uint16_t *ret)
{
    if (i + 3 > text.n || (text.p[i] != '2' && text.p[i] != '4' && text.p[i] != '5') ||
        text.p[i + 1] < '0' || text.p[i + 1] > '5' || !ascii_is_digit(text.p[i + 2]))
        return false;
    if (i > 0) {
        char before = text.p[i - 1];
        if (!ascii_is_space(before) && (before == '\0' || !strchr(";:>(['\"=", before)))
            return false;
    }
    if (i + 3 < text.n) {
        char after = text.p[i + 3];
        if (!ascii_is_space(after) && (after == '\0' || !strchr("-:#;,)]'\"", after)))
            return false;
    }
    *ret = (uint16_t)((text.p[i] - '0') * 100 + (text.p[i + 1] - '0') * 10 + text.p[i + 2] - '0');
    return true;
}

/* The status that belongs to the reply code in front of i: "550 5.1.1", "550-5.1.1",
 * "550 #5.1.1", "550 (5.1.1". */
static bool status_behind(struct str text, size_t i, struct str *ret)
{
    for (size_t skipped = 0; i < text.n && skipped < 4; skipped++, i++) {
        struct status s;
        size_t end = i;
        if (status_at(text, &end, &s)) {
            *ret = str_sub(text, i, end);
            return true;
        }
        if (text.p[i] == '\0' || !strchr(" -#([:", text.p[i]))
            return false;
    }
    return false;
}

void codes_find(struct str text, struct codes_found *ret)
{
    struct str anywhere = {NULL, 0}, first = {NULL, 0};
    *ret = (struct codes_found){0};
    for (size_t i = 0; i < text.n; i++) {
        if (!ascii_is_digit(text.p[i]))
            continue;
        uint16_t code;
        if (reply_at(text, i, &code)) {
            struct str s;
            bool with_status = status_behind(text, i + 3, &s) && s.p[0] == text.p[i];
            /* A number in a sentence ("exceeds 450 KB") is no reply; one at the front, or one with
             * its status, is. */
            bool is_reply = with_status || ret->reply == 0;
            if (ret->reply == 0)
                ret->reply = code;
            if (with_status) {
                if (str_is_absent(first) && code == ret->reply)
                    first = s;
                ret->inner = s;
                ret->inner_reply = code;
            }
            if (is_reply && code / 100 == 4)
                ret->last_transient = str_from(text, i);
            i += 2;
            continue;
        }
        struct status s;
        size_t end = i;
        if ((i == 0 || !is_word(text.p[i - 1])) && status_at(text, &end, &s)) {
            if (str_is_absent(anywhere) && s.class != 2)
                anywhere = str_sub(text, i, end);
            i = end - 1;
            continue;
        }
        while (i + 1 < text.n && is_word(text.p[i + 1]))
            i++;
    }
    ret->status = str_is_absent(first) ? anywhere : first;
    if (str_is_absent(ret->inner))
        ret->inner = ret->status;
}
