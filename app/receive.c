/* receive: the SMTP side, in a process of its own. Knows no database. */
#include "app/certificates.h"
#include "app/counters.h"
#include "app/inherit.h"
#include "app/privileges.h"
#include "app/reload.h"
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
        .recipients_per_minute = (uint32_t)c->limits.recipients_per_minute,
        .unknown_recipients = (uint32_t)c->limits.unknown_recipients,
        .data_min_rate = c->limits.data_min_rate,
        .bad_commands = (uint32_t)c->limits.bad_commands,
        .proxy_timeout = c->limits.proxy_timeout,
        .command_timeout = c->limits.command_timeout,
        .data_timeout = c->limits.data_timeout,
        .session_timeout = c->limits.session_timeout,
        .body_memory = c->limits.body_memory,
    };
}

static struct receiver_settings settings_of(const struct config *c, struct tls_context *tls)
{
    return (struct receiver_settings){
        .hostname = c->hostname,
        .returnpath = c->returnpath,
        .limits = limits_of(c),
        .tls = tls,
        .tls_require = c->tls_require,
        .bare_newlines = c->receiver.bare_newlines != 0,
        .greeting_delay = c->receiver.greeting_delay,
        .proxy_from = c->receiver.proxy_from,
        .proxy_from_n = c->receiver.proxy_n,
        .xclient_from = c->receiver.xclient_from,
        .xclient_from_n = c->receiver.xclient_n,
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

/* What the listening sockets, the lanes and the journal are made by. */
static const char *const fixed[] = {
    "listen",           "spool.directory",  "spool.max_bytes", "spool.segment_bytes",
    "spool.keep_bytes", "receiver.threads", "receiver.user",   NULL};

static void release(void *owner)
{
    config_free(owner);
}

/* All or nothing: whatever is wrong, what was read before stays in use. */
static int reload_try(struct receiver *r, const struct config *first, int64_t *ret_grace,
                      struct err *e)
{
    struct config *c = NULL;
    struct tls_context *tls = NULL;
    err_set(e, -EINVAL, "the configuration is not usable, as told above");
    int rc = reload_config(first, fixed, &c);
    if (rc == 0)
        rc = certificates_load(c, &tls, e);
    if (rc == 0) {
        struct receiver_settings settings = settings_of(c, tls);
        settings.release = release;
        settings.owner = c;
        rc = receiver_reload(r, &settings, e);
    }
    if (rc == 0) {
        /* The receiver holds c until the next reload, which is ours to begin. */
        *ret_grace = c->receiver.stop_grace;
        reload_log(c, "receiver");
        log_info("reloaded", KV("domains", (uint64_t)c->domains_n),
                 KV("certificates", (uint64_t)c->certificates_n));
    }
    tls_context_unref(tls);
    if (rc < 0)
        config_free(c);
    return rc;
}

static void reload(struct receiver *r, const struct config *first, int64_t *grace)
{
    struct err e;
    service_reloading();
    if (reload_try(r, first, grace, &e) < 0)
        log_error("reload_failed", KV("why", (const char *)e.text),
                  KV("consequence", "what was read before stays in use"));
    service_reloaded();
}

static void wait_for_stop(struct receiver *r, const struct config *first, int64_t *grace,
                          int signals)
{
    unsigned told = 0;
    while (!(told & SERVICE_STOP)) {
        told = service_wait(signals, -1);
        if (told & SERVICE_RELOAD)
            reload(r, first, grace);
    }
}

/* ---- start ---- */

static enum receiver_tls tls_of(const struct config_listen *listen)
{
    return listen->tls == CONFIG_TLS_IMPLICIT   ? RECEIVER_TLS_IMPLICIT
           : listen->tls == CONFIG_TLS_STARTTLS ? RECEIVER_TLS_STARTTLS
                                                : RECEIVER_TLS_NONE;
}

static int listen_of(const struct config *c, struct receiver_listen **ret, struct err *e)
{
    struct receiver_listen *list = calloc(c->listen_n, sizeof(*list));
    if (!list)
        return err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; i < c->listen_n; i++)
        list[i] = (struct receiver_listen){c->listen[i].address, (uint16_t)c->listen[i].port,
                                           tls_of(&c->listen[i]), c->listen[i].proxy};
    *ret = list;
    return 0;
}

static void tell_listening(const struct config *c, const struct receiver_listen *listen)
{
    static const char *const words[] = {"none", "starttls", "implicit"};
    for (size_t i = 0; i < c->listen_n; i++)
        log_info("listening", KV("address", listen[i].address), KV("port", (int)listen[i].port),
                 KV("tls", words[listen[i].tls]), KV("proxy", listen[i].proxy));
}

static int serve(const struct command_line *l, const struct config *c,
                 struct receiver_config *config, int signals, struct err *e)
{
    struct receiver *receiver = NULL;
    struct tls_context *tls = NULL;
    int64_t grace = c->receiver.stop_grace;
    int rc = certificates_load(c, &tls, e);
    if (rc == 0)
        rc = counters_open(c->spool.directory, &config->counters, e);
    if (rc == 0) {
        config->settings = settings_of(c, tls);
        rc = receiver_start(config, &receiver, e);
        config->sockets = NULL;
    }
    tls_context_unref(tls);
    if (rc < 0)
        return rc;
    tell_listening(c, config->listen);
    service_ready(l);
    wait_for_stop(receiver, c, &grace, signals);
    log_info("stopping");
    service_stopping();
    rc = stop(receiver, grace, signals, e);
    receiver_free(receiver);
    log_info("stopped", KV("messages", (uint64_t)atomic_load(&config->counters->messages)));
    return rc;
}

/* What needs root, and then none of it. */
static int bind_and_drop(const struct config *c, struct receiver_config *config, struct err *e)
{
    struct privileges p;
    struct inherited inherited;
    int rc = inherit_sockets(&inherited, e);
    if (rc == 0)
        rc = service_look_receiver(c->spool.directory, e);
    if (rc == 0)
        rc = privileges_find(c, &p, e);
    if (rc == 0 && !p.user && geteuid() == 0)
        log_warn("runs_as_root", KV("why", "receiver.user is empty"));
    if (rc == 0)
        rc = privileges_spool(&p, c->spool.directory, e);
    if (rc == 0)
        rc = receiver_sockets_open(config->listen, config->listen_n, config->threads, inherited.fds,
                                   inherited.n, &config->sockets, e);
    if (rc == 0)
        rc = privileges_drop(&p, e);
    if (rc == 0)
        rc = privileges_check(&p, c, e);
    return rc;
}

int receive_run(const struct command_line *l)
{
    struct config *c = command_config(l, "receiver");
    if (!c)
        return EXIT_NO;
    struct err e = {0};
    struct receiver_listen *listen = NULL;
    struct spool_config spool = {.directory = c->spool.directory,
                                 .max_bytes = c->spool.max_bytes,
                                 .segment_bytes = c->spool.segment_bytes};
    struct receiver_config config = {.listen_n = c->listen_n,
                                     .threads = (unsigned)c->receiver.threads};
    raise_descriptors(c);
    int signals = service_signals(&e);
    int rc = signals < 0 ? signals : listen_of(c, &listen, &e);
    config.listen = listen;
    if (rc == 0)
        rc = bind_and_drop(c, &config, &e);
    if (rc == 0)
        rc = spool_open(&spool, &config.spool, &e);
    if (rc == 0)
        rc = config_returnpath(c, &c->returnpath, &e);
    if (rc == 0)
        rc = service_lock_receiver(c->spool.directory, &e);
    if (rc == 0)
        rc = serve(l, c, &config, signals, &e);
    receiver_sockets_free(config.sockets);
    spool_free(config.spool);
    free(listen);
    if (signals >= 0)
        close(signals);
    config_free(c);
    return rc < 0 ? command_fail(l, EXIT_NO, "%s", e.text) : EXIT_GOOD;
}
