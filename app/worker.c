/* The worker's loop: connection, lanes, pauses. */
#include "app/worker.h"

#include "app/backoff.h"
#include "base/clock.h"
#include "db/migrate.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LANES_EVERY = CLOCK_SECOND,
    PRUNE_EVERY = CLOCK_SECOND,
    SCHEMA_EVERY = 10 * CLOCK_SECOND,
};

struct times {
    int64_t lanes, prune, partitions, schema; /* when each is due */
    int64_t retry;                            /* the server is not asked before */
    int64_t told;                             /* when its being away was last logged */
    unsigned failures;
};

static void server_failed(struct worker *w, struct times *t, const struct err *e)
{
    int64_t now = clock_monotonic();
    w->connected = false;
    t->retry = now + backoff_pause(w->config, t->failures);
    if (t->failures == 0 || now - t->told > 30 * CLOCK_SECOND) {
        log_warn("database_away", KV("why", (const char *)e->text));
        t->told = now;
    }
    t->failures++;
}

static int connect_server(struct worker *w, struct times *t, struct err *e)
{
    int rc = w->db ? db_reset(w->db, e) : db_open(w->config->database.conninfo, &w->db, e);
    if (rc == 0)
        rc = db_schema_check(w->db, e);
    if (rc == 0)
        rc = db_partitions(w->db, clock_now(), e);
    if (rc < 0)
        return rc;
    w->connected = true;
    t->partitions = clock_monotonic() + 3600 * CLOCK_SECOND;
    t->schema = clock_monotonic() + SCHEMA_EVERY;
    for (size_t i = 0; i < w->lanes_n; i++)
        w->lanes[i].positioned = false;
    log_info("database_connected", KV("tries", (int)t->failures + 1));
    return 0;
}

/* Lanes that appeared since; none ever goes. */
static int find_lanes(struct worker *w, struct err *e)
{
    unsigned numbers[SPOOL_LANES_MAX];
    size_t n;
    int rc = spool_lanes(w->spool, numbers, &n, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        bool known = numbers[i] % w->count != w->index;
        for (size_t k = 0; k < w->lanes_n && !known; k++)
            known = w->lanes[k].number == numbers[i];
        if (!known && w->lanes_n < SPOOL_LANES_MAX)
            w->lanes[w->lanes_n++] =
                (struct lane){.number = numbers[i],
                              .db = {spool_journal(w->spool), numbers[i], str_c(w->config->node)}};
    }
    return rc;
}

static void prune(struct worker *w)
{
    struct err e;
    for (size_t i = 0; i < w->lanes_n; i++) {
        struct lane *l = &w->lanes[i];
        struct spool_position p = {l->position.segment, l->position.offset};
        if (l->positioned && spool_prune(w->spool, l->number, p, w->config->spool.keep_processed,
                                         clock_now(), &e) < 0)
            log_warn("prune", KV("lane", (int)l->number), KV("why", (const char *)e.text));
    }
}

/* What is due by the clock. */
static int periodic(struct worker *w, struct times *t, int64_t now, struct err *e)
{
    int rc = 0;
    if (now >= t->lanes) {
        t->lanes = now + LANES_EVERY;
        struct err lanes;
        if (find_lanes(w, &lanes) < 0)
            log_error("lanes", KV("why", (const char *)lanes.text));
    }
    if (now >= t->prune) {
        t->prune = now + PRUNE_EVERY;
        prune(w);
    }
    if (now >= t->partitions) {
        rc = db_partitions(w->db, clock_now(), e);
        t->partitions = now + 3600 * CLOCK_SECOND;
    }
    /* Somebody may have migrated. */
    if (rc == 0 && now >= t->schema) {
        rc = db_schema_check(w->db, e);
        t->schema = now + SCHEMA_EVERY;
    }
    return rc;
}

/* One turn of all lanes; *ret_due is when something is to be done though nothing comes in. */
static int turn(struct worker *w, struct times *t, int64_t now, int64_t *ret_due, struct err *e)
{
    int did = 0;
    int rc = periodic(w, t, now, e);
    for (size_t i = 0; rc >= 0 && i < w->lanes_n; i++) {
        int64_t due;
        rc = lane_turn(w, &w->lanes[i], now, &due, e);
        if (due < *ret_due)
            *ret_due = due;
        did |= rc > 0;
    }
    if (rc >= 0 && did)
        t->failures = 0;
    return rc < 0 ? rc : did;
}

static void loop(struct worker *w, int signals)
{
    struct times t = {0};
    struct err e = {0};
    int64_t wait = 0;
    while (!(service_wait(signals, wait) & SERVICE_STOP)) {
        int64_t now = clock_monotonic();
        int64_t due = now + w->config->processor.poll;
        int rc = 0;
        if (!w->connected && now < t.retry) {
            wait = t.retry - now;
            continue;
        }
        if (!w->connected)
            rc = connect_server(w, &t, &e);
        if (rc == 0)
            rc = turn(w, &t, now, &due, &e);
        if (rc < 0)
            server_failed(w, &t, &e);
        now = clock_monotonic();
        wait = rc > 0 || due <= now ? 0 : due - now;
    }
    int rc = 0;
    for (size_t i = 0; w->connected && rc == 0 && i < w->lanes_n; i++)
        rc = lane_finish(w, &w->lanes[i], &e);
    /* What was not written stands in the journal. */
    log_info("stopped", KV("messages", w->messages), KV("set_aside", w->set_aside));
}

int worker_run(const struct config *c, struct classifier *classifier, unsigned index,
               unsigned count)
{
    struct log_config log = {(enum log_level)c->log.level, c->log.addresses == 1, "worker"};
    struct spool_config spool = {.directory = c->spool.directory,
                                 .max_bytes = c->spool.max_bytes,
                                 .segment_bytes = c->spool.segment_bytes};
    struct worker *w = calloc(1, sizeof(*w));
    struct err e = {0};
    log_configure(&log);
    if (!w) {
        log_error("worker", KV("why", "out of memory"));
        return EXIT_NO;
    }
    *w = (struct worker){.config = c,
                         .reading = {.classifier = classifier,
                                     .token_headers = c->token_headers,
                                     .token_headers_n = c->attribution.token_headers_n},
                         .index = index,
                         .count = count};
    int signals = service_signals(&e);
    int rc = signals < 0 ? signals : spool_open(&spool, &w->spool, &e);
    if (rc >= 0)
        rc = people_open(c, &w->people, &e);
    if (rc >= 0 && returnpath_reader_new(c->returnpath, &w->reading.returnpath) < 0)
        rc = err_set(&e, -ENOMEM, "out of memory");
    if (rc >= 0)
        rc = feedback_open(c, &w->feedback, &e);
    if (rc >= 0) {
        w->reading.is_signed = w->feedback ? feedback_is_signed : NULL;
        w->reading.is_signed_ctx = w->feedback;
        report_init();
        loop(w, signals);
    }
    for (size_t i = 0; i < w->lanes_n; i++)
        lane_close(&w->lanes[i]);
    returnpath_reader_free(w->reading.returnpath);
    people_close(&w->people);
    feedback_free(w->feedback);
    db_free(w->db);
    spool_free(w->spool);
    if (signals >= 0)
        close(signals);
    free(w);
    if (rc < 0)
        log_error("worker", KV("why", (const char *)e.text));
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}
