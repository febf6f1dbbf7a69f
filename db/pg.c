#include "db/pg.h"

#include "base/clock.h"
#include "base/require.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERVER_VERSION_MIN = 140000 };

struct pg {
    PGconn *conn;
    char *conninfo;
    bool prepared[PG_STATEMENTS_MAX];
    bool broken; /* given up in the middle of a call: only pg_reset helps */
    char sqlstate[PG_SQLSTATE];
    char missing[PG_MISSING_MAX];
};

/* "ERROR:  text\nDETAIL: ..." on one line, without the line end. */
static int fail_text(struct err *e, int code, const char *what, const char *text)
{
    char line[400];
    size_t n = 0;
    for (const char *p = text ? text : ""; *p && n + 1 < sizeof(line); p++) {
        bool gap = *p == '\n' || *p == ' ' || *p == '\t';
        if (gap && (n == 0 || line[n - 1] == ' '))
            continue;
        line[n++] = gap ? ' ' : *p;
    }
    while (n > 0 && line[n - 1] == ' ')
        n--;
    line[n] = '\0';
    return err_set(e, code, "%s: %s", what, n ? line : "PostgreSQL gave no reason");
}

static int fail_broken(struct pg *pg, struct err *e, const char *what, const char *text)
{
    pg->broken = true;
    pg->sqlstate[0] = '\0';
    return fail_text(e, -EAGAIN, what, text);
}

static bool class_is(const char *sqlstate, const char *classes)
{
    for (; *classes; classes += 2)
        if (sqlstate[0] == classes[0] && sqlstate[1] == classes[1])
            return true;
    return false;
}

/* Undefined column, function, table, object. */
static bool is_missing(const char *sqlstate)
{
    static const char *const states[] = {"42703", "42883", "42P01", "42704"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(sqlstate, states[i]) == 0)
            return true;
    return false;
}

static int fail_result(struct pg *pg, const PGresult *res, struct err *e)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", state ? state : "");
    char what[32];
    snprintf(what, sizeof(what), "PostgreSQL %s", state ? state : "(connection)");
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (pg->missing[0] && is_missing(pg->sqlstate))
        return fail_text(e, -EPROTO, pg->missing, text);
    /* XX000 is what extensions and triggers raise too; XX001 and XX002 are damaged files. */
    bool data = state && (class_is(state, "2122234454P0") || strcmp(state, "XX000") == 0);
    if (state && class_is(state, "ZF"))
        return fail_text(e, -ESTALE, "the feed", text);
    return fail_text(e, data ? -EINVAL : -EAGAIN, what, text ? text : PQresultErrorMessage(res));
}

/* ---- waiting ---- */

static int wait_socket(struct pg *pg, short events, int64_t deadline, struct err *e)
{
    int64_t left = (deadline - clock_monotonic()) / 1000;
    struct pollfd fd = {.fd = PQsocket(pg->conn), .events = events};
    if (fd.fd < 0)
        return fail_broken(pg, e, "connection to PostgreSQL", "it is closed");
    int got = left > 0 ? poll(&fd, 1, (int)left) : 0;
    if (got < 0 && errno != EINTR)
        return fail_broken(pg, e, "connection to PostgreSQL", strerror(errno));
    if (got == 0)
        return fail_broken(pg, e, "connection to PostgreSQL", "no answer in time");
    return 0;
}

static int send_all(struct pg *pg, int64_t deadline, struct err *e)
{
    for (int left; (left = PQflush(pg->conn)) != 0;) {
        if (left < 0)
            return fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
        /* Also read: a server that is stuck on sending notices would never take the rest. */
        int rc = wait_socket(pg, POLLIN | POLLOUT, deadline, e);
        if (rc < 0)
            return rc;
        if (!PQconsumeInput(pg->conn))
            return fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
    }
    return 0;
}

static int next_result(struct pg *pg, int64_t deadline, PGresult **ret, struct err *e)
{
    while (PQisBusy(pg->conn)) {
        int rc = wait_socket(pg, POLLIN, deadline, e);
        if (rc < 0)
            return rc;
        if (!PQconsumeInput(pg->conn))
            return fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
    }
    *ret = PQgetResult(pg->conn);
    return 0;
}

/* Takes all results of what was sent. The first failure wins, else the last result goes to *ret. */
static int take_results(struct pg *pg, int64_t deadline, PGresult **ret, struct err *e)
{
    PGresult *last = NULL;
    int rc = send_all(pg, deadline, e);
    for (PGresult *res = NULL; !pg->broken; PQclear(last), last = res) {
        int got = next_result(pg, deadline, &res, rc < 0 ? NULL : e);
        if (got < 0)
            rc = rc < 0 ? rc : got;
        if (got < 0 || !res)
            break;
        ExecStatusType status = PQresultStatus(res);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            PQclear(res);
            rc = fail_broken(pg, e, "connection to PostgreSQL", "COPY is not spoken here");
            break;
        }
        if (rc == 0 && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
            status != PGRES_EMPTY_QUERY)
            rc = fail_result(pg, res, e);
    }
    if (PQstatus(pg->conn) == CONNECTION_BAD)
        pg->broken = true;
    if (rc == 0 && last && ret) {
        *ret = last;
        return 0;
    }
    PQclear(last);
    return rc;
}

static int usable(struct pg *pg, struct err *e)
{
    pg->sqlstate[0] = '\0';
    if (!pg->conn || pg->broken || PQstatus(pg->conn) != CONNECTION_OK)
        return fail_broken(pg, e, "connection to PostgreSQL", "it is broken");
    return 0;
}

static int64_t deadline_of(int limit_ms)
{
    return clock_monotonic() + (int64_t)limit_ms * 1000;
}

/* ---- calls ---- */

void pg_add(struct pg_parameters *p, struct str value)
{
    REQUIRE(p->n < PG_PARAMETERS_MAX && value.n <= INT32_MAX);
    p->values[p->n] = value.p;
    p->lengths[p->n] = (int)value.n;
    p->formats[p->n] = 1;
    p->n++;
}

static int prepare(struct pg *pg, enum pg_statement which, const char *sql, const char *name,
                   struct err *e)
{
    if (pg->prepared[which])
        return 0;
    if (!PQsendPrepare(pg->conn, name, sql, 0, NULL))
        return fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
    int rc = take_results(pg, deadline_of(PG_CALL_MS), NULL, e);
    pg->prepared[which] = rc == 0;
    return rc;
}

int pg_call(struct pg *pg, enum pg_statement which, const char *sql,
            const struct pg_parameters *parameters, int limit_ms, struct pg_result **ret,
            struct err *e)
{
    REQUIRE((size_t)which < PG_STATEMENTS_MAX);
    char name[16];
    snprintf(name, sizeof(name), "s%u", (unsigned)which);
    int rc = usable(pg, e);
    if (rc == 0)
        rc = prepare(pg, which, sql, name, e);
    if (rc < 0)
        return rc;
    static const struct pg_parameters none;
    const struct pg_parameters *p = parameters ? parameters : &none;
    if (!PQsendQueryPrepared(pg->conn, name, (int)p->n, p->values, p->lengths, p->formats, 1))
        return fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
    PGresult *res = NULL;
    rc = take_results(pg, deadline_of(limit_ms), &res, e);
    if (rc == 0 && ret)
        *ret = (struct pg_result *)res;
    else
        PQclear(res);
    return rc;
}

int pg_script(struct pg *pg, const char *sql, int limit_ms, struct err *e)
{
    int rc = usable(pg, e);
    if (rc < 0)
        return rc;
    if (!PQsendQuery(pg->conn, sql))
        return fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
    return take_results(pg, deadline_of(limit_ms), NULL, e);
}

/* Until the server waits for the lines. */
static int copy_begin(struct pg *pg, int64_t deadline, struct err *e)
{
    PGresult *res = NULL;
    int rc = send_all(pg, deadline, e);
    if (rc == 0)
        rc = next_result(pg, deadline, &res, e);
    if (rc == 0 && (!res || PQresultStatus(res) != PGRES_COPY_IN)) {
        rc = fail_result(pg, res, e);
        take_results(pg, deadline, NULL, NULL);
    }
    PQclear(res);
    return rc;
}

int pg_copy(struct pg *pg, const char *sql, struct str text, int limit_ms, struct err *e)
{
    int64_t deadline = deadline_of(limit_ms);
    int rc = usable(pg, e);
    if (rc == 0 && !PQsendQuery(pg->conn, sql))
        rc = fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
    if (rc == 0)
        rc = copy_begin(pg, deadline, e);
    REQUIRE(text.n <= INT32_MAX);
    int put = 0;
    /* 0: libpq's buffer has no room before something was sent. */
    while (rc == 0 && (put = PQputCopyData(pg->conn, text.p, (int)text.n)) == 0)
        rc = send_all(pg, deadline, e);
    while (rc == 0 && put > 0 && (put = PQputCopyEnd(pg->conn, NULL)) == 0)
        rc = send_all(pg, deadline, e);
    if (rc == 0 && put < 0)
        rc = fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
    return rc < 0 ? rc : take_results(pg, deadline, NULL, e);
}

static bool take_notices(struct pg *pg)
{
    bool rang = false;
    for (PGnotify *n; (n = PQnotifies(pg->conn)); rang = true)
        PQfreemem(n);
    return rang;
}

int pg_wait(struct pg *pg, int timeout_ms, int readable, int gone, struct err *e)
{
    int rc = usable(pg, e);
    if (rc < 0)
        return rc;
    if (!take_notices(pg)) {
        struct pollfd fds[] = {{.fd = PQsocket(pg->conn), .events = POLLIN},
                               {.fd = readable, .events = POLLIN},
                               {.fd = gone}};
        poll(fds, 3, timeout_ms);
        if (fds[0].revents && !PQconsumeInput(pg->conn))
            return fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
        take_notices(pg);
    }
    return 0;
}

void pg_forget(struct pg *pg, enum pg_statement which)
{
    REQUIRE((size_t)which < PG_STATEMENTS_MAX);
    pg->prepared[which] = false;
}

void pg_missing(struct pg *pg, const char *text)
{
    snprintf(pg->missing, sizeof(pg->missing), "%s", text);
}

const char *pg_sqlstate(const struct pg *pg)
{
    return pg->sqlstate;
}

/* ---- connecting ---- */

static void drop_notice(void *ctx, const PGresult *res)
{
    (void)ctx;
    (void)res; /* rooms do not print */
}

static int check_server(struct pg *pg, struct err *e)
{
    int version = PQserverVersion(pg->conn);
    if (version < SERVER_VERSION_MIN)
        return err_set(e, -EPROTO, "the server is PostgreSQL %d.%d; 14 or newer is needed",
                       version / 10000, version % 10000);
    const char *encoding = PQparameterStatus(pg->conn, "server_encoding");
    if (!encoding || strcmp(encoding, "UTF8") != 0)
        return err_set(e, -EPROTO,
                       "the database's encoding is %s; UTF8 is needed (createdb -E UTF8)",
                       encoding ? encoding : "not told");
    return 0;
}

static int connect_now(struct pg *pg, struct err *e)
{
    /* What stands before dbname is a default that the conninfo may change. */
    static const char *const keys[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "fallback_application_name",
        "dbname",           "client_encoding",  NULL};
    const char *const values[] = {"10",       "20",         "10",   "3", "60000",
                                  "bouncemx", pg->conninfo, "UTF8", NULL};
    pg->conn = PQconnectdbParams(keys, values, 1);
    if (!pg->conn)
        return err_set(e, -ENOMEM, "connection to PostgreSQL");
    if (PQstatus(pg->conn) != CONNECTION_OK)
        return fail_broken(pg, e, "PostgreSQL", PQerrorMessage(pg->conn));
    PQsetNoticeReceiver(pg->conn, drop_notice, NULL);
    int rc = check_server(pg, e);
    if (rc == 0 && PQsetnonblocking(pg->conn, 1) != 0)
        rc = fail_broken(pg, e, "connection to PostgreSQL", PQerrorMessage(pg->conn));
    if (rc == 0) {
        /* The server gives up before we do, so that a slow batch ends as an error with words.
         * Batches are short plans over arrays: compiling them costs more than they do. */
        char sql[256];
        snprintf(sql, sizeof(sql),
                 "SET timezone = 'UTC'; SET statement_timeout = %d; SET jit = off; "
                 "SET idle_in_transaction_session_timeout = %d; SET work_mem = '32MB'",
                 PG_CALL_MS - 10000, PG_CALL_MS);
        rc = pg_script(pg, sql, PG_CALL_MS, e);
    }
    return rc;
}

static void disconnect(struct pg *pg)
{
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->broken = false;
    memset(pg->prepared, 0, sizeof(pg->prepared));
}

int pg_open(const char *conninfo, struct pg **ret, struct err *e)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &why);
    if (!options) {
        int rc = fail_text(e, -EINVAL, "database.conninfo", why);
        PQfreemem(why);
        return rc;
    }
    PQconninfoFree(options);
    struct pg *pg = calloc(1, sizeof(*pg));
    char *copy = strdup(conninfo);
    if (!pg || !copy) {
        free(pg);
        free(copy);
        return err_set(e, -ENOMEM, "connection to PostgreSQL");
    }
    pg->conninfo = copy;
    int rc = connect_now(pg, e);
    if (rc < 0) {
        pg_free(pg);
        return rc;
    }
    *ret = pg;
    return 0;
}

int pg_reset(struct pg *pg, struct err *e)
{
    disconnect(pg);
    int rc = connect_now(pg, e);
    if (rc < 0)
        disconnect(pg);
    return rc;
}

void pg_free(struct pg *pg)
{
    if (!pg)
        return;
    disconnect(pg);
    free(pg->conninfo);
    free(pg);
}

/* ---- results: a struct pg_result is a PGresult under another name ---- */

static const PGresult *result_of(const struct pg_result *r)
{
    return (const PGresult *)r;
}

void pg_result_free(struct pg_result *r)
{
    PQclear((PGresult *)r);
}

size_t pg_rows(const struct pg_result *r)
{
    return (size_t)PQntuples(result_of(r));
}

size_t pg_columns(const struct pg_result *r)
{
    return (size_t)PQnfields(result_of(r));
}

struct str pg_name(const struct pg_result *r, size_t column)
{
    return str_c(PQfname(result_of(r), (int)column));
}

uint32_t pg_type(const struct pg_result *r, size_t column)
{
    return PQftype(result_of(r), (int)column);
}

struct str pg_value(const struct pg_result *r, size_t row, size_t column)
{
    REQUIRE(row < pg_rows(r) && column < pg_columns(r));
    if (PQgetisnull(result_of(r), (int)row, (int)column))
        return (struct str){NULL, 0};
    return str_of(PQgetvalue(result_of(r), (int)row, (int)column),
                  (size_t)PQgetlength(result_of(r), (int)row, (int)column));
}

int pg_number(const struct pg_result *r, size_t row, size_t column, int64_t *ret, struct err *e)
{
    if (row >= pg_rows(r) || column >= pg_columns(r) || pg_value(r, row, column).n != 8)
        return err_set(e, -EPROTO, "PostgreSQL did not answer with a bigint");
    struct str v = pg_value(r, row, column);
    uint64_t n = 0;
    for (size_t i = 0; i < 8; i++)
        n = n << 8 | (uint8_t)v.p[i];
    *ret = (int64_t)n;
    return 0;
}
