/* receiver.c - threads: start, stop, wait. */
#include "receiver/receiver.h"

#include "base/domain.h"
#include "base/require.h"
#include "receiver/listener.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct receiver {
    struct receiver_shared shared;
    unsigned listeners_n, threads_n;
    struct listener *listeners[SPOOL_LANES_MAX];
    pthread_t threads[SPOOL_LANES_MAX];
};

static int config_check(const struct receiver_config *c, struct err *e)
{
    const struct receiver_limits *l = &c->limits;
    if (c->threads == 0 || c->threads > SPOOL_LANES_MAX)
        return err_set(e, -EINVAL, "receiver threads: %u, expected 1 to %d", c->threads,
                       SPOOL_LANES_MAX);
    if (c->listen_n == 0)
        return err_set(e, -EINVAL, "receiver: no address to listen on");
    if (!domain_is_valid(str_c(c->hostname)))
        return err_set(e, -EINVAL, "hostname \"%s\": expected a domain name", c->hostname);
    if (l->recipients == 0 || l->recipients > SPOOL_RECIPIENTS_MAX)
        return err_set(e, -EINVAL, "limits.recipients: %u, expected 1 to %d", l->recipients,
                       SPOOL_RECIPIENTS_MAX);
    if (l->keep_bytes == 0 || l->keep_bytes > SPOOL_RECORD_MAX / 2)
        return err_set(e, -EINVAL, "spool.keep_bytes: %llu, expected 1 to %d",
                       (unsigned long long)l->keep_bytes, SPOOL_RECORD_MAX / 2);
    if (l->command_timeout < 0 || l->data_timeout < 0 || l->session_timeout < 0)
        return err_set(e, -EINVAL, "limits: a time is negative");
    return 0;
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

int receiver_start(const struct receiver_config *config, struct receiver **ret, struct err *e)
{
    int rc = config_check(config, e);
    for (size_t i = 0; rc == 0 && i < config->listen_n; i++)
        rc = listener_probe(&config->listen[i], e);
    if (rc < 0)
        return rc;
    struct receiver *r = calloc(1, sizeof(*r));
    if (!r)
        return err_sys(e, -ENOMEM, "receiver");
    r->shared.config = *config;
    atomic_store(&config->counters->connections_now, 0);
    atomic_store(&config->counters->body_bytes_now, 0);
    while (rc == 0 && r->listeners_n < config->threads) {
        rc = listener_new(&r->shared, r->listeners_n, &r->listeners[r->listeners_n], e);
        if (rc == 0)
            r->listeners_n++;
    }
    if (rc == 0)
        rc = threads_start(r, e);
    if (rc < 0) {
        receiver_stop(r, 0);
        receiver_join(r);
        receiver_free(r);
        return rc;
    }
    *ret = r;
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
    free(r);
}
