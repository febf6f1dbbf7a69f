/* report: what deliverability people ask, as tables, NDJSON or CSV. */
#include "app/answer.h"
#include "app/table.h"
#include "base/clock.h"

#include <errno.h>

enum { DAYS_DEFAULT = 7, HEADING_MAX = 32 };

/* X(name, question, summary, help, columns of the table for people: the answer's names; a '>'
 * before one aligns it right). A question takes since, until and stream. */
#define REPORTS(X)                                                                                 \
    X("operator", DB_ASK_REPORT_OPERATOR, "Show bounces by who runs the refusing host",            \
      "Bounces of each class, complaints, and how many addresses came on the list. The rate is\n"  \
      "of the whole days and the streams of which table volume knows what was sent; level is\n"    \
      "warn from 2 % on, red from 5 %.\n",                                                         \
      "mx_operator", ">bounces", ">hard", ">soft", ">transient", ">block", ">other",               \
      ">complaints", ">suppressed", ">sent", ">bounce_rate", "level")                              \
    X("campaigns", DB_ASK_REPORT_CAMPAIGN, "Show bounces by stream and campaign",                  \
      "Campaigns are those that a token or table sent proves.\n", "tenant", "stream", "campaign",  \
      ">bounces", ">hard", ">soft", ">block", ">complaints", ">suppressed", "last_at")             \
    X("reasons", DB_ASK_REPORT_REASONS, "Show what came in, by day and category",                  \
      "All kinds of events; verified counts those that nobody can have forged.\n", "day", "kind",  \
      "class", "category", ">events", ">verified", ">suppressed")                                  \
    X("spikes", DB_ASK_REPORT_SPIKES, "Show hours with far more bounces than usual",               \
      "Each operator and category beside the median of the same hour of the 28 days before: "      \
      "hours\n"                                                                                    \
      "with twice as many, and z, the distance in robust standard deviations, of 3.5 and more. "   \
      "z\n"                                                                                        \
      "is missing where there are not 7 days to compare with.\n",                                  \
      "hour", "mx_operator", "category", ">events", ">usual", ">days", ">z")                       \
    X("blocks", DB_ASK_REPORT_BLOCKS, "Show who refuses us, and by whose list",                    \
      "By day: the address of ours that the refusals name, the block list, the page to look at,\n" \
      "who runs the refusing host, and why. verified counts those that nobody can have forged.\n", \
      "day", "listed_address", "blocklist", "mx_operator", "category", ">count", ">verified",      \
      "last_at", "lookup_url", "event_id")                                                         \
    X("diagnostics", DB_ASK_REPORT_DIAGNOSTICS, "Show the words that remote hosts say most often", \
      "The hundred most frequent, alike but for addresses and numbers, each with one of its "      \
      "texts.\n",                                                                                  \
      ">events", ">share", "mx_operator", "status", "category", "rule", "last_at", "sample",       \
      "event_id")                                                                                  \
    X("unclassified", DB_ASK_REPORT_UNCLASSIFIED, "Show the words that no rule understands",       \
      "The queue for writing rules, the most frequent first.\n", ">events", ">share",              \
      "mx_operator", "status", "first_at", "last_at", "sample", "event_id")                        \
    X("latency", DB_ASK_REPORT_LATENCY, "Show how long bounces take",                              \
      "Seconds from sending to receipt by operator, rounded up to a power of two: half of them,\n" \
      "nine in ten, ninety-nine in a hundred. Only mail that stands in table sent with its time\n" \
      "is measured.\n",                                                                            \
      "mx_operator", ">events", ">p50", ">p90", ">p99")                                            \
    X("rates", DB_ASK_REPORT_RATES, "Show bounces and complaints in percent of what was sent",     \
      "A line for each day, stream and operator of which table volume knows what was sent, and\n"  \
      "none for others. warn: 2 % bounces or 0.1 % complaints; red: 5 % or 0.3 %.\n",              \
      "day", "tenant", "stream", "mx_operator", ">sent", ">bounces", ">bounce_rate",               \
      "bounce_level", ">complaints", ">complaint_rate", "complaint_level")                         \
    X("flow", DB_ASK_REPORT_FLOW, "Show what came on the list and went off it",                    \
      "By day and reason. With --stream, rows that hold for that stream alone.\n", "day", "op",    \
      "kind", "category", "origin", ">count")                                                      \
    X("soft", DB_ASK_REPORT_SOFT, "Show addresses that soft bounces will suppress soon",           \
      "Those with at least half of the points that suppress, the nearest first, a thousand at\n"   \
      "most.\n",                                                                                   \
      "address_key", "tenant", "stream", ">score", ">threshold", "policy", ">days", "first_day",   \
      "last_at", "event_id")                                                                       \
    X("forged", DB_ASK_REPORT_FORGED, "Show forged reports, and others that may not act",          \
      "By day, client and domain of the return path: reports whose token is not valid, unsigned\n" \
      "ones that would have acted with a token, and tokens that flood. None of them did "          \
      "anything.\n",                                                                               \
      "day", "client_address", "domain", "kind", "attempt", ">count", "last_at", "event_id")       \
    X("rules", DB_ASK_REPORT_RULES, "Show how often each rule decided",                            \
      "Bounces and delays by rule, the most frequent first.\n", "rule", "category", ">events",     \
      ">verified", ">suppressed", ">share", "last_at")                                             \
    X("unmatched", DB_ASK_REPORT_UNMATCHED, "Show complaints that nothing identifies",             \
      "By day and reporter. alarm is true where over half of a reporter's complaints, and at\n"    \
      "least ten, name nobody: it may have begun to withhold what identified the recipient.\n",    \
      "day", "reporter", "user_agent", ">complaints", ">unmatched", ">percent", "alarm",           \
      "last_at", "event_id")                                                                       \
    X("held", DB_ASK_REPORT_HELD, "Show what the circuit breaker holds",                           \
      "Hours in which far more addresses of an operator turned hard than usual: their\n"           \
      "suppressions wait until somebody calls bouncemx.breaker_release(), or another bounce a\n"   \
      "day later confirms each.\n",                                                                \
      "hour", "tenant", "key", ">turned", ">usual", ">waiting", "opened_at", "released_at",        \
      "released_by")

struct report_table {
    const char *name;
    enum db_question question;
    const char *columns[TABLE_COLUMNS_MAX];
};

static const struct report_table reports[] = {
#define X(name, question, summary, help, ...) {"report " name, question, {__VA_ARGS__}},
    REPORTS(X)
#undef X
};

static const struct report_table *report_of(const struct command_line *l)
{
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        if (strcmp(reports[i].name, l->command->name) == 0)
            return &reports[i];
    return NULL;
}

/* ---- rows ---- */

/* "client_address" -> "CLIENT ADDRESS", as tables are headed. */
static void heading_of(const char *column, char text[HEADING_MAX])
{
    size_t i = 0;
    for (; column[i] && i + 1 < HEADING_MAX; i++)
        text[i] = column[i] == '_' ? ' ' : ascii_upper(column[i]);
    text[i] = '\0';
}

/* What nobody knows is not left to the reader's fancy. */
static struct str shown_cell(const struct answer *a, size_t row, const char *column)
{
    struct str text = answer_cell(a, row, column);
    return text.n ? text : STR("-");
}

static int print_table(const struct command_line *l, const struct report_table *r,
                       const struct answer *a)
{
    char text[TABLE_COLUMNS_MAX][HEADING_MAX];
    const char *headings[TABLE_COLUMNS_MAX];
    size_t n = 0;
    int rc = 0;
    for (; n < TABLE_COLUMNS_MAX && r->columns[n]; n++) {
        heading_of(r->columns[n], text[n]);
        headings[n] = text[n];
    }
    struct table *t = table_new(headings, n);
    if (!t)
        return command_fail(l, -ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < a->table.rows_n; i++) {
        struct str cells[TABLE_COLUMNS_MAX];
        for (size_t k = 0; k < n; k++)
            cells[k] = shown_cell(a, i, r->columns[k] + (r->columns[k][0] == '>'));
        rc = table_row(t, cells);
    }
    table_flush(t, stdout);
    table_free(t);
    return rc;
}

static int report(const struct command_line *l)
{
    const struct report_table *r = report_of(l);
    struct answer a;
    char text[2][24];
    int64_t now = clock_now(), since, until;
    if (!r || command_moment(l, "--since", now, now - DAYS_DEFAULT * CLOCK_DAY, &since) < 0 ||
        command_moment(l, "--until", now, now, &until) < 0)
        return EXIT_USAGE;
    if (command_flag(l, "--json") && command_flag(l, "--csv"))
        return command_fail(l, EXIT_USAGE, "--json and --csv: only one of them");
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    struct str params[] = {answer_time(since, text[0]), answer_time(until, text[1]),
                           str_c(command_value(l, "--stream"))};
    int rc = answer_ask(l, &a, r->question, params, 3);
    if (rc == 0 && command_flag(l, "--csv"))
        answer_csv(&a, true, 0);
    for (size_t i = 0; rc == 0 && i < a.table.rows_n; i++) {
        if (command_flag(l, "--json"))
            rc = answer_json(&a, i);
        else if (command_flag(l, "--csv"))
            answer_csv(&a, false, i);
    }
    if (rc == 0 && !command_flag(l, "--json") && !command_flag(l, "--csv"))
        rc = print_table(l, r, &a);
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

const struct command commands_report[] = {
#define X(name, question, summary, help, ...)                                                 \
    {"report " name,                                                                          \
     "",                                                                                      \
     0,                                                                                       \
     0,                                                                                       \
     summary,                                                                                 \
     help "An hour or day counts when a part of it lies in the time; days are those of UTC.", \
     {COMMAND_CONFIG,                                                                         \
      COMMAND_JSON,                                                                           \
      {"--csv", NULL, "CSV with a heading (RFC 4180)"},                                       \
      {"--since", "TIME", "from then on: a day, a time, or how long ago (default 7d)"},       \
      {"--until", "TIME", "before then (default: now)"},                                      \
      {"--stream", "NAME", "of this stream only"}},                                           \
     report},
    REPORTS(X)
#undef X
        {.name = NULL},
};
