#include "attribute/inside.h"

#include <errno.h>

/* A token is not shorter. A header of millions of words must not cost as many signatures. */
enum { TOKEN_MIN = 24, READS_MAX = 64 };

struct search {
    struct returnpath_reader *reader;
    struct arena *a;
    struct str domain;
    uint32_t today;
    unsigned reads;
    int rc; /* -ENOMEM once memory ended */
    struct inside_address *found;
    bool *several;
};

static void take(struct search *s, const struct returnpath *says)
{
    struct named whose;
    if (named_read(s->a, says->recipient, &whose) < 0) {
        s->rc = -ENOMEM;
        return;
    }
    enum returnpath_proof had = s->found->says.proof;
    if (had == RETURNPATH_UNSIGNED || (had != RETURNPATH_VALID && says->proof == RETURNPATH_VALID))
        *s->found = (struct inside_address){*says, whose};
    else if (had == RETURNPATH_VALID && says->proof == RETURNPATH_VALID &&
             named_differ(&s->found->whose, &whose))
        *s->several = true;
}

/* True when address is a token of ours, whatever became of it. */
static bool read_address(struct search *s, struct str address)
{
    struct returnpath says;
    if (s->rc < 0 || address.n < TOKEN_MIN || s->reads >= READS_MAX)
        return false;
    s->reads++;
    int rc = returnpath_read_inside(s->reader, s->a, address, s->today, &says);
    if (rc == 0)
        take(s, &says);
    else if (rc == -ENOMEM)
        s->rc = rc;
    return rc == 0;
}

/* A whole token, or only its local part: then it is of the domain that the report came to. */
static void read_word(struct search *s, struct str word)
{
    size_t at = str_rchr(word, '@');
    if (word.n < TOKEN_MIN || (at < word.n && read_address(s, word)) || s->domain.n == 0)
        return;
    struct str local = str_sub(word, 0, at);
    if (local.n < TOKEN_MIN || s->reads >= READS_MAX)
        return;
    struct str address = arena_fmt(s->a, "%.*s@%.*s", STR_ARG(local), STR_ARG(s->domain));
    if (str_is_absent(address))
        s->rc = -ENOMEM;
    else
        read_address(s, address);
}

static void read_words(struct search *s, struct str text)
{
    size_t from = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && !ascii_is_space(text.p[i]) && !strchr(",;:<>()[]\"", text.p[i]))
            continue;
        read_word(s, str_sub(text, from, i));
        from = i + 1;
    }
}

static int hex_digit(char c)
{
    c = ascii_lower(c);
    return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX (RFC 3986 section 2.1). A NUL stays as it is written. */
static struct str percent_decode(struct search *s, struct str text)
{
    char *p = arena_alloc(s->a, text.n);
    size_t n = 0;
    if (!p) {
        s->rc = -ENOMEM;
        return (struct str){NULL, 0};
    }
    for (size_t i = 0; i < text.n; i++) {
        int high = i + 2 < text.n && text.p[i] == '%' ? hex_digit(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;
        if (low >= 0 && high + low > 0) {
            p[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            p[n++] = text.p[i];
        }
    }
    return str_of(p, n);
}

/* The addresses of a mailto: (RFC 6068 section 2) and what it puts into the Subject. */
static void read_mailto(struct search *s, struct str uri)
{
    struct str fields = uri;
    struct str to = str_cut(&fields, '?');
    read_words(s, percent_decode(s, to));
    while (fields.n > 0 && s->rc == 0) {
        struct str value = str_cut(&fields, '&');
        struct str name = str_cut(&value, '=');
        if (str_ieq(name, STR("subject")) || str_ieq(name, STR("to")))
            read_words(s, percent_decode(s, value));
    }
}

/* <URI>, <URI> ... (RFC 2369 section 2). */
static void read_list_unsubscribe(struct search *s, struct str value)
{
    static const struct str scheme = STR_INIT("mailto:");
    while (value.n > 0 && s->rc == 0) {
        str_cut(&value, '<');
        struct str uri = str_trim(str_cut(&value, '>'));
        if (str_istarts(uri, scheme))
            read_mailto(s, str_from(uri, scheme.n));
    }
}

/* The order: what the transaction said before what the header says, an address before a word. */
static void read_returned(struct search *s, const struct report *report)
{
    const struct report_original *o = &report->original;
    read_words(s, o->return_path);
    read_words(s, o->mail_from);
    read_words(s, report->envelope_id);
    read_words(s, o->message_id);
    read_list_unsubscribe(s, o->list_unsubscribe);
    read_words(s, o->cfbl_address);
    read_words(s, o->cfbl_feedback_id);
    read_words(s, o->feedback_id);
    for (size_t i = 0; i < o->kept_n; i++)
        read_words(s, o->kept[i].value);
}

/* A feedback report goes to an enrolled address, so an unsigned return path stands inside it. */
static int read_return_path(struct search *s, struct str address, struct inside *ret)
{
    struct returnpath says;
    if (address.n == 0 || ret->return_path.says.recipient.n > 0)
        return 0;
    int rc = returnpath_read(s->reader, s->a, address, s->today, &says);
    if (rc < 0 || says.proof != RETURNPATH_UNSIGNED || says.recipient.n == 0)
        return rc == -ENOMEM ? rc : 0;
    ret->return_path.says = says;
    return named_read(s->a, says.recipient, &ret->return_path.whose);
}

int inside_read(struct returnpath_reader *reader, struct arena *a, const struct report *report,
                struct str domain, uint32_t today, struct inside *ret)
{
    struct inside in = {0};
    bool unused = false;
    if (reader) {
        struct search s = {reader, a, domain, today, 0, 0, &in.returned, &in.several};
        read_returned(&s, report);
        s.found = &in.subject;
        s.several = &unused;
        s.reads = 0;
        read_words(&s, report->subject);
        if (s.rc < 0 || read_return_path(&s, report->original.return_path, &in) < 0 ||
            read_return_path(&s, report->original.mail_from, &in) < 0)
            return -ENOMEM;
    }
    *ret = in;
    return 0;
}
