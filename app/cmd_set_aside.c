/* set-aside: messages that PostgreSQL refused or that killed their workers. */
#include "app/answer.h"
#include "app/child.h"
#include "app/people.h"
#include "app/stored.h"
#include "app/table.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int list(const struct command_line *l)
{
    static const char *const columns[] = {"ID", "RECEIVED", "SET ASIDE", "FROM", ">SIZE", "WHY"};
    static const char *const names[] = {"id",   "received_at", "set_aside_at", "client_address",
                                        "size", "reason"};
    struct answer a;
    uint64_t limit;
    char number[24];
    if (command_number(l, "--limit", 1, 1000000, 1000, &limit) < 0)
        return EXIT_USAGE;
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    struct str param = {number, 0};
    param.n = (size_t)snprintf(number, sizeof(number), "%llu", (unsigned long long)limit);
    int rc = answer_ask(l, &a, DB_ASK_SET_ASIDE, &param, 1);
    struct table *t = table_new(columns, 6);
    if (!t)
        rc = command_fail(l, -ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < a.table.rows_n; i++) {
        struct str cells[6];
        for (size_t k = 0; k < 6; k++)
            cells[k] = answer_cell(&a, i, names[k]);
        rc = command_flag(l, "--json") ? answer_json(&a, i) : table_row(t, cells);
    }
    if (t)
        table_flush(t, stdout);
    table_free(t);
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

/* Opens and asks for the one that the command line names: EXIT_GOOD with *a open, or a code. */
static int one(const struct command_line *l, struct answer *a)
{
    struct str id;
    if (answer_id(l, l->args[0], &id) < 0)
        return EXIT_USAGE;
    if (answer_open(l, a) < 0)
        return EXIT_NO;
    int rc = answer_ask(l, a, DB_ASK_SET_ASIDE_ONE, &id, 1);
    if (rc == 0 && a->table.rows_n == 0)
        rc = command_fail(l, -ENOENT, "%s: no such message is set aside (any more)", l->args[0]);
    if (rc < 0)
        answer_close(a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

static int show(const struct command_line *l)
{
    struct answer a;
    int code = one(l, &a);
    if (code != EXIT_GOOD)
        return code;
    int rc = 0;
    if (command_flag(l, "--json")) {
        rc = answer_json(&a, 0);
    } else {
        if (!command_flag(l, "--raw")) {
            answer_facts(&a, 0);
            putchar('\n');
        }
        answer_mail(answer_cell(&a, 0, "raw"));
    }
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

/* ---- retry ---- */

/* Reads and writes the message: in a process of its own, since it may have killed others. */
static int retry_inside(const struct command_line *l, struct answer *a)
{
    struct arena arena = arena_make(READING_ARENA_MAX);
    struct spool_record record;
    struct people people = {NULL, NULL};
    struct reading_kit kit;
    struct db_message m;
    struct err e = {0};
    int rc = reading_open(a->config, NULL, &kit, &e);
    if (rc == 0)
        rc = stored_record(a, 0, kit.reading.returnpath, &arena, &record, &e);
    if (rc == 0)
        rc = reading_message(&kit.reading, &arena, &record, &m, &e);
    if (rc == 0)
        rc = people_open(a->config, &people, &e);
    if (rc == 0)
        rc = people_put(&people, &record, &m, clock_monotonic(), &e);
    if (rc == 0)
        rc = db_set_aside_retried(a->db, &m, &e);
    people_close(&people);
    reading_close(&kit);
    arena_free(&arena);
    return rc < 0 ? command_fail(l, EXIT_NO, "%s: stays set aside: %s", l->args[0], e.text)
                  : EXIT_GOOD;
}

static int retry(const struct command_line *l)
{
    struct answer a;
    char text[64];
    int code = one(l, &a);
    if (code != EXIT_GOOD)
        return code;
    if (command_flag(l, "--inside")) {
        /* Its parent waits no longer either. */
        alarm((unsigned)(a.config->processor.watchdog / CLOCK_SECOND + 30));
        code = retry_inside(l, &a);
        answer_close(&a);
        return code;
    }
    struct child c = {
        .name = "retry",
        .args = {"set-aside", "retry", "--inside", "--config", a.config->file, l->args[0]},
        .death_signal = SIGKILL,
        .ready = -1};
    struct err e;
    int status = 0;
    int rc = child_start(&c, clock_monotonic(), &e);
    if (rc < 0)
        command_fail(l, 0, "%s", e.text);
    while (rc == 0 && waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
        ;
    answer_close(&a);
    if (rc < 0 || (WIFEXITED(status) && WEXITSTATUS(status) != 0))
        return EXIT_NO;
    if (!WIFEXITED(status))
        return command_fail(l, EXIT_NO, "%s: stays set aside: it killed its reader again: %s",
                            l->args[0], child_status(status, text));
    printf("%s: read and written\n", l->args[0]);
    return EXIT_GOOD;
}

static int drop(const struct command_line *l)
{
    struct answer a;
    struct err e;
    struct id id;
    struct str text;
    if (answer_id(l, l->args[0], &text) < 0 || !id_parse(text, &id))
        return EXIT_USAGE;
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    int rc = db_set_aside_drop(a.db, id, &e);
    answer_close(&a);
    if (rc < 0)
        return command_fail(l, EXIT_NO, "%s: %s", l->args[0],
                            rc == -ENOENT ? "no such message is set aside (any more)" : e.text);
    printf("%s: dropped\n", l->args[0]);
    return EXIT_GOOD;
}

const struct command commands_set_aside[] = {
    {"set-aside list",
     "",
     0,
     0,
     "List messages that could not be processed",
     "Each was refused by PostgreSQL, or killed the worker that read it twice. Nothing of it was\n"
     "counted. The newest first.",
     {COMMAND_CONFIG, COMMAND_JSON, {"--limit", "N", "so many (default 1000)"}},
     list},
    {"set-aside show",
     "ID",
     1,
     1,
     "Show one of them: envelope, reason and mail",
     "After the facts comes the mail as it was received; --raw writes nothing but that.",
     {COMMAND_CONFIG, COMMAND_JSON, {"--raw", NULL, "only the mail, byte for byte"}},
     show},
    {"set-aside retry",
     "ID",
     1,
     1,
     "Process one of them again",
     "After an upgrade or a repair. It is read in a process of its own; where that fails, the\n"
     "message stays set aside. Tenant, stream and trust are those that the configuration gives "
     "its\n"
     "recipients today.",
     {COMMAND_CONFIG, {"--inside", NULL, NULL}},
     retry},
    {"set-aside drop",
     "ID",
     1,
     1,
     "Forget one of them for good",
     "The mail is deleted unread.",
     {COMMAND_CONFIG},
     drop},
    {.name = NULL},
};
