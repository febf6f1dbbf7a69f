/* process: a parent that keeps workers alive, and ends one that hangs over a message. */
#include "app/child.h"
#include "app/service.h"
#include "app/worker.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, STOP_GRACE = 10 * CLOCK_SECOND, LANES_EVERY = CLOCK_SECOND };

struct processor {
    const struct config *config;
    struct spool *spool;
    struct child workers[WORKERS_MAX];
    char names[WORKERS_MAX][16], shares[WORKERS_MAX][24];
    unsigned workers_n;
    struct inflight *lanes[SPOOL_LANES_MAX];
    int64_t lanes_due;
};

/* Also tells early and clearly what every worker would stumble over. */
static int prepare(struct processor *p, const char *config_path, struct err *e)
{
    const struct config *c = p->config;
    struct spool_config spool = {.directory = c->spool.directory,
                                 .max_bytes = c->spool.max_bytes,
                                 .segment_bytes = c->spool.segment_bytes};
    int rc = spool_open(&spool, &p->spool, e);
    if (rc < 0)
        return rc;
    const char **paths = calloc(c->processor.rules_n + 1, sizeof(char *));
    struct classifier *classifier = NULL;
    if (!paths)
        return err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; i < c->processor.rules_n; i++)
        paths[i] = c->processor.rules[i].path;
    rc = classifier_load(paths, c->processor.rules_n, &classifier, e);
    classifier_free(classifier);
    free(paths);
    p->workers_n = (unsigned)c->processor.workers;
    for (unsigned i = 0; i < p->workers_n; i++) {
        snprintf(p->names[i], sizeof(p->names[i]), "worker %u", i);
        snprintf(p->shares[i], sizeof(p->shares[i]), "%u/%u", i, p->workers_n);
        p->workers[i] = (struct child){
            .name = p->names[i],
            .args = {"process", "--config", config_path, "--worker", p->shares[i]},
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
        if (!killed && ((told & SERVICE_STOP) || now - began > STOP_GRACE)) {
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
    int64_t tick = p->config->processor.watchdog / 8;
    tick = tick > CLOCK_SECOND / 2 ? CLOCK_SECOND / 2 : tick;
    unsigned told = 0;
    while (!(told & SERVICE_STOP)) {
        int64_t now = clock_monotonic();
        reap(p, now);
        start_due(p, now);
        find_lanes(p, now);
        watch(p, now);
        int64_t wait = tick;
        for (unsigned i = 0; i < p->workers_n; i++)
            if (!p->workers[i].pid && p->workers[i].restart_at - now < wait)
                wait = p->workers[i].restart_at > now ? p->workers[i].restart_at - now : 0;
        told = service_wait(signals, wait);
    }
}

int process_run(const struct command_line *l)
{
    struct config *c = command_config(l, command_flag(l, "--worker") ? "worker" : "processor");
    if (!c)
        return EXIT_NO;
    if (command_flag(l, "--worker")) {
        int code = worker_run(l, c);
        config_free(c);
        return code;
    }
    struct processor *p = calloc(1, sizeof(*p));
    struct err e = {0};
    int signals = -1;
    int rc = p ? 0 : err_set(&e, -ENOMEM, "out of memory");
    if (rc == 0) {
        p->config = c;
        rc = prepare(p, c->file, &e);
    }
    if (rc == 0)
        rc = signals = service_signals(&e);
    if (rc >= 0) {
        log_info("started", KV("workers", (int)p->workers_n));
        service_ready(l);
        run(p, signals);
        log_info("stopping");
        stop(p, signals);
    }
    for (unsigned i = 0; p && i < SPOOL_LANES_MAX; i++)
        inflight_free(p->lanes[i]);
    if (p)
        spool_free(p->spool);
    free(p);
    if (signals >= 0)
        close(signals);
    config_free(c);
    return rc < 0 ? command_fail(l, EXIT_NO, "%s", e.text) : EXIT_GOOD;
}
