/* Feedback reports: RFC 5965, 6430 (not-spam), 6591 (auth-failure). */
#include "parser/mailbox.h"
#include "parser/reader.h"
#include "parser/text.h"

enum { FIELDS_MAX = 2000 };

static const struct {
    struct str type;
    enum report_kind kind;
} types[] = {
    {STR_INIT("not-spam"), REPORT_NOT_SPAM},        {STR_INIT("auth-failure"), REPORT_AUTH_REPORT},
    {STR_INIT("dmarc"), REPORT_AUTH_REPORT},        {STR_INIT("opt-out"), REPORT_UNSUBSCRIBE},
    {STR_INIT("opt-out-list"), REPORT_UNSUBSCRIBE},
};

static enum report_kind kind_of(struct str type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (str_eq(type, types[i].type))
            return types[i].kind;
    /* abuse, fraud, virus, other, and what is not registered: somebody complained. */
    return REPORT_COMPLAINT;
}

/* "Abuse (comment)" -> "abuse". */
static struct str feedback_type(struct reader *r, struct str value)
{
    size_t end = 0;
    while (end < value.n && !ascii_is_space(value.p[end]) && value.p[end] != '(' &&
           value.p[end] != ';')
        end++;
    struct str line = reader_text(r, str_sub(value, 0, end));
    char *lower = str_is_absent(line) ? NULL : arena_alloc(r->a, line.n + 1);
    for (size_t i = 0; lower && i < line.n; i++)
        lower[i] = ascii_lower(line.p[i]);
    return lower ? str_of(lower, line.n) : (struct str){NULL, 0};
}

static void recipient_take(struct reader *r, struct str value)
{
    struct str address = mailbox_typed(r->a, value);
    if (str_is_absent(address) || reader_recipient_find(r, address))
        return;
    struct report_recipient *to = reader_recipient_add(r);
    if (to)
        to->original_recipient = address;
}

static void fields_take(struct reader *r, const struct fields *fields)
{
    struct report *report = r->report;
    report->feedback_type = feedback_type(r, fields_get(fields, STR("Feedback-Type")));
    report->user_agent = reader_text(r, fields_get(fields, STR("User-Agent")));
    report->source_ip = reader_text(r, fields_get(fields, STR("Source-IP")));
    report->envelope_id = reader_text(r, fields_get(fields, STR("Original-Envelope-Id")));
    report->reporting_mta = reader_host(r, fields_get(fields, STR("Reporting-MTA")));
    report->arrival_date = reader_text(r, fields_get(fields, STR("Arrival-Date")));
    if (str_is_absent(report->arrival_date)) /* its name in the drafts */
        report->arrival_date = reader_text(r, fields_get(fields, STR("Received-Date")));
    report->original.mail_from = mailbox_typed(r->a, fields_get(fields, STR("Original-Mail-From")));
    static const struct str names[] = {STR_INIT("Original-Rcpt-To"), STR_INIT("Removal-Recipient")};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; (i = fields_find(fields, names[k], i)) < fields->n; i++)
            recipient_take(r, fields->v[i].value);
}

static bool is_feedback_type(struct str type)
{
    return str_eq(type, STR("message/feedback-report"));
}

/* The part may have another type when the container says what it is. */
static bool is_feedback(struct reader *r, const struct mime_part *part, struct fields *ret)
{
    const struct mime *m = r->mime;
    bool labelled = is_feedback_type(part->type);
    bool inside = part->parent != MIME_TOP &&
                  str_eq(m->parts[part->parent].report_type, STR("feedback-report"));
    if ((!labelled && !inside) || part->in_message != MIME_TOP)
        return false;
    if (fields_read_groups(&r->mime->scratch, part->body, FIELDS_MAX, ret) < 0)
        return false;
    if (labelled)
        return ret->n > 0;
    return ret->n > 0 &&
           str_trim(str_sub(part->body, 0, (size_t)(ret->v[0].name.p - part->body.p))).n == 0 &&
           !str_is_absent(fields_get(ret, STR("Feedback-Type")));
}

bool arf_read(struct reader *r)
{
    struct fields fields;
    for (size_t i = 0; i < r->mime->parts_n; i++) {
        if (!is_feedback(r, &r->mime->parts[i], &fields))
            continue;
        fields_take(r, &fields);
        r->report->kind = kind_of(r->report->feedback_type);
        r->report->reader = "arf";
        return true;
    }
    return false;
}
