/* aside.c - messages that could not be written: put aside, tried again, dropped. */
#include "db/handle.h"
#include "db/read.h"

#include <errno.h>

/* The text columns of set_aside, made safe: the row must not be refused as well. */
enum { CLIENT_ADDRESS, HELO, PROTOCOL, TLS, MAIL_FROM, REASON, SQLSTATE, TEXTS };

struct aside_values {
    struct lane_values lane;
    char received_at[ENCODE_NUMBER_MAX];
    char size[ENCODE_NUMBER_MAX];
    char at[2][ENCODE_NUMBER_MAX];
    struct buf text[TEXTS];
    struct buf rcpt_to;
};

static void values_free(struct aside_values *v)
{
    buf_free(&v->lane.node);
    for (size_t i = 0; i < TEXTS; i++)
        buf_free(&v->text[i]);
    buf_free(&v->rcpt_to);
}

static int values_text(struct aside_values *v, const struct db_message *m, struct str reason,
                       struct str sqlstate)
{
    const struct str texts[TEXTS] = {
        [CLIENT_ADDRESS] = rows_word(m->client_address),
        [HELO] = rows_word(m->helo),
        [PROTOCOL] = rows_word(m->protocol),
        [TLS] = rows_word(m->tls),
        [MAIL_FROM] = m->mail_from,
        [REASON] = reason,
        [SQLSTATE] = rows_word(sqlstate),
    };
    for (size_t i = 0; i < TEXTS; i++) {
        buf_init(&v->text[i], ROWS_WORD_MAX);
        /* A byte more than none, so that an empty text is not NULL. */
        int rc = str_is_absent(texts[i]) ? 0 : buf_reserve(&v->text[i], 1);
        if (rc == 0)
            rc = text_safe(&v->text[i], texts[i], ROWS_WORD_MAX);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The recipients as one text, a line each, taken from the array encoder's element. */
static int values_rcpt_to(struct aside_values *v, const struct db_message *m)
{
    struct array lines;
    array_init(&lines, ENCODE_TEXT, (ROWS_WORD_MAX + 1) * (m->rcpt_to_n + 1) + 64);
    array_begin(&lines);
    size_t head = lines.bytes.n + 4;
    array_lines(&lines, m->rcpt_to, m->rcpt_to_n, ROWS_WORD_MAX);
    int rc = array_end(&lines);
    buf_init(&v->rcpt_to, lines.bytes.max);
    if (rc == 0)
        rc = buf_reserve(&v->rcpt_to, 1);
    if (rc == 0)
        rc = buf_add(&v->rcpt_to, str_from(buf_str(&lines.bytes), head));
    array_free(&lines);
    return rc;
}

static const char set_aside_sql[] =
    "SELECT CASE WHEN bouncemx.lane_move($1, $2, $3, $4, $5, $6, $7) "
    "THEN bouncemx.set_aside_put($8, $9, $3, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, "
    "$20, $1, $2, $21, $22) END";

int db_set_aside_as(struct db *db, const struct db_lane *lane, struct db_position from,
                    const struct db_message *m, struct str reason, struct str sqlstate,
                    struct err *e)
{
    struct aside_values v = {0};
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    struct str body = rows_body(m);
    int rc = db_move_parameters(&v.lane, lane, from, m->next, &p, e);
    if (rc < 0)
        goto out;
    if (values_text(&v, m, reason, sqlstate) < 0 || values_rcpt_to(&v, m) < 0) {
        rc = err_set(e, -ENOMEM, "message to set aside");
        goto out;
    }
    bool truncated = m->truncated || body.n < m->body.n;
    pg_add(&p, str_of(m->id.b, sizeof(m->id.b)));
    pg_add(&p, encode_time(m->received_at, v.received_at));
    for (size_t i = CLIENT_ADDRESS; i <= MAIL_FROM; i++)
        pg_add(&p, buf_str(&v.text[i]));
    pg_add(&p, buf_str(&v.rcpt_to));
    pg_add(&p, encode_int8(m->size > INT64_MAX ? INT64_MAX : (int64_t)m->size, v.size));
    pg_add(&p, truncated ? STR("\1") : STR("\0"));
    pg_add(&p, str_is_absent(body) ? STR("") : body);
    pg_add(&p, buf_str(&v.text[REASON]));
    pg_add(&p, buf_str(&v.text[SQLSTATE]));
    rc = db_position_parameter(v.at, m->at, &p, e);
    if (rc == 0)
        rc = pg_call(db->pg, PG_SET_ASIDE, set_aside_sql, &p, PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = db_check_moved(res, lane, from, e);
out:
    pg_result_free(res);
    values_free(&v);
    return rc;
}

int db_set_aside(struct db *db, const struct db_lane *lane, struct db_position from,
                 const struct db_message *message, struct str reason, struct err *e)
{
    return db_set_aside_as(db, lane, from, message, str_is_absent(reason) ? STR("") : reason,
                           STR(""), e);
}

static int not_there(struct id message, struct err *e)
{
    char text[ID_TEXT];
    return err_set(e, -ENOENT, "message %s is not set aside", id_format(message, text));
}

int db_set_aside_retried(struct db *db, const struct db_message *message, struct err *e)
{
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    pg_add(&p, str_of(message->id.b, sizeof(message->id.b)));
    int rc = rows_encode(&db->rows, message, 1, e);
    if (rc == 0) {
        rows_parameters(&db->rows, &p);
        rc = pg_call(db->pg, PG_RETRY, db->retry_sql, &p, PG_CALL_MS, &res, e);
    }
    if (rc == 0 && pg_rows(res) == 0)
        rc = not_there(message->id, e);
    pg_result_free(res);
    return rc;
}

int db_set_aside_drop(struct db *db, struct id message, struct err *e)
{
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    pg_add(&p, str_of(message.b, sizeof(message.b)));
    int rc =
        pg_call(db->pg, PG_DROP, "SELECT bouncemx.set_aside_take($1)", &p, PG_CALL_MS, &res, e);
    if (rc == 0 && (pg_rows(res) != 1 || str_is_absent(pg_value(res, 0, 0))))
        rc = not_there(message, e);
    pg_result_free(res);
    return rc;
}
