/* status: journal, receiver and database of this host, each for itself. */
#include "app/backlog.h"
#include "app/counters.h"
#include "app/json.h"
#include "app/people.h"
#include "app/service.h"
#include "app/table.h"
#include "base/clock.h"
#include "db/migrate.h"

#include <errno.h>
#include <inttypes.h>

struct status {
    const struct command_line *line;
    struct answer a;
    struct json *json; /* NULL: for people */
    bool failed;
};

static void fact(struct status *s, const char *name, struct str value)
{
    if (s->json) {
        json_text(s->json, name, value);
        return;
    }
    struct arena a = arena_make(64 << 10);
    struct str shown = table_clean(&a, value);
    printf("%-22s %.*s\n", name, STR_ARG(shown));
    arena_free(&a);
}

static void number(struct status *s, const char *name, const char *unit, uint64_t value)
{
    if (s->json)
        json_int(s->json, name, value > INT64_MAX ? INT64_MAX : (int64_t)value);
    else
        printf("%-22s %" PRIu64 "%s\n", name, value, unit);
}

static void problem(struct status *s, const char *what, const struct err *e)
{
    s->failed = true;
    command_fail(s->line, 0, "%s: %s", what, e->text);
    if (s->json)
        json_text(s->json, what, str_c(e->text));
}

static void counter(void *ctx, const char *name, const char *meaning, uint64_t value)
{
    struct status *s = ctx;
    if (s->json)
        number(s, name, "", value);
    else if (value || str_iends(str_c(name), STR("_now")))
        printf("  %12" PRIu64 "  %s\n", value, meaning);
}

static void receiver(struct status *s)
{
    const char *spool = s->a.config->spool.directory;
    struct err e;
    pid_t pid = 0;
    char text[32];
    if (service_receiver(spool, &pid, &e) < 0) {
        problem(s, "receiver_error", &e);
        return;
    }
    snprintf(text, sizeof(text), "process %d", (int)pid);
    fact(s, "receiver", pid ? str_c(text) : STR("not running"));
    int rc = counters_read(spool, counter, s, &e);
    if (rc < 0 && rc != -ENOENT)
        problem(s, "counters_error", &e);
}

static int lane_rows(struct status *s, const struct backlog *b)
{
    static const char *const columns[] = {">LANE", ">SEGMENT", ">OFFSET", ">LEFT", "MOVED"};
    struct json *list = s->json ? json_list(s->json, "lanes") : NULL;
    struct table *t = table_new(columns, 5);
    int rc = t ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < b->n; i++) {
        const struct backlog_lane *l = &b->lanes[i];
        char texts[4][32];
        if (s->json) {
            struct json *o = json_item(list);
            json_int(o, "lane", l->lane);
            json_int(o, "segment", (int64_t)l->position.segment);
            json_int(o, "offset", (int64_t)l->position.offset);
            json_int(o, "left_octets", (int64_t)l->octets);
            json_fact(o, "moved_at", str_c(l->moved_at));
            continue;
        }
        snprintf(texts[0], 32, "%u", l->lane);
        snprintf(texts[1], 32, "%" PRIu64, l->position.segment);
        snprintf(texts[2], 32, "%" PRIu64, l->position.offset);
        snprintf(texts[3], 32, "%" PRIu64, l->octets);
        rc = table_row(t, (const struct str[]){str_c(texts[0]), str_c(texts[1]), str_c(texts[2]),
                                               str_c(texts[3]),
                                               l->known ? str_c(l->moved_at) : STR("never")});
    }
    if (t)
        table_flush(t, stdout);
    table_free(t);
    return rc;
}

static void journal(struct status *s, bool server)
{
    struct spool *spool = NULL;
    struct backlog b;
    struct err e;
    fact(s, "spool", str_c(s->a.config->spool.directory));
    int rc = backlog_spool(s->a.config, &spool, &e);
    if (rc == -ENOENT) {
        fact(s, "journal", STR("none yet: no receiver has run here"));
        return;
    }
    if (rc == 0)
        rc = backlog_read(spool, server ? &s->a : NULL, &b, &e);
    if (rc == 0) {
        char id[ID_TEXT];
        fact(s, "journal", str_c(id_format(spool_journal(spool), id)));
        number(s, server ? "left_octets" : "left_octets_at_most", "", b.octets);
        /* Without the server's positions a table of them would only mislead. */
        if (server && lane_rows(s, &b) < 0)
            rc = err_set(&e, -ENOMEM, "out of memory");
    }
    if (rc < 0)
        problem(s, "journal_error", &e);
    spool_free(spool);
}

/* Mail for people: what waits for its delivery, and where it is when nobody said where. */
static void people(struct status *s)
{
    const struct config *c = s->a.config;
    struct outbox_stats stats;
    struct err e;
    char path[PLACE_PATH], time[CLOCK_TEXT];
    uint64_t kept = 0;
    int rc = people_outbox(c, path, &e);
    if (rc == 0)
        rc = outbox_stats(path, &stats, &e);
    if (rc == 0)
        rc = people_kept(c, &kept, &e);
    if (rc == 0)
        rc = people_maildir(c, NULL, path, &e);
    if (rc < 0) {
        problem(s, "people_error", &e);
        return;
    }
    number(s, "people_waiting", "", stats.waiting);
    number(s, "people_waiting_octets", "", stats.octets);
    if (stats.waiting)
        fact(s, "people_oldest", str_c(clock_format_rfc3339(stats.oldest, time)));
    if (stats.failure[0])
        fact(s, "people_failure", str_c(stats.failure));
    if (stats.bad)
        number(s, "people_bad", "", stats.bad);
    number(s, "people_kept", "", kept);
    if (kept)
        fact(s, "people_kept_in", str_c(path));
}

/* Where the feed stands, and what the keeper of the installation did last. */
static int keeping(struct status *s, struct err *e)
{
    static const char *const facts[][2] = {{"feed_cursor", "cursor"},
                                           {"feed_epoch_since", "since"},
                                           {"feed_kept_from", "kept_from"},
                                           {"feed_unnumbered", "unnumbered"},
                                           {"feed_lag_ms", "lag_ms"}};
    char now[24];
    struct str time = answer_time(clock_now(), now);
    int rc = db_ask(s->a.db, &s->a.arena, DB_ASK_FEED_POSITION, &time, 1, &s->a.table, e);
    for (size_t i = 0; rc == 0 && i < sizeof(facts) / sizeof(facts[0]); i++) {
        struct str value = answer_cell(&s->a, 0, facts[i][1]);
        uint64_t n;
        if (str_to_u64(value, &n))
            number(s, facts[i][0], "", n);
        else if (!str_is_absent(value))
            fact(s, facts[i][0], value);
    }
    if (rc == 0)
        rc = db_ask(s->a.db, &s->a.arena, DB_ASK_MAINTENANCE, NULL, 0, &s->a.table, e);
    bool there = false;
    for (size_t i = 0; rc == 0 && i < s->a.table.rows_n; i++) {
        struct str task = answer_cell(&s->a, i, "task"), at = answer_cell(&s->a, i, "done_at");
        struct str node = answer_cell(&s->a, i, "node"), why = answer_cell(&s->a, i, "failure");
        char name[64], text[400];
        bool keeper = str_eq(task, STR("keeper"));
        if (keeper && str_eq(answer_cell(&s->a, i, "is_there"), STR("false")))
            continue;
        there |= keeper;
        snprintf(name, sizeof(name), "%s%.*s", keeper ? "" : "last_", STR_ARG(task));
        snprintf(text, sizeof(text), "%s%.*s, %.*s%s%.*s", keeper ? "since " : "", STR_ARG(at),
                 STR_ARG(node), why.n ? ", failed: " : "", STR_ARG(why));
        fact(s, name, str_c(text));
    }
    if (rc == 0 && !there)
        fact(s, "keeper", STR("none: bouncemx serve or bouncemx maintain --follow has to run"));
    return rc;
}

static bool database(struct status *s)
{
    struct err e;
    int rc = db_open(s->a.config->database.conninfo, &s->a.db, &e);
    if (rc == 0)
        rc = db_schema_check(s->a.db, &e);
    if (rc == 0)
        rc = db_ask(s->a.db, &s->a.arena, DB_ASK_COUNTS, NULL, 0, &s->a.table, &e);
    if (rc < 0) {
        problem(s, "database_error", &e);
        return false;
    }
    fact(s, "database", STR("there, with a schema for this program"));
    number(s, "schema_version", "", db_schema_version(s->a.db));
    for (size_t i = 0; i < s->a.table.rows_n; i++) {
        char name[64];
        uint64_t n;
        snprintf(name, sizeof(name), "%.*s", STR_ARG(answer_cell(&s->a, i, "name")));
        if (str_to_u64(answer_cell(&s->a, i, "count"), &n))
            number(s, name, "", n);
    }
    char day[2][24];
    int64_t now = clock_now();
    struct str times[] = {answer_time(now - CLOCK_DAY, day[0]), answer_time(now, day[1])};
    rc = db_ask(s->a.db, &s->a.arena, DB_ASK_UNMATCHED, times, 2, &s->a.table, &e);
    uint64_t unmatched;
    if (rc == 0 && str_to_u64(answer_cell(&s->a, 0, "count"), &unmatched))
        number(s, "unmatched_complaints_24h", "", unmatched);
    if (rc == 0)
        rc = keeping(s, &e);
    if (rc == 0)
        rc = db_ask(s->a.db, &s->a.arena, DB_ASK_LANES, NULL, 0, &s->a.table, &e);
    if (rc < 0)
        problem(s, "database_error", &e);
    return rc == 0;
}

static int status(const struct command_line *l)
{
    struct status s = {.line = l, .a = {.arena = arena_make(64 << 20)}};
    s.a.config = command_config(l, NULL);
    if (!s.a.config)
        return EXIT_NO;
    if (command_flag(l, "--json"))
        s.json = json_new();
    fact(&s, "node", str_c(s.a.config->node));
    bool server = database(&s);
    journal(&s, server);
    receiver(&s);
    people(&s);
    if (command_flag(l, "--json") && json_print(s.json, stdout) < 0)
        s.failed = true;
    answer_close(&s.a);
    return s.failed ? EXIT_NO : EXIT_GOOD;
}

const struct command commands_status[] = {
    {"status",
     "",
     0,
     0,
     "Show the journal, the receiver and the database of this host",
     "Asks nobody but the files of the spool and PostgreSQL. Where one of them can't be read, "
     "that\n"
     "is said on standard error, the others are shown, and the exit code is 1.",
     {COMMAND_CONFIG, COMMAND_JSON},
     status},
    {.name = NULL},
};
