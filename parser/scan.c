#include "parser/scan.h"

/* Boundaries kept in sight. More than this many different ones: any line that begins with "--"
 * counts as one. */
enum { BOUNDARIES_MAX = 64, DEPTH_MAX = 64 };

/* Counts of '\n' and of '\r' that no '\n' follows. */
static void line_ends(struct str s, size_t *ret_lf, size_t *ret_cr)
{
    size_t lf = 0, cr = 0;
    for (const char *p = s.p, *end = s.p + s.n; p && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lf++;
    for (const char *p = s.p, *end = s.p + s.n; p && (p = memchr(p, '\r', (size_t)(end - p))); p++)
        cr += p + 1 == end || p[1] != '\n';
    *ret_lf = lf;
    *ret_cr = cr;
}

/* Drops blank lines and an mbox separator in front of the header. */
static size_t leading(const char *to, size_t n)
{
    size_t from = 0;
    for (;;) {
        size_t at = from;
        while (at < n && (to[at] == ' ' || to[at] == '\t'))
            at++;
        if (at < n && to[at] == '\n')
            from = at + 1;
        else
            break;
    }
    struct str rest = str_of(to + from, n - from);
    if (str_starts(rest, STR("From ")) || str_starts(rest, STR(">From "))) {
        size_t end = str_chr(rest, '\n', 0);
        from += end < rest.n ? end + 1 : end;
    }
    return from;
}

/* "Content-Type: multipart/mixed;" and its boundary on a line that is not folded: the line end
 * becomes a space, or the parts behind could not be found. */
static void unfolded_join(char *to, size_t n)
{
    struct str all = str_of(to, n);
    for (size_t at = 0; (at = str_find(all, STR("\nboundary="), at)) < n; at++)
        if (at > 0 && to[at - 1] == ';')
            to[at] = ' ';
}

size_t scan_normalise(struct str message, char *to)
{
    size_t lf, cr, n = 0;
    line_ends(message, &lf, &cr);
    bool cr_ends = cr > lf;
    const char *p = message.p, *end = message.p + message.n;
    while (p && p < end) {
        const char *next = memchr(p, '\r', (size_t)(end - p));
        size_t run = (size_t)((next ? next : end) - p);
        memcpy(to + n, p, run);
        n += run;
        p += run;
        if (!next)
            break;
        if (p + 1 < end && p[1] == '\n')
            p++; /* the LF is copied with what follows */
        else if (p + 2 < end && p[1] == '\r' && p[2] == '\n')
            p += 2; /* CR CR LF: a line end that was translated twice */
        else {
            to[n++] = cr_ends ? '\n' : ' ';
            p++;
        }
    }
    for (char *nul = to; (nul = memchr(nul, '\0', n - (size_t)(nul - to))) != NULL;)
        *nul = ' ';
    size_t from = leading(to, n);
    if (from > 0)
        memmove(to, to + from, n - from);
    unfolded_join(to, n - from);
    return n - from;
}

/* The fields that a GMimeMessage decodes while it is parsed. */
static bool is_decoded_field(struct str line)
{
    static const struct str names[] = {
        STR_INIT("From"),
        STR_INIT("To"),
        STR_INIT("Cc"),
        STR_INIT("Bcc"),
        STR_INIT("Sender"),
        STR_INIT("Reply-To"),
        STR_INIT("Subject"),
        STR_INIT("Date"),
        STR_INIT("Message-Id"),
        STR_INIT("Resent-"),
        STR_INIT("Disposition-Notification-To"),
        STR_INIT("References"),
        STR_INIT("In-Reply-To"),
        STR_INIT("Autocrypt"),
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_istarts(line, names[i]))
            return true;
    return false;
}

void scan_blind(char *bytes, size_t n)
{
    struct str all = str_of(bytes, n);
    for (size_t at = 0; at < n;) {
        /* The first letters of the names above. */
        if (strchr("FfTtCcBbSsRrDdMmIiAa", bytes[at]) && bytes[at] &&
            is_decoded_field(str_sub(all, at, at + 32)))
            bytes[at] = 'X';
        size_t end = str_chr(all, '\n', at);
        at = end + 1;
    }
}

struct scan {
    const struct report_limits *limits;
    size_t parts, headers, header_bytes;
    size_t depth; /* multiparts and messages open now */
    struct str boundaries[BOUNDARIES_MAX];
    size_t boundary_depth[BOUNDARIES_MAX]; /* of the parts it divides */
    size_t boundaries_n;
    bool any_dashes; /* a boundary is not known exactly: any line "--..." may be one */
    bool in_header;
    bool message; /* this header speaks of a message: its body begins with a header again */
    bool digest;  /* parts without a type are messages (RFC 2046 section 5.1.5), from here on */
};

/* Notes the boundary that a header's text declares. */
static void boundary_note(struct scan *s, struct str field)
{
    for (size_t at = 0; (at = str_ifind(field, STR("boundary"), at)) < field.n;) {
        at += STR("boundary").n;
        struct str rest = str_from(field, at);
        struct str value = str_trim(rest);
        if (value.n == 0 || (value.p[0] != '=' && value.p[0] != '*'))
            continue;
        bool plain = value.p[0] == '=';
        value = str_trim(str_from(value, 1));
        if (value.n > 0 && value.p[0] == '"') {
            size_t end = str_chr(value, '"', 1);
            plain = plain && end < value.n;
            value = str_sub(value, 1, end);
        } else {
            size_t end = 0;
            while (end < value.n && !ascii_is_space(value.p[end]) && value.p[end] != ';')
                end++;
            plain = plain && end > 0 && value.p[0] != '(' && value.p[0] != '\'';
            value = str_sub(value, 0, end);
        }
        value = str_trim(value);
        for (size_t i = 0; i < value.n; i++)
            if (value.p[i] == '\\' || value.p[i] == '\n' || value.p[i] == '%')
                plain = false;
        if (!plain || str_find(value, STR("=?"), 0) < value.n || value.n == 0 ||
            s->boundaries_n == BOUNDARIES_MAX) {
            s->any_dashes = true;
            s->depth++;
            return;
        }
        s->boundaries[s->boundaries_n] = value;
        s->boundary_depth[s->boundaries_n++] = ++s->depth;
    }
}

/* True when line may divide parts. What is open inside is closed only by a line that is the
 * boundary exactly, as GMime sees it; else depth would be counted too low. */
static bool boundary_line(struct scan *s, struct str line)
{
    struct str rest = str_from(line, 2);
    bool may = s->any_dashes;
    for (size_t i = s->boundaries_n; i-- > 0;) {
        if (!str_starts(rest, s->boundaries[i]))
            continue;
        may = true;
        struct str tail = str_trim(str_from(rest, s->boundaries[i].n));
        bool closing = str_eq(tail, STR("--"));
        if (tail.n > 0 && !closing)
            continue;
        s->depth = s->boundary_depth[i];
        s->boundaries_n = closing && !s->any_dashes && i > 0 ? i : i + 1;
        break;
    }
    return may;
}

static void header_line(struct scan *s, struct str line, struct str *field)
{
    if (line.p[0] == ' ' || line.p[0] == '\t') {
        field->n = (size_t)(line.p + line.n - field->p);
        if (str_is_absent(*field))
            *field = line;
    } else {
        *field = line;
        s->headers++;
    }
    if (field->n > s->header_bytes)
        s->header_bytes = field->n;
}

/* What a whole field says of the shape. */
static void field_end(struct scan *s, struct str field)
{
    if (!str_istarts(field, STR("content-type")) || field.n > s->limits->header_bytes)
        return;
    boundary_note(s, field);
    /* Not "message/": there may be a comment in front of the slash. */
    if (str_ifind(field, STR("message"), 0) < field.n)
        s->message = true;
    if (str_ifind(field, STR("digest"), 0) < field.n)
        s->digest = true;
}

static bool is_over(const struct scan *s)
{
    const struct report_limits *l = s->limits;
    return s->parts > l->parts || s->headers > l->headers || s->header_bytes > l->header_bytes ||
           s->depth > l->depth;
}

bool scan_within(struct str message, const struct report_limits *limits)
{
    struct scan s = {.limits = limits, .parts = 1, .in_header = true};
    struct str field = {NULL, 0};
    for (size_t at = 0; at < message.n && !is_over(&s);) {
        size_t end = str_chr(message, '\n', at);
        struct str line = str_sub(message, at, end);
        at = end + 1;
        if (str_starts(line, STR("--")) && boundary_line(&s, line)) {
            s.parts++;
            s.in_header = true;
            s.message = s.digest;
            field = str_sub(line, 0, 0);
        } else if (!s.in_header) {
            continue;
        } else if (line.n == 0) {
            field_end(&s, field);
            field = str_sub(line, 0, 0);
            s.in_header = s.message;
            s.depth += s.message;
            s.parts += s.message;
            s.message = false;
        } else {
            if (line.p[0] != ' ' && line.p[0] != '\t')
                field_end(&s, field);
            header_line(&s, line, &field);
        }
    }
    return !is_over(&s);
}
