/* suppression list, get, check: what the list says. */
#include "app/by_hand.h"
#include "app/table.h"
#include "base/address.h"
#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>

enum { PAGE = 1000, LIST_COLUMNS = 11, CHECK_BATCH = 1000, BATCH_BYTES = 1 << 20 };

static int out_of_memory(const struct command_line *l)
{
    return command_fail(l, EXIT_NO, "out of memory");
}

struct list_filter {
    struct str scope, kind, state;
};

/* One page after another: the list may be larger than memory. */
static int list_pages(const struct command_line *l, struct answer *a, struct table *t,
                      uint64_t limit, const struct list_filter *filter)
{
    static const char *const names[LIST_COLUMNS] = {"address",    "tenant", "scope",     "stream",
                                                    "state",      "kind",   "category",  "event_at",
                                                    "expires_at", "events", "diagnostic"};
    struct arena keys = arena_make(1 << 20);
    char number[24], now[24];
    struct str params[8] = {
        str_c(command_value(l, "--tenant")), {number, 0}, {NULL, 0},
        answer_time(clock_now(), now),       {NULL, 0},   str_c(command_value(l, "--stream"))};
    uint64_t seen = 0;
    int rc = 0;
    params[4] = filter->scope;
    params[6] = filter->kind;
    params[7] = filter->state;
    size_t got = PAGE;
    while (rc == 0 && got >= PAGE && (!limit || seen < limit)) {
        uint64_t page = limit && limit - seen < PAGE ? limit - seen : PAGE;
        params[1].n = (size_t)snprintf(number, sizeof(number), "%llu", (unsigned long long)page);
        rc = answer_ask(l, a, DB_ASK_SUPPRESSIONS, params, 8);
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
    static const char *const columns[LIST_COLUMNS] = {"ADDRESS", "TENANT",  "SCOPE",     "STREAM",
                                                      "STATE",   "KIND",    "CATEGORY",  "SINCE",
                                                      "UNTIL",   ">EVENTS", "DIAGNOSTIC"};
    struct answer a;
    struct list_filter filter;
    uint64_t limit;
    if (by_hand_word(l, "--scope", "global tenant stream", &filter.scope) < 0 ||
        by_hand_word(l, "--kind", "bounce complaint unsubscribe other", &filter.kind) < 0 ||
        by_hand_word(l, "--state", "active pending", &filter.state) < 0)
        return EXIT_USAGE;
    if (command_number(l, "--limit", 0, UINT32_MAX, 0, &limit) < 0)
        return EXIT_USAGE;
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    struct table *t = table_new(columns, LIST_COLUMNS);
    int rc = t ? list_pages(l, &a, t, limit, &filter) : out_of_memory(l);
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
    for (size_t i = 0; rc == 0 && i < a.table.rows_n; i++) {
        if (str_eq(answer_cell(&a, i, "state"), STR("active")))
            code = EXIT_GOOD;
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

/* ---- check ---- */

struct check {
    const struct command_line *line;
    struct answer *answer;
    struct table *table;
    struct buf given, keys; /* a line each */
    size_t n, wrong, suppressed;
    bool one;
};

/* One address that was typed is answered in a sentence, of the row that decides. */
static int check_say(const struct check *c)
{
    const struct answer *a = c->answer;
    size_t row = 0;
    while (c->suppressed && row + 1 < a->table.rows_n &&
           (str_eq(answer_cell(a, row, "state"), STR("pending")) ||
            str_eq(answer_cell(a, row, "allowed"), STR("true"))))
        row++;
    struct str why = answer_cell(a, row, "category"), stream = answer_cell(a, row, "stream");
    bool waits = str_eq(answer_cell(a, row, "state"), STR("pending"));
    if (str_is_absent(why))
        why = answer_cell(a, row, "kind");
    if (str_eq(answer_cell(a, row, "erased"), STR("true")))
        printf("%s: suppressed: the person was erased\n", c->line->args[0]);
    else if (c->suppressed)
        printf("%s: suppressed: %.*s (%.*s%s%.*s)\n", c->line->args[0], STR_ARG(why),
               STR_ARG(answer_cell(a, row, "scope")), stream.n ? " " : "", STR_ARG(stream));
    else
        printf("%s: not suppressed%s\n", c->line->args[0],
               str_eq(answer_cell(a, row, "allowed"), STR("true")) ? ": the allow-list holds it"
               : waits ? ": pending, waits for the circuit breaker"
                       : "");
    return 0;
}

/* Asks for the batch. A row for each hit, the first of an address says the answer. */
static int check_flush(struct check *c)
{
    static const char *const names[] = {"address", "suppressed", "state",    "scope", "stream",
                                        "tenant",  "kind",       "category", "reason"};
    char now[24];
    struct str params[] = {
        buf_str(&c->given), buf_str(&c->keys), str_c(command_value(c->line, "--stream")),
        str_c(command_value(c->line, "--tenant")), answer_time(clock_now(), now)};
    struct str last = {NULL, 0};
    if (c->n == 0)
        return 0;
    int rc = answer_ask(c->line, c->answer, DB_ASK_CHECK, params, 5);
    for (size_t i = 0; rc == 0 && i < c->answer->table.rows_n; i++) {
        struct str cells[9], place = answer_cell(c->answer, i, "place");
        bool yes = str_eq(answer_cell(c->answer, i, "suppressed"), STR("true"));
        c->suppressed += yes && !str_eq(place, last);
        last = place;
        for (size_t k = 0; k < 9; k++)
            cells[k] = answer_cell(c->answer, i, names[k]);
        cells[1] = yes ? STR("yes") : STR("no");
        if (str_eq(answer_cell(c->answer, i, "erased"), STR("true")))
            cells[8] = STR("erased");
        else if (str_eq(answer_cell(c->answer, i, "allowed"), STR("true")))
            cells[8] = STR("allow-list");
        if (command_flag(c->line, "--json"))
            rc = answer_json(c->answer, i);
        else if (c->table)
            rc = table_row(c->table, cells);
    }
    if (rc == 0 && c->one)
        rc = check_say(c);
    if (c->table)
        table_flush(c->table, stdout);
    buf_clear(&c->given);
    buf_clear(&c->keys);
    c->n = 0;
    return rc < 0 || ferror(stdout) ? -EIO : 0;
}

static int check_one(struct check *c, const char *place, struct str text)
{
    struct arena arena = arena_make(64 << 10);
    struct str key = address_key(&arena, text);
    int rc = 0;
    if (str_is_absent(key)) {
        c->wrong++;
        command_fail(c->line, 0, "%s%.*s: expected an address such as user@example.com", place,
                     STR_ARG(str_sub(text, 0, 254)));
    } else if (buf_add(&c->given, text) < 0 || buf_add_byte(&c->given, '\n') < 0 ||
               buf_add(&c->keys, key) < 0 || buf_add_byte(&c->keys, '\n') < 0) {
        rc = out_of_memory(c->line);
    } else {
        c->n++;
    }
    arena_free(&arena);
    return rc == 0 && c->n == CHECK_BATCH ? check_flush(c) : rc;
}

static int suppression_check(const struct command_line *l)
{
    static const char *const columns[] = {"ADDRESS", "SUPPRESSED", "STATE",    "SCOPE", "STREAM",
                                          "TENANT",  "KIND",       "CATEGORY", "WHY"};
    struct answer a;
    struct by_hand_lines in;
    struct str text;
    if (command_flag(l, "--json") && command_flag(l, "--quiet"))
        return command_fail(l, EXIT_USAGE, "--json and --quiet: only one of them");
    if (by_hand_lines_open(l, &in) < 0)
        return EXIT_USAGE;
    struct check c = {.line = l, .answer = &a};
    int code = EXIT_NO, rc = 0;
    for (size_t i = 0; !in.file && i < l->args_n; i++) {
        /* What was typed wrong is wrong usage; a line of a file is only a line. */
        struct arena arena = arena_make(64 << 10);
        bool good = !str_is_absent(address_key(&arena, str_c(l->args[i])));
        arena_free(&arena);
        if (!good)
            return command_fail(l, EXIT_USAGE, "%s: expected an address such as user@example.com",
                                l->args[i]);
    }
    if (answer_open(l, &a) < 0) {
        by_hand_lines_close(&in);
        return EXIT_NO;
    }
    buf_init(&c.given, BATCH_BYTES);
    buf_init(&c.keys, BATCH_BYTES);
    bool shown = !command_flag(l, "--json") && !command_flag(l, "--quiet");
    c.one = shown && !in.file && l->args_n == 1;
    if (shown && !c.one) {
        c.table = table_new(columns, 9);
        rc = c.table ? 0 : out_of_memory(l);
    }
    while (rc == 0 && by_hand_lines_next(&in, &text))
        rc = check_one(&c, in.place, text);
    if (rc == 0)
        rc = check_flush(&c);
    if (rc == 0 && !in.failed && c.wrong == 0 && c.suppressed)
        code = EXIT_GOOD;
    /* A list is checked to be read: that some of it is not suppressed is no failure. */
    if (rc == 0 && !in.failed && c.wrong == 0 && in.file && !command_flag(l, "--quiet"))
        code = EXIT_GOOD;
    table_free(c.table);
    buf_free(&c.given);
    buf_free(&c.keys);
    by_hand_lines_close(&in);
    answer_close(&a);
    return code;
}

#define OPTION_TENANT                             \
    {                                             \
        "--tenant", "NAME", "of this tenant only" \
    }

const struct command commands_suppression[] = {
    {"suppression list",
     "",
     0,
     0,
     "List the addresses that must not get mail",
     "In the order of the addresses. A row whose state is pending waits for the circuit breaker:\n"
     "it does not suppress.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      OPTION_TENANT,
      {"--scope", "WORD", "of this scope only: global, tenant or stream"},
      {"--stream", "NAME", "only what holds for this stream alone"},
      {"--kind", "WORD", "of this kind only: bounce, complaint, unsubscribe or other"},
      {"--state", "WORD", "of this state only: active or pending"},
      {"--limit", "N", "so many (default: all)"}},
     suppression_list},
    {"suppression get",
     "ADDRESS",
     1,
     1,
     "Show why an address is suppressed",
     "Every row of the list that names it, with the words, rule and event that made it so. Exit\n"
     "code 1 when it is not suppressed, also where all of them wait (state pending).",
     {COMMAND_CONFIG, COMMAND_JSON},
     suppression_get},
    {"suppression check",
     "ADDRESS...|-",
     0,
     UINT32_MAX,
     "Say whether addresses are suppressed",
     "Of arguments, standard input (-) or a file, one a line: in their order a line for each row\n"
     "of the list that speaks for one, or one that says no. Without --stream and --tenant a row "
     "of\n"
     "any counts. Exit code 0: an address is suppressed; 1: none is. Lines that are no address "
     "are\n"
     "told with their number, and make it 1. Of a list without --quiet 0 says only that every "
     "line\n"
     "was answered.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      OPTION_TENANT,
      {"--stream", "NAME", "for mail of this stream"},
      {"--file", "FILE", "the addresses of this file, one a line"},
      {"--quiet", NULL, "only the exit code: is one of them suppressed?"}},
     suppression_check},
    {.name = NULL},
};
