/* A notice that a person passed on: "Fwd: Undelivered Mail ..." with the whole of it quoted or
 * attached. Only with a machine-readable report in it: a person's words about a bounce are none. */
#include "parser/mailbox.h"
#include "parser/notice.h"
#include "parser/reader.h"

enum { NOTICE_BYTES = 64 * 1024 };

/* Words in front of a forwarded message's subject, as mail programs put them. */
static bool forward_drop(struct str *subject)
{
    static const struct str marks[] = {STR_INIT("fwd:"), STR_INIT("fw:"), STR_INIT("wg:"),
                                       STR_INIT("tr:"),  STR_INIT("rv:"), STR_INIT("enc:")};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (str_istarts(*subject, marks[i])) {
            *subject = str_trim(str_from(*subject, marks[i].n));
            return true;
        }
    return false;
}

static struct str quote_drop(struct str line)
{
    while (line.n > 0 && (line.p[0] == '>' || line.p[0] == ' '))
        line = str_from(line, 1);
    return line;
}

/* The quoted text from the line "From: <a mail system>" on, without its marks; empty when there is
 * none. */
static struct str unquote(struct reader *r, struct str text)
{
    char *out = arena_alloc(&r->mime->scratch, text.n + 1);
    size_t n = 0;
    bool inside = false;
    struct str rest = text, line;
    while (out && str_line(&rest, &line)) {
        struct str bare = quote_drop(line);
        if (!inside && line.n > 0 && line.p[0] == '>' && str_istarts(bare, STR("From:"))) {
            struct str from = str_trim(str_from(bare, 5));
            inside = notice_is_mta(from, mailbox_first(&r->mime->scratch, from));
        }
        if (!inside)
            continue;
        memcpy(out + n, bare.p, bare.n);
        n += bare.n;
        out[n++] = '\n';
    }
    return str_of(out, out ? n : 0);
}

bool forward_read(struct reader *r)
{
    struct str subject = r->report->subject;
    if (!forward_drop(&subject) || !notice_is_subject(subject))
        return false;
    struct str text = reader_notice(r, NOTICE_BYTES, NULL);
    bool found = dsn_read_text(r, unquote(r, text)) || dsn_read_nested(r);
    if (found)
        r->report->reader = "forward";
    return found;
}
