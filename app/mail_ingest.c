#include "app/mail_ingest.h"

#include "app/mailbox.h"
#include "app/reading_open.h"
#include "base/clock.h"

#include <errno.h>

/* The record as if it had come by SMTP. -ENOMEM; -ENOENT: no recipient is ours, -EINVAL: no time is
 * told, or one that is still to come. */
static int record_of(struct mail_ingest *g, struct str bytes, bool cut, struct spool_record *ret,
                     struct err *e)
{
    struct arena *a = &g->batch->arena;
    struct mail_envelope found;
    mail_envelope_read(bytes, &found);
    if (g->rcpt.n) {
        found.rcpt[0] = g->rcpt;
        found.rcpt_n = 1;
    }
    struct spool_record r = {.body = arena_str(a, bytes), .truncated = cut};
    struct spool_envelope *env = &r.envelope;
    struct spool_recipient *list = ARENA_ARRAY(a, MAIL_ENVELOPE_RCPT_MAX, struct spool_recipient);
    env->received_at = found.received != CLOCK_UNKNOWN ? found.received : g->received;
    env->mail_from = arena_str(a, g->mail_from.p ? g->mail_from : found.mail_from);
    env->size = bytes.n;
    if (!list || arena_failed(a))
        return err_set(e, -ENOMEM, "out of memory");
    if (env->received_at == CLOCK_UNKNOWN)
        return err_set(e, -EINVAL,
                       "neither Received nor Date tell when it came: expected "
                       "--received");
    if (env->received_at > clock_now() + CLOCK_DAY)
        return err_set(e, -EINVAL,
                       "its Received or Date is in the future: expected a time that "
                       "has been");
    uint32_t day = (uint32_t)(env->received_at / CLOCK_DAY);
    for (size_t i = 0; i < found.rcpt_n; i++) {
        struct str address = arena_str(a, found.rcpt[i]);
        int rc =
            reading_recipient(g->reading->returnpath, a, address, day, &list[env->recipients_n]);
        if (rc == -ENOMEM)
            return err_set(e, rc, "out of memory");
        if (!str_is_absent(list[env->recipients_n].domain))
            env->recipients_n++;
    }
    env->recipients = list;
    if (!env->recipients_n)
        return err_set(e, -ENOENT,
                       "it names no recipient of a configured domain in Delivered-To "
                       "or X-Original-To: expected --rcpt");
    *ret = r;
    return 0;
}

static int message_of(struct mail_ingest *g, struct str bytes, bool cut, struct db_message *ret,
                      struct err *e)
{
    struct spool_record record;
    int rc = record_of(g, bytes, cut, &record, e);
    if (rc < 0)
        return rc;
    /* An mbox puts an empty line behind each. */
    struct str parts[2 + MAIL_ENVELOPE_RCPT_MAX] = {str_trim(bytes), record.envelope.mail_from};
    size_t n = 2;
    for (size_t i = 0; i < record.envelope.recipients_n; i++)
        parts[n++] = record.envelope.recipients[i].address;
    if (!db_id_of(record.envelope.received_at, parts, n, &record.envelope.id))
        return err_set(e, -ENOMEM, "out of memory");
    return reading_message(g->reading, &g->batch->arena, &record, ret, e);
}

static void count(struct ingest_counts *c, const struct db_message *m)
{
    for (size_t i = 0; i < m->events_n; i++) {
        c->bounced += m->events[i].kind == REPORT_BOUNCE;
        c->deferred += m->events[i].kind == REPORT_DELAYED;
        c->delivered += m->events[i].kind == REPORT_DELIVERED;
    }
}

static int one_message(void *ctx, const char *name, struct str bytes, bool cut)
{
    struct mail_ingest *g = ctx;
    struct ingest_batch *b = g->batch;
    struct db_message m;
    struct err e;
    if (*g->stop)
        return 1;
    b->name = arena_str(&b->arena, str_c(name)).p;
    b->counts.lines++;
    int rc = b->name ? message_of(g, bytes, cut, &m, &e) : err_set(&e, -ENOMEM, "out of memory");
    if (!b->name)
        b->name = name;
    if (rc == 0) {
        count(&b->counts, &m);
        ingest_batch_add(b, &m, 0);
    } else {
        b->counts.unowned += rc == -ENOENT;
        b->counts.unreadable += rc != -ENOENT;
        ingest_batch_complain(b, 0, e.text);
        if (arena_failed(&b->arena)) /* one that needs too much harms no other */
            return ingest_batch_flush(b);
    }
    progress_step(&b->progress, b->counts.lines, 0, clock_monotonic());
    return ingest_batch_due(b, clock_monotonic());
}

static void one_problem(void *ctx, const struct err *e)
{
    struct mail_ingest *g = ctx;
    g->batch->counts.unreadable++;
    command_fail(g->batch->line, 0, "%s", e->text);
}

int mail_ingest(struct mail_ingest *g, const char *path)
{
    const struct mailbox m = {one_message, one_problem, g};
    int rc = ingest_batch_begin(g->batch, path, false);
    g->batch->progress = progress_start("messages", clock_monotonic());
    if (rc == 0)
        rc = mailbox_walk(&m, path);
    if (rc >= 0)
        rc = ingest_batch_flush(g->batch);
    progress_end(&g->batch->progress);
    return rc < 0 ? rc : 0;
}
