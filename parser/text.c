#include "parser/text.h"

#include "parser/charset.h"

bool text_is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

struct str text_line(struct arena *a, struct str raw, struct str charset, size_t max)
{
    if (str_is_absent(raw))
        return raw;
    /* White space shrinks, so more is read than kept; a bound all the same. */
    struct str utf8 = charset_to_utf8(a, str_sub(raw, 0, max * 4), charset, max * 4);
    if (str_is_absent(utf8))
        return utf8;
    size_t room = utf8.n < max ? utf8.n : max;
    char *line = arena_alloc(a, room + 1);
    if (!line)
        return (struct str){NULL, 0};
    size_t n = 0;
    bool space = false;
    for (size_t i = 0; i < utf8.n; i++) {
        unsigned char c = (unsigned char)utf8.p[i];
        if (c <= 0x20 || c == 0x7f) {
            space = n > 0;
            continue;
        }
        if (n + space + 1 > room)
            break;
        if (space)
            line[n++] = ' ';
        space = false;
        line[n++] = (char)c;
    }
    /* The room may have ended inside a character. */
    size_t last = n;
    while (last > 0 && ((unsigned char)line[last - 1] & 0xc0) == 0x80)
        last--;
    if (last > 0 && !str_is_utf8(str_of(line + last - 1, n - last + 1)))
        n = last - 1;
    return str_of(line, n);
}

bool text_has_any(struct str text, const struct str *words, size_t words_n)
{
    /* Most bytes begin none of the words: one look each. */
    bool begins[256] = {0};
    for (size_t k = 0; k < words_n; k++)
        begins[(unsigned char)ascii_lower(words[k].p[0])] = true;
    for (size_t i = 0; i < text.n; i++) {
        char c = ascii_lower(text.p[i]);
        if (!begins[(unsigned char)c])
            continue;
        struct str rest = str_from(text, i);
        for (size_t k = 0; k < words_n; k++)
            if (words[k].p[0] == c && str_istarts(rest, words[k]))
                return true;
    }
    return false;
}

struct html {
    char *out;
    size_t n, room;
};

static void html_put(struct html *h, const char *p, size_t n)
{
    if (n <= h->room - h->n) {
        memcpy(h->out + h->n, p, n);
        h->n += n;
    }
}

static bool tag_breaks(struct str tag)
{
    static const struct str names[] = {
        STR_INIT("br"),   STR_INIT("p"),    STR_INIT("/p"),  STR_INIT("tr"),  STR_INIT("/tr"),
        STR_INIT("div"),  STR_INIT("/div"), STR_INIT("li"),  STR_INIT("h1"),  STR_INIT("h2"),
        STR_INIT("h3"),   STR_INIT("/h1"),  STR_INIT("/h2"), STR_INIT("/h3"), STR_INIT("hr"),
        STR_INIT("/pre"), STR_INIT("td")};
    size_t end = 0;
    while (end < tag.n && !ascii_is_space(tag.p[end]) && (tag.p[end] != '/' || end == 0))
        end++;
    tag = str_sub(tag, 0, end);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_ieq(tag, names[i]))
            return true;
    return false;
}

/* Decodes the entity at s ("&...;"); its length, or 0 when it is none we know. */
static size_t entity(struct html *h, struct str s)
{
    static const struct {
        struct str name, text;
    } t[] = {{STR_INIT("&lt;"), STR_INIT("<")},   {STR_INIT("&gt;"), STR_INIT(">")},
             {STR_INIT("&amp;"), STR_INIT("&")},  {STR_INIT("&quot;"), STR_INIT("\"")},
             {STR_INIT("&nbsp;"), STR_INIT(" ")}, {STR_INIT("&#39;"), STR_INIT("'")},
             {STR_INIT("&#160;"), STR_INIT(" ")}, {STR_INIT("&apos;"), STR_INIT("'")},
             {STR_INIT("&#64;"), STR_INIT("@")}};
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (str_istarts(s, t[i].name)) {
            html_put(h, t[i].text.p, t[i].text.n);
            return t[i].name.n;
        }
    return 0;
}

struct str text_from_html(struct arena *a, struct str html, size_t max)
{
    html = str_sub(html, 0, max);
    struct html h = {.room = html.n + 1};
    h.out = arena_alloc(a, h.room);
    if (!h.out)
        return (struct str){NULL, 0};
    for (size_t i = 0; i < html.n;) {
        char c = html.p[i];
        if (c == '<') {
            size_t end = str_chr(html, '>', i);
            struct str tag = str_sub(html, i + 1, end);
            /* "<a@b.example>" that nobody escaped is an address, not a tag. */
            if (str_chr(tag, '@', 0) < tag.n && str_chr(tag, '=', 0) == tag.n &&
                str_chr(tag, ' ', 0) == tag.n) {
                html_put(&h, html.p + i, (end < html.n ? end + 1 : end) - i);
            } else if (str_istarts(tag, STR("style")) || str_istarts(tag, STR("script"))) {
                end = str_ifind(
                    html, str_istarts(tag, STR("style")) ? STR("</style") : STR("</script"), i);
                end = str_chr(html, '>', end);
            } else {
                html_put(&h, tag_breaks(tag) ? "\n" : "", tag_breaks(tag) ? 1 : 0);
            }
            i = end < html.n ? end + 1 : end;
        } else {
            size_t n = c == '&' ? entity(&h, str_from(html, i)) : 0;
            if (n == 0)
                html_put(&h, &c, n = 1);
            i += n;
        }
    }
    return str_of(h.out, h.n);
}
