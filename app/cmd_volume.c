/* volume import, volume list: how much mail was sent, told by the sender. */
#include "app/answer.h"
#include "app/import_answer.h"
#include "app/json.h"
#include "app/records.h"
#include "app/table.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

enum { BATCH = 5000, BATCH_BYTES = 64 << 20, VOLUME_COLUMNS = 7 };

static const struct {
    const char *name, *meaning;
} outcomes[VOLUME_OUTCOMES] = {
    [VOLUME_NEW] = {"new", "not told before"},
    [VOLUME_CHANGED] = {"changed", "told before, with other numbers"},
    [VOLUME_STANDING] = {"standing", "told before, the same"},
    [VOLUME_REPEATED] = {"repeated", "told again further down in the file"},
};

struct volume_import {
    const struct command_line *line;
    bool dry;
    int64_t now;
    struct answer answer;
    struct import_answer said;
    uint64_t counts[VOLUME_OUTCOMES];
    struct arena arena;
    struct db_volume rows[BATCH];
    size_t n;
};

/* ---- one record ---- */

static int refuse(struct err *e, struct str value, const char *expected)
{
    return err_set(e, -EBADMSG, "\"%.*s\": %s", STR_ARG(str_sub(value, 0, 120)), expected);
}

static bool count_of(struct str text, int64_t *ret)
{
    uint64_t n;
    if (!str_to_u64(text, &n) || n > INT64_MAX / 2)
        return false;
    *ret = (int64_t)n;
    return true;
}

static int read_volume(const struct volume_import *v, const struct record *r, struct db_volume *row,
                       struct err *e)
{
    struct str tenant = str_c(command_value(v->line, "--tenant"));
    struct str day = record_get(r, "day"), sent = record_get(r, "sent");
    struct str delivered = record_get(r, "delivered");
    row->delivered = -1;
    if (!clock_day_read(day, &row->day))
        return refuse(e, day, "expected a day such as 2026-01-31");
    if (!count_of(sent, &row->sent))
        return refuse(e, sent, "expected in sent how many messages, as a whole number");
    if (delivered.n && (!count_of(delivered, &row->delivered) || row->delivered > row->sent))
        return refuse(e, delivered, "expected in delivered how many of those sent, or nothing");
    row->tenant = names_have(r->names, r->n, "tenant") ? record_get(r, "tenant") : tenant;
    row->stream = record_get(r, "stream");
    row->mx_operator = record_get(r, "operator");
    struct str *words[] = {&row->tenant, &row->stream, &row->mx_operator};
    for (size_t i = 0; i < 3; i++)
        if (str_is_absent(*words[i]))
            *words[i] = STR("");
    return 0;
}

/* ---- the file ---- */

static int put(struct volume_import *v, struct err *e)
{
    int rc = v->n ? db_volume_put(v->answer.db, v->dry, v->rows, v->n, v->now, v->counts, e) : 0;
    v->n = 0;
    arena_reset(&v->arena);
    return rc;
}

static int keep(struct volume_import *v, struct db_volume *row, struct err *e)
{
    row->tenant = arena_str(&v->arena, row->tenant);
    row->stream = arena_str(&v->arena, row->stream);
    row->mx_operator = arena_str(&v->arena, row->mx_operator);
    if (arena_failed(&v->arena))
        return err_set(e, -ENOMEM, "a batch of rows");
    v->rows[v->n++] = *row;
    return v->n == BATCH || v->arena.used > BATCH_BYTES / 2 ? put(v, e) : 0;
}

static int read_records(struct volume_import *v, struct records *records, struct err *e)
{
    struct record r;
    struct db_volume row;
    size_t n;
    const struct str *names = records_names(records, &n);
    int rc = 0, got = 0;
    if (n && (!names_have(names, n, "day") || !names_have(names, n, "sent")))
        return err_set(e, -EINVAL, "expected the columns day, stream, operator and sent");
    while (rc == 0) {
        got = records_next(records, &r, e);
        if (got == 0 || (got < 0 && got != -EBADMSG))
            break;
        v->said.records++;
        int good = got < 0 ? got : read_volume(v, &r, &row, e);
        if (good < 0)
            import_refused(&v->said, r.line, got < 0 ? REFUSED_UNREADABLE : REFUSED_WORD, e->text);
        else
            rc = keep(v, &row, e);
    }
    rc = rc < 0 ? rc : got;
    return rc < 0 ? rc : put(v, e);
}

static void print_counts(const struct volume_import *v)
{
    if (command_flag(v->line, "--json")) {
        struct json *o = json_new();
        json_text(o, "file", str_c(v->said.file));
        json_bool(o, "applied", !v->dry);
        json_int(o, "records", (int64_t)v->said.records);
        for (size_t i = 0; i < VOLUME_OUTCOMES; i++)
            json_int(o, outcomes[i].name, (int64_t)v->counts[i]);
        json_int(o, "refused", (int64_t)v->said.refused_n);
        json_print(o, stdout);
        return;
    }
    printf("%10llu records\n", (unsigned long long)v->said.records);
    for (size_t i = 0; i < VOLUME_OUTCOMES; i++)
        if (v->counts[i])
            printf("%10llu %s: %s\n", (unsigned long long)v->counts[i], outcomes[i].name,
                   outcomes[i].meaning);
    if (v->said.refused_n)
        printf("%10llu refused\n", (unsigned long long)v->said.refused_n);
    if (v->dry)
        puts("Nothing was written: this was a dry run. --apply does it.");
}

static int volume_import(const struct command_line *l)
{
    const char *path = l->args[0];
    struct records *records = NULL;
    struct err e;
    struct volume_import *v = calloc(1, sizeof(*v));
    if (!v)
        return command_fail(l, EXIT_NO, "out of memory");
    v->line = l;
    v->dry = !command_flag(l, "--apply");
    v->now = clock_now();
    v->arena = arena_make(BATCH_BYTES);
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    int code = EXIT_NO;
    int rc = in ? 0 : err_sys(&e, -errno, "%s", path);
    if (rc == 0)
        rc = import_answer_open(&v->said, path, command_value(l, "--refused"), &e);
    if (rc < 0) {
        command_fail(l, 0, "%s", e.text);
        goto out;
    }
    if (answer_open(l, &v->answer) < 0)
        goto out;
    rc = records_open(in, &records, &e);
    if (rc == 0)
        rc = read_records(v, records, &e);
    if (rc < 0)
        command_fail(l, 0, "%s: %s", path, e.text);
    if (import_refused_end(&v->said) == 0 && rc == 0)
        code = EXIT_GOOD;
    print_counts(v);
out:
    import_answer_close(&v->said);
    records_free(records);
    answer_close(&v->answer);
    arena_free(&v->arena);
    if (in && in != stdin)
        fclose(in);
    free(v);
    return code;
}

/* ---- volume list ---- */

static int volume_list(const struct command_line *l)
{
    static const char *const headings[VOLUME_COLUMNS] = {
        "DAY", "TENANT", "STREAM", "OPERATOR", ">SENT", ">DELIVERED", "TOLD"};
    static const char *const names[VOLUME_COLUMNS] = {"day",  "tenant",    "stream",    "operator",
                                                      "sent", "delivered", "updated_at"};
    struct answer a;
    uint64_t limit;
    char text[24];
    if (command_number(l, "--limit", 1, 1000000, 1000, &limit) < 0)
        return EXIT_USAGE;
    if (answer_open(l, &a) < 0)
        return EXIT_NO;
    const struct str params[] = {str_c(command_value(l, "--tenant")),
                                 str_c(command_value(l, "--stream")),
                                 answer_time((int64_t)limit, text)};
    struct table *t = table_new(headings, VOLUME_COLUMNS);
    int rc = t ? answer_ask(l, &a, DB_ASK_VOLUMES, params, 3)
               : command_fail(l, -ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < a.table.rows_n; i++) {
        struct str cells[VOLUME_COLUMNS];
        for (size_t k = 0; k < VOLUME_COLUMNS; k++)
            cells[k] = answer_cell(&a, i, names[k]);
        rc = command_flag(l, "--json") ? answer_json(&a, i) : table_row(t, cells);
    }
    if (rc == 0 && !command_flag(l, "--json"))
        table_flush(t, stdout);
    table_free(t);
    answer_close(&a);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

const struct command commands_volume[] = {
    {"volume import",
     "FILE|-",
     1,
     1,
     "Tell how much mail was sent, so that reports can show rates",
     "CSV, JSON or NDJSON with day, sent, and where they are known stream, operator, delivered "
     "and\n"
     "tenant. A day, tenant, stream and operator that was told before gets the new numbers. "
     "Without\n"
     "--apply it is a dry run. Lines that are refused are told with number, value and what was\n"
     "expected. An operator is one of mx operator's names, such as google; empty: all together.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--apply", NULL, "write the rows; without it nothing is written"},
      {"--tenant", "NAME", "of this tenant, where the file has no such column"},
      {"--refused", "FILE", "write all refused lines there"}},
     volume_import},
    {"volume list",
     "",
     0,
     0,
     "List the volumes that were told",
     "The latest days first.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--tenant", "NAME", "of this tenant only"},
      {"--stream", "NAME", "of this stream only"},
      {"--limit", "N", "so many (default 1000)"}},
     volume_list},
    {.name = NULL},
};
