#include "attribute/signature.h"

#include "base/clock.h"
#include "base/domain.h"

enum { TAGS_MAX = 32 };

/* A signer's clock may be ahead of ours. */
static const int64_t ahead = 3600 * CLOCK_SECOND;

static const char out_of_memory[] = "out of memory";

/* ---- fields ---- */

/* RFC 5322 section 2.2, strictly: a field whose name the library might read otherwise than the
 * reader of the report does is no field. */
static bool is_field_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0;
}

/* Where the line that begins at from ends (at its CRLF); SIZE_MAX: it has another end, or NUL. */
static size_t line_end(struct str s, size_t from)
{
    for (size_t i = from; i < s.n; i++) {
        if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
            return i;
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
            return SIZE_MAX;
    }
    return SIZE_MAX;
}

/* A body in which a CR or LF stands alone is read in one way and hashed in another. */
static bool has_bare_end(struct str s)
{
    for (size_t i = str_chr(s, '\n', 0); i < s.n; i = str_chr(s, '\n', i + 1))
        if (i == 0 || s.p[i - 1] != '\r')
            return true;
    for (size_t i = str_chr(s, '\r', 0); i < s.n; i = str_chr(s, '\r', i + 1))
        if (i + 1 == s.n || s.p[i + 1] != '\n')
            return true;
    return false;
}

const char *signature_split(struct arena *a, struct str message, struct signature_message *ret)
{
    struct signature_message m = {.fields =
                                      ARENA_ARRAY(a, SIGNATURE_FIELDS_MAX, struct signature_field)};
    if (!m.fields)
        return out_of_memory;
    size_t at = 0;
    for (;;) {
        size_t end = line_end(message, at);
        if (end == SIZE_MAX)
            return "a line of the header has no CRLF at its end";
        if (end == at)
            break;
        if (message.p[at] == ' ' || message.p[at] == '\t') {
            if (m.fields_n == 0)
                return "the header begins with a folded line";
            struct signature_field *last = &m.fields[m.fields_n - 1];
            last->text.n = (size_t)(message.p + end - last->text.p);
        } else {
            struct str line = str_sub(message, at, end);
            struct str name = str_sub(line, 0, str_chr(line, ':', 0));
            if (name.n == line.n || !is_field_name(name))
                return "a line of the header is no field";
            if (m.fields_n == SIGNATURE_FIELDS_MAX)
                return "the header has too many fields";
            m.fields[m.fields_n++] = (struct signature_field){name, line};
        }
        at = end + 2;
        if (at > SIGNATURE_HEADER_MAX)
            return "the header is too long";
    }
    m.body = str_from(message, at + 2);
    if (has_bare_end(m.body))
        return "a line of the body has no CRLF at its end";
    *ret = m;
    return NULL;
}

/* ---- tags ---- */

struct tag {
    struct str name, value;
};

struct tags {
    struct tag list[TAGS_MAX];
    size_t n;
};

/* RFC 6376 section 3.2: name=value, ';' between them, white space around each; no name twice. */
static const char *read_tags(struct str text, struct tags *ret)
{
    ret->n = 0;
    while (text.n) {
        struct str rest = str_cut(&text, ';');
        if (str_trim(rest).n == 0)
            continue;
        if (str_chr(rest, '=', 0) == rest.n)
            return "a tag of the signature has no value";
        struct str name = str_trim(str_cut(&rest, '='));
        if (ret->n == TAGS_MAX)
            return "the signature has too many tags";
        for (size_t i = 0; i < ret->n; i++)
            if (str_eq(ret->list[i].name, name))
                return "a tag of the signature stands twice";
        ret->list[ret->n++] = (struct tag){name, str_trim(rest)};
    }
    return NULL;
}

/* Absent: the tag is not there. */
static struct str tag(const struct tags *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->list[i].name, str_c(name)))
            return t->list[i].value;
    return (struct str){NULL, 0};
}

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (!p)
        return (struct str){NULL, 0};
    for (size_t i = 0; i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    return str_of(p, s.n);
}

/* Seconds since 1970 in microseconds; CLOCK_UNKNOWN: no tag. False: no number. */
static bool read_time(struct str s, int64_t *ret)
{
    uint64_t n = 0;
    *ret = CLOCK_UNKNOWN;
    if (str_is_absent(s))
        return true;
    if (s.n > 12 || !str_to_u64(s, &n))
        return false;
    *ret = (int64_t)n * CLOCK_SECOND;
    return true;
}

static const char *judge_times(const struct tags *t, int64_t received)
{
    int64_t signed_at, expires;
    if (!read_time(tag(t, "t"), &signed_at) || !read_time(tag(t, "x"), &expires))
        return "a time in the signature is no number";
    if (expires != CLOCK_UNKNOWN && expires <= received)
        return "the signature has expired";
    if (signed_at != CLOCK_UNKNOWN && signed_at > received + ahead)
        return "the signature is from the future";
    if (expires != CLOCK_UNKNOWN && signed_at != CLOCK_UNKNOWN && expires <= signed_at)
        return "the signature expires before it was made";
    return NULL;
}

const char *signature_read(struct arena *a, const struct signature_field *field, int64_t received,
                           struct signature *ret)
{
    struct tags t;
    *ret = (struct signature){.domain = {NULL, 0}};
    if (field->text.n > SIGNATURE_FIELD_MAX)
        return "the signature is too long";
    const char *why = read_tags(str_from(field->text, field->name.n + 1), &t);
    if (why)
        return why;
    struct str domain = tag(&t, "d"), selector = tag(&t, "s"), signs = tag(&t, "h");
    if (!domain_is_valid(domain))
        return "the signature names no domain";
    struct signature s = {lower(a, domain), lower(a, selector), signs};
    if (str_is_absent(s.domain) || str_is_absent(s.selector))
        return out_of_memory;
    *ret = s;
    struct str algorithm = tag(&t, "a");
    if (!str_eq(tag(&t, "v"), STR("1")))
        return "the signature is of an unknown version";
    if (!domain_is_valid(selector))
        return "the signature names no selector";
    if (!str_ieq(algorithm, STR("rsa-sha256")) && !str_ieq(algorithm, STR("ed25519-sha256")))
        return "the algorithm is neither rsa-sha256 nor ed25519-sha256";
    if (!str_is_absent(tag(&t, "l")))
        return "the signature covers a part of the body only (l=)";
    return judge_times(&t, received);
}

/* ---- what is signed ---- */

static size_t times_signed(struct str signs, struct str name)
{
    size_t n = 0;
    while (signs.n)
        n += str_ieq(str_trim(str_cut(&signs, ':')), name);
    return n;
}

const char *signature_covers(const struct signature *s, const struct signature_message *m)
{
    static const struct {
        struct str name;
        bool needed;
        const char *twice, *open;
    } fields[] = {
        {STR_INIT("From"), true, "From stands more than once", "From is not signed"},
        {STR_INIT("Content-Type"), false, "Content-Type stands more than once",
         "Content-Type is not signed"},
        {STR_INIT("Content-Transfer-Encoding"), false,
         "Content-Transfer-Encoding stands more than once",
         "Content-Transfer-Encoding is not signed"},
        {STR_INIT("MIME-Version"), false, "MIME-Version stands more than once",
         "MIME-Version is not signed"},
    };
    for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
        size_t n = 0;
        for (size_t i = 0; i < m->fields_n; i++)
            n += str_ieq(m->fields[i].name, fields[k].name);
        if (n > 1)
            return fields[k].twice;
        if ((n == 1 || fields[k].needed) && times_signed(s->signs, fields[k].name) == 0)
            return fields[k].open;
        if (n == 0 && fields[k].needed)
            return "there is no From";
    }
    /* Only one signature is shown to the library; see dkim.c. */
    if (times_signed(s->signs, STR("DKIM-Signature")) > 0)
        return "the signature signs other signatures";
    return NULL;
}
