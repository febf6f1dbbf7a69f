/* The returned message, or what is left of it. RFC 6522 section 3. */
#include "base/address.h"
#include "base/hash.h"
#include "parser/mailbox.h"
#include "parser/reader.h"
#include "parser/text.h"

enum {
    HEADERS_MAX = 1000,
    NOTICE_BYTES = 256 * 1024,
    HEADER_BYTES = 64 * 1024,
    SUBJECT_BYTES = 1000
};

/* Lines by which a notice announces that the message follows; compared after dashes, stars and
 * blanks are cut off both ends. */
static const struct str markers[] = {
    STR_INIT("below this line is a copy of the message"),
    STR_INIT("this is a copy of the message, including all the headers"),
    STR_INIT("this is a copy of your message, including all the headers"),
    STR_INIT("this is a copy of the headers of the message"),
    STR_INIT("this is a copy of the message's headers"),
    STR_INIT("original message follows"),
    STR_INIT("original message headers follow"),
    STR_INIT("original message header"),
    STR_INIT("original message text follows"),
    STR_INIT("unsent message follows"),
    STR_INIT("unsent message below"),
    STR_INIT("returned message follows"),
    STR_INIT("returned mail follows"),
    STR_INIT("your original message follows"),
    STR_INIT("your original message"),
    STR_INIT("your message follows"),
    STR_INIT("the original message follows"),
    STR_INIT("message header follows"),
    STR_INIT("message headers follow"),
    STR_INIT("headers follow"),
    STR_INIT("original message"),
    STR_INIT("returned message"),
    STR_INIT("forwarded message"),
    STR_INIT("the header of the original message is following"),
    STR_INIT("header of the original message"),
    STR_INIT("the following is a copy of the original message"),
    STR_INIT("message header"),
    STR_INIT("original headers"),
    STR_INIT("original header"),
    STR_INIT("original mail as follows"),
    STR_INIT("start of returned message"),
    STR_INIT("begin returned message"),
    STR_INIT("text of your message"),
    STR_INIT("included is a copy of the message header"),
    STR_INIT("received message headers"),
};

static struct str ornament_drop(struct str line)
{
    size_t from = 0, to = line.n;
    while (from < to && strchr(" \t-=*_+#>|~:.", line.p[from]))
        from++;
    while (to > from && strchr(" \t-=*_+#<|~:.", line.p[to - 1]))
        to--;
    return str_sub(line, from, to);
}

static bool is_marker(struct str line)
{
    if (line.n < 8 || line.n > 200)
        return false;
    struct str words = ornament_drop(line);
    bool ornament = words.n + 4 <= line.n;
    for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
        if (!str_istarts(words, markers[i]))
            continue;
        /* Short ones are a marker only as a line of their own or between dashes. */
        size_t more = words.n - markers[i].n;
        return more == 0 || (more < 24 && (ornament || markers[i].n > 20));
    }
    return false;
}

/* True when text begins with what a header begins with: two fields of mail. */
static bool is_header(struct str text)
{
    static const struct str names[] = {
        STR_INIT("Received"),     STR_INIT("Return-Path"),  STR_INIT("From"),
        STR_INIT("Message-Id"),   STR_INIT("Date"),         STR_INIT("To"),
        STR_INIT("Subject"),      STR_INIT("MIME-Version"), STR_INIT("DKIM-Signature"),
        STR_INIT("X-Mailer"),     STR_INIT("Content-Type"), STR_INIT("Reply-To"),
        STR_INIT("Delivered-To"), STR_INIT("Sender"),       STR_INIT("Mime-Version"),
    };
    size_t found = 0;
    struct str rest = text, line;
    for (size_t n = 0; n < 30 && str_line(&rest, &line) && line.n > 0; n++) {
        size_t colon = str_chr(line, ':', 0);
        struct str name = str_trim(str_sub(line, 0, colon));
        if (colon == line.n) {
            if (n == 0 && (str_starts(line, STR("From ")) || str_starts(line, STR(">From "))))
                continue;
            if (line.p[0] != ' ' && line.p[0] != '\t')
                return false;
            continue;
        }
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (str_ieq(name, names[i])) {
                found++;
                break;
            }
        if (found == 2)
            return true;
    }
    return false;
}

/* Skips lines without words. */
static size_t skip_blank(struct str text, size_t at)
{
    while (at < text.n) {
        size_t end = str_chr(text, '\n', at);
        if (ornament_drop(str_sub(text, at, end)).n > 0)
            break;
        at = end < text.n ? end + 1 : end;
    }
    return at;
}

size_t original_marker(struct str text, size_t *ret_header)
{
    size_t unused;
    if (!ret_header)
        ret_header = &unused;
    *ret_header = text.n;
    bool blank = true; /* the line before was */
    for (size_t at = 0; at < text.n;) {
        size_t end = str_chr(text, '\n', at), next = end < text.n ? end + 1 : end;
        struct str line = str_sub(text, at, end);
        if (is_marker(line)) {
            size_t from = skip_blank(text, next);
            if (is_header(str_from(text, from))) {
                *ret_header = from;
                return at;
            }
        } else if (blank && line.n > 0 && ascii_is_alpha(line.p[0]) &&
                   (str_istarts(line, STR("Received:")) ||
                    str_istarts(line, STR("Return-Path:"))) &&
                   is_header(str_from(text, at))) {
            *ret_header = at; /* no words in front */
            return at;
        }
        blank = ornament_drop(line).n == 0;
        at = next;
    }
    return text.n;
}

/* Message-Id without its brackets. */
static struct str message_id(struct reader *r, struct str value)
{
    size_t open = str_chr(value, '<', 0);
    if (open < value.n)
        value = str_sub(value, open + 1, str_chr(value, '>', open));
    return reader_text(r, value);
}

/* d= of a DKIM-Signature (RFC 6376 section 3.5), lower-case. */
static struct str dkim_domain(struct reader *r, struct str value)
{
    struct str rest = value;
    while (rest.n > 0) {
        struct str tag = str_trim(str_cut(&rest, ';'));
        size_t equals = str_chr(tag, '=', 0);
        if (equals == tag.n || !str_eq(str_trim(str_sub(tag, 0, equals)), STR("d")))
            continue;
        struct str domain =
            reader_text(r, str_sub(tag, equals + 1, equals + 1 + ADDRESS_DOMAIN_MAX));
        char *lower = domain.n > 0 ? arena_alloc(r->a, domain.n) : NULL;
        for (size_t i = 0; lower && i < domain.n; i++)
            lower[i] = ascii_lower(domain.p[i]);
        return str_of(lower, lower ? domain.n : 0);
    }
    return (struct str){NULL, 0};
}

static uint64_t subject_hash(struct reader *r, const struct fields *f)
{
    struct str subject = mime_header(&r->mime->scratch, f, STR("Subject"), SUBJECT_BYTES);
    return str_is_absent(subject) ? 0 : hash_fnv1a(subject);
}

/* The fields that the caller asked for by name. */
static void kept_take(struct reader *r, const struct fields *f)
{
    const struct report_limits *limits = r->limits;
    struct report_field *kept =
        limits->keep_n > 0 ? ARENA_ARRAY(r->a, REPORT_KEPT_MAX, struct report_field) : NULL;
    size_t n = 0;
    for (size_t k = 0; kept && k < limits->keep_n; k++)
        for (size_t i = 0; n < REPORT_KEPT_MAX && (i = fields_find(f, limits->keep[k], i)) < f->n;
             i++)
            kept[n++] = (struct report_field){limits->keep[k], reader_text(r, f->v[i].value)};
    r->report->original.kept = kept;
    r->report->original.kept_n = n;
}

static void fields_take(struct reader *r, const struct fields *f)
{
    struct report_original *o = &r->report->original;
    o->message_id = message_id(r, fields_get(f, STR("Message-Id")));
    o->from = mailbox_first(r->a, fields_get(f, STR("From")));
    o->to = mailbox_first(r->a, fields_get(f, STR("To")));
    o->return_path = mailbox_first(r->a, fields_get(f, STR("Return-Path")));
    o->date = reader_text(r, fields_get(f, STR("Date")));
    o->subject_hash = subject_hash(r, f);
    o->feedback_id = reader_text(r, fields_get(f, STR("Feedback-Id")));
    o->list_id = reader_text(r, fields_get(f, STR("List-Id")));
    o->list_unsubscribe = reader_text(r, fields_get(f, STR("List-Unsubscribe")));
    o->cfbl_address = mailbox_first(r->a, fields_get(f, STR("CFBL-Address")));
    o->cfbl_feedback_id = reader_text(r, fields_get(f, STR("CFBL-Feedback-ID")));
    o->dkim_domain = dkim_domain(r, fields_get(f, STR("DKIM-Signature")));
    kept_take(r, f);
}

/* The fields of text when it begins with a header. */
static bool header_fields(struct reader *r, struct str text, struct fields *ret)
{
    if (!is_header(text))
        return false;
    if (str_starts(text, STR("From ")) || str_starts(text, STR(">From ")))
        text = str_from(text, str_chr(text, '\n', 0));
    return fields_read_header(&r->mime->scratch, str_sub(text, 0, HEADER_BYTES), HEADERS_MAX,
                              ret) == 0;
}

static bool may_be_original(struct str type)
{
    static const struct str names[] = {
        STR_INIT("message/rfc822"),         STR_INIT("text/rfc822-headers"),
        STR_INIT("message/global"),         STR_INIT("message/global-headers"),
        STR_INIT("message/rfc822-headers"), STR_INIT("text/rfc822"),
        STR_INIT("message/partial"),        STR_INIT("message/news"),
        STR_INIT("message/rfc2822")};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eq(type, names[i]))
            return true;
    return false;
}

/* The returned message's header, wherever it stands. */
static bool original_fields(struct reader *r, struct fields *ret)
{
    const struct mime *m = r->mime;
    for (size_t i = 0; i < m->parts_n; i++)
        if (m->parts[i].in_message == MIME_TOP && may_be_original(m->parts[i].type) &&
            header_fields(r, m->parts[i].body, ret))
            return true;
    /* A third part of the wrong type, such as a message in base64. */
    for (size_t i = 0; i < m->parts_n; i++)
        if (m->parts[i].in_message == MIME_TOP && m->parts[i].parent != MIME_TOP &&
            header_fields(r, str_from(m->parts[i].body, skip_blank(m->parts[i].body, 0)), ret))
            return true;
    struct str notice = reader_notice(r, NOTICE_BYTES, NULL);
    size_t at;
    return original_marker(notice, &at) < notice.n && header_fields(r, str_from(notice, at), ret);
}

void original_read(struct reader *r)
{
    struct fields f;
    if (original_fields(r, &f))
        fields_take(r, &f);
}

/* "for <a@b.example>" of the newest Received:, which the reporter wrote at the envelope's words. */
static struct str received_for(const struct fields *f)
{
    struct str received = fields_get(f, STR("Received")), found;
    size_t at = str_ifind(received, STR("for <"), 0);
    size_t end = str_chr(received, '>', at);
    if (at >= received.n || !mailbox_next(str_sub(received, 0, end), &at, &found))
        return (struct str){NULL, 0};
    return found;
}

static struct str domain_of(struct str address)
{
    return str_from(address, str_rchr(address, '@'));
}

struct str original_only_recipient(struct reader *r)
{
    struct arena *scratch = &r->mime->scratch;
    struct str none = {NULL, 0}, other;
    struct fields f;
    if (!original_fields(r, &f))
        return none;
    struct str to = received_for(&f);
    if (to.n == 0) {
        struct str value = fields_get(&f, STR("To"));
        size_t at = 0;
        if (!mailbox_next(value, &at, &to) || mailbox_next(value, &at, &other) ||
            !str_is_absent(fields_get(&f, STR("Cc"))))
            return none;
    }
    if (!str_is_absent(fields_get(&f, STR("List-Post"))) ||
        str_istarts(fields_get(&f, STR("Precedence")), STR("list")))
        return none;
    /* A list's own address stands in To: of what it sends; it and the bounce share a domain. */
    struct str ours[] = {mailbox_first(scratch, fields_get(&r->mime->header, STR("To"))),
                         mailbox_first(scratch, fields_get(&f, STR("Return-Path"))),
                         mailbox_first(scratch, fields_get(&f, STR("From")))};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (mailbox_eq(domain_of(ours[i]), domain_of(to)))
            return none;
    return mailbox_copy(r->a, to);
}
