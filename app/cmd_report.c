/* report: what deliverability people ask, as tables, NDJSON or CSV. */
#include "app/answer.h"
#include "app/table.h"
#include "base/clock.h"

#include <errno.h>

enum { DAYS_DEFAULT = 7, HEADING_MAX = 32 };

/* X(name, question, summary, help, columns of the table for people: the answer's names; a '>'
 * before one aligns it right). A question takes since, until and stream. */
#define REPORTS(X)                                                                                 \
    X("forged", DB_ASK_REPORT_FORGED, "Show forged reports, and others that may not act",          \
      "By day, client and domain of the return path: reports whose token is not valid, unsigned\n" \
      "ones that would have acted with a token, and tokens that flood. None of them did "          \
      "anything.\n",                                                                               \
      "day", "client_address", "domain", "kind", "attempt", ">count", "last_at", "event_id")       \
    X("unmatched", DB_ASK_REPORT_UNMATCHED, "Show complaints that nothing identifies",             \
      "By day and reporter. alarm is true where over half of a reporter's complaints, and at\n"    \
      "least ten, name nobody: it may have begun to withhold what identified the recipient.\n",    \
      "day", "reporter", "user_agent", ">complaints", ">unmatched", ">percent", "alarm",           \
      "last_at", "event_id")                                                                       \
    X("blocks", DB_ASK_REPORT_BLOCKS, "Show who refuses us, and by whose list",                    \
      "By day: the address of ours that the refusals name, the block list, the page to look at,\n" \
      "who runs the refusing host, and why. verified counts those that nobody can have forged.\n", \
      "day", "listed_address", "blocklist", "mx_operator", "category", ">count", ">verified",      \
      "last_at", "lookup_url", "event_id")

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

/* ---- times ---- */

/* "2026-01-31" or "2026-01-31T08:09:10Z". */
static bool read_moment(struct str text, int64_t *ret)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    unsigned part[6] = {0};
    size_t at = 0;
    if (text.n != 10 && text.n != sizeof(form) - 1)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool digit = form[i] == 'd';
        if (digit ? !ascii_is_digit(text.p[i]) : text.p[i] != form[i])
            return false;
        if (digit)
            part[at] = part[at] * 10 + (unsigned)(text.p[i] - '0');
        else
            at++;
    }
    if (part[0] < 1970 || part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 ||
        part[3] > 23 || part[4] > 59 || part[5] > 59)
        return false;
    int64_t days = clock_days((int)part[0], (int)part[1], (int)part[2]);
    *ret = days * CLOCK_DAY + ((part[3] * 60 + part[4]) * 60 + part[5]) * CLOCK_SECOND;
    return true;
}

/* A moment, or how long ago ("24h", "7d"). */
static int read_time(const struct command_line *l, const char *option, int64_t now,
                     int64_t fallback, int64_t *ret)
{
    const char *text = command_value(l, option);
    int64_t ago;
    if (!text) {
        *ret = fallback;
        return 0;
    }
    if (strchr(text, '-')) {
        if (read_moment(str_c(text), ret))
            return 0;
        return command_fail(l, -EINVAL,
                            "%s: %s: expected a day such as 2026-01-31, a time such as "
                            "2026-01-31T08:09:10Z, or how long ago, such as 24h",
                            option, text);
    }
    int rc = command_time(l, option, 0, &ago);
    if (rc == 0)
        *ret = now - ago;
    return rc;
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
            cells[k] = answer_cell(a, i, r->columns[k] + (r->columns[k][0] == '>'));
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
    if (!r || read_time(l, "--since", now, now - DAYS_DEFAULT * CLOCK_DAY, &since) < 0 ||
        read_time(l, "--until", now, now, &until) < 0)
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
#define X(name, question, summary, help, ...)                                           \
    {"report " name,                                                                    \
     "",                                                                                \
     0,                                                                                 \
     0,                                                                                 \
     summary,                                                                           \
     help "Days are those of UTC.",                                                     \
     {COMMAND_CONFIG,                                                                   \
      COMMAND_JSON,                                                                     \
      {"--csv", NULL, "CSV with a heading (RFC 4180)"},                                 \
      {"--since", "TIME", "from then on: a day, a time, or how long ago (default 7d)"}, \
      {"--until", "TIME", "before then (default: now)"},                                \
      {"--stream", "NAME", "of this stream only"}},                                     \
     report},
    REPORTS(X)
#undef X
        {.name = NULL},
};
