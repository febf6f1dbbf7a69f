/* provider_read: one record of a file as a row of the list. */
#include "app/providers.h"
#include "app/time_text.h"
#include "base/address.h"

#include <errno.h>

enum { SHOWN = 120 };

static int refuse(enum import_refusal reason, enum import_refusal *why, struct err *e,
                  struct str value, const char *expected)
{
    *why = reason;
    return err_set(e, -EBADMSG, "\"%.*s\": %s", STR_ARG(str_sub(value, 0, SHOWN)), expected);
}

/* What a provider's word means. */
struct meaning {
    const char *word; /* letters as they stand in the file, compared without case */
    const char *kind;
    const char *class; /* NULL: it does not say */
};

static const struct meaning ses_words[] = {
    {"BOUNCE", "bounce", "hard"}, {"COMPLAINT", "complaint", NULL}, {NULL, NULL, NULL}};
static const struct meaning postmark_words[] = {{"HardBounce", "bounce", "hard"},
                                                {"SpamComplaint", "complaint", NULL},
                                                {"ManualSuppression", "other", NULL},
                                                {NULL, NULL, NULL}};
static const struct meaning sparkpost_words[] = {{"Bounce Rule", "bounce", NULL},
                                                 {"Spam Complaint", "complaint", NULL},
                                                 {"Unsubscribe Link", "unsubscribe", NULL},
                                                 {"List Unsubscribe", "unsubscribe", NULL},
                                                 {"Manually Added", "other", NULL},
                                                 {"Compliance", "other", NULL},
                                                 {NULL, NULL, NULL}};

static const struct meaning *meaning_of(const struct meaning *words, struct str word)
{
    for (; words->word; words++)
        if (str_ieq(word, str_c(words->word)))
            return words;
    return NULL;
}

static void means(struct db_import_row *row, const struct meaning *m)
{
    row->kind = str_c(m->kind);
    row->class = str_c(m->class);
}

/* ---- words of remote hosts ---- */

/* Our own rules say why, when they know the words; a bare code says nothing for sure. */
static void understand(const struct provider_reader *p, struct arena *a, struct db_import_row *row)
{
    struct report_recipient rcpt;
    if (!p->classifier || row->diagnostic.n == 0)
        return;
    struct verdict v = classify_reply(p->classifier, row->diagnostic, (struct str){NULL, 0}, &rcpt);
    if (v.category == CATEGORY_UNDETERMINED || v.confidence == CONFIDENCE_LOW)
        return;
    row->class = str_c(verdict_class_name(v.class));
    row->category = str_c(verdict_category_name(v.category));
    row->confidence = str_c(verdict_confidence_name(v.confidence));
    row->rule = arena_str(a, str_c(v.rule));
    row->mx_operator = str_c(v.mx_operator);
}

/* "550" and "5.1.1 no such user" as the reply that they were. */
static struct str reply_of(struct arena *a, struct str code, struct str text)
{
    uint32_t n;
    if (text.n == 0)
        return code;
    if (!str_to_u32(code, &n) || n < 400 || n > 599 || str_starts(text, code))
        return text;
    return arena_fmt(a, "%.*s %.*s", STR_ARG(code), STR_ARG(text));
}

/* ---- each provider ---- */

static int read_ses(const struct record *r, struct db_import_row *row, enum import_refusal *why,
                    struct err *e)
{
    struct str word = record_get(r, "reason");
    const struct meaning *m = meaning_of(ses_words, word);
    if (!m)
        return refuse(REFUSED_WORD, why, e, word, "expected the reason BOUNCE or COMPLAINT");
    means(row, m);
    row->reason = word;
    return 0;
}

static int read_postmark(const struct record *r, struct db_import_row *row,
                         enum import_refusal *why, struct err *e)
{
    struct str word = record_get(r, "suppressionreason");
    const struct meaning *m = meaning_of(postmark_words, word);
    if (!m)
        return refuse(REFUSED_WORD, why, e, word,
                      "expected HardBounce, SpamComplaint or ManualSuppression");
    means(row, m);
    /* By the person's own hand: that is how Postmark notes its unsubscribe link. */
    if (str_eq(row->kind, STR("other")) && str_ieq(record_get(r, "origin"), STR("Recipient")))
        row->kind = STR("unsubscribe");
    row->reason = word;
    return 0;
}

static bool is_false(struct str word)
{
    return str_ieq(word, STR("false")) || str_eq(word, STR("0"));
}

static int read_sparkpost(struct arena *a, const struct record *r, struct db_import_row *row,
                          enum import_refusal *why, struct err *e)
{
    struct str word = record_get(r, "source");
    const struct meaning *m = meaning_of(sparkpost_words, word);
    if (is_false(record_get(r, "transactional")) && is_false(record_get(r, "nontransactional")))
        return refuse(REFUSED_NOT_SUPPRESSED, why, e, row->address,
                      "transactional and non_transactional are both false: it is not suppressed");
    if (!m && word.n)
        return refuse(REFUSED_WORD, why, e, word,
                      "expected one of the sources Bounce Rule, Spam Complaint, Unsubscribe Link, "
                      "List Unsubscribe, Manually Added, Compliance");
    if (m)
        means(row, m);
    else
        row->kind = STR("other");
    row->reason = word;
    struct str text = record_get(r, "description");
    if (str_eq(row->kind, STR("bounce")))
        row->diagnostic = text;
    else if (text.n)
        row->reason = word.n ? arena_fmt(a, "%.*s: %.*s", STR_ARG(word), STR_ARG(text)) : text;
    return 0;
}

/* SendGrid, Mailgun, Mailchimp: a list for each reason. */
static void read_listed(const struct provider_reader *p, struct arena *a, const struct record *r,
                        struct db_import_row *row)
{
    struct str text = record_get(r, p->provider == PROVIDER_MAILGUN ? "error" : "reason");
    row->reason = str_c(provider_list_name(p->list));
    row->kind = p->list == LIST_COMPLAINTS     ? STR("complaint")
                : p->list == LIST_UNSUBSCRIBES ? STR("unsubscribe")
                                               : STR("bounce");
    if (p->provider == PROVIDER_MAILCHIMP) {
        struct str said = record_get(r, "unsubreason"), more = record_get(r, "unsubreasonother");
        if (str_ifind(said, STR("abuse"), 0) < said.n || str_ifind(said, STR("spam"), 0) < said.n)
            row->kind = STR("complaint");
        if (said.n)
            row->reason =
                arena_fmt(a, "%.*s%s%.*s", STR_ARG(said), more.n ? ": " : "", STR_ARG(more));
        return;
    }
    if (!str_eq(row->kind, STR("bounce")))
        return;
    row->diagnostic = reply_of(a, record_get(r, "code"), text);
    row->status = record_get(r, "status");
}

/* ---- our own ---- */

/* A word of an enum of ours; absent is fine. */
static bool is_one_of(struct str word, const char *const *words)
{
    for (; word.n && *words; words++)
        if (str_eq(word, str_c(*words)))
            return true;
    return word.n == 0;
}

static const char *const kinds[] = {"bounce", "complaint", "unsubscribe", "other", NULL};
static const char *const scopes[] = {"global", "tenant", "stream", NULL};
static const char *const classes[] = {
#define X(id, name, meaning, effect) name,
    VERDICT_CLASSES(X)
#undef X
        NULL};
static const char *const confidences[] = {
#define X(id, name, meaning) name,
    VERDICT_CONFIDENCES(X)
#undef X
        NULL};

static int read_own_words(const struct record *r, struct db_import_row *row,
                          enum import_refusal *why, struct err *e)
{
    enum verdict_category category;
    row->kind = record_get(r, "kind");
    row->class = record_get(r, "class");
    row->category = record_get(r, "category");
    row->confidence = record_get(r, "confidence");
    row->scope = record_get(r, "scope");
    if (row->kind.n == 0 || !is_one_of(row->kind, kinds))
        return refuse(REFUSED_WORD, why, e, row->kind,
                      "expected the kind bounce, complaint, unsubscribe or other");
    if (!is_one_of(row->scope, scopes))
        return refuse(REFUSED_WORD, why, e, row->scope,
                      "expected the scope global, tenant or stream");
    if (!is_one_of(row->class, classes))
        return refuse(REFUSED_WORD, why, e, row->class,
                      "expected a class of docs/categories.md, such as hard");
    if (!is_one_of(row->confidence, confidences))
        return refuse(REFUSED_WORD, why, e, row->confidence,
                      "expected the confidence high, medium or low");
    if (row->category.n == 0)
        return 0;
    if (!verdict_category_parse(row->category, &category))
        return refuse(REFUSED_WORD, why, e, row->category,
                      "expected a category of docs/categories.md, such as bad_mailbox");
    struct str class = str_c(verdict_class_name(verdict_category_class(category)));
    if (row->class.n && !str_eq(row->class, class))
        return refuse(REFUSED_WORD, why, e, row->class, "expected the class of the category");
    row->class = class;
    return 0;
}

static int read_own(const struct provider_reader *p, const struct record *r,
                    struct db_import_row *row, enum import_refusal *why, struct err *e)
{
    int rc = read_own_words(r, row, why, e);
    if (rc < 0)
        return rc;
    if (str_eq(record_get(r, "state"), STR("pending")))
        return refuse(REFUSED_PENDING, why, e, row->address,
                      "it waits (pending): expected a row that holds (active)");
    if (names_have(r->names, r->n, "tenant"))
        row->tenant = record_raw(r, "tenant");
    if (names_have(r->names, r->n, "stream"))
        row->stream = record_raw(r, "stream");
    row->rule = record_raw(r, "rule");
    row->mx_operator = record_raw(r, "operator");
    row->status = record_raw(r, "status");
    row->diagnostic = record_raw(r, "diagnostic");
    row->reason = record_raw(r, "reason");
    struct str ends = record_get(r, "expiresat");
    if (ends.n && !time_text_read(ends, &row->expires_at))
        return refuse(REFUSED_TIME, why, e, ends,
                      "expected a time such as 2026-01-31T08:09:10Z in expires_at");
    if (ends.n && row->expires_at <= p->now)
        return refuse(REFUSED_OVER, why, e, ends, "expected an end that is not over");
    return 0;
}

/* ---- all ---- */

static const struct {
    const char *address, *time;
} columns[PROVIDER_COUNT] = {
    [PROVIDER_OWN] = {"address", "eventat"},
    [PROVIDER_SES] = {"emailaddress", "lastupdatetime"},
    [PROVIDER_SENDGRID] = {"email", "created"},
    [PROVIDER_MAILGUN] = {"address", "createdat"},
    [PROVIDER_POSTMARK] = {"emailaddress", "createdat"},
    [PROVIDER_SPARKPOST] = {"recipient", "created"},
    [PROVIDER_MAILCHIMP] = {"emailaddress", NULL},
};

static int read_time(const struct provider_reader *p, const struct record *r,
                     struct db_import_row *row, enum import_refusal *why, struct err *e)
{
    const char *column = columns[p->provider].time;
    if (!column)
        column = p->list == LIST_CLEANED ? "cleantime" : "unsubtime";
    struct str text = record_get(r, column);
    row->event_at = p->now;
    if (text.n && !time_text_read(text, &row->event_at))
        return refuse(REFUSED_TIME, why, e, text,
                      "expected a time such as 2026-01-31T08:09:10Z, or seconds since 1970");
    /* A clock that is ahead must not make rows of the future. */
    if (row->event_at > p->now)
        row->event_at = p->now;
    return 0;
}

static int read_words(const struct provider_reader *p, struct arena *a, const struct record *r,
                      struct db_import_row *row, enum import_refusal *why, struct err *e)
{
    switch (p->provider) {
    case PROVIDER_OWN:
        return read_own(p, r, row, why, e);
    case PROVIDER_SES:
        return read_ses(r, row, why, e);
    case PROVIDER_POSTMARK:
        return read_postmark(r, row, why, e);
    case PROVIDER_SPARKPOST:
        return read_sparkpost(a, r, row, why, e);
    default:
        read_listed(p, a, r, row);
        return 0;
    }
}

int provider_read(const struct provider_reader *p, struct arena *a, const struct record *r,
                  struct db_import_row *ret, enum import_refusal *why, struct err *e)
{
    struct db_import_row row = {
        .tenant = p->tenant, .stream = p->stream, .expires_at = CLOCK_UNKNOWN};
    row.address = record_get(r, columns[p->provider].address);
    row.key = address_key(a, row.address);
    if (str_is_absent(row.key) || !str_is_utf8(row.address))
        return refuse(REFUSED_ADDRESS, why, e, row.address,
                      "expected an address such as user@example.com");
    int rc = read_words(p, a, r, &row, why, e);
    if (rc == 0)
        rc = read_time(p, r, &row, why, e);
    if (rc < 0)
        return rc;
    if (row.scope.n == 0)
        row.scope = p->scope.n ? p->scope
                    : str_eq(row.kind, STR("complaint")) || str_eq(row.kind, STR("unsubscribe"))
                        ? STR("stream")
                        : STR("tenant");
    /* Only a row of a stream names one. */
    if (!str_eq(row.scope, STR("stream")) || str_is_absent(row.stream))
        row.stream = STR("");
    if (str_is_absent(row.tenant))
        row.tenant = STR("");
    if (p->provider != PROVIDER_OWN) {
        understand(p, a, &row);
        row.reason = arena_fmt(a, "%s: %.*s", provider_name(p->provider), STR_ARG(row.reason));
    }
    if (p->reason.n)
        row.reason = p->reason;
    *ret = row;
    return 0;
}
