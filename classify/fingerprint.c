#include "classify/fingerprint.h"

#include "classify/codes.h"

enum { FORM_BYTES = 2048 }; /* of the common form that count */

struct form {
    char *p;
    size_t n, room;
    bool full;
};

static void form_word(struct form *f, struct str word)
{
    if (f->full || f->room - f->n < word.n + 1) {
        f->full = true; /* what follows does not count */
        return;
    }
    if (f->n > 0)
        f->p[f->n++] = ' ';
    for (size_t i = 0; i < word.n; i++)
        f->p[f->n++] = ascii_lower(word.p[i]);
}

/* What may stand inside a word: all that addresses, hosts, URLs and ids are made of. */
static bool is_inner(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80 ||
           (c != '\0' && strchr("@.-_+=/:%?&#~!$*'{}|^", c));
}

static bool is_edge(char c)
{
    return c != '\0' && strchr(".-_+=/:%?&#~!$*'{}|^", c);
}

static bool is_ip(struct str word)
{
    size_t dots = 0, colons = 0, other = 0;
    for (size_t i = 0; i < word.n; i++) {
        char c = ascii_lower(word.p[i]);
        dots += c == '.';
        colons += c == ':';
        other += !ascii_is_digit(c) && c != '.' && c != ':' && !(c >= 'a' && c <= 'f');
    }
    if (other > 0)
        return false;
    return colons >= 2 ||
           (dots == 3 && ascii_is_digit(word.p[0]) && ascii_is_digit(word.p[word.n - 1]));
}

/* At least two labels, the last of two or more letters: "mx1.example", not "e.g" or "5.1.1". */
static bool is_host(struct str word)
{
    size_t dot = str_rchr(word, '.');
    if (dot == word.n || dot == 0 || word.n - dot < 3)
        return false;
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (i > dot ? !ascii_is_alpha(c)
                    : !ascii_is_alpha(c) && !ascii_is_digit(c) && c != '.' && c != '-' && c != '_')
            return false;
    }
    return true;
}

static void form_token(struct form *f, struct str word)
{
    struct status status;
    size_t digits = 0, letters = 0, breaks = 0;
    for (size_t i = 0; i < word.n; i++) {
        digits += ascii_is_digit(word.p[i]);
        letters += ascii_is_alpha(word.p[i]) || (unsigned char)word.p[i] >= 0x80;
        breaks += is_edge(word.p[i]);
    }
    if (str_ifind(word, STR("://"), 0) < word.n || str_istarts(word, STR("www.")))
        form_word(f, STR("{url}"));
    else if (str_chr(word, '@', 0) < word.n)
        form_word(f, STR("{address}"));
    else if (is_ip(word))
        form_word(f, STR("{ip}"));
    else if (codes_parse(word, &status) ||
             (word.n == 3 && digits == 3 && (word.p[0] == '4' || word.p[0] == '5')))
        form_word(f, word);
    else if (is_host(word))
        form_word(f, STR("{host}"));
    else if (digits > 0 && letters == 0)
        form_word(f, STR("{n}"));
    else if (digits > 0)
        form_word(f, STR("{id}"));
    else if (breaks > 0 &&
             (word.n > 40 || (str_chr(word, '=', 0) < word.n && str_chr(word, '.', 0) < word.n)))
        form_word(f, STR("{id}"));
    else if (letters > 0)
        form_word(f, word);
}

/* Behind a quoted local part and its '@' at i ("john doe"@), or i when there is none. */
static size_t quoted_local(struct str text, size_t i)
{
    if (text.p[i] != '"')
        return i;
    size_t end = str_chr(str_sub(text, 0, i + 66), '"', i + 1);
    return end + 1 < text.n && text.p[end] == '"' && text.p[end + 1] == '@' ? end + 1 : i;
}

size_t fingerprint_text(struct str text, char *out, size_t room)
{
    struct form f = {out, 0, room, false};
    for (size_t i = 0; i < text.n && !f.full;) {
        size_t from = i;
        i = quoted_local(text, i);
        if (!is_inner(text.p[i])) {
            i++;
            continue;
        }
        while (i < text.n && is_inner(text.p[i]))
            i++;
        size_t to = i;
        while (to > from && is_edge(text.p[to - 1]))
            to--;
        while (from < to && is_edge(text.p[from]))
            from++;
        /* "550-5.1.1" is a code and a status. */
        if (to - from > 4 && text.p[from + 3] == '-' &&
            (text.p[from] == '4' || text.p[from] == '5') && ascii_is_digit(text.p[from + 1]) &&
            ascii_is_digit(text.p[from + 2])) {
            form_token(&f, str_sub(text, from, from + 3));
            from += 4;
        }
        if (from < to)
            form_token(&f, str_sub(text, from, to));
    }
    return f.n;
}

uint64_t fingerprint(struct str text)
{
    char form[FORM_BYTES];
    size_t n = fingerprint_text(text, form, sizeof(form));
    /* FNV-1a, 64 bits. */
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)form[i]) * UINT64_C(0x100000001b3);
    if (n == 0)
        return 0;
    return hash ? hash : 1;
}
