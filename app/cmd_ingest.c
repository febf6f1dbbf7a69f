/* ingest: what senders' own logs say, and mail that was stored, by the same path as mail on port
 * 25. */
#include "app/answer.h"
#include "app/json.h"
#include "app/log_ingest.h"
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

/* ---- logs ---- */

static int logs(const struct command_line *l, enum ingest_format format)
{
    struct answer a;
    struct err e;
    struct reading_kit kit = {0};
    struct log_ingest g = {.stop = &stop,
                           .delays = command_flag(l, "--delays"),
                           .deliveries = !command_flag(l, "--no-delivered")};
    uint64_t year;
    if (command_number(l, "--year", 1970, 9998, 0, &year) < 0)
        return EXIT_USAGE;
    if (zone_set(option(l, "--timezone"), &e) < 0)
        return command_fail(l, EXIT_USAGE, "--timezone: %s", e.text);
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    g.clock = (struct ingest_clock){.year = (int)year, .zone = zone_utc};
    int rc = reading_open(a.config, &kit, &e);
    if (rc == 0 && ingest_reader_new(format, &g.clock, &g.reader) < 0)
        rc = err_set(&e, -ENOMEM, "out of memory");
    if (rc < 0)
        command_fail(l, 0, "%s", e.text);
    else
        g.batch = ingest_batch_new(l, a.config, a.db);
    g.reading = (struct log_reading){a.config, kit.reading.classifier, kit.reading.returnpath,
                                     format,   option(l, "--tenant"),  option(l, "--stream")};
    int code = g.batch ? EXIT_GOOD : EXIT_NO;
    catch_signals();
    for (size_t i = 0; code == EXIT_GOOD && i < l->args_n && !stop; i++)
        if (log_ingest(&g, l->args[i]) < 0)
            code = EXIT_NO;
    if (g.batch) {
        const struct ingest_counts *c = &g.batch->counts;
        if (summary(l, c, true) < 0 || c->unreadable || c->unowned || c->refused)
            code = EXIT_NO;
    }
    ingest_batch_free(g.batch);
    ingest_reader_free(g.reader);
    reading_close(&kit);
    answer_close(&a);
    return code;
}

static int ingest(const struct command_line *l)
{
    enum ingest_format format;
    struct str from = option(l, "--from");
    if (!ingest_format_parse(from, &format))
        return command_fail(l, EXIT_USAGE,
                            "--from: %.*s: expected postfix-log, kumomta-json or powermta-csv",
                            STR_ARG(from));
    return logs(l, format);
}

const struct command commands_ingest[] = {
    {"ingest",
     "PATH...",
     1,
     INT32_MAX,
     "Read senders' own logs",
     "Most rejections are said while mail is being sent and never become mail. With --from each\n"
     "of them that a log (- is standard input, which may be a pipe that stays open) holds becomes\n"
     "an event, by the same rules and policy as mail; deliveries reset soft bounces. The same log\n"
     "again, or one that overlaps with it, changes nothing. Lines that can't be read are named,\n"
     "and make the exit code 1.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--from", "FORMAT", "postfix-log, kumomta-json or powermta-csv: the sender's own log"},
      {"--tenant", "NAME", "whose mail it is (default: as the configuration tells)"},
      {"--stream", "NAME", "which kind of mail it is (default: likewise)"},
      {"--delays", NULL, "deferrals become events as well"},
      {"--no-delivered", NULL, "deliveries are only counted"},
      {"--year", "YEAR", "of the first line, where lines have none"},
      {"--timezone", "ZONE", "of times without one: UTC (default), +02:00, Europe/Berlin"}},
     ingest},
    {.name = NULL},
};
