/* ingest: what senders' own logs say, and mail that was stored, by the same path as mail on port
 * 25. */
#include "app/answer.h"
#include "app/json.h"
#include "app/log_ingest.h"
#include "app/mail_ingest.h"
#include "app/reading_open.h"
#include "app/table.h"
#include "app/zone.h"
#include "base/clock.h"

#include <errno.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* What has been read is written before the end. */
static void catch_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

static struct str option(const struct command_line *l, const char *name)
{
    return str_c(command_value(l, name));
}

/* ---- the summary ---- */

struct said {
    const char *name;
    const char *words;
    uint64_t n;
    bool always;
};

static int summary(const struct command_line *l, const struct ingest_counts *c, bool logs)
{
    const struct said said[] = {
        {logs ? "lines" : "messages", "read", c->lines, true},
        {"unreadable", "that could not be read", c->unreadable, false},
        {"unowned", "whose mail it is can't be told", c->unowned, false},
        {"reports", "of reports and replies (the null sender)", c->reports, false},
        {"bounced", "bounced", c->bounced, logs},
        {"expired", "expired in the queue", c->expired, logs},
        {"deferred", "deferred", c->deferred, logs},
        {"delivered", "delivered", c->delivered, logs},
        {"written", "written to the database", c->written, true},
        {"known", "known to it already", c->known, true},
        {"refused", "refused by it", c->refused, false},
        {"told", "deliveries told", c->told, logs},
    };
    static const char *const columns[] = {"WHAT", ">NUMBER"};
    size_t n = sizeof(said) / sizeof(said[0]);
    if (command_flag(l, "--json")) {
        struct json *o = json_new();
        for (size_t i = 0; i < n; i++)
            json_int(o, said[i].name, (int64_t)said[i].n);
        int rc = json_print(o, stdout);
        return rc < 0 ? command_fail(l, rc, "the answer could not be written") : 0;
    }
    struct table *t = table_new(columns, 2);
    int rc = t ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char number[24], words[80];
        snprintf(number, sizeof(number), "%llu", (unsigned long long)said[i].n);
        snprintf(words, sizeof(words), "%s%s%s", i == 0 ? said[i].name : said[i].words,
                 i == 0 ? " " : "", i == 0 ? said[i].words : "");
        const struct str cells[] = {str_c(words), str_c(number)};
        if (said[i].n || said[i].always)
            rc = table_row(t, cells);
    }
    if (t)
        table_flush(t, stdout);
    table_free(t);
    return rc < 0 ? command_fail(l, rc, "out of memory") : 0;
}

/* ---- both ---- */

struct ingest {
    const struct command_line *line;
    struct answer answer;
    struct reading_kit kit;
    struct ingest_batch *batch;
};

/* Negative after a message; ingest_close in any case. */
static int ingest_open(struct ingest *g)
{
    struct err e;
    int rc = answer_open(g->line, &g->answer);
    if (rc < 0)
        return rc;
    rc = reading_open(g->answer.config, NULL, &g->kit, &e);
    if (rc < 0)
        return command_fail(g->line, rc, "%s", e.text);
    g->batch = ingest_batch_new(g->line, g->answer.config, g->answer.db);
    catch_signals();
    return g->batch ? 0 : -ENOMEM;
}

/* Tells what became of it: the exit code. */
static int ingest_end(struct ingest *g, int rc, bool logs)
{
    const struct ingest_counts *c = &g->batch->counts;
    bool good = rc == 0 && !c->unreadable && !c->unowned && !c->refused;
    return summary(g->line, c, logs) == 0 && good ? EXIT_GOOD : EXIT_NO;
}

static void ingest_close(struct ingest *g)
{
    ingest_batch_free(g->batch);
    reading_close(&g->kit);
    answer_close(&g->answer);
}

/* ---- logs ---- */

static int logs(struct ingest *g, enum ingest_format format, uint64_t year)
{
    const struct command_line *l = g->line;
    struct log_ingest log = {.batch = g->batch,
                             .reading = {.config = g->answer.config,
                                         .classifier = g->kit.reading.classifier,
                                         .returnpath = g->kit.reading.returnpath,
                                         .format = format,
                                         .tenant = option(l, "--tenant"),
                                         .stream = option(l, "--stream")},
                             .clock = {.year = (int)year, .zone = zone_utc},
                             .delays = command_flag(l, "--delays"),
                             .deliveries = !command_flag(l, "--no-delivered"),
                             .stop = &stop};
    if (ingest_reader_new(format, &log.clock, &log.reader) < 0)
        return command_fail(l, EXIT_NO, "out of memory");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->args_n && !stop; i++)
        rc = log_ingest(&log, l->args[i]);
    ingest_reader_free(log.reader);
    return ingest_end(g, rc, true);
}

/* ---- mail ---- */

static int mail(struct ingest *g, int64_t received)
{
    const struct command_line *l = g->line;
    struct mail_ingest m = {.batch = g->batch,
                            .reading = &g->kit.reading,
                            .rcpt = option(l, "--rcpt"),
                            .mail_from = option(l, "--mail-from"),
                            .received = received,
                            .stop = &stop};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->args_n && !stop; i++)
        rc = mail_ingest(&m, l->args[i]);
    return ingest_end(g, rc, false);
}

/* Options of the other sort would be without effect: better told. */
static int check_sort(const struct command_line *l, bool is_log)
{
    static const char *const of_logs[] = {"--tenant",       "--stream", "--delays",
                                          "--no-delivered", "--year",   "--timezone"};
    static const char *const of_mail[] = {"--rcpt", "--mail-from", "--received"};
    const char *const *other = is_log ? of_mail : of_logs;
    size_t n = is_log ? 3 : 6;
    for (size_t i = 0; i < n; i++)
        if (command_flag(l, other[i]))
            return command_fail(l, EXIT_USAGE, "%s is for %s", other[i],
                                is_log ? "stored mail, without --from" : "logs, with --from");
    return 0;
}

static int ingest(const struct command_line *l)
{
    enum ingest_format format = INGEST_FORMAT_COUNT;
    struct ingest g = {.line = l};
    struct err e;
    struct str from = option(l, "--from"), day = option(l, "--received");
    uint64_t year;
    uint32_t days = 0;
    if (from.n && !ingest_format_parse(from, &format))
        return command_fail(l, EXIT_USAGE,
                            "--from: %.*s: expected postfix-log, kumomta-json or powermta-csv",
                            STR_ARG(from));
    if (check_sort(l, from.n > 0) || command_number(l, "--year", 1970, 9998, 0, &year) < 0)
        return EXIT_USAGE;
    if (zone_set(option(l, "--timezone"), &e) < 0)
        return command_fail(l, EXIT_USAGE, "--timezone: %s", e.text);
    if (day.n && !clock_day_read(day, &days))
        return command_fail(l, EXIT_USAGE, "--received: %.*s: expected a day such as 2026-01-31",
                            STR_ARG(day));
    int code = EXIT_NO;
    if (ingest_open(&g) == 0)
        code = from.n ? logs(&g, format, year)
                      : mail(&g, day.n ? (int64_t)days * CLOCK_DAY : CLOCK_UNKNOWN);
    ingest_close(&g);
    return code;
}

const struct command commands_ingest[] = {
    {"ingest",
     "PATH...",
     1,
     INT32_MAX,
     "Read senders' own logs, or stored mail",
     "Stored mail (a file, mbox, Maildir, folder, or - for standard input) is read as if it had\n"
     "come to port 25; Delivered-To, X-Original-To and Return-Path tell its envelope, the topmost\n"
     "Received, else Date, its time.\n"
     "\n"
     "Most rejections are said while mail is being sent and never become mail. With --from each\n"
     "of them that a log (- is standard input, which may be a pipe that stays open) holds becomes\n"
     "an event, by the same rules and policy as mail; deliveries reset soft bounces.\n"
     "\n"
     "The same mail or log again, or a log that overlaps with it, changes nothing. Lines and\n"
     "messages that can't be read are named, and make the exit code 1.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--from", "FORMAT", "postfix-log, kumomta-json or powermta-csv: the sender's own log"},
      {"--tenant", "NAME", "whose mail it is (default: as the configuration tells)"},
      {"--stream", "NAME", "which kind of mail it is (default: likewise)"},
      {"--delays", NULL, "deferrals become events as well"},
      {"--no-delivered", NULL, "deliveries are only counted"},
      {"--year", "YEAR", "of the first line, where lines have none"},
      {"--timezone", "ZONE", "of times without one: UTC (default), +02:00, Europe/Berlin"},
      {"--rcpt", "ADDRESS", "of stored mail: whom it was sent to"},
      {"--mail-from", "ADDRESS", "of stored mail: its return path"},
      {"--received", "DAY", "of stored mail that does not tell when it came"}},
     ingest},
    {.name = NULL},
};
