#include "app/log_message.h"

#include "app/reading_open.h"
#include "base/address.h"
#include "base/clock.h"

#include <errno.h>

/* ---- whose ---- */

/* The first domain of a tenant, absent: of the only one that there is. NULL: there are several. */
static const struct config_domain *domain_of(const struct config *c, struct str tenant)
{
    if (tenant.n) {
        for (size_t i = 0; i < c->domains_n; i++)
            if (str_eq(str_c(c->domains[i].tenant), tenant))
                return &c->domains[i];
        return NULL;
    }
    for (size_t i = 1; i < c->domains_n; i++)
        if (strcmp(c->domains[i].tenant, c->domains[0].tenant) != 0)
            return NULL;
    return &c->domains[0];
}

int log_owner(const struct log_reading *r, struct arena *a, const struct ingest_record *record,
              struct log_owner *ret)
{
    struct spool_recipient sender = {0};
    struct log_owner owner = {.campaign = record->campaign};
    int rc = -ENOENT;
    if (record->sender.n)
        rc = reading_recipient(r->returnpath, a, record->sender,
                               (uint32_t)(record->time / CLOCK_DAY), &sender);
    if (rc == -ENOMEM)
        return rc;
    if (sender.tenant.n) {
        owner.tenant = sender.tenant;
        owner.stream = sender.stream;
        if (!owner.campaign.n)
            owner.campaign = sender.campaign;
    } else {
        const struct config_domain *d =
            domain_of(r->config, r->tenant.n ? r->tenant : record->tenant);
        if (!d && !r->tenant.n)
            d = domain_of(r->config, (struct str){NULL, 0});
        owner.tenant = d ? str_c(d->tenant) : r->tenant;
        owner.stream = d ? str_c(d->stream) : STR("");
    }
    if (r->tenant.n)
        owner.tenant = r->tenant;
    if (r->stream.n)
        owner.stream = r->stream;
    if (!owner.tenant.n)
        return -ENOENT;
    *ret = owner;
    return 0;
}

struct str log_address(const struct ingest_record *record)
{
    struct address parts;
    return address_split(record->orig_to, &parts) ? record->orig_to : record->recipient;
}

/* ---- what ---- */

static int attribution_of(struct arena *a, const struct ingest_record *record,
                          const struct log_owner *owner, struct attribution *ret)
{
    struct str address = log_address(record), key = address_key(a, address);
    struct str final = address_key(a, record->recipient);
    /* An alias of the sender's own led on: the address that refused is not the one on the list. */
    bool forwarded = !str_is_absent(key) && !str_is_absent(final) && !str_eq(key, final);
    if (arena_failed(a))
        return -ENOMEM;
    *ret = (struct attribution){.address = address,
                                .key = key,
                                .source = ATTRIBUTION_LOG,
                                .verification = ATTRIBUTION_TOLD,
                                .verified = true,
                                .forwarded = forwarded,
                                .medium = forwarded,
                                .counts = true,
                                .tenant = owner->tenant,
                                .stream = owner->stream,
                                .campaign = owner->campaign,
                                .message_id = record->message_id};
    return 0;
}

static struct report *report_of(const struct log_reading *r, struct arena *a,
                                const struct ingest_record *record)
{
    struct report *report = ARENA_NEW(a, struct report);
    struct report_recipient *to = ARENA_NEW(a, struct report_recipient);
    if (!report || !to)
        return NULL;
    bool failed = record->kind != INGEST_DEFERRED;
    *to = (struct report_recipient){.original_recipient = record->orig_to,
                                    .final_recipient = record->recipient,
                                    .action = failed ? REPORT_ACTION_FAILED : REPORT_ACTION_DELAYED,
                                    .status = record->status,
                                    .reply_code = record->reply_code,
                                    .diagnostic = record->text,
                                    .remote_mta = record->remote_host.n ? record->remote_host
                                                                        : record->remote_ip};
    *report = (struct report){
        .kind = failed ? REPORT_BOUNCE : REPORT_DELAYED,
        .reader = ingest_format_name(r->format),
        .recipients = to,
        .recipients_n = 1,
        .reporting_mta = record->host,
        .envelope_id = record->queue_id,
        .original = {.message_id = record->message_id, .return_path = record->sender}};
    return report;
}

int log_message(const struct log_reading *r, struct arena *a, const struct ingest_record *record,
                const struct log_owner *owner, struct db_message *ret)
{
    struct report *report = report_of(r, a, record);
    struct db_event *event = ARENA_NEW(a, struct db_event);
    struct verdict *verdict = ARENA_NEW(a, struct verdict);
    struct str *to = ARENA_NEW(a, struct str);
    if (!report || !event || !verdict || !to)
        return -ENOMEM;
    *verdict = classify_recipient(r->classifier, report, 0);
    *event = (struct db_event){.recipient = &report->recipients[0],
                               .verdict = verdict,
                               .kind = report->kind,
                               .tenant = owner->tenant,
                               .stream = owner->stream,
                               .trusted = true};
    int rc = attribution_of(a, record, owner, &event->attribution);
    if (rc < 0)
        return rc;
    if (event->attribution.medium && verdict->confidence == CONFIDENCE_HIGH)
        verdict->confidence = CONFIDENCE_MEDIUM;
    *to = record->recipient;
    *ret = (struct db_message){.received_at = record->time,
                               .mail_from = record->sender,
                               .rcpt_to = to,
                               .rcpt_to_n = 1,
                               .size = record->evidence.n,
                               .body = record->evidence,
                               .report = report,
                               .events = event,
                               .events_n = 1};
    /* What a message is known by: the same line in two logs is one. */
    char kind[2] = {(char)('0' + record->kind), 0};
    const struct str parts[] = {owner->tenant, record->recipient, record->queue_id, record->text,
                                str_c(kind)};
    return db_id_of(record->time, parts, sizeof(parts) / sizeof(parts[0]), &ret->id) ? 0 : -ENOMEM;
}
