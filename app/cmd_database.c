/* events, show: what stands in the database. */
#include "app/by_hand.h"
#include "app/table.h"
#include "base/clock.h"

#include <errno.h>

static int out_of_memory(const struct command_line *l)
{
    return command_fail(l, EXIT_NO, "out of memory");
}

/* ---- show ---- */

static int undo(const struct command_line *l, struct str id)
{
    struct answer a;
    char now[24];
    if (!command_value(l, "--reason"))
        return command_fail(l, EXIT_USAGE, "--undo needs --reason TEXT");
    if (by_hand_open(l, &a) < 0)
        return EXIT_NO;
    struct str params[] = {id, str_c(command_value(l, "--reason")),
                           command_flag(l, "--force") ? STR("true") : STR("false"),
                           answer_time(clock_now(), now)};
    int rc = answer_ask(l, &a, DB_DO_UNDO, params, 4);
    for (size_t i = 0; rc == 0 && i < a.table.rows_n; i++) {
        struct str scope = answer_cell(&a, i, "scope"), stream = answer_cell(&a, i, "stream");
        if (command_flag(l, "--json"))
            rc = answer_json(&a, i);
        else
            printf("%.*s: %.*s (tenant %.*s%s%.*s%s%.*s)\n", STR_ARG(answer_cell(&a, i, "place")),
                   STR_ARG(answer_cell(&a, i, "did")), STR_ARG(answer_cell(&a, i, "tenant")),
                   scope.n ? ", scope " : "", STR_ARG(scope), stream.n ? ", stream " : "",
                   STR_ARG(stream));
    }
    if (rc == 0 && !command_flag(l, "--json"))
        printf("%s: undone\n", l->args[0]);
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

static int show(const struct command_line *l)
{
    struct answer a;
    struct str id;
    int rc = 0;
    if (answer_id(l, l->args[0], &id) < 0)
        return EXIT_USAGE;
    if (command_flag(l, "--undo"))
        return undo(l, id);
    if (command_flag(l, "--force") || command_value(l, "--reason") || command_value(l, "--actor"))
        return command_fail(l, EXIT_USAGE, "--force, --reason and --actor are for --undo");
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
     "received; --raw writes nothing but that, --json nothing of it. --undo takes back what one\n"
     "event did: the row that it made (unless another event spoke for it too, which then keeps "
     "it),\n"
     "its strike, its day of the soft score. Its token stays used up.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--raw", NULL, "only the mail, byte for byte"},
      {"--undo", NULL, "take back what it did"},
      {"--force", NULL, "also of a complaint or unsubscribe"},
      BY_HAND_REASON,
      BY_HAND_ACTOR},
     show},
    {.name = NULL},
};
