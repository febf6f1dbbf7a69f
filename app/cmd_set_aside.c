/* set-aside: messages that PostgreSQL refused or that killed their workers. */
#include "app/answer.h"
#include "app/child.h"
#include "app/people.h"
#include "app/reading_open.h"
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

/* "2026-01-31T08:09:10.123456Z" as the server writes times. */
static bool time_parse(struct str text, int64_t *ret)
{
    uint32_t f[6];
    static const struct {
        size_t at, n;
    } parts[6] = {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}};
    for (int i = 0; i < 6; i++)
        if (!str_to_u32(str_sub(text, parts[i].at, parts[i].at + parts[i].n), &f[i]))
            return false;
    int64_t t = clock_days((int)f[0], (int)f[1], (int)f[2]) * CLOCK_DAY +
                ((int64_t)f[3] * 3600 + f[4] * 60 + f[5]) * CLOCK_SECOND;
    struct str rest = str_from(text, 19);
    if (str_starts(rest, STR("."))) {
        int64_t unit = CLOCK_SECOND / 10;
        for (size_t i = 1; i < rest.n && ascii_is_digit(rest.p[i]); i++, unit /= 10)
            t += (rest.p[i] - '0') * unit;
    }
    *ret = t;
    return true;
}

/* The recipients as the configuration reads them today, on the day on which they came: what was
 * found in them at the time is not stored beside a message that was set aside. */
static int recipients_read(struct returnpath_reader *reader, struct arena *a, struct str lines,
                           struct spool_envelope *ret)
{
    struct spool_recipient *list = ARENA_ARRAY(a, SPOOL_RECIPIENTS_MAX, struct spool_recipient);
    struct str rest = lines, line;
    uint32_t day = (uint32_t)(ret->received_at / CLOCK_DAY);
    size_t n = 0;
    if (!list)
        return -ENOMEM;
    while (n < SPOOL_RECIPIENTS_MAX && str_line(&rest, &line))
        if (reading_recipient(reader, a, line, day, &list[n++]) == -ENOMEM)
            return -ENOMEM;
    ret->recipients = list;
    ret->recipients_n = n;
    return 0;
}

static int record_of(const struct answer *a, struct returnpath_reader *reader, struct arena *arena,
                     struct spool_record *ret, struct err *e)
{
    struct spool_record r = {.body = answer_cell(a, 0, "raw"),
                             .truncated = str_eq(answer_cell(a, 0, "truncated"), STR("true"))};
    struct spool_envelope *env = &r.envelope;
    env->client_address = answer_cell(a, 0, "client_address");
    env->helo = answer_cell(a, 0, "helo");
    env->protocol = answer_cell(a, 0, "protocol");
    env->tls = answer_cell(a, 0, "tls");
    env->mail_from = answer_cell(a, 0, "mail_from");
    if (!id_parse(answer_cell(a, 0, "id"), &env->id) ||
        !time_parse(answer_cell(a, 0, "received_at"), &env->received_at) ||
        !str_to_u64(answer_cell(a, 0, "size"), &env->size))
        return err_set(e, -EPROTO, "the database answers in an unknown form");
    if (recipients_read(reader, arena, answer_cell(a, 0, "rcpt_to"), env) < 0)
        return err_set(e, -ENOMEM, "out of memory");
    *ret = r;
    return 0;
}

/* Reads and writes the message: in a process of its own, since it may have killed others. */
static int retry_inside(const struct command_line *l, struct answer *a)
{
    struct arena arena = arena_make(READING_ARENA_MAX);
    struct reading_kit kit;
    struct spool_record record;
    struct people people = {NULL, NULL};
    struct db_message m;
    struct err e = {0};
    int rc = reading_open(a->config, &kit, &e);
    if (rc == 0)
        rc = record_of(a, kit.reading.returnpath, &arena, &record, &e);
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
