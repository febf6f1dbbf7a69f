/* maintain: the keeper, one process of the whole installation: numbers the feed, expires, drops. */
#include "app/backoff.h"
#include "app/json.h"
#include "app/privileges.h"
#include "app/reload.h"
#include "app/service.h"
#include "base/clock.h"
#include "db/keep.h"
#include "db/migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

enum {
    STAND_BY = CLOCK_SECOND,
    RETRY_TASK = 10 * CLOCK_SECOND,
    TASKS_MAX = 8,
};

struct keeper {
    const struct config *first;
    struct config *config;
    struct db *db;
    bool connected, is_keeper;
    unsigned failures;
    int64_t retry, told;    /* as a worker's */
    int64_t due[TASKS_MAX]; /* when each task is */
    size_t did[TASKS_MAX];  /* in the parts of it so far */
    int signals;
};

/* ---- tasks ---- */

static int partitions(struct keeper *k, int64_t now, size_t *ret, struct err *e)
{
    *ret = 0;
    return db_partitions(k->db, now, e);
}

static int retention(struct keeper *k, int64_t now, size_t *ret, struct err *e)
{
    const struct db_retention keep = {k->config->retention.evidence, k->config->retention.events,
                                      k->config->retention.feed};
    return db_forget_old(k->db, now, &keep, ret, e);
}

static int used(struct keeper *k, int64_t now, size_t *ret, struct err *e)
{
    return db_forget_used(k->db, now, ret, e);
}

static int waiting(struct keeper *k, int64_t now, size_t *ret, struct err *e)
{
    return db_resolve_waiting(k->db, now, ret, e);
}

static int expiry(struct keeper *k, int64_t now, size_t *ret, struct err *e)
{
    return db_expire(k->db, now, ret, e);
}

static int breaker(struct keeper *k, int64_t now, size_t *ret, struct err *e)
{
    return db_breaker_judge(k->db, now, ret, e);
}

static const struct task {
    const char *name;
    size_t every; /* offset in struct config */
    int (*run)(struct keeper *k, int64_t now, size_t *ret, struct err *e);
    bool in_parts; /* to be called until there is nothing more */
    bool quiet;    /* noted only when it did something */
} tasks[] = {
    {"breaker", offsetof(struct config, keeper.breaker), breaker, false, true},
    {"expiry", offsetof(struct config, keeper.list), expiry, true, false},
    {"waiting", offsetof(struct config, keeper.list), waiting, true, false},
    {"partitions", offsetof(struct config, keeper.partitions), partitions, false, false},
    {"retention", offsetof(struct config, keeper.partitions), retention, true, false},
    {"used", offsetof(struct config, keeper.partitions), used, false, false},
};
enum { TASKS_N = sizeof(tasks) / sizeof(tasks[0]) };
_Static_assert((size_t)TASKS_N <= TASKS_MAX, "TASKS_MAX is low");

static int64_t every(const struct keeper *k, const struct task *t)
{
    int64_t v;
    memcpy(&v, (const char *)k->config + t->every, sizeof(v));
    return v;
}

/* Does a part of a task; 1: there is more, so that the feed need not wait for all of it. What fails
 * is noted and told, and is no reason to leave the others. */
static int task_part(struct keeper *k, size_t i, struct err *e)
{
    const struct task *t = &tasks[i];
    size_t part = 0;
    int rc = t->run(k, clock_now(), &part, e);
    k->did[i] += rc == 0 ? part : 0;
    if (rc == 0 && t->in_parts && part > 0)
        return 1;
    struct err ignored;
    if (rc < 0 || k->did[i] || !t->quiet)
        db_maintained(k->db, t->name, str_c(k->config->node), clock_now(), k->did[i],
                      rc < 0 ? str_c(e->text) : (struct str){NULL, 0}, &ignored);
    if (rc < 0)
        log_warn("task_failed", KV("task", t->name), KV("why", (const char *)e->text));
    else if (k->did[i])
        log_info("task", KV("task", t->name), KV("did", (uint64_t)k->did[i]));
    return rc;
}

/* Numbers what there is; false in *ret_all: more came than goes into one round. */
static int number(struct keeper *k, size_t *ret, bool *ret_all, struct err *e)
{
    unsigned epoch = 0;
    size_t n = 0;
    int rc = db_feed_round(k->db, k->config->keeper.batch, &n, &epoch, e);
    if (rc < 0)
        return rc;
    if (epoch)
        log_warn("feed_epoch", KV("epoch", (int)epoch),
                 KV("consequence", "readers of the feed have to export again"));
    *ret += n;
    *ret_all = n < k->config->keeper.batch && !epoch;
    return 0;
}

/* ---- the server ---- */

static void server_failed(struct keeper *k, const struct err *e)
{
    int64_t now = clock_monotonic();
    k->connected = k->is_keeper = false;
    k->retry = now + backoff_pause(k->config, k->failures);
    if (k->failures == 0 || now - k->told > 30 * CLOCK_SECOND) {
        log_warn("database_away", KV("why", (const char *)e->text));
        k->told = now;
    }
    k->failures++;
}

static int connect_server(struct keeper *k, struct err *e)
{
    int rc = k->db ? db_reset(k->db, e) : db_open(k->config->database.conninfo, &k->db, e);
    if (rc == 0)
        rc = db_schema_check(k->db, e);
    k->connected = rc == 0;
    return rc;
}

/* What is silent for as long as this can't be well: it would have looked many times. */
static int64_t silence(const struct config *c)
{
    return c->keeper.silence > c->keeper.feed * 10 ? c->keeper.silence : c->keeper.feed * 10;
}

static int become(struct keeper *k, struct err *e)
{
    bool is = false;
    int rc =
        db_become_keeper(k->db, str_c(k->config->node), clock_now(), silence(k->config), &is, e);
    if (rc == 0 && is) {
        log_info("took_over", KV("tries", (int)k->failures + 1));
        memset(k->due, 0, sizeof(k->due));
        k->is_keeper = true;
    }
    return rc;
}

/* ---- for good ---- */

/* Does what is due; returns how long there is nothing to do. */
static int turn(struct keeper *k, int64_t *ret_wait, struct err *e)
{
    size_t n = 0;
    bool all = true;
    int rc = number(k, &n, &all, e);
    if (rc < 0)
        return rc;
    k->failures = 0;
    int64_t wait = all ? k->config->keeper.feed : 0;
    for (size_t i = 0; i < TASKS_N; i++) {
        int64_t now = clock_monotonic();
        if (now >= k->due[i]) {
            struct err why;
            int did = task_part(k, i, &why);
            int64_t pause = did > 0 ? 0 : every(k, &tasks[i]);
            k->due[i] = now + (did < 0 && pause < RETRY_TASK ? RETRY_TASK : pause);
            if (did <= 0)
                k->did[i] = 0;
        }
        if (k->due[i] - now < wait)
            wait = k->due[i] > now ? k->due[i] - now : 0;
    }
    *ret_wait = wait;
    return 0;
}

static void reload(struct keeper *k)
{
    static const char *const fixed[] = {"node", NULL};
    struct config *c;
    service_reloading();
    if (reload_config(k->first, fixed, &c) < 0) {
        log_error("reload_failed", KV("consequence", "what was read before stays in use"));
        service_reloaded();
        return;
    }
    reload_log(c, "keeper");
    if (strcmp(c->database.conninfo, k->config->database.conninfo) != 0) {
        db_free(k->db);
        k->db = NULL;
        k->connected = k->is_keeper = false;
    }
    if (k->config != k->first)
        config_free(k->config);
    k->config = c;
    memset(k->due, 0, sizeof(k->due));
    log_info("reloaded");
    service_reloaded();
}

static void loop(struct keeper *k)
{
    int64_t wait = 0;
    for (;;) {
        unsigned told = service_wait(k->signals, wait);
        struct err e;
        int rc = 0;
        if (told & SERVICE_STOP)
            return;
        if (told & SERVICE_RELOAD)
            reload(k);
        int64_t now = clock_monotonic();
        if (!k->connected && now < k->retry) {
            wait = k->retry - now;
            continue;
        }
        if (!k->connected)
            rc = connect_server(k, &e);
        if (rc == 0 && !k->is_keeper)
            rc = become(k, &e);
        wait = STAND_BY;
        if (rc == 0 && k->is_keeper)
            rc = turn(k, &wait, &e);
        if (rc < 0) {
            server_failed(k, &e);
            wait = 0;
        }
    }
}

static int follow(const struct command_line *l)
{
    struct config *c = command_config(l, "keeper");
    if (!c)
        return EXIT_NO;
    struct keeper k = {.first = c, .config = c, .signals = -1};
    struct privileges who;
    struct err e;
    int rc = k.signals = service_signals(&e);
    if (rc >= 0)
        rc = privileges_find(c, &who, &e);
    if (rc >= 0)
        rc = privileges_drop(&who, &e);
    if (rc >= 0)
        rc = privileges_check_files(&who, c, &e);
    if (rc >= 0) {
        log_info("started");
        service_ready(l);
        loop(&k);
        log_info("stopped");
    }
    db_free(k.db);
    if (k.signals >= 0)
        close(k.signals);
    if (k.config != k.first)
        config_free(k.config);
    config_free(c);
    return rc < 0 ? command_fail(l, EXIT_NO, "%s", e.text) : EXIT_GOOD;
}

/* ---- once ---- */

static void say(const struct command_line *l, const char *task, size_t did)
{
    if (!command_flag(l, "--json")) {
        printf("%-12s %zu\n", task, did);
        return;
    }
    struct json *o = json_new();
    json_text(o, "task", str_c(task));
    json_int(o, "did", (int64_t)did);
    json_print(o, stdout);
}

/* A keeper that runs does the numbering itself. */
static int once_number(const struct command_line *l, struct keeper *k, struct err *e)
{
    size_t n = 0;
    int rc = become(k, e);
    if (rc == 0 && !k->is_keeper) {
        fprintf(stderr, "bouncemx maintain: a keeper runs: it numbers the feed\n");
        return 0;
    }
    for (bool all = false; rc == 0 && !all;)
        rc = number(k, &n, &all, e);
    if (rc == 0)
        say(l, "feed", n);
    return rc;
}

static int once(const struct command_line *l)
{
    struct keeper k = {.signals = -1};
    struct err e;
    k.config = command_config(l, NULL);
    if (!k.config)
        return EXIT_NO;
    bool failed = false;
    int rc = connect_server(&k, &e);
    for (size_t i = 0; rc == 0 && i < TASKS_N; i++) {
        int did;
        while ((did = task_part(&k, i, &e)) > 0)
            ;
        if (did == 0)
            say(l, tasks[i].name, k.did[i]);
        else
            command_fail(l, 0, "%s: %s", tasks[i].name, e.text);
        failed |= did < 0;
    }
    if (rc == 0)
        rc = once_number(l, &k, &e);
    db_free(k.db);
    config_free(k.config);
    if (rc < 0)
        return command_fail(l, EXIT_NO, "%s", e.text);
    return failed ? EXIT_NO : EXIT_GOOD;
}

int maintain_run(const struct command_line *l)
{
    return command_flag(l, "--follow") ? follow(l) : once(l);
}
