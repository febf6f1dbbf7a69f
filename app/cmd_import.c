/* suppression import: the list of a former provider, or our own, from a file. */
#include "app/answer.h"
#include "app/import_answer.h"
#include "app/progress.h"
#include "app/providers.h"
#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH_BYTES = 64 << 20 };

struct import {
    const struct command_line *line;
    bool apply;
    struct answer answer;
    FILE *in;
    const char *name;
    struct records *records;
    struct provider_reader reader;
    struct db_import_job job;
    struct db_import_state before;
    struct import_answer said;
    /* the batch */
    struct arena arena;
    struct db_import_row rows[DB_IMPORT_BATCH];
    uint64_t lines[DB_IMPORT_BATCH];
    size_t rows_n;
    struct db_import_span span;
};

static struct str option(const struct command_line *l, const char *name)
{
    return str_c(command_value(l, name));
}

/* ---- the file ---- */

/* Standard input is read twice (its digest comes first), so it is put into a file that has no name.
 */
static int keep_stdin(FILE **ret, struct err *e)
{
    char bytes[64 << 10];
    size_t n;
    FILE *f = tmpfile();
    if (!f)
        return err_sys(e, -errno, "a file for standard input");
    while ((n = fread(bytes, 1, sizeof(bytes), stdin)) > 0 && fwrite(bytes, 1, n, f) == n)
        ;
    if (ferror(stdin) || ferror(f) || fflush(f) != 0) {
        fclose(f);
        return err_set(e, -EIO, "keeping standard input in a file of %s failed", P_tmpdir);
    }
    rewind(f);
    *ret = f;
    return 0;
}

static int open_file(struct import *m, struct err *e)
{
    m->name = m->line->args[0];
    if (strcmp(m->name, "-") == 0)
        return keep_stdin(&m->in, e);
    struct stat s;
    int fd = open(m->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_sys(e, -errno, "%s", m->name);
    if (fstat(fd, &s) < 0 || !S_ISREG(s.st_mode)) {
        close(fd);
        return err_set(e, -EINVAL, "%s: expected a file, or - for standard input", m->name);
    }
    m->in = fdopen(fd, "r");
    if (!m->in) {
        close(fd);
        return err_set(e, -ENOMEM, "%s", m->name);
    }
    return 0;
}

static uint64_t file_size(const struct import *m)
{
    struct stat s;
    return fstat(fileno(m->in), &s) == 0 ? (uint64_t)s.st_size : 0;
}

/* ---- a batch ---- */

static void on_refused(void *ctx, size_t place, enum db_import_outcome why)
{
    struct import *m = ctx;
    if (place >= m->rows_n)
        return;
    char text[400];
    struct str address = m->rows[place].address;
    if (why == IMPORT_ERASED) /* not told again what was to be forgotten */
        snprintf(text, sizeof(text), "the person was erased: expected another address");
    else
        snprintf(text, sizeof(text), "\"%.*s\": the allow-list holds it: expected another address",
                 STR_ARG(address));
    import_refused(&m->said, m->lines[place],
                   why == IMPORT_ERASED ? REFUSED_ERASED : REFUSED_ALLOWED, text);
}

static int put_batch(struct import *m, struct err *e)
{
    int rc = 0;
    if (m->span.to > m->span.from)
        rc = db_import_put(m->answer.db, &m->job, !m->apply, &m->span, m->rows, m->rows_n,
                           m->reader.now, &m->said.counts, on_refused, m, e);
    m->rows_n = 0;
    m->span = (struct db_import_span){m->span.to, m->span.to, 0};
    arena_reset(&m->arena);
    return rc;
}

/* Copies what the record holds, which lasts only until the next one. */
static int keep_row(struct import *m, const struct record *r, struct db_import_row *row)
{
    struct str *texts[] = {&row->address, &row->tenant,      &row->scope,    &row->stream,
                           &row->kind,    &row->class,       &row->category, &row->confidence,
                           &row->rule,    &row->mx_operator, &row->status,   &row->diagnostic,
                           &row->reason};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = arena_str(&m->arena, *texts[i]);
    if (arena_failed(&m->arena))
        return -ENOMEM;
    m->lines[m->rows_n] = r->line;
    m->rows[m->rows_n++] = *row;
    return 0;
}

/* One record, readable (got 1) or not: a row of the batch, or a refusal. */
static int take(struct import *m, int got, const struct record *r, struct err *e)
{
    struct db_import_row row;
    enum import_refusal why = REFUSED_UNREADABLE;
    uint64_t number = m->span.to++;
    if (m->apply && number < m->before.records) {
        m->span.from = m->span.to;
        return 0;
    }
    int rc = got < 0 ? got : provider_read(&m->reader, &m->arena, r, &row, &why, e);
    if (rc == -EBADMSG) {
        m->span.refused++;
        import_refused(&m->said, r->line, why, e->text);
        return 0;
    }
    if (rc == 0)
        rc = keep_row(m, r, &row);
    return rc < 0 ? err_set(e, rc, "a batch of rows") : 0;
}

static int read_all(struct import *m, struct err *e)
{
    struct progress bar = progress_start("KiB", clock_monotonic());
    uint64_t size = file_size(m);
    struct record r;
    int rc = 0, got = 1;
    while (rc == 0) {
        got = records_next(m->records, &r, e);
        if (got == 0 || (got < 0 && got != -EBADMSG))
            break;
        rc = take(m, got, &r, e);
        if (rc == 0 && (m->rows_n == DB_IMPORT_BATCH || m->span.to - m->span.from >= 20000 ||
                        m->arena.used > BATCH_BYTES / 2))
            rc = put_batch(m, e);
        progress_step(&bar, records_bytes(m->records) >> 10, size >> 10, clock_monotonic());
    }
    progress_end(&bar);
    m->said.records = m->span.to;
    if (rc == 0 && got < 0) {
        /* What stands before the place that can't be read is good. */
        int put = put_batch(m, NULL);
        return put < 0 ? put : got;
    }
    return rc == 0 ? put_batch(m, e) : rc;
}

/* ---- what was asked for ---- */

static int read_options(struct import *m, enum provider *provider, enum provider_list *list)
{
    const struct command_line *l = m->line;
    struct str scope = option(l, "--scope");
    if (command_value(l, "--format") && !provider_parse(option(l, "--format"), provider))
        return command_fail(l, -EINVAL,
                            "--format: %s: expected own, ses, sendgrid, mailgun, postmark, "
                            "sparkpost or mailchimp",
                            command_value(l, "--format"));
    if (command_value(l, "--list") && !provider_list_parse(option(l, "--list"), list))
        return command_fail(l, -EINVAL,
                            "--list: %s: expected bounces, blocks, invalid_emails, complaints, "
                            "unsubscribes or cleaned",
                            command_value(l, "--list"));
    if (scope.n && !str_eq(scope, STR("global")) && !str_eq(scope, STR("tenant")) &&
        !str_eq(scope, STR("stream")))
        return command_fail(l, -EINVAL, "--scope: %s: expected global, tenant or stream", scope.p);
    m->reader = (struct provider_reader){.tenant = option(l, "--tenant"),
                                         .stream = option(l, "--stream"),
                                         .scope = scope,
                                         .reason = option(l, "--reason"),
                                         .now = clock_now()};
    return 0;
}

/* Who imports: as told, else the user of this machine. */
static struct str actor_of(const struct command_line *l)
{
    struct passwd *user = getpwuid(geteuid());
    return command_value(l, "--actor") ? option(l, "--actor")
                                       : str_c(user ? user->pw_name : "unknown");
}

/* The job is the same when file and options are. */
static int name_job(struct import *m, struct err *e)
{
    const struct provider_reader *p = &m->reader;
    const struct str parts[] = {str_c(provider_name(p->provider)),
                                str_c(provider_list_name(p->list)),
                                p->tenant,
                                p->stream,
                                p->scope,
                                p->reason};
    struct buf options;
    buf_init(&options, 64 << 10);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
        rc = buf_add(&options, parts[i]);
        rc = rc < 0 ? rc : buf_add_byte(&options, '\0');
    }
    if (rc < 0)
        err_set(e, rc, "the options are too long");
    m->job = (struct db_import_job){.file = str_c(m->name),
                                    .format = str_c(provider_name(p->provider)),
                                    .actor = actor_of(m->line)};
    if (rc == 0)
        rc = db_import_id(fileno(m->in), buf_str(&options), m->job.id, e);
    buf_free(&options);
    return rc;
}

/* They understand what remote hosts said; our own rows were understood already. */
static int load_rules(struct import *m, struct err *e)
{
    const struct config *c = m->answer.config;
    const char **paths = calloc(c->processor.rules_n + 1, sizeof(*paths));
    for (size_t i = 0; paths && i < c->processor.rules_n; i++)
        paths[i] = c->processor.rules[i].path;
    int rc = paths ? classifier_load(paths, c->processor.rules_n, &m->reader.classifier, e)
                   : err_set(e, -ENOMEM, "out of memory");
    free(paths);
    return rc;
}

static int run_import(struct import *m, const enum provider *provider,
                      const enum provider_list *list, struct err *e)
{
    int rc = records_open(m->in, &m->records, e);
    if (rc == 0)
        rc = provider_detect(m->records, str_c(m->name), provider, list, &m->reader.provider,
                             &m->reader.list, e);
    if (rc < 0)
        return err_add(e, rc, "%s", m->name);
    m->said.format = provider_name(m->reader.provider);
    m->said.list = m->reader.list ? provider_list_name(m->reader.list) : NULL;
    rc = name_job(m, e);
    if (rc == 0 && m->reader.provider != PROVIDER_OWN)
        rc = load_rules(m, e);
    if (rc == 0 && m->apply)
        rc = db_import_begin(m->answer.db, &m->job, command_flag(m->line, "--again"), m->reader.now,
                             &m->before, e);
    m->said.before = m->before.records;
    m->said.ended = m->before.ended;
    if (rc < 0 || m->before.ended)
        return rc;
    rc = read_all(m, e);
    if (rc < 0)
        return err_add(e, rc, "%s", m->name);
    return m->apply ? db_import_end(m->answer.db, &m->job, clock_now(), e) : 0;
}

static int suppression_import(const struct command_line *l)
{
    enum provider provider;
    enum provider_list list;
    struct err e;
    struct import *m = calloc(1, sizeof(*m));
    if (!m)
        return command_fail(l, EXIT_NO, "out of memory");
    m->line = l;
    m->apply = command_flag(l, "--apply");
    m->arena = arena_make(BATCH_BYTES);
    int code = EXIT_USAGE;
    if (read_options(m, &provider, &list) < 0)
        goto out;
    code = EXIT_NO;
    int rc = open_file(m, &e);
    if (rc == 0)
        rc = import_answer_open(&m->said, m->name, command_value(l, "--refused"), &e);
    if (rc < 0) {
        command_fail(l, 0, "%s", e.text);
        goto out;
    }
    if (answer_open(l, &m->answer) < 0)
        goto out;
    rc = run_import(m, command_value(l, "--format") ? &provider : NULL,
                    command_value(l, "--list") ? &list : NULL, &e);
    if (rc < 0)
        command_fail(l, 0, "%s", e.text);
    if (import_answer_print(&m->said, m->apply, command_flag(l, "--json"), rc == 0) == 0 && rc == 0)
        code = EXIT_GOOD;
out:
    import_answer_close(&m->said);
    classifier_free(m->reader.classifier);
    records_free(m->records);
    if (m->in)
        fclose(m->in);
    answer_close(&m->answer);
    arena_free(&m->arena);
    free(m);
    return code;
}

const struct command commands_import[] = {
    {"suppression import",
     "FILE|-",
     1,
     1,
     "Put the addresses of a file on the list",
     "Reads what Amazon SES, SendGrid, Mailgun, Postmark, SparkPost and Mailchimp export, and "
     "what\n"
     "suppression export writes: CSV, JSON or NDJSON, known by their columns. Without --apply it "
     "is\n"
     "a dry run: nothing is written, and what would be done is said. Rows that stand are never\n"
     "weakened. An import that was interrupted goes on where it stopped when it is run again.\n"
     "Lines that are refused are told with their number, value and what was expected.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--format", "NAME", "own, ses, sendgrid, mailgun, postmark, sparkpost or mailchimp"},
      {"--list", "NAME", "which of the provider's lists: bounces, complaints, unsubscribes, ..."},
      {"--apply", NULL, "write the rows; without it nothing is written"},
      {"--tenant", "NAME", "for this tenant, where the file names none"},
      {"--stream", "NAME", "for this stream, where the file names none"},
      {"--scope", "SCOPE", "global, tenant or stream (default: bounces tenant, others stream)"},
      {"--reason", "TEXT", "why, in place of the file's words"},
      {"--actor", "NAME", "who imports (default: your user name)"},
      {"--refused", "FILE", "write all refused lines there"},
      {"--again", NULL, "import a file anew that was imported whole before"}},
     suppression_import},
    {.name = NULL},
};
