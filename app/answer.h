/* answer.h - a question to the database, its answer for people or as NDJSON. */
#ifndef APP_ANSWER_H
#define APP_ANSWER_H

#include "app/command.h"
#include "db/read.h"

struct answer {
    struct config *config;
    struct db *db;
    struct arena arena; /* of table */
    struct db_table table;
};

/* Configuration, connection, and a schema that fits; negative after a message. */
int answer_open(const struct command_line *l, struct answer *a);
void answer_close(struct answer *a);

/* Asks; the answer before it is forgotten. Negative after a message. */
int answer_ask(const struct command_line *l, struct answer *a, enum db_question question,
               const struct str *params, size_t params_n);

/* A time as a parameter of a question; text holds it. */
struct str answer_time(int64_t time, char text[24]);

/* The cell of a column by its name; absent when it is NULL or there is no such column. */
struct str answer_cell(const struct answer *a, size_t row, const char *column);

/* A row as one JSON object of all columns but those of bytes. */
int answer_json(const struct answer *a, size_t row);
/* A row as CSV (RFC 4180), or the names of its columns; NULL is empty, without quotes. */
void answer_csv(const struct answer *a, bool heading, size_t row);
/* A row as lines "name  value", without what is NULL and without bytes. */
void answer_facts(const struct answer *a, size_t row);
/* Bytes of a stored message: as they are into a file or pipe, made safe for a terminal. */
void answer_mail(struct str raw);

/* An id from the command line; -EINVAL after a message that names it. */
int answer_id(const struct command_line *l, const char *text, struct str *ret);

#endif
