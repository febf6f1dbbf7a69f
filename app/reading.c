#include "app/reading.h"

#include "attribute/attribute.h"
#include "base/require.h"

#include <errno.h>

enum report_kind reading_kind(const struct report *r, size_t i)
{
    if (r->kind != REPORT_BOUNCE && r->kind != REPORT_DELAYED && r->kind != REPORT_DELIVERED)
        return r->kind;
    switch (r->recipients[i].action) {
    case REPORT_ACTION_FAILED:
        return REPORT_BOUNCE;
    case REPORT_ACTION_DELAYED:
        return REPORT_DELAYED;
    case REPORT_ACTION_DELIVERED:
    case REPORT_ACTION_RELAYED:
    case REPORT_ACTION_EXPANDED:
        return REPORT_DELIVERED;
    default:
        return r->kind;
    }
}

/* The same news twice, because one transaction named two of our addresses that say the same. */
static bool is_repeat(const struct spool_recipient *list, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (list[k].kind == list[i].kind && str_eq(list[k].tenant, list[i].tenant) &&
            str_eq(list[k].stream, list[i].stream) && str_eq(list[k].domain, list[i].domain) &&
            str_eq(list[k].recipient, list[i].recipient) && str_eq(list[k].token, list[i].token))
            return true;
    return false;
}

/* What the receiver found in RCPT TO, with today's word on trust. A domain that is no longer
 * configured is trusted with nothing. */
static struct returnpath envelope_of(const struct reading *reading, const struct spool_recipient *r)
{
    return (struct returnpath){.domain = returnpath_domain_find(reading->returnpath, r->domain),
                               .kind = (enum returnpath_kind)r->kind,
                               .source = (enum returnpath_source)r->source,
                               .proof = (enum returnpath_proof)r->proof,
                               .verified = r->verified,
                               .recipient = r->recipient,
                               .token = r->token,
                               .token_id = r->token_id,
                               .campaign = r->campaign,
                               .message_id = r->message_id,
                               .day = r->day};
}

static int event_make(const struct reading *reading, struct arena *a, const struct report *report,
                      const struct verdict *verdicts, const struct spool_recipient *to, size_t i,
                      struct db_event *ret)
{
    struct returnpath envelope = envelope_of(reading, to);
    struct db_event e = {.kind = REPORT_OTHER, .tenant = to->tenant, .stream = to->stream};
    /* Mail for postmaster or abuse is for a person, whatever it looks like. */
    if (envelope.kind != RETURNPATH_ROLE) {
        bool named = i < report->recipients_n;
        e.recipient = named ? &report->recipients[i] : NULL;
        e.kind = named ? reading_kind(report, i) : report->kind;
        e.verdict = named && reading_has_verdict(e.kind) ? &verdicts[i] : NULL;
        int rc = attribute_recipient(a, &envelope, report, i, &e.attribution);
        if (rc < 0)
            return rc;
        e.trusted =
            e.attribution.verified || (envelope.domain && envelope.domain->trust_unverified);
    }
    *ret = e;
    return 0;
}

static int events_make(const struct reading *reading, struct arena *a,
                       const struct spool_record *record, struct db_message *m)
{
    const struct report *report = m->report;
    const struct spool_envelope *env = &record->envelope;
    size_t each = report->recipients_n ? report->recipients_n : 1;
    size_t most = env->recipients_n > READING_EVENTS_MAX / each ? READING_EVENTS_MAX
                                                                : env->recipients_n * each;
    struct db_event *events = ARENA_ARRAY(a, most, struct db_event);
    struct verdict *verdicts = ARENA_ARRAY(a, each, struct verdict);
    if (!events || !verdicts)
        return -ENOMEM;
    for (size_t i = 0; i < report->recipients_n; i++)
        if (reading_has_verdict(reading_kind(report, i)))
            verdicts[i] = classify_recipient(reading->classifier, report, i);
    size_t n = 0;
    for (size_t k = 0; k < env->recipients_n; k++) {
        const struct spool_recipient *to = &env->recipients[k];
        if (is_repeat(env->recipients, k))
            continue;
        size_t count = to->kind == RETURNPATH_ROLE ? 1 : each;
        for (size_t i = 0; i < count && n < most; i++) {
            int rc = event_make(reading, a, report, verdicts, to, i, &events[n]);
            if (rc < 0)
                return rc;
            n++;
        }
    }
    m->events = events;
    m->events_n = n;
    return 0;
}

static int too_large(struct err *e)
{
    return err_set(e, -ENOMEM, "it needs more memory to be read than one message may have");
}

int reading_envelope(struct arena *a, const struct spool_record *record, struct db_message *ret,
                     struct err *e)
{
    const struct spool_envelope *env = &record->envelope;
    struct str *rcpt = ARENA_ARRAY(a, env->recipients_n, struct str);
    if (!rcpt)
        return too_large(e);
    for (size_t i = 0; i < env->recipients_n; i++)
        rcpt[i] = env->recipients[i].address;
    *ret = (struct db_message){.id = env->id,
                               .received_at = env->received_at,
                               .at = {record->at.segment, record->at.offset},
                               .next = {record->next.segment, record->next.offset},
                               .client_address = env->client_address,
                               .helo = env->helo,
                               .protocol = env->protocol,
                               .tls = env->tls,
                               .mail_from = env->mail_from,
                               .rcpt_to = rcpt,
                               .rcpt_to_n = env->recipients_n,
                               .size = env->size,
                               .truncated = record->truncated,
                               .body = record->body};
    return 0;
}

int reading_message(const struct reading *reading, struct arena *a,
                    const struct spool_record *record, struct db_message *ret, struct err *e)
{
    struct report *report = NULL;
    struct db_message m;
    int rc = reading_envelope(a, record, &m, e);
    if (rc == 0)
        rc = report_read(a, record->body, &report_limits_default, &report, e);
    if (rc < 0)
        return rc == -ENOMEM ? too_large(e) : rc;
    REQUIRE(report != NULL);
    m.report = report;
    if (events_make(reading, a, record, &m) < 0)
        return too_large(e);
    *ret = m;
    return 0;
}
