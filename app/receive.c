/* receive: the SMTP side, in a process of its own. Knows no database. */
#include "app/certificates.h"
#include "app/counters.h"
#include "app/service.h"
#include "base/clock.h"
#include "receiver/tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

/* A connection needs a descriptor; the soft limit is for programs that still use select. */
static void raise_descriptors(const struct config *c)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    r.rlim_cur = r.rlim_max;
    uint64_t wanted = c->limits.connections + 64 * c->receiver.threads + 64;
    if (setrlimit(RLIMIT_NOFILE, &r) < 0)
        log_warn("descriptors", KV("why", strerrordesc_np(errno)));
    else if (c->limits.connections && r.rlim_max < wanted)
        log_warn("descriptors", KV("limit", (uint64_t)r.rlim_max), KV("wanted", wanted),
                 KV("why", "fewer than limits.connections needs"));
}

static struct receiver_limits limits_of(const struct config *c)
{
    return (struct receiver_limits){
        .message_bytes = c->limits.message_bytes,
        .keep_bytes = c->spool.keep_bytes,
        .recipients = (uint32_t)c->limits.recipients,
        .null_sender_recipients = (uint32_t)c->limits.null_sender_recipients,
        .connections = (uint32_t)c->limits.connections,
        .connections_per_address = (uint32_t)c->limits.connections_per_address,
        .messages_per_minute = (uint32_t)c->limits.messages_per_minute,
        .unknown_recipients = (uint32_t)c->limits.unknown_recipients,
        .data_min_rate = c->limits.data_min_rate,
        .bad_commands = (uint32_t)c->limits.bad_commands,
        .command_timeout = c->limits.command_timeout,
        .data_timeout = c->limits.data_timeout,
        .session_timeout = c->limits.session_timeout,
        .body_memory = c->limits.body_memory,
    };
}

struct join {
    struct receiver *receiver;
    int done;
};

static void *join_thread(void *arg)
{
    struct join *j = arg;
    receiver_join(j->receiver);
    uint64_t one = 1;
    ssize_t told = write(j->done, &one, sizeof(one));
    (void)told; /* an eventfd takes one always */
    return NULL;
}

/* Ends when all threads have ended. A second signal cuts what is still open. */
static int stop(struct receiver *r, int64_t grace, int signals, struct err *e)
{
    struct join j = {r, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    pthread_t thread;
    if (j.done < 0)
        return err_sys(e, -errno, "eventfd");
    receiver_stop(r, grace);
    int rc = -pthread_create(&thread, NULL, join_thread, &j);
    if (rc < 0) {
        close(j.done);
        receiver_join(r);
        return err_sys(e, rc, "thread");
    }
    uint64_t n;
    int64_t began = clock_monotonic();
    while (read(j.done, &n, sizeof(n)) < 0) {
        unsigned told = service_wait(signals, CLOCK_SECOND / 20);
        if ((told & SERVICE_STOP) && clock_monotonic() - began > SERVICE_SAME_WISH) {
            log_warn("stop_at_once");
            receiver_stop(r, 0);
        }
    }
    pthread_join(thread, NULL);
    close(j.done);
    return 0;
}

static enum receiver_tls tls_of(const struct config *c, const struct config_listen *listen)
{
    /* starttls without a certificate is no mistake: check-config has warned. */
    if (listen->tls == CONFIG_TLS_NONE || c->certificates_n == 0)
        return RECEIVER_TLS_NONE;
    return listen->tls == CONFIG_TLS_IMPLICIT ? RECEIVER_TLS_IMPLICIT : RECEIVER_TLS_STARTTLS;
}

/* Certificates and keys anew; whatever is wrong with them, those in use stay. */
static void reload(struct receiver *r, const struct config *c)
{
    struct err e;
    struct tls_context *tls;
    if (c->certificates_n == 0) {
        log_info("reloaded", KV("certificates", (uint64_t)0));
    } else if (certificates_load(c, &tls, &e) < 0) {
        log_error("reload_failed", KV("why", (const char *)e.text),
                  KV("consequence", "the certificates that were read before stay in use"));
    } else {
        receiver_use_tls(r, tls);
        tls_context_unref(tls);
        log_info("reloaded", KV("certificates", (uint64_t)c->certificates_n));
    }
}

static void wait_for_stop(struct receiver *r, const struct config *c, int signals)
{
    unsigned told = 0;
    while (!(told & SERVICE_STOP)) {
        told = service_wait(signals, -1);
        if (told & SERVICE_RELOAD)
            reload(r, c);
    }
}

static int serve(const struct command_line *l, const struct config *c, struct spool *spool,
                 int signals, struct err *e)
{
    struct receiver_listen *listen = calloc(c->listen_n, sizeof(*listen));
    if (!listen)
        return err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; i < c->listen_n; i++)
        listen[i] = (struct receiver_listen){c->listen[i].address, (uint16_t)c->listen[i].port,
                                             tls_of(c, &c->listen[i])};
    struct receiver_config config = {.hostname = c->hostname,
                                     .listen = listen,
                                     .listen_n = c->listen_n,
                                     .threads = (unsigned)c->receiver.threads,
                                     .returnpath = c->returnpath,
                                     .limits = limits_of(c),
                                     .tls_require = c->tls_require,
                                     .bare_newlines = c->receiver.bare_newlines != 0,
                                     .spool = spool};
    static const char *const words[] = {"none", "starttls", "implicit"};
    struct receiver *receiver = NULL;
    int rc = certificates_load(c, &config.tls, e);
    if (rc == 0)
        rc = counters_open(c->spool.directory, &config.counters, e);
    if (rc == 0)
        rc = receiver_start(&config, &receiver, e);
    if (rc < 0)
        goto out;
    for (size_t i = 0; i < c->listen_n; i++)
        log_info("listening", KV("address", listen[i].address), KV("port", (int)listen[i].port),
                 KV("tls", words[listen[i].tls]));
    service_ready(l);
    wait_for_stop(receiver, c, signals);
    log_info("stopping");
    rc = stop(receiver, c->receiver.stop_grace, signals, e);
    receiver_free(receiver);
    log_info("stopped", KV("messages", (uint64_t)atomic_load(&config.counters->messages)));
out:
    tls_context_unref(config.tls);
    free(listen);
    return rc;
}

int receive_run(const struct command_line *l)
{
    struct config *c = command_config(l, "receiver");
    if (!c)
        return EXIT_NO;
    struct err e = {0};
    struct spool *spool = NULL;
    struct spool_config config = {.directory = c->spool.directory,
                                  .max_bytes = c->spool.max_bytes,
                                  .segment_bytes = c->spool.segment_bytes};
    raise_descriptors(c);
    int signals = service_signals(&e);
    int rc = signals < 0 ? signals : spool_open(&config, &spool, &e);
    if (rc == 0)
        rc = service_lock_receiver(c->spool.directory, &e);
    if (rc == 0)
        rc = serve(l, c, spool, signals, &e);
    spool_free(spool);
    if (signals >= 0)
        close(signals);
    config_free(c);
    return rc < 0 ? command_fail(l, EXIT_NO, "%s", e.text) : EXIT_GOOD;
}
