#include "app/reading.h"

#include "attribute/attribute.h"
#include "base/clock.h"
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

/* The same news twice, because one transaction named two of our addresses that say the same. A
 * forged token has the identity of the one that it imitates. */
static bool is_repeat(const struct spool_recipient *list, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (list[k].kind == list[i].kind && list[k].proof == list[i].proof &&
            str_eq(list[k].tenant, list[i].tenant) && str_eq(list[k].stream, list[i].stream) &&
            str_eq(list[k].domain, list[i].domain) &&
            str_eq(list[k].recipient, list[i].recipient) && str_eq(list[k].token, list[i].token))
            return true;
    return false;
}

/* What the receiver found in RCPT TO, with today's word on trust. A domain that is no longer
 * configured is trusted with nothing. */
static struct returnpath envelope_of(const struct reading *reading, const struct spool_recipient *r)
{
    const struct returnpath_set *set = returnpath_reader_set(reading->returnpath);
    return (struct returnpath){.domain = returnpath_domain_find(set, r->domain),
                               .kind = (enum returnpath_kind)r->kind,
                               .source = (enum returnpath_source)r->source,
                               .proof = (enum returnpath_proof)r->proof,
                               .verified = r->verified,
                               .recipient = r->recipient,
                               .tenant = r->tenant,
                               .stream = r->stream,
                               .token = r->token,
                               .token_id = r->token_id,
                               .campaign = r->campaign,
                               .message_id = r->message_id,
                               .day = r->day};
}

/* What the events of one message are made from. */
struct making {
    const struct reading *reading;
    struct arena *a;
    const struct spool_record *record;
    const struct report *report;
    const struct verdict *verdicts;
    enum { SIGNED_UNKNOWN, SIGNED_NOT, SIGNED } is_signed;
};

/* A provider's signature on a complaint vouches for the addresses that stand in it, not for the
 * RCPT TO that somebody may have sent it on to; and never for a token that is not valid. It is
 * looked at once a message, and only when it matters. */
static bool is_vouched_for(struct making *m, const struct db_event *e,
                           const struct returnpath *envelope)
{
    const struct reading *reading = m->reading;
    const struct attribution *whose = &e->attribution;
    if ((e->kind != REPORT_COMPLAINT && e->kind != REPORT_NOT_SPAM) || !reading->is_signed ||
        whose->verification != ATTRIBUTION_UNSIGNED || envelope->proof != RETURNPATH_UNSIGNED ||
        !whose->in_report || m->record->truncated)
        return false;
    if (m->is_signed == SIGNED_UNKNOWN)
        m->is_signed = reading->is_signed(reading->is_signed_ctx, m->a, m->record->body,
                                          m->report->from, m->record->envelope.received_at)
                           ? SIGNED
                           : SIGNED_NOT;
    return m->is_signed == SIGNED;
}

/* The verdict as sure as the address is; the words and the rule stay. */
static int verdict_cap(struct arena *a, const struct verdict *verdict, const struct verdict **ret)
{
    struct verdict *capped = ARENA_NEW(a, struct verdict);
    if (!capped)
        return -ENOMEM;
    *capped = *verdict;
    capped->confidence = CONFIDENCE_MEDIUM;
    *ret = capped;
    return 0;
}

static int event_make(struct making *m, const struct attribute_message *message, size_t i,
                      struct db_event *ret)
{
    const struct report *report = m->report;
    const struct returnpath *envelope = message->envelope;
    struct attribution *whose = &ret->attribution;
    bool named = i < report->recipients_n;
    ret->recipient = named ? &report->recipients[i] : NULL;
    ret->kind = attribute_kind(message, named ? reading_kind(report, i) : report->kind);
    ret->verdict = named && reading_has_verdict(ret->kind) ? &m->verdicts[i] : NULL;
    int rc = attribute_recipient(message, m->a, ret->kind, i, whose);
    if (rc < 0)
        return rc;
    if (is_vouched_for(m, ret, envelope)) {
        whose->verification = ATTRIBUTION_DKIM;
        whose->verified = true;
    }
    /* What is trusted without proof is this tenant's mail alone. */
    ret->trusted = whose->verified ||
                   (whose->verification == ATTRIBUTION_UNSIGNED && envelope->domain &&
                    envelope->domain->trust_unverified && str_eq(whose->tenant, envelope->tenant));
    ret->tenant = whose->tenant;
    ret->stream = whose->stream;
    if (ret->verdict && whose->medium && !m->reading->uncapped &&
        ret->verdict->confidence == CONFIDENCE_HIGH)
        return verdict_cap(m->a, ret->verdict, &ret->verdict);
    return 0;
}

/* The events of one envelope recipient, at most room of them. */
static int events_of(struct making *m, const struct spool_recipient *to, struct db_event *events,
                     size_t room, size_t *ret_n)
{
    const struct spool_envelope *env = &m->record->envelope;
    struct returnpath envelope = envelope_of(m->reading, to);
    struct attribute_message message;
    /* Mail for postmaster or abuse is for a person, whatever it looks like. */
    if (envelope.kind == RETURNPATH_ROLE) {
        events[0] =
            (struct db_event){.kind = REPORT_OTHER, .tenant = to->tenant, .stream = to->stream};
        *ret_n = 1;
        return 0;
    }
    int rc = attribute_message_open(m->reading->returnpath, m->a, &envelope, m->report,
                                    env->mail_from.n > 0, (uint32_t)(env->received_at / CLOCK_DAY),
                                    &message);
    size_t each = m->report->recipients_n ? m->report->recipients_n : 1;
    size_t n = each < room ? each : room;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = event_make(m, &message, i, &events[i]);
    *ret_n = n;
    return rc;
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
    struct making making = {reading, a, record, report, verdicts, SIGNED_UNKNOWN};
    if (!events || !verdicts)
        return -ENOMEM;
    for (size_t i = 0; i < report->recipients_n; i++)
        if (reading_has_verdict(reading_kind(report, i)))
            verdicts[i] = classify_recipient(reading->classifier, report, i);
    size_t n = 0;
    for (size_t k = 0; k < env->recipients_n && n < most; k++) {
        size_t made;
        if (is_repeat(env->recipients, k))
            continue;
        int rc = events_of(&making, &env->recipients[k], &events[n], most - n, &made);
        if (rc < 0)
            return rc;
        n += made;
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
    struct report_limits limits = report_limits_default;
    limits.keep = reading->token_headers;
    limits.keep_n = reading->token_headers_n;
    if (rc == 0)
        rc = report_read(a, record->body, &limits, &report, e);
    if (rc < 0)
        return rc == -ENOMEM ? too_large(e) : rc;
    REQUIRE(report != NULL);
    m.report = report;
    if (events_make(reading, a, record, &m) < 0)
        return too_large(e);
    *ret = m;
    return 0;
}
