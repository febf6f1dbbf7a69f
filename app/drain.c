/* drain: this host takes no more mail, and what it holds goes to PostgreSQL. */
#include "app/backlog.h"
#include "app/people.h"
#include "app/progress.h"
#include "app/service.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { LOOK_EVERY = CLOCK_SECOND / 4 };

struct drain {
    const struct command_line *line;
    struct config *config;
    struct spool *spool;
    struct answer a; /* config is not its own here */
    struct backlog backlog;
    struct outbox_stats people;
    int64_t until; /* INT64_MAX: for ever */
    int signals;
};

/* False when it was stopped or the time is over. */
static bool pause_drain(struct drain *d)
{
    if (service_wait(d->signals, LOOK_EVERY) &
        (SERVICE_STOP | SERVICE_RELOAD)) { /* also when its terminal goes */
        command_fail(d->line, 0, "stopped before the end; nothing was undone");
        return false;
    }
    return clock_monotonic() < d->until;
}

static int stop_receiver(struct drain *d)
{
    const char *spool = d->config->spool.directory;
    struct err e;
    pid_t pid = 0, asked = 0;
    for (;;) {
        if (service_receiver(spool, &pid, &e) < 0)
            return command_fail(d->line, -EIO, "%s", e.text);
        if (pid <= 0)
            break;
        if (pid != asked && kill(pid, SIGTERM) < 0 && errno != ESRCH)
            return command_fail(d->line, -errno, "the receiver (process %d) can't be stopped: %s",
                                (int)pid, strerrordesc_np(errno));
        if (pid != asked)
            fprintf(stderr, "the receiver (process %d) is told to stop accepting\n", (int)pid);
        asked = pid;
        if (!pause_drain(d))
            return command_fail(d->line, -ETIMEDOUT, "the receiver (process %d) still runs",
                                (int)pid);
    }
    fprintf(stderr, asked ? "the receiver has stopped\n" : "no receiver runs here\n");
    return 0;
}

/* What is left, by the server's word; -EAGAIN when it can't be asked now. */
static int look(struct drain *d, struct err *e)
{
    int rc = 0;
    arena_reset(&d->a.arena);
    if (!d->a.db) {
        rc = db_open(d->config->database.conninfo, &d->a.db, e);
        if (rc < 0)
            return rc;
    }
    rc = db_ask(d->a.db, &d->a.arena, DB_ASK_LANES, NULL, 0, &d->a.table, e);
    if (rc < 0) {
        db_free(d->a.db); /* opened anew at the next look */
        d->a.db = NULL;
        return rc;
    }
    rc = backlog_read(d->spool, &d->a, &d->backlog, e);
    char path[PLACE_PATH];
    if (rc == 0)
        rc = people_outbox(d->config, path, e);
    return rc < 0 ? rc : outbox_stats(path, &d->people, e);
}

static uint64_t left(const struct drain *d)
{
    return d->backlog.octets + d->people.octets;
}

static int wait_empty(struct drain *d)
{
    struct progress p = progress_start("octets", clock_monotonic());
    struct err e = {0};
    uint64_t first = 0;
    int rc;
    do {
        rc = look(d, &e);
        if (rc == 0 && left(d) > first)
            first = left(d);
        if (rc == 0)
            progress_step(&p, first - left(d), first, clock_monotonic());
    } while ((rc < 0 || left(d)) && pause_drain(d));
    progress_end(&p);
    if (rc < 0)
        return command_fail(d->line, rc, "not empty as far as is known: %s", e.text);
    for (size_t i = 0; i < d->backlog.n; i++) {
        const struct backlog_lane *l = &d->backlog.lanes[i];
        if (l->octets)
            command_fail(d->line, 0,
                         "lane %u still holds up to %llu octets; the position is %s; does the "
                         "processor run?",
                         l->lane, (unsigned long long)l->octets,
                         l->known ? "known to the database" : "not known to the database");
    }
    if (d->people.waiting)
        command_fail(d->line, 0, "%llu messages for people wait to be delivered: %s",
                     (unsigned long long)d->people.waiting,
                     d->people.failure[0] ? d->people.failure : "does the processor run?");
    return left(d) ? -ETIMEDOUT : 0;
}

static void tell_kept(const struct drain *d)
{
    char path[PLACE_PATH];
    struct err e;
    uint64_t kept;
    if (people_kept(d->config, &kept, &e) == 0 && kept &&
        people_maildir(d->config, NULL, path, &e) == 0)
        printf("%llu messages for people lie in the Maildirs of %s: take them along\n",
               (unsigned long long)kept, path);
}

static void tell_set_aside(struct drain *d)
{
    struct err e;
    if (db_ask(d->a.db, &d->a.arena, DB_ASK_COUNTS, NULL, 0, &d->a.table, &e) < 0)
        return; /* only a remark */
    for (size_t i = 0; i < d->a.table.rows_n; i++) {
        struct str n = answer_cell(&d->a, i, "count");
        if (str_eq(answer_cell(&d->a, i, "name"), STR("set_aside")) && !str_eq(n, STR("0")))
            printf("%.*s messages are set aside in the database; they stay there\n", STR_ARG(n));
    }
}

int drain_run(const struct command_line *l)
{
    struct drain d = {.line = l, .until = INT64_MAX, .a = {.arena = arena_make(64 << 20)}};
    struct err e = {0};
    int64_t timeout;
    if (command_time(l, "--timeout", 600 * CLOCK_SECOND, &timeout) < 0)
        return EXIT_USAGE;
    d.config = command_config(l, NULL);
    if (!d.config)
        return EXIT_NO;
    if (timeout)
        d.until = clock_monotonic() + timeout;
    d.signals = service_signals(&e);
    int rc = d.signals < 0 ? d.signals : backlog_spool(d.config, &d.spool, &e);
    if (rc < 0) {
        command_fail(l, 0, "%s", e.text);
        goto out;
    }
    rc = stop_receiver(&d);
    if (rc == 0)
        rc = wait_empty(&d);
    if (rc == 0) {
        tell_set_aside(&d);
        tell_kept(&d);
        printf("the journal in %s is empty: this host can be removed\n", d.config->spool.directory);
    }
out:
    db_free(d.a.db);
    arena_free(&d.a.arena);
    spool_free(d.spool);
    if (d.signals >= 0)
        close(d.signals);
    config_free(d.config);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}
