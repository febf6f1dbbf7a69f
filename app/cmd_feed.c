/* feed, maintain: the changes of the list, one after the other, and who numbers them. */
#include "app/answer.h"
#include "app/backoff.h"
#include "app/service.h"
#include "base/clock.h"
#include "db/keep.h"
#include "db/migrate.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { PAGE = 1000, POLL_MS = 2000, CURSOR_MAX = 32 };

struct feed {
    const struct command_line *line;
    struct answer a;
    char cursor[CURSOR_MAX]; /* of the last line written */
    uint64_t left;           /* lines to go; UINT64_MAX: all */
    int signals;
    bool csv, headed, follow;
};

/* ---- writing ---- */

/* Waits until a line can be written; false: we were told to stop. Where nobody reads what we write,
 * a signal must end us all the same: so not in write. */
static bool may_write(const struct feed *f)
{
    struct pollfd fds[] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
                           {.fd = f->signals, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return true; /* the write says what is wrong */
        if (fds[1].revents && (service_wait(f->signals, 0) & SERVICE_STOP))
            return false;
        if (fds[0].revents)
            return true;
    }
}

/* Writes the rows; 0, 1: told to stop, -EIO after a message or when nobody reads any more. */
static int write_rows(struct feed *f)
{
    for (size_t i = 0; i < f->a.table.rows_n; i++) {
        if (!may_write(f))
            return 1;
        if (f->csv && !f->headed)
            answer_csv(&f->a, true, 0);
        f->headed = true;
        int rc = 0;
        if (f->csv)
            answer_csv(&f->a, false, i);
        else
            rc = answer_json(&f->a, i);
        if (rc < 0)
            return command_fail(f->line, -EIO, "a line could not be written");
        if (fflush(stdout) != 0)
            return -EIO;
        snprintf(f->cursor, sizeof(f->cursor), "%.*s", STR_ARG(answer_cell(&f->a, i, "cursor")));
        if (f->left != UINT64_MAX)
            f->left--;
    }
    return 0;
}

/* ---- reading ---- */

static int ask(struct feed *f, struct err *e)
{
    char number[24];
    uint64_t page = f->left < PAGE ? f->left : PAGE;
    struct str params[2] = {str_c(f->cursor), {number, 0}};
    params[1].n = (size_t)snprintf(number, sizeof(number), "%llu", (unsigned long long)page);
    arena_reset(&f->a.arena);
    return db_ask(f->a.db, &f->a.arena, DB_ASK_FEED, params, 2, &f->a.table, e);
}

/* A new connection, tried until there is one; 1: told to stop. */
static int reconnect(struct feed *f, struct err *e)
{
    command_fail(f->line, 0, "%s; trying again", e->text);
    for (unsigned failures = 0;; failures++) {
        if (service_wait(f->signals, backoff_pause(f->a.config, failures)) & SERVICE_STOP)
            return 1;
        int rc = db_reset(f->a.db, e);
        if (rc == 0)
            rc = db_schema_check(f->a.db, e);
        if (rc == 0) {
            command_fail(f->line, 0, "PostgreSQL is there again; going on after %s", f->cursor);
            return 0;
        }
    }
}

/* Until the bell rings, some seconds have passed, or somebody told us something. A server without a
 * bell (a standby) is asked now and then. */
static int pause_feed(struct feed *f, struct err *e)
{
    int rc = db_wait(f->a.db, POLL_MS, f->signals, STDOUT_FILENO, e);
    if (rc < 0)
        return rc;
    struct pollfd out = {.fd = STDOUT_FILENO};
    if (poll(&out, 1, 0) > 0)
        return -EPIPE; /* nobody reads what would be written */
    return service_wait(f->signals, 0) & SERVICE_STOP ? 1 : 0;
}

/* Exit code. */
static int run(struct feed *f)
{
    struct err e, ignored;
    if (f->follow)
        db_listen(f->a.db, &ignored);
    while (f->left > 0) {
        int rc = ask(f, &e);
        if (rc == -ESTALE || rc == -EINVAL || rc == -EPROTO)
            return command_fail(f->line, EXIT_NO, "%s", e.text);
        if (rc == 0) {
            rc = write_rows(f);
            if (rc != 0)
                return rc > 0 ? EXIT_GOOD : EXIT_NO;
            if (f->a.table.rows_n > 0)
                continue;
            if (!f->follow)
                return EXIT_GOOD;
            rc = pause_feed(f, &e);
        }
        if (rc == 0)
            continue;
        if (rc == -EPIPE || (rc < 0 && !f->follow))
            return command_fail(f->line, EXIT_NO, "%s", rc == -EPIPE ? "broken pipe" : e.text);
        if (rc < 0)
            rc = reconnect(f, &e);
        if (rc > 0)
            return EXIT_GOOD;
        db_listen(f->a.db, &ignored);
    }
    return EXIT_GOOD;
}

/* "7.120", "beginning", "0" for the same: as the database reads it. */
static int cursor_read(const struct command_line *l, char cursor[CURSOR_MAX])
{
    const char *text = command_value(l, "--after");
    if (!text)
        return command_fail(l, -EINVAL,
                            "--after is needed: the cursor of the last line that was read, or the "
                            "one in the header of bouncemx suppression export; beginning: from the "
                            "oldest change that is kept");
    if (strcmp(text, "0") == 0 || strcmp(text, "beginning") == 0) {
        snprintf(cursor, CURSOR_MAX, "beginning");
        return 0;
    }
    struct str rest = str_c(text);
    struct str epoch = str_cut(&rest, '.');
    uint64_t n;
    if (epoch.n > 9 || rest.n > 18 || !str_to_u64(epoch, &n) || !str_to_u64(rest, &n))
        return command_fail(
            l, -EINVAL, "--after: %s: expected EPOCH.NUMBER, such as 1.20833, or beginning", text);
    snprintf(cursor, CURSOR_MAX, "%s", text);
    return 0;
}

static int feed(const struct command_line *l)
{
    const char *format = command_value(l, "--format");
    struct feed f = {.line = l, .follow = command_flag(l, "--follow")};
    struct err e;
    if (cursor_read(l, f.cursor) < 0 ||
        command_number(l, "--limit", 1, INT64_MAX, UINT64_MAX, &f.left) < 0)
        return EXIT_USAGE;
    f.csv = format && strcmp(format, "csv") == 0;
    if (format && !f.csv && strcmp(format, "ndjson") != 0)
        return command_fail(l, EXIT_USAGE, "--format: %s: expected ndjson or csv", format);
    f.signals = service_signals(&e);
    if (f.signals < 0)
        return command_fail(l, EXIT_NO, "%s", e.text);
    int code = answer_open(l, &f.a) < 0 ? EXIT_NO : run(&f);
    answer_close(&f.a);
    close(f.signals);
    return code;
}

const struct command commands_feed[] = {
    {"feed",
     "",
     0,
     0,
     "Tell each change of the list, from a cursor on",
     "One line a change, in the order of its number, none left out and none twice: the whole "
     "state\n"
     "of one row of the list afterwards, and in `cursor` where to go on. Begin with bouncemx\n"
     "suppression export, whose header has the first cursor. Exit code 1 with \"export again\": "
     "the\n"
     "database was promoted or restored, or the cursor is too old. docs/feed.md explains the "
     "columns.",
     {COMMAND_CONFIG,
      {"--after", "CURSOR", "the last one that was read; beginning: from the oldest that is kept"},
      {"--follow", NULL, "go on as changes come, until SIGTERM; waits for a server that is away"},
      {"--format", "WORD", "ndjson (default) or csv"},
      {"--limit", "N", "so many lines (default: all)"}},
     feed},
    {"maintain",
     "",
     0,
     0,
     "Number the feed, make partitions, drop what is old",
     "Once, or with --follow for good, as serve does: of all that run on one database one is the\n"
     "keeper, the others stand by and take its place when it is gone.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--follow", NULL, "be the keeper, or stand by, until SIGTERM"},
      OPTION_READY},
     maintain_run},
    {.name = NULL},
};
