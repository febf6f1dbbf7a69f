/* process: a parent that keeps workers alive, and ends one that hangs over a message. */
#include "app/child.h"
#include "app/privileges.h"
#include "app/reload.h"
#include "app/service.h"
#include "app/worker.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, STOP_GRACE = 10 * CLOCK_SECOND, LANES_EVERY = CLOCK_SECOND };

/* What a worker is told by its parent. */
struct share {
    const struct processor *processor;
    unsigned index;
    char name[16];
};

struct processor {
    const struct config *first; /* what can't change stands in it */
    struct config *config;      /* for workers to come */
    struct classifier *classifier;
    unsigned version; /* of both; grows */
    struct spool *spool;
    int signals;
    struct child workers[WORKERS_MAX];
    struct share shares[WORKERS_MAX];
    unsigned versions[WORKERS_MAX]; /* that each worker has */
    unsigned workers_n;
    pid_t ending; /* the worker that makes room for one of this version; 0: none */
    int64_t ending_since;
    bool renewing;
    struct inflight *lanes[SPOOL_LANES_MAX];
    int64_t lanes_due;
};

/* In the worker's process. */
static int run_worker(void *ctx)
{
    const struct share *s = ctx;
    const struct processor *p = s->processor;
    close(p->signals);
    return worker_run(p->config, p->classifier, s->index, p->workers_n);
}

static int load_rules(const struct config *c, struct classifier **ret, struct err *e)
{
    const char **paths = calloc(c->processor.rules_n + 1, sizeof(char *));
    if (!paths)
        return err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; i < c->processor.rules_n; i++)
        paths[i] = c->processor.rules[i].path;
    int rc = classifier_load(paths, c->processor.rules_n, ret, e);
    free(paths);
    return rc;
}

static int prepare(struct processor *p, struct err *e)
{
    struct config *c = p->config;
    struct spool_config spool = {.directory = c->spool.directory,
                                 .max_bytes = c->spool.max_bytes,
                                 .segment_bytes = c->spool.segment_bytes};
    int rc = spool_open(&spool, &p->spool, e);
    if (rc == 0)
        rc = config_returnpath(c, &c->returnpath, e);
    if (rc == 0)
        rc = load_rules(c, &p->classifier, e);
    p->workers_n = (unsigned)c->processor.workers;
    for (unsigned i = 0; i < p->workers_n; i++) {
        struct share *s = &p->shares[i];
        *s = (struct share){.processor = p, .index = i};
        snprintf(s->name, sizeof(s->name), "worker %u", i);
        p->workers[i] = (struct child){
            .name = s->name,
            .run = run_worker,
            .ctx = s,
            /* Nothing is lost by it, and one that hangs over a message hears nothing else. */
            .death_signal = SIGKILL,
            .ready = -1};
    }
    return rc;
}

static void start_due(struct processor *p, int64_t now)
{
    struct err e;
    for (unsigned i = 0; i < p->workers_n; i++) {
        struct child *c = &p->workers[i];
        if (c->pid || c->restart_at > now)
            continue;
        if (child_start(c, now, &e) < 0) {
            log_error("worker_start", KV("why", (const char *)e.text));
            c->restart_at = now + CLOCK_SECOND;
        } else {
            p->versions[i] = p->version;
            log_debug("worker_started", KV("worker", (int)i), KV("pid", (int)c->pid));
        }
    }
}

static void reap(struct processor *p, int64_t now)
{
    char text[64];
    int status;
    pid_t pid;
    while ((pid = child_reap(&status))) {
        for (unsigned i = 0; i < p->workers_n; i++) {
            if (p->workers[i].pid != pid)
                continue;
            child_ended(&p->workers[i], now);
            if (pid == p->ending) {
                p->ending = 0;
                p->workers[i].failures = 0;
                p->workers[i].restart_at = now;
                if (status == 0)
                    continue;
            }
            log_warn("worker_ended", KV("worker", (int)i), KV("pid", (int)pid),
                     KV("status", child_status(status, text)));
        }
    }
}

static void find_lanes(struct processor *p, int64_t now)
{
    unsigned numbers[SPOOL_LANES_MAX];
    size_t n = 0;
    struct err e;
    if (now < p->lanes_due)
        return;
    p->lanes_due = now + LANES_EVERY;
    int rc = spool_lanes(p->spool, numbers, &n, &e);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (!p->lanes[numbers[i]])
            rc = inflight_open(p->spool, numbers[i], &p->lanes[numbers[i]], &e);
    if (rc < 0)
        log_warn("watchdog", KV("why", (const char *)e.text));
}

static void watch(struct processor *p, int64_t now)
{
    for (unsigned lane = 0; lane < SPOOL_LANES_MAX; lane++) {
        struct child *c = &p->workers[lane % p->workers_n];
        if (!p->lanes[lane] || !c->pid)
            continue;
        struct inflight_mark m = inflight_read(p->lanes[lane]);
        /* A mark from before this worker's start is what its forerunner died with. */
        if (!m.at.segment || m.since < c->started || now - m.since < p->config->processor.watchdog)
            continue;
        log_error("worker_hangs", KV("pid", (int)c->pid), KV("lane", (int)lane),
                  KV("segment", m.at.segment), KV("offset", m.at.offset),
                  KV("ms", (now - m.since) / 1000));
        kill(c->pid, SIGKILL);
        /* Its end is told by SIGCHLD; until then the mark is not looked at again. */
        c->started = now;
    }
}

/* ---- reload ---- */

static const char *const fixed[] = {"node",
                                    "spool.directory",
                                    "spool.max_bytes",
                                    "spool.segment_bytes",
                                    "processor.workers",
                                    "receiver.user",
                                    NULL};

/* All or nothing: a bad configuration or a bad rule leaves both as they are. The workers that are
 * there have copies of their own. */
static int reload_try(struct processor *p, struct err *e)
{
    struct config *c = NULL;
    struct classifier *classifier = NULL;
    err_set(e, -EINVAL, "the configuration is not usable, as told above");
    int rc = reload_config(p->first, fixed, &c);
    if (rc == 0)
        rc = load_rules(c, &classifier, e);
    if (rc < 0) {
        config_free(c);
        return rc;
    }
    if (p->config != p->first)
        config_free(p->config);
    classifier_free(p->classifier);
    p->config = c;
    p->classifier = classifier;
    p->version++;
    p->renewing = true;
    reload_log(c, "processor");
    return 0;
}

static void reload(struct processor *p)
{
    struct err e;
    service_reloading();
    if (reload_try(p, &e) == 0)
        return; /* renew says when it is done */
    log_error("reload_failed", KV("why", (const char *)e.text),
              KV("consequence", "what was read before stays in use"));
    service_reloaded();
}

/* One worker after the other ends with its batch, and is started anew: the others go on. One that
 * takes too long is killed, which loses nothing. */
static void renew(struct processor *p, int64_t now)
{
    if (p->ending && now - p->ending_since > STOP_GRACE) {
        log_warn("stop_at_once", KV("pid", (int)p->ending));
        kill(p->ending, SIGKILL);
        p->ending_since = now;
    }
    if (!p->renewing || p->ending)
        return;
    for (unsigned i = 0; i < p->workers_n; i++) {
        if (p->workers[i].pid && p->versions[i] == p->version)
            continue;
        if (p->workers[i].pid) {
            p->ending = p->workers[i].pid;
            p->ending_since = now;
            kill(p->ending, SIGTERM);
        }
        return; /* or it waits for its start */
    }
    p->renewing = false;
    log_info("reloaded", KV("rules", (uint64_t)p->config->processor.rules_n),
             KV("domains", (uint64_t)p->config->domains_n));
    service_reloaded();
}

static bool any_alive(const struct processor *p)
{
    for (unsigned i = 0; i < p->workers_n; i++)
        if (p->workers[i].pid)
            return true;
    return false;
}

static void signal_all(const struct processor *p, int number)
{
    for (unsigned i = 0; i < p->workers_n; i++)
        if (p->workers[i].pid)
            kill(p->workers[i].pid, number);
}

/* SIGTERM, then SIGKILL after the grace or at a second signal. */
static void stop(struct processor *p, int signals)
{
    int64_t began = clock_monotonic();
    bool killed = false;
    signal_all(p, SIGTERM);
    while (any_alive(p)) {
        unsigned told = service_wait(signals, CLOCK_SECOND / 10);
        int64_t now = clock_monotonic();
        bool again = (told & SERVICE_STOP) && now - began > SERVICE_SAME_WISH;
        if (!killed && (again || now - began > STOP_GRACE)) {
            log_warn("stop_at_once");
            signal_all(p, SIGKILL);
            killed = true;
        }
        char text[64];
        int status;
        pid_t pid;
        while ((pid = child_reap(&status))) {
            for (unsigned i = 0; i < p->workers_n; i++) {
                if (p->workers[i].pid != pid)
                    continue;
                p->workers[i].pid = 0;
                if (status != 0)
                    log_warn("worker_ended", KV("worker", (int)i), KV("pid", (int)pid),
                             KV("status", child_status(status, text)));
            }
        }
    }
    log_info("stopped");
}

static void run(struct processor *p, int signals)
{
    unsigned told = 0;
    while (!(told & SERVICE_STOP)) {
        int64_t now = clock_monotonic();
        reap(p, now);
        start_due(p, now);
        renew(p, now);
        find_lanes(p, now);
        watch(p, now);
        int64_t wait = p->config->processor.watchdog / 8;
        wait = wait > CLOCK_SECOND / 2 ? CLOCK_SECOND / 2 : wait;
        for (unsigned i = 0; i < p->workers_n; i++)
            if (!p->workers[i].pid && p->workers[i].restart_at - now < wait)
                wait = p->workers[i].restart_at > now ? p->workers[i].restart_at - now : 0;
        told = service_wait(signals, wait);
        if (told & SERVICE_RELOAD)
            reload(p);
    }
}

/* Reads hostile mail, so it does without what it does not need. */
static int drop(const struct config *c, struct err *e)
{
    struct privileges who;
    int rc = privileges_find(c, &who, e);
    if (rc == 0)
        rc = privileges_spool(&who, c->spool.directory, e);
    if (rc == 0)
        rc = privileges_drop(&who, e);
    return rc < 0 ? rc : privileges_check(&who, c, e);
}

int process_run(const struct command_line *l)
{
    struct config *c = command_config(l, "processor");
    if (!c)
        return EXIT_NO;
    struct processor *p = calloc(1, sizeof(*p));
    struct err e = {0};
    int rc = p ? 0 : err_set(&e, -ENOMEM, "out of memory");
    if (rc == 0) {
        p->first = p->config = c;
        rc = p->signals = service_signals(&e);
    }
    if (rc >= 0)
        rc = drop(c, &e);
    if (rc >= 0)
        rc = prepare(p, &e);
    if (rc >= 0) {
        log_info("started", KV("workers", (int)p->workers_n));
        service_ready(l);
        run(p, p->signals);
        log_info("stopping");
        service_stopping();
        stop(p, p->signals);
    }
    if (p) {
        for (unsigned i = 0; i < SPOOL_LANES_MAX; i++)
            inflight_free(p->lanes[i]);
        spool_free(p->spool);
        classifier_free(p->classifier);
        if (p->config != p->first)
            config_free(p->config);
        if (p->signals >= 0)
            close(p->signals);
    }
    free(p);
    config_free(c);
    return rc < 0 ? command_fail(l, EXIT_NO, "%s", e.text) : EXIT_GOOD;
}
