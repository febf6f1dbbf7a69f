#include "receiver/hops.h"

static const struct str name = STR_INIT("received:");

/* Up to the end of a line, or of content; returns what is left. */
static struct str line(struct hops *h, struct str content)
{
    for (size_t i = 0; i < content.n && !h->elsewhere; i++) {
        char c = content.p[i];
        if (c == '\n') {
            h->ended = h->matched == 0;
            h->matched = 0;
            h->cr = false;
            return str_from(content, i + 1);
        }
        if (c == '\r' && h->matched == 0 && !h->cr) {
            h->cr = true;
        } else if (!h->cr && ascii_lower(c) == name.p[h->matched]) {
            h->elsewhere = ++h->matched == name.n;
            h->n += h->elsewhere;
        } else {
            h->elsewhere = true;
        }
    }
    size_t end = str_chr(content, '\n', 0);
    if (end == content.n)
        return (struct str){0};
    h->elsewhere = h->cr = false;
    h->matched = 0;
    return str_from(content, end + 1);
}

void hops_add(struct hops *h, struct str content)
{
    while (content.n > 0 && !h->ended)
        content = line(h, content);
}
