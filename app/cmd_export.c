/* suppression export: the list as one snapshot, with the number that the feed goes on from. */
#include "app/answer.h"
#include "app/export_text.h"
#include "app/progress.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FLUSH_BYTES = 256 << 10, OUT_MAX = 16 << 20, CURSOR_MAX = 64 };

struct export
{
    const struct command_line *line;
    enum export_format format;
    struct str kind; /* of the rows, where the format is of one kind */
    int64_t now;
    int fd;
    struct buf out;
    struct progress progress;
    uint64_t rows, unsaid;
    char cursor[CURSOR_MAX];
};

static int write_out(struct export *x, struct err *e)
{
    for (size_t at = 0; at < x->out.n;) {
        ssize_t n = write(x->fd, x->out.p + at, x->out.n - at);
        if (n < 0 && errno != EINTR)
            return err_sys(e, -errno, "writing");
        at += n > 0 ? (size_t)n : 0;
    }
    buf_clear(&x->out);
    return 0;
}

static int on_begin(void *ctx, struct str cursor, struct err *e)
{
    struct export *x = ctx;
    snprintf(x->cursor, sizeof(x->cursor), "%.*s", STR_ARG(cursor));
    int rc = export_header(x->format, x->kind, cursor, x->now, &x->out);
    return rc < 0 ? err_set(e, rc, "the header") : 0;
}

static int on_row(void *ctx, const struct str cells[EXPORT_COLUMNS], struct err *e)
{
    struct export *x = ctx;
    bool said;
    int rc = export_row(x->format, x->kind, cells, &x->out, &said);
    if (rc < 0)
        return err_set(e, rc, "a row of the list");
    x->rows += said;
    x->unsaid += !said;
    if (x->out.n < FLUSH_BYTES)
        return 0;
    progress_step(&x->progress, x->rows, 0, clock_monotonic());
    return write_out(x, e);
}

static int copy_out(struct export *x, struct db *db, struct err *e)
{
    const struct command_line *l = x->line;
    const struct db_export what = {.tenant = str_c(command_value(l, "--tenant")),
                                   .stream = str_c(command_value(l, "--stream")),
                                   .pending = command_flag(l, "--pending"),
                                   .now = x->now,
                                   .begin = on_begin,
                                   .row = on_row,
                                   .ctx = x};
    x->progress = progress_start("rows", clock_monotonic());
    int rc = db_export(db, &what, e);
    if (rc == 0)
        rc = write_out(x, e);
    progress_end(&x->progress);
    return rc;
}

/* Into FILE.tmp, which becomes FILE when it is whole and on the disk. */
static int copy_to_file(struct export *x, struct db *db, const char *path, struct err *e)
{
    char *beside;
    if (asprintf(&beside, "%s.tmp", path) < 0)
        return err_set(e, -ENOMEM, "%s", path);
    x->fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    int rc = x->fd < 0 ? err_sys(e, -errno, "%s", beside) : 0;
    if (rc == 0) {
        rc = copy_out(x, db, e);
        if (rc == 0 && fsync(x->fd) < 0)
            rc = err_sys(e, -errno, "fsync");
        if (close(x->fd) < 0 && rc == 0)
            rc = err_sys(e, -errno, "close");
        if (rc == 0 && rename(beside, path) < 0)
            rc = err_sys(e, -errno, "rename");
        if (rc < 0) {
            unlink(beside);
            err_add(e, rc, "%s", beside);
        }
    }
    free(beside);
    return rc;
}

static int read_options(struct export *x)
{
    const struct command_line *l = x->line;
    const char *format = command_value(l, "--format"), *kind = command_value(l, "--kind");
    if (format && !export_format_parse(str_c(format), &x->format))
        return command_fail(l, -EINVAL,
                            "--format: %s: expected own, csv, ndjson, ses, sendgrid, mailgun, "
                            "postmark, sparkpost or mailchimp",
                            format);
    if (kind && strcmp(kind, "bounce") != 0 && strcmp(kind, "complaint") != 0 &&
        strcmp(kind, "unsubscribe") != 0)
        return command_fail(l, -EINVAL, "--kind: %s: expected bounce, complaint or unsubscribe",
                            kind);
    if (export_is_of_one_kind(x->format) && !kind)
        return command_fail(l, -EINVAL,
                            "--format: %s has a file for each reason: expected --kind bounce, "
                            "complaint or unsubscribe too",
                            format);
    if (kind && !export_is_of_one_kind(x->format))
        return command_fail(l, -EINVAL, "--kind: expected --format sendgrid, mailgun or mailchimp");
    x->kind = str_c(kind);
    return 0;
}

static int suppression_export(const struct command_line *l)
{
    struct export x = {.line = l, .now = clock_now(), .fd = STDOUT_FILENO};
    struct answer a;
    struct err e;
    if (read_options(&x) < 0)
        return EXIT_USAGE;
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    buf_init(&x.out, OUT_MAX);
    bool file = l->args_n && strcmp(l->args[0], "-") != 0;
    int rc = file ? copy_to_file(&x, a.db, l->args[0], &e) : copy_out(&x, a.db, &e);
    buf_free(&x.out);
    answer_close(&a);
    if (rc < 0)
        return command_fail(l, EXIT_NO, "%s", e.text);
    fprintf(stderr, "%llu rows", (unsigned long long)x.rows);
    if (x.unsaid)
        fprintf(stderr, "; %llu others this format can't say", (unsigned long long)x.unsaid);
    fprintf(stderr, "; changes from here on: bouncemx feed --after %s\n", x.cursor);
    return EXIT_GOOD;
}

const struct command commands_export[] = {
    {"suppression export",
     "[FILE]",
     0,
     1,
     "Write the list as a file",
     "All that holds at this moment, as one snapshot, in no order, to FILE or standard output. "
     "The\n"
     "first line of our own formats (csv, which is also called own, and ndjson) carries the "
     "cursor\n"
     "from which feed tells what changed since; it is said on standard error too. FILE is written\n"
     "beside itself (FILE.tmp) and put in place when it is whole. docs/import.md has the columns.",
     {COMMAND_CONFIG,
      {"--format", "NAME",
       "own, csv, ndjson, ses, sendgrid, mailgun, postmark, sparkpost, mailchimp"},
      {"--kind", "KIND", "for sendgrid, mailgun, mailchimp: bounce, complaint or unsubscribe"},
      {"--tenant", "NAME", "what holds for this tenant"},
      {"--stream", "NAME", "what holds for mail of this stream"},
      {"--pending", NULL, "those that wait for the circuit breaker, too"}},
     suppression_export},
    {.name = NULL},
};
