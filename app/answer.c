#include "app/answer.h"

#include "app/json.h"
#include "app/table.h"
#include "base/id.h"
#include "db/migrate.h"

#include <errno.h>
#include <unistd.h>

enum { ANSWER_MAX = 512 << 20 };

int answer_open(const struct command_line *l, struct answer *a)
{
    struct err e;
    *a = (struct answer){.arena = arena_make(ANSWER_MAX)};
    a->config = command_config(l, NULL);
    if (!a->config)
        return -EINVAL;
    int rc = db_open(a->config->database.conninfo, &a->db, &e);
    if (rc == 0)
        rc = db_schema_check(a->db, &e);
    if (rc < 0) {
        command_fail(l, 0, "%s", e.text);
        answer_close(a);
    }
    return rc;
}

void answer_close(struct answer *a)
{
    arena_free(&a->arena);
    db_free(a->db);
    config_free(a->config);
    *a = (struct answer){0};
}

int answer_ask(const struct command_line *l, struct answer *a, enum db_question question,
               const struct str *params, size_t params_n)
{
    struct err e;
    arena_reset(&a->arena);
    int rc = db_ask(a->db, &a->arena, question, params, params_n, &a->table, &e);
    /* What the schema raises for people is said in words for them. */
    static const char raised[] = "PostgreSQL P0001: ";
    size_t skip = rc < 0 && str_starts(str_c(e.text), str_c(raised)) ? sizeof(raised) - 1 : 0;
    return rc < 0 ? command_fail(l, rc, "%s", e.text + skip) : 0;
}

struct str answer_time(int64_t time, char text[24])
{
    snprintf(text, 24, "%llu", (unsigned long long)(time > 0 ? time : 0));
    return str_c(text);
}

static const struct db_cell *cell(const struct answer *a, size_t row, size_t column)
{
    return &a->table.cells[row * a->table.columns_n + column];
}

struct str answer_cell(const struct answer *a, size_t row, const char *column)
{
    for (size_t i = 0; row < a->table.rows_n && i < a->table.columns_n; i++)
        if (str_eq(a->table.names[i], str_c(column)) && !cell(a, row, i)->null)
            return cell(a, row, i)->text;
    return (struct str){NULL, 0};
}

static void put_number(struct json *o, const char *key, struct str text)
{
    uint64_t n;
    bool negative = text.n && text.p[0] == '-';
    if (str_to_u64(str_from(text, negative), &n) && n <= INT64_MAX)
        json_int(o, key, negative ? -(int64_t)n : (int64_t)n);
    else
        json_text(o, key, text); /* not a whole number: as the server wrote it */
}

int answer_json(const struct answer *a, size_t row)
{
    struct json *o = json_new();
    for (size_t i = 0; i < a->table.columns_n; i++) {
        const struct db_cell *c = cell(a, row, i);
        char key[64];
        snprintf(key, sizeof(key), "%.*s", STR_ARG(a->table.names[i]));
        if (a->table.types[i] == DB_BYTES)
            continue;
        if (c->null)
            json_text(o, key, (struct str){NULL, 0});
        else if (a->table.types[i] == DB_NUMBER)
            put_number(o, key, c->text);
        else if (a->table.types[i] == DB_DECIMAL)
            json_decimal(o, key, c->text);
        else if (a->table.types[i] == DB_BOOL)
            json_bool(o, key, str_eq(c->text, STR("true")));
        else
            json_text(o, key, c->text);
    }
    return json_print(o, stdout);
}

/* RFC 4180 section 2. */
static void csv_cell(struct str text)
{
    putchar('"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"')
            putchar('"');
        putchar(text.p[i]);
    }
    putchar('"');
}

void answer_csv(const struct answer *a, bool heading, size_t row)
{
    for (size_t i = 0; i < a->table.columns_n; i++) {
        if (i)
            putchar(',');
        if (heading)
            csv_cell(a->table.names[i]);
        else if (!cell(a, row, i)->null)
            csv_cell(cell(a, row, i)->text);
    }
    fputs("\r\n", stdout);
}

void answer_facts(const struct answer *a, size_t row)
{
    struct arena shown = arena_make(64 << 20);
    for (size_t i = 0; i < a->table.columns_n; i++) {
        const struct db_cell *c = cell(a, row, i);
        if (c->null || a->table.types[i] == DB_BYTES || c->text.n == 0)
            continue;
        /* Lists come with a line for each item. */
        struct str rest = c->text, line;
        bool first = true;
        while (str_line(&rest, &line)) {
            struct str value = table_clean(&shown, line);
            struct str name = first ? a->table.names[i] : STR("");
            printf("%-19.*s %.*s\n", STR_ARG(name), STR_ARG(value));
            first = false;
        }
    }
    arena_free(&shown);
}

void answer_mail(struct str raw)
{
    if (!isatty(STDOUT_FILENO)) {
        fwrite(raw.p, 1, raw.n, stdout);
        return;
    }
    struct str rest = raw, line;
    while (str_line(&rest, &line)) {
        struct arena a = arena_make(line.n * 4 + (64 << 10));
        struct str shown = line.n ? table_clean(&a, line) : line;
        printf("%.*s\n", STR_ARG(shown));
        arena_free(&a);
    }
}

int answer_id(const struct command_line *l, const char *text, struct str *ret)
{
    struct id id;
    if (!id_parse(str_c(text), &id))
        return command_fail(
            l, -EINVAL, "%s: expected an id such as 0190b0a2-7d3e-7c1a-9b11-2f6f0c0a0001", text);
    *ret = str_c(text);
    return 0;
}
