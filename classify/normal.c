#include "classify/normal.h"

#include "classify/codes.h"

/* Bytes at i that repeat the reply code of a multi-line reply, with its status and a space behind;
 * 0: none. */
static size_t continuation(struct str text, size_t i, struct str code)
{
    if (code.n == 0 || !str_starts(str_from(text, i), code) || i + 3 >= text.n ||
        (text.p[i + 3] != ' ' && text.p[i + 3] != '-'))
        return 0;
    size_t at = i + 4;
    struct str word = str_from(text, at);
    word = str_cut(&word, ' ');
    struct status s;
    if (codes_parse(word, &s))
        at += word.n;
    return at - i;
}

/* The code of the first "NNN-" line, or absent: only then are there continuations. */
static struct str multiline_code(struct str text)
{
    for (size_t i = 0; i + 4 <= text.n; i++) {
        if ((text.p[i] == '4' || text.p[i] == '5') && ascii_is_digit(text.p[i + 1]) &&
            ascii_is_digit(text.p[i + 2]) && text.p[i + 3] == '-' &&
            (i == 0 || ascii_is_space(text.p[i - 1])))
            return str_sub(text, i, i + 3);
    }
    return (struct str){NULL, 0};
}

static void add(struct normal *norm, char c, size_t at)
{
    norm->p[norm->n] = c;
    norm->at[norm->n++] = (uint16_t)at;
}

/* Bytes of the UTF-8 character at i; 0: there is none. */
static size_t character(struct str text, size_t i)
{
    for (size_t n = 1; n <= 4 && n <= text.n - i; n++)
        if (str_is_utf8(str_sub(text, i, i + n)))
            return n;
    return 0;
}

static void add_character(struct normal *norm, struct str text, size_t i, size_t n)
{
    if (n == 3 && str_starts(str_from(text, i), STR("\xe2\x80\x99"))) {
        add(norm, '\'', i);
    } else if (n > 0) {
        for (size_t k = 0; k < n; k++)
            add(norm, text.p[i + k], i + k);
    } else {
        unsigned char c = (unsigned char)text.p[i];
        add(norm, (char)(0xc0 | c >> 6), i);
        add(norm, (char)(0x80 | (c & 0x3f)), i);
    }
}

void normal_make(struct normal *norm, struct str text)
{
    text = str_sub(text, 0, NORMAL_BYTES);
    norm->n = 0;
    norm->original = text;
    struct str code = multiline_code(text);
    bool seen_code = false, space = true;
    for (size_t i = 0; i < text.n && norm->n + 4 <= NORMAL_BYTES;) {
        if (ascii_is_space(text.p[i])) {
            if (!space)
                add(norm, ' ', i);
            space = true;
            i++;
            continue;
        }
        size_t skip = space ? continuation(text, i, code) : 0;
        if (skip > 0 && seen_code) {
            i += skip;
            continue;
        }
        seen_code |= skip > 0;
        space = false;
        size_t n = (unsigned char)text.p[i] < 0x80 ? 1 : character(text, i);
        add_character(norm, text, i, n);
        i += n ? n : 1;
    }
    if (norm->n > 0 && norm->p[norm->n - 1] == ' ')
        norm->n--;
}

struct str normal_text(const struct normal *norm)
{
    return str_of(norm->p, norm->n);
}

struct str normal_original(const struct normal *norm, size_t from, size_t to)
{
    if (to > norm->n)
        to = norm->n;
    if (from >= to)
        return str_sub(norm->original, 0, 0);
    return str_sub(norm->original, norm->at[from], (size_t)norm->at[to - 1] + 1);
}
