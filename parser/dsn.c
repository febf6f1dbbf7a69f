/* Delivery status notifications: RFC 3464, RFC 6533. */
#include "parser/mailbox.h"
#include "parser/reader.h"
#include "parser/status.h"
#include "parser/text.h"

enum { FIELDS_MAX = 20000, SNIFF_BYTES = 4096, NOTICE_BYTES = 64 * 1024 };

/* Fields that speak of one recipient. */
enum dsn_field {
    DSN_NONE,
    DSN_ORIGINAL_RECIPIENT,
    DSN_FINAL_RECIPIENT,
    DSN_ACTUAL_RECIPIENT,
    DSN_ACTION,
    DSN_STATUS,
    DSN_DIAGNOSTIC,
    DSN_REMOTE_MTA,
    DSN_SUPPLEMENT,
    DSN_LAST_ATTEMPT,
    DSN_RETRY_UNTIL,
    DSN_LOG_ID,
    DSN_REPORTING_MTA,
    DSN_ARRIVAL_DATE,
    DSN_ENVELOPE_ID,
    DSN_FIELD_COUNT
};

static enum dsn_field dsn_field(struct str name)
{
    static const struct {
        struct str name;
        enum dsn_field field;
    } t[] = {
        {STR_INIT("Original-Recipient"), DSN_ORIGINAL_RECIPIENT},
        {STR_INIT("Final-Recipient"), DSN_FINAL_RECIPIENT},
        {STR_INIT("X-Actual-Recipient"), DSN_ACTUAL_RECIPIENT},
        {STR_INIT("Action"), DSN_ACTION},
        {STR_INIT("Status"), DSN_STATUS},
        {STR_INIT("Diagnostic-Code"), DSN_DIAGNOSTIC},
        {STR_INIT("Remote-MTA"), DSN_REMOTE_MTA},
        {STR_INIT("X-Supplementary-Info"), DSN_SUPPLEMENT},
        {STR_INIT("Last-Attempt-Date"), DSN_LAST_ATTEMPT},
        {STR_INIT("Final-Log-ID"), DSN_LOG_ID},
        {STR_INIT("Will-Retry-Until"), DSN_RETRY_UNTIL},
        {STR_INIT("Reporting-MTA"), DSN_REPORTING_MTA},
        {STR_INIT("Arrival-Date"), DSN_ARRIVAL_DATE},
        {STR_INIT("Original-Envelope-Id"), DSN_ENVELOPE_ID},
        {STR_INIT("Received-From-MTA"), DSN_NONE},
        {STR_INIT("DSN-Gateway"), DSN_NONE},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (str_ieq(name, t[i].name))
            return t[i].field;
    return DSN_NONE;
}

static enum report_action action_parse(struct str value)
{
    for (int i = REPORT_ACTION_FAILED; i < REPORT_ACTION_COUNT; i++) {
        struct str name = str_c(report_action_name((enum report_action)i));
        struct str head = str_sub(value, 0, name.n);
        if (str_ieq(head, name) && (value.n == name.n || !ascii_is_alpha(value.p[name.n])))
            return (enum report_action)i;
    }
    /* Seen for the real words. */
    if (str_istarts(value, STR("failure")) || str_istarts(value, STR("fail")))
        return REPORT_ACTION_FAILED;
    if (str_istarts(value, STR("delay")))
        return REPORT_ACTION_DELAYED;
    if (str_istarts(value, STR("success")) || str_istarts(value, STR("deliverable")))
        return REPORT_ACTION_DELIVERED;
    return REPORT_ACTION_NONE;
}

/* The groups as they are gathered. */
struct group {
    struct report_recipient *recipient;
    bool seen[DSN_FIELD_COUNT];
    bool has_status_field;
    struct str supplement, actual;
    bool new_group; /* a blank line was passed since the recipient's last field */
};

/* "smtp; 550 ..." -> "550 ...". A type is an atom (RFC 3464 section 2.1.2). */
static struct str type_drop(struct str value)
{
    value = str_trim(value);
    size_t end = 0;
    while (end < value.n && (ascii_is_alpha(value.p[end]) || ascii_is_digit(value.p[end]) ||
                             value.p[end] == '-' || value.p[end] == '_'))
        end++;
    size_t semicolon = end;
    while (semicolon < value.n && (value.p[semicolon] == ' ' || value.p[semicolon] == '\t'))
        semicolon++;
    if (end > 0 && ascii_is_alpha(value.p[0]) && semicolon < value.n && value.p[semicolon] == ';')
        return str_trim(str_from(value, semicolon + 1));
    return value;
}

/* What the fields left open is read from the words. */
static void group_end(struct reader *r, struct group *g)
{
    struct report_recipient *to = g->recipient;
    if (!to)
        return;
    if (str_is_absent(to->diagnostic))
        to->diagnostic = reader_text(r, type_drop(g->supplement));
    /* Where a local expansion took place the actual recipient is the better final one only when
     * there is no other. */
    if (str_is_absent(to->final_recipient) && !str_is_absent(g->actual))
        to->final_recipient = mailbox_typed(r->a, g->actual);
    if (str_is_absent(to->final_recipient) && str_is_absent(to->original_recipient) &&
        str_is_absent(to->diagnostic) && str_is_absent(to->status) &&
        to->action == REPORT_ACTION_NONE)
        r->report->recipients_n--; /* the last, and nothing is known of it */
    *g = (struct group){0};
}

/* True when field begins the next recipient. Blank lines alone don't tell: some writers leave them
 * out between groups, others put them between fields. */
static bool begins_recipient(const struct group *g, enum dsn_field field)
{
    bool address = field == DSN_FINAL_RECIPIENT || field == DSN_ORIGINAL_RECIPIENT;
    if (!g->recipient || (address && g->seen[field]))
        return true;
    if (!g->new_group)
        return false;
    if (field == DSN_ORIGINAL_RECIPIENT || field == DSN_ACTUAL_RECIPIENT)
        return g->seen[DSN_FINAL_RECIPIENT];
    return g->seen[field];
}

/* Fields that no group begins with: a stray one is none. */
static bool follows_only(enum dsn_field field)
{
    return field == DSN_LAST_ATTEMPT || field == DSN_RETRY_UNTIL || field == DSN_LOG_ID;
}

static void field_take(struct reader *r, struct group *g, enum dsn_field field, struct str value)
{
    struct report_recipient *to = g->recipient;
    if (!to || g->seen[field])
        return;
    g->seen[field] = true;
    switch (field) {
    case DSN_ORIGINAL_RECIPIENT:
        to->original_recipient = mailbox_typed(r->a, value);
        break;
    case DSN_FINAL_RECIPIENT:
        to->final_recipient = mailbox_typed(r->a, value);
        break;
    case DSN_ACTUAL_RECIPIENT:
        g->actual = value;
        break;
    case DSN_ACTION:
        to->action = action_parse(value);
        break;
    case DSN_STATUS:
        to->status = reader_text(r, status_leading(value));
        break;
    case DSN_DIAGNOSTIC:
        to->diagnostic = reader_text(r, type_drop(value));
        break;
    case DSN_REMOTE_MTA:
        to->remote_mta = reader_host(r, value);
        break;
    case DSN_SUPPLEMENT:
        g->supplement = value;
        break;
    case DSN_LAST_ATTEMPT:
        to->last_attempt = reader_text(r, value);
        break;
    case DSN_RETRY_UNTIL:
        to->retry_until = reader_text(r, value);
        break;
    case DSN_LOG_ID:
        to->final_log_id = reader_text(r, value);
        break;
    default:
        break;
    }
}

static void message_field(struct reader *r, enum dsn_field field, struct str value)
{
    struct report *report = r->report;
    if (field == DSN_REPORTING_MTA && str_is_absent(report->reporting_mta))
        report->reporting_mta = reader_host(r, value);
    else if (field == DSN_ARRIVAL_DATE && str_is_absent(report->arrival_date))
        report->arrival_date = reader_text(r, value);
    else if (field == DSN_ENVELOPE_ID && str_is_absent(report->envelope_id))
        report->envelope_id = reader_text(r, mailbox_xtext(r->a, value));
}

/* Reads one machine-readable part; true when it holds at least one recipient. */
static bool part_read(struct reader *r, struct str body)
{
    struct fields fields;
    size_t before = r->report->recipients_n;
    if (fields_read_groups(&r->mime->scratch, body, FIELDS_MAX, &fields) < 0)
        return false;
    struct group g = {0};
    for (size_t i = 0; i < fields.n; i++) {
        enum dsn_field field = dsn_field(fields.v[i].name);
        struct str value = str_trim(fields.v[i].value);
        g.new_group |= fields.v[i].after_blank;
        if (field == DSN_NONE)
            continue;
        if (field >= DSN_REPORTING_MTA) {
            message_field(r, field, value);
            continue;
        }
        if (begins_recipient(&g, field) && !follows_only(field)) {
            group_end(r, &g);
            g.recipient = reader_recipient_add(r);
            if (!g.recipient)
                break;
        }
        g.new_group = false;
        field_take(r, &g, field, value);
    }
    group_end(r, &g);
    return r->report->recipients_n > before;
}

/* True when the part reads as one although its type says something else: its first field is a
 * DSN's, and a recipient's fields are there. */
static bool looks_like(struct reader *r, struct str body)
{
    struct fields fields;
    bool seen[DSN_FIELD_COUNT] = {0};
    if (fields_read_groups(&r->mime->scratch, str_sub(body, 0, SNIFF_BYTES), 64, &fields) < 0 ||
        fields.n == 0 || dsn_field(fields.v[0].name) == DSN_NONE)
        return false;
    /* Words in front of the fields: a person quotes a report. */
    if (str_trim(str_sub(body, 0, (size_t)(fields.v[0].name.p - body.p))).n > 0)
        return false;
    for (size_t i = 0; i < fields.n; i++)
        seen[dsn_field(fields.v[i].name)] = true;
    return (seen[DSN_FINAL_RECIPIENT] || seen[DSN_ORIGINAL_RECIPIENT]) &&
           (seen[DSN_ACTION] || seen[DSN_STATUS]);
}

static bool is_status_type(struct str type)
{
    return str_eq(type, STR("message/delivery-status")) ||
           str_eq(type, STR("message/global-delivery-status")) ||
           /* Written by some for the same. */
           str_eq(type, STR("text/delivery-status")) ||
           str_eq(type, STR("message/delivery_status"));
}

/* True when somebody has to be told more of this recipient. */
static bool is_incomplete(const struct report_recipient *to)
{
    return to->action == REPORT_ACTION_FAILED || to->action == REPORT_ACTION_DELAYED ||
           to->action == REPORT_ACTION_NONE;
}

/* "Diagnostic-Code: X-Unix; 75" has a program's exit code only. */
static bool is_exit_code(struct str words)
{
    size_t n = 0;
    while (n < words.n && ascii_is_digit(words.p[n]))
        n++;
    return n > 0 && n == words.n && n <= 3;
}

static bool is_nobody(const struct report_recipient *to)
{
    return str_is_absent(to->final_recipient) && str_is_absent(to->original_recipient);
}

/* What the notice says of one recipient, of which the fields say too little. */
static struct str notice_words(const struct reader *r, const struct report_recipient *to,
                               struct str notice)
{
    struct str reason = freeform_reason(notice, to->final_recipient);
    if (str_is_absent(reason))
        reason = freeform_reason(notice, to->original_recipient);
    /* A transcript need not name the one that it is about. */
    if (r->report->recipients_n == 1 && reply_codes_find(reason).reply == 0) {
        struct str coded = freeform_coded(notice);
        reason = coded.n > 0 ? coded : reason;
    }
    return reason;
}

/* Where the fields say nothing, the notice for people may. Gives a bit for each recipient whose
 * words come from there. */
static uint64_t complete_from_notice(struct reader *r)
{
    /* The notice is searched once for each of these: a bound. */
    enum { COMPLETED_MAX = 64 };
    struct report *report = r->report;
    struct str notice = {NULL, 0};
    uint64_t completed = 0;
    for (size_t i = 0; i < report->recipients_n && i < COMPLETED_MAX; i++) {
        struct report_recipient *to = &report->recipients[i];
        bool silent = str_is_absent(to->diagnostic) || is_exit_code(to->diagnostic);
        if ((!silent && !is_nobody(to)) || !is_incomplete(to))
            continue;
        if (str_is_absent(notice)) {
            notice = reader_notice(r, NOTICE_BYTES, NULL);
            notice = str_sub(notice, 0, original_marker(notice, NULL));
        }
        if (notice.n == 0)
            break;
        if (is_nobody(to) && report->recipients_n == 1)
            to->final_recipient = mailbox_copy(r->a, freeform_only_recipient(r, notice));
        struct str words = {NULL, 0};
        if (silent)
            words = text_line(r->a, notice_words(r, to, notice), words, r->limits->text_bytes);
        if (words.n > 0) {
            to->diagnostic = words;
            completed |= (uint64_t)1 << i;
        }
    }
    return completed;
}

static void commands_read(struct reader *r)
{
    /* The notice is searched for each of these: a bound. */
    enum { LOOKED_MAX = 64 };
    struct report *report = r->report;
    struct str notice = {NULL, 0};
    for (size_t i = 0; i < report->recipients_n && i < LOOKED_MAX; i++) {
        struct report_recipient *to = &report->recipients[i];
        if (str_is_absent(to->diagnostic) || !is_incomplete(to))
            continue;
        if (str_is_absent(notice))
            notice = reader_notice(r, NOTICE_BYTES, NULL);
        command_read(r, to, notice);
    }
}

/* Status and reply code from the remote words. A code in the remote side's own words goes before
 * the Status field: reporters write x.0.0, their own 4.4.7 for "gave up", or what they made of the
 * command that failed. The notice's words are the reporter's own as much as the Status field. */
static void codes_read(struct report_recipient *to, bool from_notice)
{
    struct status_codes codes = reply_codes_find(to->diagnostic);
    to->reply_code = codes.reply;
    bool better = !str_is_absent(codes.status) && codes.status.p[0] != '2' &&
                  !status_is_bare(codes.status) && !status_is_vaguer(codes.status, to->status) &&
                  (!from_notice || status_is_bare(to->status));
    if (str_is_absent(to->status) || better)
        to->status = codes.status;
}

static enum report_kind kind_of(const struct reader *r)
{
    bool has[REPORT_ACTION_COUNT] = {0};
    for (size_t i = 0; i < r->report->recipients_n; i++) {
        const struct report_recipient *to = &r->report->recipients[i];
        enum report_action action = to->action;
        if (action == REPORT_ACTION_NONE)
            action = to->status.n && to->status.p[0] == '2' ? REPORT_ACTION_DELIVERED
                                                            : REPORT_ACTION_FAILED;
        has[action] = true;
    }
    return has[REPORT_ACTION_FAILED]    ? REPORT_BOUNCE
           : has[REPORT_ACTION_DELAYED] ? REPORT_DELAYED
                                        : REPORT_DELIVERED;
}

static bool finish(struct reader *r)
{
    uint64_t completed = complete_from_notice(r);
    for (size_t i = 0; i < r->report->recipients_n; i++)
        codes_read(&r->report->recipients[i], i < 64 && (completed >> i & 1) != 0);
    commands_read(r);
    r->report->kind = kind_of(r);
    r->report->reader = "dsn";
    return true;
}

bool dsn_read(struct reader *r)
{
    const struct mime *m = r->mime;
    bool found = false;
    for (size_t i = 0; i < m->parts_n; i++) {
        const struct mime_part *part = &m->parts[i];
        if (part->in_message != MIME_TOP || part->body.n == 0)
            continue;
        if (is_status_type(part->type) || (part->parent != MIME_TOP && looks_like(r, part->body)))
            found |= part_read(r, part->body);
    }
    return found && finish(r);
}

bool dsn_read_nested(struct reader *r)
{
    const struct mime *m = r->mime;
    for (size_t i = 0; i < m->parts_n; i++)
        if (m->parts[i].in_message != MIME_TOP && is_status_type(m->parts[i].type) &&
            part_read(r, m->parts[i].body))
            return finish(r);
    return false;
}

bool dsn_read_text(struct reader *r, struct str text)
{
    static const struct str names[] = {STR_INIT("Reporting-MTA:"), STR_INIT("Final-Recipient:"),
                                       STR_INIT("Original-Recipient:")};
    for (size_t at = 0; at < text.n;) {
        struct str rest = str_from(text, at);
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
            if (str_istarts(rest, names[k]))
                return part_read(r, rest) && finish(r);
        at = str_chr(text, '\n', at) + 1;
    }
    return false;
}
