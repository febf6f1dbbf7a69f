/* receiver.c - threads: start, stop, wait. */
#include "receiver/receiver.h"

#include "base/domain.h"
#include "base/require.h"
#include "receiver/listener.h"
#include "receiver/sockets.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* Addresses counted at a time: 2 MB; clients whose refusals are logged apart: 320 KB. */
enum { PEERS = 64 * 1024, REFUSALS = 4096 };

struct receiver {
    struct receiver_shared shared;
    unsigned listeners_n, threads_n;
    struct listener *listeners[SPOOL_LANES_MAX];
    pthread_t threads[SPOOL_LANES_MAX];
};

static int settings_check(const struct receiver_listen *listen, size_t listen_n,
                          const struct receiver_settings *s, struct err *e)
{
    const struct receiver_limits *l = &s->limits;
    if (!domain_is_valid(str_c(s->hostname)))
        return err_set(e, -EINVAL, "hostname \"%s\": expected a domain name", s->hostname);
    if (l->recipients == 0 || l->recipients > SPOOL_RECIPIENTS_MAX)
        return err_set(e, -EINVAL, "limits.recipients: %u, expected 1 to %d", l->recipients,
                       SPOOL_RECIPIENTS_MAX);
    if (l->keep_bytes == 0 || l->keep_bytes > SPOOL_RECORD_MAX / 2)
        return err_set(e, -EINVAL, "spool.keep_bytes: %llu, expected 1 to %d",
                       (unsigned long long)l->keep_bytes, SPOOL_RECORD_MAX / 2);
    for (size_t i = 0; i < listen_n; i++) {
        if (listen[i].tls == RECEIVER_TLS_IMPLICIT && !s->tls)
            return err_set(e, -EINVAL, "listen on %s port %u: implicit TLS needs a certificate",
                           listen[i].address, listen[i].port);
        if (listen[i].proxy && s->proxy_from_n == 0)
            return err_set(e, -EINVAL,
                           "listen on %s port %u: a PROXY header is asked for, but "
                           "receiver.proxy_from names nobody who may bring one",
                           listen[i].address, listen[i].port);
    }
    if (l->proxy_timeout < 0 || l->command_timeout < 0 || l->data_timeout < 0 ||
        l->session_timeout < 0 || s->greeting_delay < 0)
        return err_set(e, -EINVAL, "limits: a time is negative");
    return 0;
}

static int config_check(const struct receiver_config *c, struct err *e)
{
    if (c->threads == 0 || c->threads > SPOOL_LANES_MAX)
        return err_set(e, -EINVAL, "receiver threads: %u, expected 1 to %d", c->threads,
                       SPOOL_LANES_MAX);
    if (c->listen_n == 0)
        return err_set(e, -EINVAL, "receiver: no address to listen on");
    return settings_check(c->listen, c->listen_n, &c->settings, e);
}

static void *thread_main(void *ctx)
{
    listener_run(ctx);
    return NULL;
}

/* Threads leave signals to whoever started us, but for those that tell of their own faults. */
static int threads_start(struct receiver *r, struct err *e)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    int rc = -pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc < 0)
        return err_sys(e, rc, "receiver: signals");
    while (rc == 0 && r->threads_n < r->listeners_n) {
        rc = -pthread_create(&r->threads[r->threads_n], NULL, thread_main,
                             r->listeners[r->threads_n]);
        if (rc == 0)
            r->threads_n++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc < 0 ? err_sys(e, rc, "receiver: thread %u", r->threads_n) : 0;
}

/* What the threads share, but for the settings. */
static int shared_open(struct receiver_shared *s, const struct receiver_config *config,
                       struct err *e)
{
    s->listen = config->listen;
    s->listen_n = config->listen_n;
    s->spool = config->spool;
    s->counters = config->counters;
    atomic_store(&s->counters->connections_now, 0);
    atomic_store(&s->counters->body_bytes_now, 0);
    int rc = peers_new(PEERS, &s->peers);
    if (rc == 0)
        rc = refusals_new(REFUSALS, &s->refusals);
    return rc < 0 ? err_sys(e, rc, "receiver: tables of addresses") : 0;
}

static void settings_swap(struct receiver_shared *s, struct settings *fresh)
{
    pthread_mutex_lock(&s->settings_lock);
    struct settings *before = s->settings;
    s->settings = fresh;
    atomic_fetch_add(&s->version, 1);
    atomic_store(&s->body_memory, fresh->s.limits.body_memory);
    pthread_mutex_unlock(&s->settings_lock);
    settings_unref(before);
}

struct settings *receiver_settings_ref(struct receiver_shared *s, uint64_t *ret_version)
{
    pthread_mutex_lock(&s->settings_lock);
    struct settings *settings = settings_ref(s->settings);
    *ret_version = atomic_load(&s->version);
    pthread_mutex_unlock(&s->settings_lock);
    return settings;
}

static int listeners_start(struct receiver *r, const struct receiver_config *config,
                           struct receiver_sockets *sockets, struct err *e)
{
    int rc = shared_open(&r->shared, config, e);
    while (rc == 0 && r->listeners_n < config->threads) {
        rc = listener_new(&r->shared, r->listeners_n, sockets, &r->listeners[r->listeners_n], e);
        if (rc == 0)
            r->listeners_n++;
    }
    if (rc == 0)
        rc = threads_start(r, e);
    return rc;
}

int receiver_start(const struct receiver_config *config, struct receiver **ret, struct err *e)
{
    struct receiver_sockets *sockets = config->sockets;
    struct receiver *r = NULL;
    struct settings *settings = NULL;
    int rc = config_check(config, e);
    if (rc == 0 && !sockets)
        rc = receiver_sockets_open(config->listen, config->listen_n, config->threads, NULL, 0,
                                   &sockets, e);
    if (rc < 0)
        goto out;
    struct receiver_settings first = config->settings;
    first.release = NULL; /* a start that fails releases nothing */
    r = calloc(1, sizeof(*r));
    settings = r ? settings_new(&first) : NULL;
    if (!settings) {
        free(r);
        r = NULL;
        rc = err_sys(e, -ENOMEM, "receiver");
        goto out;
    }
    pthread_mutex_init(&r->shared.settings_lock, NULL); /* cannot fail for a plain one */
    settings_swap(&r->shared, settings);
    rc = listeners_start(r, config, sockets, e);
out:
    receiver_sockets_free(sockets);
    if (rc == 0) {
        settings->s.release = config->settings.release;
        *ret = r;
    } else if (r) {
        receiver_stop(r, 0);
        receiver_join(r);
        receiver_free(r);
    }
    return rc;
}

int receiver_reload(struct receiver *r, const struct receiver_settings *settings, struct err *e)
{
    int rc = settings_check(r->shared.listen, r->shared.listen_n, settings, e);
    if (rc < 0)
        return rc;
    struct settings *fresh = settings_new(settings);
    if (!fresh)
        return err_sys(e, -ENOMEM, "settings");
    settings_swap(&r->shared, fresh);
    RECEIVER_COUNT(&r->shared, reloads, 1);
    return 0;
}

void receiver_stop(struct receiver *r, int64_t grace)
{
    for (unsigned i = 0; i < r->listeners_n; i++)
        listener_stop(r->listeners[i], grace);
}

void receiver_join(struct receiver *r)
{
    for (; r->threads_n > 0; r->threads_n--) {
        int rc = pthread_join(r->threads[r->threads_n - 1], NULL);
        REQUIRE(rc == 0);
    }
}

void receiver_free(struct receiver *r)
{
    if (!r)
        return;
    REQUIRE(r->threads_n == 0);
    for (unsigned i = 0; i < r->listeners_n; i++)
        listener_free(r->listeners[i]);
    peers_free(r->shared.peers);
    refusals_free(r->shared.refusals);
    settings_unref(r->shared.settings);
    pthread_mutex_destroy(&r->shared.settings_lock);
    free(r);
}
