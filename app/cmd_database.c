/* show, suppression: what stands in the database. */
#include "app/answer.h"
#include "app/table.h"
#include "base/address.h"
#include "base/clock.h"

#include <errno.h>

enum { PAGE = 1000, LIST_COLUMNS = 10 };

static int out_of_memory(const struct command_line *l)
{
    return command_fail(l, EXIT_NO, "out of memory");
}

/* ---- show ---- */

static int show(const struct command_line *l)
{
    struct answer a;
    struct str id;
    int rc = 0;
    if (answer_id(l, l->args[0], &id) < 0)
        return EXIT_USAGE;
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    if (!command_flag(l, "--raw"))
        rc = answer_ask(l, &a, DB_ASK_EVENT, &id, 1);
    if (rc == 0 && !command_flag(l, "--raw") && a.table.rows_n == 0)
        rc = command_fail(l, -ENOENT, "%s: no such event or message", l->args[0]);
    for (size_t i = 0; rc == 0 && i < a.table.rows_n; i++) {
        if (command_flag(l, "--json"))
            rc = answer_json(&a, i);
        else {
            answer_facts(&a, i);
            putchar('\n');
        }
    }
    if (rc == 0 && !command_flag(l, "--json"))
        rc = answer_ask(l, &a, DB_ASK_EVIDENCE, &id, 1);
    if (rc == 0 && !command_flag(l, "--json")) {
        struct str raw = answer_cell(&a, 0, "raw");
        if (a.table.rows_n == 0 || str_is_absent(raw))
            rc = command_fail(l, -ENOENT, "%s: its mail is not kept (any more)", l->args[0]);
        else
            answer_mail(raw);
    }
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

static int events(const struct command_line *l)
{
    enum { COLUMNS = 9 };
    static const char *const columns[COLUMNS] = {"RECEIVED", "EVENT",    "KIND",
                                                 "ADDRESS",  "VERIFIED", "CLASS",
                                                 "CATEGORY", "EFFECT",   "DIAGNOSTIC"};
    static const char *const names[COLUMNS] = {"received_at", "event_id",     "kind",
                                               "address",     "verification", "class",
                                               "category",    "effect",       "diagnostic"};
    struct answer a;
    uint64_t limit;
    char number[24];
    if (command_number(l, "--limit", 1, 100000, 50, &limit) < 0)
        return EXIT_USAGE;
    struct str params[2] = {str_of(number, 0), {NULL, 0}};
    params[0].n = (size_t)snprintf(number, sizeof(number), "%llu", (unsigned long long)limit);
    if (command_value(l, "--before") && answer_id(l, command_value(l, "--before"), &params[1]) < 0)
        return EXIT_USAGE;
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    int rc = answer_ask(l, &a, DB_ASK_EVENTS, params, 2);
    struct table *t = table_new(columns, COLUMNS);
    if (!t) {
        answer_close(&a);
        return out_of_memory(l);
    }
    for (size_t i = 0; rc == 0 && i < a.table.rows_n; i++) {
        struct str cells[COLUMNS];
        for (size_t k = 0; k < COLUMNS; k++)
            cells[k] = answer_cell(&a, i, names[k]);
        rc = command_flag(l, "--json") ? answer_json(&a, i) : table_row(t, cells);
    }
    table_flush(t, stdout);
    table_free(t);
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

/* ---- suppression ---- */

/* One page after another: the list may be larger than memory. */
static int list_pages(const struct command_line *l, struct answer *a, struct table *t,
                      uint64_t limit)
{
    static const char *const names[LIST_COLUMNS] = {
        "address",  "tenant",   "scope",      "stream", "kind",
        "category", "event_at", "expires_at", "events", "diagnostic"};
    struct arena keys = arena_make(1 << 20);
    char number[24], now[24];
    struct str params[4] = {
        str_c(command_value(l, "--tenant")), {number, 0}, {NULL, 0}, answer_time(clock_now(), now)};
    uint64_t seen = 0;
    int rc = 0;
    size_t got = PAGE;
    while (rc == 0 && got >= PAGE && (!limit || seen < limit)) {
        uint64_t page = limit && limit - seen < PAGE ? limit - seen : PAGE;
        params[1].n = (size_t)snprintf(number, sizeof(number), "%llu", (unsigned long long)page);
        rc = answer_ask(l, a, DB_ASK_SUPPRESSIONS, params, 4);
        got = rc == 0 ? a->table.rows_n : 0;
        for (size_t i = 0; rc == 0 && i < got && (!limit || seen < limit); i++, seen++) {
            struct str cells[LIST_COLUMNS];
            for (size_t k = 0; k < LIST_COLUMNS; k++)
                cells[k] = answer_cell(a, i, names[k]);
            rc = command_flag(l, "--json") ? answer_json(a, i) : table_row(t, cells);
        }
        table_flush(t, stdout);
        if (got) {
            struct str last = answer_cell(a, got - 1, "address_key");
            arena_reset(&keys);
            params[2] = arena_str(&keys, last);
            if (str_is_absent(params[2]))
                rc = command_fail(l, -ENOMEM, "the list has a row without a key");
        }
        if (rc == 0 && ferror(stdout))
            rc = -EIO;
    }
    arena_free(&keys);
    return rc;
}

static int suppression_list(const struct command_line *l)
{
    static const char *const columns[LIST_COLUMNS] = {"ADDRESS", "TENANT",    "SCOPE", "STREAM",
                                                      "KIND",    "CATEGORY",  "SINCE", "UNTIL",
                                                      ">EVENTS", "DIAGNOSTIC"};
    struct answer a;
    uint64_t limit;
    if (command_number(l, "--limit", 0, UINT32_MAX, 0, &limit) < 0)
        return EXIT_USAGE;
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    struct table *t = table_new(columns, LIST_COLUMNS);
    int rc = t ? list_pages(l, &a, t, limit) : out_of_memory(l);
    table_free(t);
    answer_close(&a);
    return rc != 0 ? EXIT_NO : EXIT_GOOD;
}

/* The argument as a key. */
static int address_of(const struct command_line *l, struct arena *a, struct str *ret)
{
    struct str text = str_c(l->args[0]), key = address_key(a, text);
    if (str_is_absent(key))
        return command_fail(l, -EINVAL, "%s: expected an address such as user@example.com",
                            l->args[0]);
    *ret = key;
    return 0;
}

static int suppression_get(const struct command_line *l)
{
    struct answer a;
    struct arena keys = arena_make(64 << 10);
    char now[24];
    struct str params[2] = {{NULL, 0}, answer_time(clock_now(), now)};
    int code = EXIT_NO;
    if (address_of(l, &keys, &params[0]) < 0) {
        arena_free(&keys);
        return EXIT_USAGE;
    }
    if (answer_open(l, &a) < 0) {
        arena_free(&keys);
        return EXIT_NO;
    }
    int rc = answer_ask(l, &a, DB_ASK_SUPPRESSION, params, 2);
    if (rc == 0 && a.table.rows_n == 0)
        command_fail(l, 0, "%s: not suppressed", l->args[0]);
    else if (rc == 0)
        code = EXIT_GOOD;
    for (size_t i = 0; rc == 0 && i < a.table.rows_n; i++) {
        if (command_flag(l, "--json")) {
            rc = answer_json(&a, i);
            continue;
        }
        if (i)
            putchar('\n');
        answer_facts(&a, i);
    }
    answer_close(&a);
    arena_free(&keys);
    return rc < 0 ? EXIT_NO : code;
}

static int suppression_check(const struct command_line *l)
{
    struct answer a;
    struct arena keys = arena_make(64 << 10);
    char now[24];
    struct str params[4] = {{NULL, 0},
                            str_c(command_value(l, "--tenant")),
                            str_c(command_value(l, "--stream")),
                            answer_time(clock_now(), now)};
    if (address_of(l, &keys, &params[0]) < 0) {
        arena_free(&keys);
        return EXIT_USAGE;
    }
    int code = EXIT_NO;
    if (answer_open(l, &a) < 0) {
        arena_free(&keys);
        return code;
    }
    if (answer_ask(l, &a, DB_ASK_SUPPRESSED, params, 4) == 0 && a.table.rows_n) {
        bool yes = str_eq(answer_cell(&a, 0, "suppressed"), STR("true"));
        struct str why = answer_cell(&a, 0, "category");
        struct str scope = answer_cell(&a, 0, "scope");
        struct str stream = answer_cell(&a, 0, "stream");
        bool told = true;
        if (str_is_absent(why))
            why = answer_cell(&a, 0, "kind");
        if (command_flag(l, "--json"))
            told = answer_json(&a, 0) == 0;
        else if (yes)
            printf("%s: suppressed: %.*s (%.*s%s%.*s)\n", l->args[0], STR_ARG(why), STR_ARG(scope),
                   stream.n ? " " : "", STR_ARG(stream));
        else
            printf("%s: not suppressed\n", l->args[0]);
        code = yes && told ? EXIT_GOOD : EXIT_NO;
    }
    answer_close(&a);
    arena_free(&keys);
    return code;
}

#define OPTION_TENANT                             \
    {                                             \
        "--tenant", "NAME", "of this tenant only" \
    }

const struct command commands_database[] = {
    {"events",
     "",
     0,
     0,
     "List events, the newest first",
     "One line for each recipient that a message reported on, and what it did to the list.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--limit", "N", "so many (default 50)"},
      {"--before", "EVENT", "only those older than this one"}},
     events},
    {"show",
     "EVENT",
     1,
     1,
     "Show one event: mail, words that decided, rule, what it did",
     "EVENT is the id of an event or of a message. After the facts comes the mail as it was\n"
     "received; --raw writes nothing but that, --json nothing of it.",
     {COMMAND_CONFIG, COMMAND_JSON, {"--raw", NULL, "only the mail, byte for byte"}},
     show},
    {"suppression list",
     "",
     0,
     0,
     "List the addresses that must not get mail",
     "In the order of the addresses.",
     {COMMAND_CONFIG, COMMAND_JSON, OPTION_TENANT, {"--limit", "N", "so many (default: all)"}},
     suppression_list},
    {"suppression get",
     "ADDRESS",
     1,
     1,
     "Show why an address is suppressed",
     "Every scope that holds it, with the words, rule and event that made it so. Exit code 1 when\n"
     "it is not suppressed.",
     {COMMAND_CONFIG, COMMAND_JSON},
     suppression_get},
    {"suppression check",
     "ADDRESS",
     1,
     1,
     "Say whether an address is suppressed",
     "Exit code 0: it is suppressed; 1: it is not. Without --stream a row of any stream counts.",
     {COMMAND_CONFIG, COMMAND_JSON, OPTION_TENANT, {"--stream", "NAME", "for mail of this stream"}},
     suppression_check},
    {.name = NULL},
};
