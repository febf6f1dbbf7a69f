#include "parser/report.h"

#include "parser/charset.h"
#include "parser/mailbox.h"
#include "parser/reader.h"
#include "parser/text.h"

#include <errno.h>

const struct report_limits report_limits_default = {
    .recipients = 1000,
    .depth = 20,
    .parts = 1000,
    .headers = 10000,
    .header_bytes = 262144,
    .text_bytes = 8192,
};

enum { SCRATCH_BYTES = 16 << 20, SUBJECT_BYTES = 1000 };

const char *report_kind_name(enum report_kind kind)
{
    static const char *const names[] = {
#define X(id, name, meaning) [id] = name,
        REPORT_KINDS(X)
#undef X
    };
    return (size_t)kind < REPORT_KIND_COUNT ? names[kind] : "";
}

const char *report_action_name(enum report_action action)
{
    static const char *const names[] = {
#define X(id, name) [id] = name,
        REPORT_ACTIONS(X)
#undef X
    };
    return (size_t)action < REPORT_ACTION_COUNT ? names[action] : "";
}

struct report_recipient *reader_recipient_add(struct reader *r)
{
    struct report *report = r->report;
    if (report->recipients_n == r->limits->recipients) {
        report->recipients_cut = true;
        return NULL;
    }
    if (report->recipients_n == r->recipients_room) {
        size_t room = r->recipients_room ? r->recipients_room * 2 : 4;
        struct report_recipient *grown = ARENA_ARRAY(r->a, room, struct report_recipient);
        if (!grown)
            return NULL;
        if (report->recipients_n > 0)
            memcpy(grown, report->recipients, report->recipients_n * sizeof(*grown));
        report->recipients = grown;
        r->recipients_room = room;
    }
    struct report_recipient *added = &report->recipients[report->recipients_n++];
    *added = (struct report_recipient){0};
    return added;
}

struct report_recipient *reader_recipient_find(const struct reader *r, struct str address)
{
    for (size_t i = 0; i < r->report->recipients_n; i++) {
        struct report_recipient *to = &r->report->recipients[i];
        if (mailbox_eq(to->final_recipient, address) || mailbox_eq(to->original_recipient, address))
            return to;
    }
    return NULL;
}

struct str reader_text(struct reader *r, struct str raw)
{
    struct str line = text_line(r->a, raw, r->charset, r->limits->text_bytes);
    return line.n > 0 ? line : (struct str){NULL, 0};
}

struct str reader_host(struct reader *r, struct str value)
{
    struct str host = str_trim(value);
    size_t semicolon = str_chr(host, ';', 0);
    if (semicolon < host.n)
        host = str_trim(str_from(host, semicolon + 1));
    size_t end = 0;
    while (end < host.n && !ascii_is_space(host.p[end]) && host.p[end] != '(')
        end++;
    /* "(gate.example.net)" has its name in the comment only. */
    return reader_text(r, end > 0 ? str_sub(host, 0, end) : host);
}

/* A part's text in UTF-8. Most need no decoding and stay where they are. */
static struct str part_text(struct reader *r, const struct mime_part *part, size_t max)
{
    return charset_to_utf8(&r->mime->scratch, str_sub(part->body, 0, max), part->charset, max);
}

struct str reader_notice(struct reader *r, size_t max, size_t *ret_part)
{
    const struct mime *m = r->mime;
    size_t html = m->parts_n;
    for (size_t i = 0; i < m->parts_n; i++) {
        const struct mime_part *part = &m->parts[i];
        if (part->in_message != MIME_TOP || str_trim(str_sub(part->body, 0, 4096)).n == 0)
            continue;
        bool plain = str_eq(part->type, STR("text/plain")) ||
                     (part->parent == MIME_TOP && str_starts(part->type, STR("text/")) &&
                      !str_eq(part->type, STR("text/html"))) ||
                     str_eq(part->type, STR("text/report"));
        if (plain) {
            if (ret_part)
                *ret_part = i;
            return part_text(r, part, max);
        }
        if (html == m->parts_n && str_eq(part->type, STR("text/html")))
            html = i;
    }
    if (html == m->parts_n)
        return (struct str){NULL, 0};
    if (ret_part)
        *ret_part = html;
    return text_from_html(&r->mime->scratch, part_text(r, &m->parts[html], max), max);
}

/* The readers in the order of how exact their formats are. */
static void kind_read(struct reader *r)
{
    struct report *report = r->report;
    if (arf_read(r) || dsn_read(r) || complaint_read(r))
        return;
    enum report_kind kind = kind_by_headers(r);
    report->kind = kind;
    report->reader = "headers";
    if (kind == REPORT_RECEIPT || kind == REPORT_AGGREGATE || kind == REPORT_UNSUBSCRIBE)
        return;
    /* From here on it is the notice that is read, and that is in UTF-8. */
    r->charset = (struct str){NULL, 0};
    if (!r->mime->over && (ses_read(r) || freeform_read(r) || forward_read(r)))
        return;
    if (report->kind == REPORT_OTHER && kind_is_unsubscribe_address(r))
        report->kind = REPORT_UNSUBSCRIBE;
    if (report->kind == REPORT_OTHER)
        report->reader = "none";
}

static void top_read(struct reader *r)
{
    struct fields *header = &r->mime->header;
    r->report->subject = mime_header(r->a, header, STR("Subject"), SUBJECT_BYTES);
    r->report->from = mailbox_first(r->a, fields_get(header, STR("From")));
    for (size_t i = 0; i < r->mime->parts_n && str_is_absent(r->charset); i++)
        if (r->mime->parts[i].in_message == MIME_TOP &&
            str_starts(r->mime->parts[i].type, STR("text/")))
            r->charset = r->mime->parts[i].charset;
}

void report_init(void)
{
    mime_init();
}

int report_read(struct arena *a, struct str message, const struct report_limits *limits,
                struct report **ret, struct err *e)
{
    struct mime mime = {.scratch = arena_make(SCRATCH_BYTES + 8 * message.n)};
    struct reader r = {.a = a, .limits = limits, .mime = &mime};
    int rc = -ENOMEM;
    /* A test that makes the arena fail means this message's memory, wherever it is. */
    mime.scratch.fail_after = a->fail_after;
    r.report = ARENA_NEW(a, struct report);
    if (!r.report)
        goto out;
    r.report->kind = REPORT_OTHER;
    r.report->reader = "none";
    rc = mime_open(&mime, message, limits);
    if (rc < 0)
        goto out;
    top_read(&r);
    kind_read(&r);
    if (r.report->kind != REPORT_OTHER)
        original_read(&r);
    rc = arena_failed(a) || arena_failed(&mime.scratch) ? -ENOMEM : 0;
out:
    mime_close(&mime);
    if (rc < 0)
        return err_set(e, rc, "message of %zu bytes: no memory left for its report", message.n);
    *ret = r.report;
    return 0;
}
