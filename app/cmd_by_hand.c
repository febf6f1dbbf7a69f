/* suppression add, remove, erase, allow, disallow, allowed: what people do to the list. */
#include "app/by_hand.h"
#include "app/progress.h"
#include "app/table.h"
#include "base/address.h"
#include "base/clock.h"

#include <errno.h>
#include <unistd.h>

enum { ERASE_CALLS_MAX = 1000000, ERASE_WAIT_MAX = 60 };

static const char scopes[] = "global tenant stream";

/* EXIT_USAGE after a message unless the argument is an address. */
static int check_address(const struct command_line *l, const char *text)
{
    struct arena a = arena_make(64 << 10);
    bool good = !str_is_absent(address_key(&a, str_c(text)));
    arena_free(&a);
    return good ? EXIT_GOOD
                : command_fail(l, EXIT_USAGE, "%s: expected an address such as user@example.com",
                               text);
}

/* Rows that a command did, as NDJSON or a table of these columns. */
static int print_rows(const struct command_line *l, const struct answer *a,
                      const char *const *headings, const char *const *names, size_t n)
{
    struct table *t = table_new(headings, n);
    int rc = t ? 0 : command_fail(l, -ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < a->table.rows_n; i++) {
        struct str cells[TABLE_COLUMNS_MAX];
        for (size_t k = 0; k < n; k++)
            cells[k] = answer_cell(a, i, names[k]);
        rc = command_flag(l, "--json") ? answer_json(a, i) : table_row(t, cells);
    }
    if (t && !command_flag(l, "--json"))
        table_flush(t, stdout);
    table_free(t);
    return rc;
}

/* ---- add ---- */

static int add(const struct command_line *l)
{
    struct answer a;
    char now_text[24], end_text[24];
    int64_t now = clock_now();
    struct str scope, kind, end, tenant = {NULL, 0};
    if (check_address(l, l->args[0]) != EXIT_GOOD ||
        by_hand_word(l, "--scope", scopes, &scope) < 0 ||
        by_hand_word(l, "--kind", "bounce complaint unsubscribe other", &kind) < 0 ||
        by_hand_expires(l, now, end_text, &end) < 0)
        return EXIT_USAGE;
    const char *stream = command_value(l, "--stream");
    if (str_is_absent(scope))
        scope = stream ? STR("stream") : STR("tenant");
    if (stream && !str_eq(scope, STR("stream")))
        return command_fail(l, EXIT_USAGE, "--stream is for --scope stream");
    if (!stream && str_eq(scope, STR("stream")))
        return command_fail(l, EXIT_USAGE, "--scope stream: --stream NAME says which");
    bool global = str_eq(scope, STR("global"));
    if (global && command_value(l, "--tenant"))
        return command_fail(l, EXIT_USAGE, "--scope global holds for every tenant");
    if (by_hand_open(l, &a) < 0)
        return EXIT_NO;
    if (!global && by_hand_tenant(l, &a, &tenant) < 0) {
        answer_close(&a);
        return EXIT_USAGE;
    }
    struct str params[] = {str_c(l->args[0]),
                           tenant,
                           scope,
                           str_c(stream),
                           str_c(command_value(l, "--reason")),
                           str_is_absent(kind) ? STR("other") : kind,
                           end,
                           answer_time(now, now_text)};
    int rc = answer_ask(l, &a, DB_DO_ADD, params, 8);
    if (rc == 0 && command_flag(l, "--json"))
        rc = answer_json(&a, 0);
    else if (rc == 0)
        printf("%s: %.*s\n", l->args[0], STR_ARG(answer_cell(&a, 0, "did")));
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

/* ---- remove ---- */

static int remove_address(const struct command_line *l)
{
    static const char *const headings[] = {"TENANT", "SCOPE",    "STREAM",
                                           "KIND",   "CATEGORY", "EVENT"};
    static const char *const names[] = {"tenant", "scope",    "stream",
                                        "kind",   "category", "event_id"};
    struct answer a;
    char now[24];
    struct str scope;
    bool force = command_flag(l, "--force");
    if (check_address(l, l->args[0]) != EXIT_GOOD || by_hand_word(l, "--scope", scopes, &scope) < 0)
        return EXIT_USAGE;
    if (force && !command_value(l, "--reason"))
        return command_fail(l, EXIT_USAGE, "--force needs --reason TEXT");
    if (by_hand_open(l, &a) < 0)
        return EXIT_NO;
    struct str params[] = {str_c(l->args[0]),
                           str_c(command_value(l, "--tenant")),
                           scope,
                           str_c(command_value(l, "--stream")),
                           str_c(command_value(l, "--reason")),
                           force ? STR("true") : STR("false"),
                           answer_time(clock_now(), now)};
    int rc = answer_ask(l, &a, DB_DO_REMOVE, params, 7);
    size_t gone = rc == 0 ? a.table.rows_n : 0;
    if (rc == 0 && gone == 0)
        command_fail(l, 0, "%s: not suppressed there", l->args[0]);
    else if (rc == 0)
        rc = print_rows(l, &a, headings, names, 6);
    answer_close(&a);
    return rc == 0 && gone ? EXIT_GOOD : EXIT_NO;
}

/* ---- erase ---- */

/* What the calls did together, by table. */
struct erased {
    struct {
        char place[32];
        uint64_t rows;
    } sum[32];
    size_t n;
};

static void sum_up(struct erased *e, const struct answer *a)
{
    for (size_t i = 0; i < a->table.rows_n; i++) {
        struct str place = answer_cell(a, i, "place");
        uint64_t rows = 0;
        size_t k = 0;
        while (k < e->n && !str_eq(str_c(e->sum[k].place), place))
            k++;
        if (str_eq(place, STR("erased")) || k == sizeof(e->sum) / sizeof(e->sum[0]) ||
            !str_to_u64(answer_cell(a, i, "rows"), &rows))
            continue;
        if (k == e->n)
            snprintf(e->sum[e->n++].place, sizeof(e->sum[0].place), "%.*s", STR_ARG(place));
        e->sum[k].rows += rows;
    }
}

/* Until nothing is left: first what the address leads to, then week by week all the rest. */
static int erase_all(const struct command_line *l, struct answer *a, struct erased *did)
{
    char now[24], week[24];
    struct str params[] = {str_c(l->args[0]), str_c(command_value(l, "--reason")),
                           answer_time(clock_now(), now)};
    struct progress p = progress_start("weeks", clock_monotonic());
    uint64_t weeks = 0;
    bool complete = false;
    int rc = 0;
    int64_t began = clock_monotonic();
    for (unsigned i = 0; rc == 0 && !complete && i < ERASE_CALLS_MAX; i++) {
        rc = answer_ask(l, a, DB_DO_ERASE, params, 3);
        if (rc < 0)
            break;
        sum_up(did, a);
        size_t last = a->table.rows_n - 1;
        complete = str_eq(answer_cell(a, last, "complete"), STR("true"));
        if (complete || a->table.rows_n > 1)
            continue;
        if (clock_monotonic() - began > ERASE_WAIT_MAX * CLOCK_SECOND)
            rc = command_fail(l, -EAGAIN,
                              "a transaction that began before is still running and may write of "
                              "the person: run the command again later");
        else
            usleep(50000);
    }
    if (rc == 0)
        rc = answer_ask(l, a, DB_ASK_WEEKS, NULL, 0);
    if (rc == 0 && !str_to_u64(answer_cell(a, 0, "count"), &weeks))
        rc = -EPROTO;
    for (uint64_t w = 1; rc == 0 && w <= weeks; w++) {
        struct str of_week[] = {params[0], str_of(week, 0)};
        of_week[1].n = (size_t)snprintf(week, sizeof(week), "%llu", (unsigned long long)w);
        rc = answer_ask(l, a, DB_DO_ERASE_WEEK, of_week, 2);
        if (rc == 0)
            sum_up(did, a);
        progress_step(&p, w, weeks, clock_monotonic());
    }
    progress_end(&p);
    return rc;
}

static int erase(const struct command_line *l)
{
    struct answer a;
    struct erased did = {.n = 0};
    const char *confirm = command_value(l, "--confirm");
    if (check_address(l, l->args[0]) != EXIT_GOOD)
        return EXIT_USAGE;
    if (!command_value(l, "--reason"))
        return command_fail(l, EXIT_USAGE, "--reason TEXT is missing");
    if (!confirm || strcmp(confirm, l->args[0]) != 0)
        return command_fail(l, EXIT_USAGE,
                            "nothing was erased: an erasure can't be undone; --confirm %s says "
                            "that it is meant",
                            l->args[0]);
    if (by_hand_open(l, &a) < 0)
        return EXIT_NO;
    int rc = erase_all(l, &a, &did);
    for (size_t i = 0; rc == 0 && i < did.n; i++) {
        if (command_flag(l, "--json"))
            printf("{\"place\":\"%s\",\"rows\":%llu}\n", did.sum[i].place,
                   (unsigned long long)did.sum[i].rows);
        else
            printf("%-19s %llu\n", did.sum[i].place, (unsigned long long)did.sum[i].rows);
    }
    if (rc == 0 && !command_flag(l, "--json"))
        puts("erased: only a keyed hash is left, by which the address stays suppressed");
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

/* ---- the allow-list ---- */

/* An address, or "@example.com". */
static int check_allowed(const struct command_line *l)
{
    char text[300];
    if (l->args[0][0] != '@')
        return check_address(l, l->args[0]);
    snprintf(text, sizeof(text), "x%.280s", l->args[0]);
    struct arena a = arena_make(64 << 10);
    bool good = !str_is_absent(address_key(&a, str_c(text)));
    arena_free(&a);
    return good ? EXIT_GOOD
                : command_fail(l, EXIT_USAGE, "%s: expected @ and a domain", l->args[0]);
}

static int allow(const struct command_line *l)
{
    struct answer a;
    char now[24];
    if (check_allowed(l) != EXIT_GOOD)
        return EXIT_USAGE;
    if (by_hand_open(l, &a) < 0)
        return EXIT_NO;
    struct str params[] = {str_c(l->args[0]), str_c(command_value(l, "--tenant")),
                           str_c(command_value(l, "--reason")), answer_time(clock_now(), now)};
    int rc = answer_ask(l, &a, DB_DO_ALLOW, params, 4);
    if (rc == 0 && command_flag(l, "--json"))
        rc = answer_json(&a, 0);
    else if (rc == 0)
        printf("%s: allowed; %.*s rows taken off the list\n", l->args[0],
               STR_ARG(answer_cell(&a, 0, "removed")));
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

static int disallow(const struct command_line *l)
{
    struct answer a;
    if (check_allowed(l) != EXIT_GOOD)
        return EXIT_USAGE;
    if (by_hand_open(l, &a) < 0)
        return EXIT_NO;
    struct str params[] = {str_c(l->args[0]), str_c(command_value(l, "--tenant")),
                           str_c(command_value(l, "--reason"))};
    int rc = answer_ask(l, &a, DB_DO_DISALLOW, params, 3);
    bool stood = rc == 0 && str_eq(answer_cell(&a, 0, "stood"), STR("true"));
    if (rc == 0 && stood)
        printf("%s: not allowed any more\n", l->args[0]);
    else if (rc == 0)
        command_fail(l, 0, "%s: does not stand on the allow-list", l->args[0]);
    answer_close(&a);
    return stood ? EXIT_GOOD : EXIT_NO;
}

static int allowed(const struct command_line *l)
{
    static const char *const headings[] = {"ADDRESS", "TENANT", "SINCE", "BY", "REASON"};
    static const char *const names[] = {"address", "tenant", "created_at", "actor", "reason"};
    struct answer a;
    struct str tenant = str_c(command_value(l, "--tenant"));
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    int rc = answer_ask(l, &a, DB_ASK_ALLOWED, &tenant, 1);
    if (rc == 0)
        rc = print_rows(l, &a, headings, names, 5);
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

const struct command commands_by_hand[] = {
    {"suppression add",
     "ADDRESS",
     1,
     1,
     "Put an address on the list by hand",
     "For a tenant (or --scope global, stream). What an event made, and complaints and\n"
     "unsubscribes, are only lengthened, or made to hold when they wait; what a person or an\n"
     "import said is said anew. What the allow-list holds is refused. Says what it did: added,\n"
     "changed, unchanged, or erased (the person was erased, and is suppressed for good).",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      BY_HAND_TENANT,
      {"--scope", "WORD", "global, tenant (default) or stream"},
      {"--stream", "NAME", "for mail of this stream"},
      {"--kind", "WORD", "bounce, complaint, unsubscribe or other (default)"},
      {"--expires", "TIME", "until then: a day, a time, or how long, such as 90d"},
      BY_HAND_REASON,
      BY_HAND_ACTOR},
     add},
    {"suppression remove",
     "ADDRESS",
     1,
     1,
     "Take an address off the list",
     "From every tenant, scope and stream, or from those that are named. Complaints, unsubscribes\n"
     "and erased people need --force and --reason; without them nothing is removed. Strikes and\n"
     "soft bounces count no longer; a token that has come back once does not bring the address\n"
     "back. Exit code 1 when it did not stand there.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--tenant", "NAME", "of this tenant only"},
      {"--scope", "WORD", "of this scope only: global, tenant or stream"},
      {"--stream", "NAME", "of this stream only"},
      {"--force", NULL, "also complaints and unsubscribes"},
      BY_HAND_REASON,
      BY_HAND_ACTOR},
     remove_address},
    {"suppression erase",
     "ADDRESS",
     1,
     1,
     "Erase a person from every table, for good",
     "Events, mail, words, tokens, history: all but numbers go. A keyed hash stays, by which the\n"
     "address is suppressed and later reports about it are dropped unread. It can't be undone;\n"
     "--confirm says the address once more. May be run again, and goes on where it was stopped.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--confirm", "ADDRESS", "the address again"},
      BY_HAND_REASON,
      BY_HAND_ACTOR},
     erase},
    {"suppression allow",
     "ADDRESS|@DOMAIN",
     1,
     1,
     "Put an address or a domain on the allow-list",
     "It is never suppressed from now on, and what it covers is taken off the list: own seeds,\n"
     "postmaster. Without --tenant for all tenants.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--tenant", "NAME", "for this tenant only"},
      BY_HAND_REASON,
      BY_HAND_ACTOR},
     allow},
    {"suppression disallow",
     "ADDRESS|@DOMAIN",
     1,
     1,
     "Take an address or a domain off the allow-list",
     "What was reported meanwhile does not count; what is reported from now on does. Exit code 1\n"
     "when it did not stand there.",
     {COMMAND_CONFIG,
      {"--tenant", "NAME", "that of this tenant (default: that for all)"},
      BY_HAND_REASON,
      BY_HAND_ACTOR},
     disallow},
    {"suppression allowed",
     "",
     0,
     0,
     "List the allow-list",
     "Addresses and domains that are never suppressed, with who put them there and why. An empty\n"
     "tenant stands for all of them.",
     {COMMAND_CONFIG, COMMAND_JSON, {"--tenant", "NAME", "of this tenant only"}},
     allowed},
    {.name = NULL},
};
