/* serve: starts the roles, starts them again when they die, stops them in order. */
#include "app/child.h"
#include "app/inherit.h"
#include "app/reload.h"
#include "app/service.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROLE_MIGRATE, ROLE_RECEIVE, ROLE_PROCESS, ROLE_KEEP, ROLES_N };
enum { SCHEMA_PATIENCE = 2 * CLOCK_SECOND, PROCESS_GRACE = 15 * CLOCK_SECOND };

struct supervisor {
    struct child roles[ROLES_N];
    bool reload_due[ROLES_N]; /* told once the role is ready: before, the signal would end it */
    struct inherited sockets;
    bool ready;
    bool failed; /* a role never got ready: its own words are on standard error */
    int64_t receiver_grace;
    int64_t stopping; /* since when */
};

static void start_due(struct supervisor *s, int64_t now)
{
    struct err e;
    for (int i = 0; i < ROLES_N; i++) {
        struct child *c = &s->roles[i];
        if (c->pid || c->restart_at > now)
            continue;
        if (child_start(c, now, &e) < 0) {
            log_error("role_start", KV("why", (const char *)e.text));
            c->restart_at = now + CLOCK_SECOND;
        } else {
            log_info("role_started", KV("role", c->name), KV("pid", (int)c->pid));
        }
    }
}

/* A receiver that was told to stop stays stopped: nobody shall wait in vain for its greeting. */
static void sockets_close(struct supervisor *s)
{
    for (size_t i = 0; i < s->sockets.n; i++)
        close(s->sockets.fds[i]);
    s->sockets.n = 0;
}

/* What its end means: a role that was asked to stop by somebody else (drain) stays stopped; one
 * that can't even start the first time is a mistake for a person, not for ever new tries. */
static void role_ended(struct supervisor *s, int i, int status, int64_t now)
{
    char text[64];
    struct child *c = &s->roles[i];
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool refused = WIFEXITED(status) && !good && !c->was_ready;
    child_ended(c, now);
    if (good)
        c->restart_at = INT64_MAX;
    if (good && i == ROLE_RECEIVE)
        sockets_close(s);
    /* The server is away, and it said so; mail is accepted without a keeper too. */
    if ((i == ROLE_MIGRATE || i == ROLE_KEEP) && refused)
        c->restart_at = now + CLOCK_SECOND;
    else if (refused)
        s->failed = true;
    if (good)
        log_info("role_done", KV("role", c->name));
    else
        log_warn("role_ended", KV("role", c->name), KV("status", child_status(status, text)));
}

static void reap(struct supervisor *s, int64_t now)
{
    int status;
    pid_t pid;
    while ((pid = child_reap(&status)))
        for (int i = 0; i < ROLES_N; i++)
            if (s->roles[i].pid == pid)
                role_ended(s, i, status, now);
}

static void look_ready(struct supervisor *s)
{
    for (int i = 0; i < ROLES_N; i++)
        child_becomes_ready(&s->roles[i]);
}

static void ignore(void *ctx, bool mistake, const char *line)
{
    (void)ctx;
    (void)mistake;
    (void)line;
}

/* Each role reads the configuration itself, and says what is wrong with it; here only what we use.
 */
static void reload(struct supervisor *s, const char *file)
{
    struct config *c;
    service_reloading();
    if (config_load(file, ignore, NULL, &c) == 0) {
        s->receiver_grace = c->receiver.stop_grace + 5 * CLOCK_SECOND;
        reload_log(c, "serve");
        config_free(c);
    }
    s->reload_due[ROLE_RECEIVE] = s->reload_due[ROLE_PROCESS] = s->reload_due[ROLE_KEEP] = true;
    service_reloaded();
}

static void pass_reload(struct supervisor *s)
{
    for (int i = 0; i < ROLES_N; i++) {
        const struct child *c = &s->roles[i];
        if (!s->reload_due[i] || !c->pid || c->ready >= 0)
            continue;
        s->reload_due[i] = false;
        kill(c->pid, SIGHUP);
    }
}

static void run(struct supervisor *s, const struct command_line *l, const char *config, int signals)
{
    unsigned told = 0;
    while (!(told & SERVICE_STOP) && !s->failed) {
        int64_t now = clock_monotonic();
        look_ready(s);
        pass_reload(s);
        reap(s, now);
        if (s->failed)
            return;
        start_due(s, now);
        if (!s->ready && s->roles[ROLE_RECEIVE].was_ready && s->roles[ROLE_PROCESS].was_ready) {
            s->ready = true;
            log_info("ready");
            service_ready(l);
        }
        int64_t wait = s->ready ? CLOCK_SECOND : CLOCK_SECOND / 50;
        for (int i = 0; i < ROLES_N; i++) {
            const struct child *c = &s->roles[i];
            if (!c->pid && c->restart_at != INT64_MAX && c->restart_at - now < wait)
                wait = c->restart_at > now ? c->restart_at - now : 0;
        }
        told = service_wait(signals, wait);
        if (told & SERVICE_RELOAD)
            reload(s, config);
    }
}

/* SIGTERM to one role; SIGKILL when it takes longer than grace, or at a further signal to us. */
static bool stop_role(struct supervisor *s, int i, int64_t grace, int signals, bool at_once)
{
    struct child *c = &s->roles[i];
    int64_t began = clock_monotonic();
    if (!c->pid)
        return at_once;
    kill(c->pid, at_once ? SIGKILL : SIGTERM);
    while (c->pid) {
        unsigned told = service_wait(signals, CLOCK_SECOND / 10);
        int64_t now = clock_monotonic();
        reap(s, now);
        bool again = (told & SERVICE_STOP) && now - s->stopping > SERVICE_SAME_WISH;
        if (c->pid && !at_once && (again || now - began > grace)) {
            log_warn("stop_at_once", KV("role", c->name));
            at_once = true;
            kill(c->pid, SIGKILL);
        }
    }
    return at_once;
}

/* Refuses a database whose schema this program can't use; one that is away is no reason to refuse
 * mail. Waits for the answer no longer than a sender would notice. */
static int check_schema(const char *config, int signals, struct err *e)
{
    struct child c = {.name = "schema check",
                      .args = {"migrate", "--config", config, "--check", "--from-serve"},
                      .death_signal = SIGTERM,
                      .ready = -1};
    int64_t now = clock_monotonic(), until = now + SCHEMA_PATIENCE;
    int status = 0;
    int rc = child_start(&c, now, e);
    if (rc < 0)
        return rc;
    pid_t pid = 0;
    while (!pid && clock_monotonic() < until) {
        if (service_wait(signals, CLOCK_SECOND / 20) & SERVICE_STOP) {
            until = 0;
            rc = err_set(e, -EINTR, "stopped before it was started");
        }
        pid = child_reap(&status);
    }
    if (!pid) {
        kill(c.pid, SIGKILL);
        waitpid(c.pid, &status, 0);
        log_warn("database_away", KV("why", "no answer yet; mail is accepted all the same"));
        return rc;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SCHEMA)
        return err_set(e, -EPROTO,
                       "the schema does not go with this program: run bouncemx migrate, or serve "
                       "--migrate");
    if (status != 0)
        log_warn("database_away", KV("why", "mail is accepted all the same"));
    return 0;
}

static void roles_make(struct supervisor *s, const char *config, bool migrate)
{
    s->roles[ROLE_MIGRATE] = (struct child){.name = "migrate",
                                            .args = {"migrate", "--config", config, "--from-serve"},
                                            .death_signal = SIGTERM,
                                            .restart_at = migrate ? 0 : INT64_MAX,
                                            .ready = -1};
    s->roles[ROLE_RECEIVE] = (struct child){.name = "receive",
                                            .args = {"receive", "--config", config},
                                            .death_signal = SIGTERM,
                                            .ready_pipe = true,
                                            .sockets_n = s->sockets.n,
                                            .ready = -1};
    s->roles[ROLE_PROCESS] = (struct child){.name = "process",
                                            .args = {"process", "--config", config},
                                            .death_signal = SIGTERM,
                                            .ready_pipe = true,
                                            .ready = -1};
    s->roles[ROLE_KEEP] = (struct child){.name = "keeper",
                                         .args = {"maintain", "--follow", "--config", config},
                                         .death_signal = SIGTERM,
                                         .ready_pipe = true,
                                         .ready = -1};
}

int serve_run(const struct command_line *l)
{
    struct config *c = command_config(l, "serve");
    if (!c)
        return EXIT_NO;
    struct err e = {0};
    struct supervisor s = {.receiver_grace = c->receiver.stop_grace + 5 * CLOCK_SECOND};
    bool migrate = command_flag(l, "--migrate");
    int signals = service_signals(&e);
    int rc = signals < 0 ? signals : inherit_sockets(&s.sockets, &e);
    roles_make(&s, c->file, migrate);
    if (rc == 0 && !migrate)
        rc = check_schema(c->file, signals, &e);
    if (rc == 0) {
        run(&s, l, c->file, signals);
        log_info("stopping");
        service_stopping();
        s.stopping = clock_monotonic();
        bool at_once = stop_role(&s, ROLE_RECEIVE, s.receiver_grace, signals, false);
        at_once = stop_role(&s, ROLE_PROCESS, PROCESS_GRACE, signals, at_once);
        at_once = stop_role(&s, ROLE_KEEP, PROCESS_GRACE, signals, at_once);
        stop_role(&s, ROLE_MIGRATE, CLOCK_SECOND, signals, at_once);
        log_info("stopped");
    }
    if (signals >= 0)
        close(signals);
    config_free(c);
    if (rc < 0)
        return command_fail(l, EXIT_NO, "%s", e.text);
    return s.failed
               ? command_fail(l, EXIT_NO, "a role could not be started; its reason stands above")
               : EXIT_GOOD;
}
