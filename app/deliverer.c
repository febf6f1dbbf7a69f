#include "app/deliverer.h"

#include "app/people.h"
#include "app/service.h"
#include "base/address.h"
#include "base/buf.h"
#include "base/clock.h"
#include "deliver/maildir.h"
#include "deliver/relay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOOK_EVERY = CLOCK_SECOND / 5,
    LOOK_SELDOM = 10 * CLOCK_SECOND,
    PRUNE_EVERY = 3600 * CLOCK_SECOND,
    RELAYED_AT_A_TIME = 64,
    MESSAGE_ARENA = 192 << 20,
    LIST_ARENA = 256 << 20,
};

/* A message that was delivered but not committed by its worker may be read again for so long as its
 * segment is there: spool.keep_processed behind the commit, which may have waited for the database.
 */
#define REMEMBER_LONGER (7 * CLOCK_DAY)

/* A Maildir or a relay, and how it is with it. */
struct target {
    char *place;
    int64_t retry_at; /* CLOCK_MONOTONIC */
    unsigned failures;
};

struct deliverer {
    const struct config *config;
    struct outbox *outbox;
    int signals;
    bool stopped;
    struct target *targets;
    size_t targets_n;
    struct arena message, list;
    bool told;        /* outbox_tell holds a failure */
    bool failing;     /* in this pass */
    int64_t prune_at; /* CLOCK_MONOTONIC */
};

/* One domain's way in one pass. */
struct way {
    const char *domain;
    const struct config_domain *config; /* NULL: not configured any more */
    const char *relay;                  /* NULL: a Maildir */
    char maildir[PLACE_PATH];           /* also what a relay will not take */
    uint64_t max_octets;                /* of that Maildir */
    struct target *target;
    struct relay *connection;
    unsigned relayed;
};

static bool is_stopped(struct deliverer *d, int64_t wait)
{
    d->stopped = d->stopped || (service_wait(d->signals, wait) & SERVICE_STOP);
    return d->stopped;
}

/* A relay that does not answer must not hold up our own stop. */
static bool stop_relay(void *ctx)
{
    return is_stopped(ctx, 0);
}

static struct target *target_of(struct deliverer *d, const char *place)
{
    for (size_t i = 0; i < d->targets_n; i++)
        if (strcmp(d->targets[i].place, place) == 0)
            return &d->targets[i];
    struct target *more = realloc(d->targets, (d->targets_n + 1) * sizeof(*more));
    if (!more)
        return NULL;
    d->targets = more;
    char *copy = strdup(place);
    if (!copy)
        return NULL;
    d->targets[d->targets_n] = (struct target){.place = copy};
    return &d->targets[d->targets_n++];
}

static void tell(struct deliverer *d, const char *place, const struct err *e)
{
    char text[sizeof(e->text)], when[CLOCK_TEXT];
    struct err ignored;
    snprintf(text, sizeof(text), "%s %.100s: %.300s", clock_format_rfc3339(clock_now(), when),
             place, e->text);
    d->failing = d->told = true;
    if (outbox_tell(d->outbox, text, &ignored) < 0)
        log_warn("people_outbox", KV("why", (const char *)ignored.text));
}

static void target_failed(struct deliverer *d, struct target *t, const struct err *e)
{
    const struct config *c = d->config;
    int64_t pause = c->people.retry_min;
    for (unsigned i = 0; i < t->failures && pause < c->people.retry_max; i++)
        pause *= 2;
    if (pause > c->people.retry_max)
        pause = c->people.retry_max;
    t->failures++;
    t->retry_at = clock_monotonic() + pause;
    log_warn("people_failed", KV("place", t->place), KV("again_in_ms", pause / 1000),
             KV("why", (const char *)e->text));
    tell(d, t->place, e);
}

/* The server has something against this message now; others go on. */
static int message_failed(struct deliverer *d, const struct way *w, const struct mail *m,
                          const struct err *refusal, struct err *e)
{
    const struct config *c = d->config;
    int64_t now = clock_now();
    int64_t pause = (now - m->received_at) / 4;
    pause = pause < c->people.retry_min ? c->people.retry_min : pause;
    pause = pause > c->people.retry_max ? c->people.retry_max : pause;
    log_warn("people_deferred", KV("message", (const char *)m->name), KV("place", w->relay),
             KV("again_in_ms", pause / 1000), KV("why", (const char *)refusal->text));
    tell(d, w->relay, refusal);
    return outbox_later(d->outbox, w->domain, m->name, now + pause, e);
}

/* A Maildir of ours in the spool directory, whose parent may be missing. */
static int into_maildir(struct deliverer *d, const struct way *w, const struct mail *m,
                        struct err *e)
{
    char root[PLACE_PATH];
    int rc = people_maildir(d->config, NULL, root, e);
    if (rc == 0 && (!w->config || !w->config->maildir))
        rc = place_directory(&place_io_system, root, e);
    return rc < 0 ? rc
                  : maildir_deliver(&place_io_system, w->maildir, d->config->node, w->max_octets, m,
                                    e);
}

/* It was here before, and we sent it where it now comes from (as Delivered-To is used by others).
 */
static bool is_loop(const struct mail *m)
{
    struct str rest = m->body, line;
    while (str_line(&rest, &line) && line.n)
        if (str_istarts(line, STR("Delivered-To:")) && str_ieq(str_trim(str_from(line, 13)), m->to))
            return true;
    return false;
}

/* A bounce of what we relay must not come back as a bounce of ours. */
static struct str reverse_path(const struct config *c, const struct mail *m)
{
    struct address from;
    for (size_t i = 0; address_split(m->from, &from) && i < c->domains_n; i++)
        if (str_ieq(from.domain, str_c(c->domains[i].name)))
            return STR("");
    return m->from;
}

static int relay_mail(struct deliverer *d, struct way *w, const struct mail *m, struct err *e)
{
    struct relay_config config = {w->relay, d->config->hostname, d->config->people.timeout,
                                  stop_relay, d};
    struct buf b;
    buf_init(&b, m->body.n + 2048);
    int rc = w->connection ? 0 : relay_new(&config, &w->connection, e);
    if (rc == 0)
        rc = buf_fmt(&b, "Delivered-To: %.*s\r\nX-Bouncemx-Message: %.36s\r\n", STR_ARG(m->to),
                     m->name);
    if (rc == 0 && m->truncated)
        rc = buf_fmt(&b, "X-Bouncemx-Truncated: %zu of %" PRIu64 " octets were kept\r\n", m->body.n,
                     m->size);
    if (rc == 0)
        rc = buf_add(&b, m->body);
    if (rc == 0)
        rc = relay_send(w->connection, reverse_path(d->config, m), w->config->relay_to, buf_str(&b),
                        e);
    buf_free(&b);
    return rc;
}

/* 0: delivered. -EBUSY: not this message now; any other error: this place not now. */
static int deliver(struct deliverer *d, struct way *w, const struct mail *m, struct err *e)
{
    if (!w->relay)
        return into_maildir(d, w, m, e);
    int rc = -ELOOP;
    if (is_loop(m))
        err_set(e, rc, "its header says that it was delivered to %.*s before", STR_ARG(m->to));
    else
        rc = relay_mail(d, w, m, e);
    if (rc != -EPERM && rc != -ELOOP)
        return rc;
    log_error("people_not_relayed", KV("message", (const char *)m->name), KV("place", w->relay),
              KV("why", (const char *)e->text), KV("kept_in", (const char *)w->maildir));
    return into_maildir(d, w, m, e);
}

static int one(struct deliverer *d, struct way *w, const char *name)
{
    struct mail m;
    struct err e;
    arena_reset(&d->message);
    int rc = outbox_read(d->outbox, w->domain, name, &d->message, &m, &e);
    if (rc == -EBADMSG) {
        log_error("people_bad", KV("message", name), KV("why", (const char *)e.text));
        rc = outbox_bad(d->outbox, w->domain, name, &e);
    } else if (rc == 0) {
        rc = deliver(d, w, &m, &e);
        if (rc == -EBUSY) {
            struct err refusal = e;
            rc = message_failed(d, w, &m, &refusal, &e);
        } else if (rc == 0) {
            rc = outbox_done(d->outbox, w->domain, name, &e);
            log_info("people_delivered", KV("message", name), KV_ADDRESS("to", m.to),
                     KV("place", w->target->place));
        }
    }
    if (rc == 0)
        w->target->failures = 0;
    else if (!d->stopped)
        target_failed(d, w->target, &e);
    return rc;
}

static void domain_pass(struct deliverer *d, struct way *w)
{
    struct outbox_entry *entries = NULL;
    size_t n = 0;
    struct err e;
    arena_reset(&d->list);
    int rc = outbox_list(d->outbox, w->domain, &d->list, &entries, &n, &e);
    if (rc < 0)
        target_failed(d, w->target, &e);
    for (size_t i = 0; rc == 0 && i < n && !is_stopped(d, 0); i++) {
        int64_t now = clock_now();
        /* A time that no pause leads to is of a clock that was set back since. */
        if (entries[i].next > now && entries[i].next <= now + d->config->people.retry_max) {
            d->failing = true;
            continue;
        }
        rc = one(d, w, entries[i].name);
        /* Others wait as well. */
        if (w->relay && ++w->relayed == RELAYED_AT_A_TIME)
            break;
    }
    relay_free(w->connection);
}

static int way_of(struct deliverer *d, const char *domain, struct way *w, struct err *e)
{
    const struct config *c = d->config;
    *w = (struct way){.domain = domain, .config = people_domain(c, str_c(domain))};
    w->relay = w->config ? w->config->relay : NULL;
    int rc = people_maildir(c, domain, w->maildir, e);
    w->max_octets = c->people.max_bytes;
    if (rc == 0 && w->config && w->config->maildir) {
        w->max_octets = 0;
        rc = snprintf(w->maildir, sizeof(w->maildir), "%s", w->config->maildir) < PLACE_PATH
                 ? 0
                 : err_sys(e, -ENAMETOOLONG, "%s", domain);
    }
    w->target = rc == 0 ? target_of(d, w->relay ? w->relay : w->maildir) : NULL;
    return rc < 0 || w->target ? rc : err_set(e, -ENOMEM, "out of memory");
}

static int domains_pass(struct deliverer *d, const char **domains, size_t n, bool relays,
                        struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n && !is_stopped(d, 0); i++) {
        struct way w;
        rc = way_of(d, domains[i], &w, e);
        if (rc < 0 || (w.relay != NULL) != relays)
            continue;
        if (w.target->retry_at <= clock_monotonic())
            domain_pass(d, &w);
        else
            d->failing = true;
    }
    return rc;
}

/* Maildirs first: a relay may let us wait. */
static void pass(struct deliverer *d)
{
    struct arena a = arena_make(16 << 20);
    const char **domains = NULL;
    size_t n = 0;
    struct err e;
    d->failing = false;
    int rc = outbox_domains(d->outbox, &a, &domains, &n, &e);
    if (rc == 0)
        rc = domains_pass(d, domains, n, false, &e);
    if (rc == 0)
        rc = domains_pass(d, domains, n, true, &e);
    if (rc < 0)
        log_error("people_outbox", KV("why", (const char *)e.text));
    if (rc == 0 && !d->failing && !d->stopped && d->told) {
        d->told = false;
        outbox_tell(d->outbox, "", &e);
    }
    arena_free(&a);
}

/* The more a look costs, the seldomer. */
static int64_t pause_after(int64_t took)
{
    int64_t wait = 10 * took;
    return wait < LOOK_EVERY ? LOOK_EVERY : wait > LOOK_SELDOM ? LOOK_SELDOM : wait;
}

static void loop(struct deliverer *d)
{
    int64_t wait = 0;
    while (!is_stopped(d, wait)) {
        int64_t began = clock_monotonic();
        pass(d);
        if (began >= d->prune_at) {
            outbox_prune(d->outbox,
                         clock_now() - d->config->spool.keep_processed - REMEMBER_LONGER);
            d->prune_at = began + PRUNE_EVERY;
        }
        wait = pause_after(clock_monotonic() - began);
    }
}

/* Its predecessor may still be ending. */
static int lock(struct deliverer *d, struct err *e)
{
    int rc = outbox_lock(d->outbox, e);
    if (rc == -EBUSY)
        log_warn("people_outbox", KV("why", (const char *)e->text));
    while (rc == -EBUSY && !is_stopped(d, CLOCK_SECOND / 4))
        rc = outbox_lock(d->outbox, e);
    return rc == -EBUSY ? 0 : rc;
}

static void tell_default(const struct config *c)
{
    char path[PLACE_PATH];
    struct err e;
    uint64_t n = 0;
    for (size_t i = 0; i < c->domains_n; i++)
        n += !c->domains[i].maildir && !c->domains[i].relay;
    if (n && people_maildir(c, NULL, path, &e) == 0)
        log_info("people_default", KV("domains", n), KV("maildirs_in", (const char *)path));
}

int deliverer_run(const struct config *c)
{
    struct log_config log = {(enum log_level)c->log.level, c->log.addresses == 1, "deliverer"};
    struct deliverer d = {.config = c,
                          .signals = -1,
                          .told = true, /* by our predecessor, maybe */
                          .message = arena_make(MESSAGE_ARENA),
                          .list = arena_make(LIST_ARENA)};
    struct people people = {NULL, NULL};
    struct err e;
    log_configure(&log);
    int rc = d.signals = service_signals(&e);
    if (rc >= 0)
        rc = people_open(c, &people, &e);
    d.outbox = people.outbox;
    if (rc == 0)
        rc = lock(&d, &e);
    if (rc == 0) {
        tell_default(c);
        loop(&d);
    } else {
        log_error("deliverer", KV("why", (const char *)e.text));
    }
    people_close(&people);
    for (size_t i = 0; i < d.targets_n; i++)
        free(d.targets[i].place);
    free(d.targets);
    arena_free(&d.message);
    arena_free(&d.list);
    if (d.signals >= 0)
        close(d.signals);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}
