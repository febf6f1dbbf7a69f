/* db_write.c - how many messages a second db_write carries into PostgreSQL, with 4 KB of evidence
 * each, beside COPY of the same columns into bare tables with the same keys, in the same run; and
 * the CPU time of both sides. Each batch is a transaction in both.
 *
 *   tests/support/postgres.sh run --fsync .../bench_db_write [MESSAGES [BATCH
 * [signed|unsigned|alone]]]
 *
 * Every message comes by a signed token of its own; with `unsigned`, by none, to a domain that
 * trusts that.
 *
 * The database must be empty: it gets the schema, and tables copy_*. With `alone` it may hold
 * anything, and COPY is left out: see db_full.py. */
#include "base/clock.h"
#include "db/db.h"
#include "db/migrate.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BODY = 4096 };

static void must(bool ok, const char *what, const char *why)
{
    if (!ok) {
        fprintf(stderr, "bench_db_write: %s: %s\n", what, why);
        exit(1);
    }
}

static double own_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Of one server process; 0 where /proc does not show it. */
static double server_cpu(int pid)
{
    char path[64], text[1024] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    unsigned long user = 0, system = 0;
    if (!p ||
        sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t seed = 88172645463325252u;
static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Words and ids as a report has them: compresses to about a half. */
static void fill_body(char *p, size_t n)
{
    static const char *const words[] = {"Received: from ",   "mail.example.com ",
                                        "with ESMTPS id ",   "Diagnostic-Code: smtp; 550 5.1.1 ",
                                        "user unknown ",     "Content-Type: text/plain; ",
                                        "charset=utf-8\r\n", "This is the mail system at host "};
    for (size_t at = 0; at < n;) {
        char word[64];
        uint64_t r = next_random();
        int len = snprintf(word, sizeof(word), "%s%llx\r\n", words[r % 8],
                           (unsigned long long)next_random() >> (r >> 8) % 40);
        for (int i = 0; i < len && at < n; i++)
            p[at++] = word[i];
    }
}

struct sample {
    struct report report;
    struct report_recipient recipient;
    struct verdict verdict;
    struct db_event event;
    struct str rcpt_to;
    char address[64], key[64], token[96], message_id[64], rcpt[64], body[BODY];
};

static bool is_unsigned;

static void fill(struct sample *s, struct db_message *m, size_t i)
{
    /* Every fifth is a hard bounce of an address not seen before; the rest never suppress. */
    bool hard = i % 5 == 0;
    snprintf(s->address, sizeof(s->address), "User.%llx@example.net",
             (unsigned long long)next_random() >> 20);
    snprintf(s->key, sizeof(s->key), "%s", s->address);
    s->key[0] = 'u';
    snprintf(s->message_id, sizeof(s->message_id), "%llx@news.example.com",
             (unsigned long long)next_random());
    snprintf(s->rcpt, sizeof(s->rcpt), "b%zu@bounces.example.test", i);
    s->rcpt_to = str_c(s->rcpt);
    snprintf(s->token, sizeof(s->token), "b1bauzu%.*s=example.net@bounces.example.test",
             (int)strcspn(s->key, "@"), s->key);
    s->recipient = (struct report_recipient){
        .final_recipient = str_c(s->address),
        .action = REPORT_ACTION_FAILED,
        .status = STR("5.1.1"),
        .reply_code = 550,
        .diagnostic = STR("550 5.1.1 The email account that you tried to reach does not exist. "
                          "Please try double-checking the recipient's email address"),
        .remote_mta = STR("gmail-smtp-in.l.example.com"),
        .last_attempt = STR("Mon, 05 Jan 2026 08:00:09 -0800 (PST)"),
    };
    s->report =
        (struct report){.kind = REPORT_BOUNCE,
                        .reader = "dsn",
                        .recipients = &s->recipient,
                        .recipients_n = 1,
                        .reporting_mta = STR("out17.example.com"),
                        .subject = STR("Undelivered Mail Returned to Sender"),
                        .from = STR("mailer-daemon@out17.example.com"),
                        .arrival_date = STR("Mon, 05 Jan 2026 08:00:05 +0000 (UTC)"),
                        .original = {
                            .message_id = str_c(s->message_id),
                            .from = STR("news@news.example.com"),
                            .to = str_c(s->address),
                            .return_path = str_c(s->rcpt),
                            .date = STR("Mon, 05 Jan 2026 08:00:00 +0000"),
                            .subject_hash = next_random(),
                            .feedback_id = STR("c17:u2:weekly:sender"),
                            .list_id = STR("Weekly <weekly.news.example.com>"),
                            .list_unsubscribe = STR("<https://news.example.com/u/4f2a17c0de>"),
                            .dkim_domain = STR("news.example.com"),
                        }};
    s->verdict = (struct verdict){
        .class = hard ? CLASS_HARD : CLASS_SOFT,
        .category = hard ? CATEGORY_BAD_MAILBOX : CATEGORY_MAILBOX_FULL,
        .fault = FAULT_RECIPIENT,
        .confidence = CONFIDENCE_HIGH,
        .rule = "google.no_such_user",
        .mx_operator = "google",
        .evidence = STR("account that you tried to reach does not exist"),
        .fingerprint = 0x1234567890abcdefu,
    };
    s->event = (struct db_event){
        .recipient = &s->recipient,
        .verdict = &s->verdict,
        .attribution = {.address = str_c(s->address),
                        .key = str_c(s->key),
                        .source = is_unsigned ? ATTRIBUTION_FINAL : ATTRIBUTION_TOKEN,
                        .verification =
                            is_unsigned ? ATTRIBUTION_UNSIGNED : ATTRIBUTION_TOKEN_VALID,
                        .verified = !is_unsigned,
                        .counts = true,
                        .token = is_unsigned ? (struct str){NULL, 0} : str_c(s->token),
                        .day = (uint32_t)(clock_now() / CLOCK_DAY)},
        .kind = REPORT_BOUNCE,
        .tenant = STR("main"),
        .stream = STR("default"),
        .trusted = true,
    };
    int64_t now = clock_now();
    *m = (struct db_message){
        .id = id_make(now),
        .received_at = now,
        .at = {1, i * BODY},
        .next = {1, (i + 1) * BODY},
        .client_address = STR("192.0.2.17"),
        .helo = STR("out17.example.com"),
        .protocol = STR("ESMTPS"),
        .tls = STR("TLSv1.3 TLS_AES_256_GCM_SHA384"),
        .mail_from = STR(""),
        .rcpt_to = &s->rcpt_to,
        .rcpt_to_n = 1,
        .size = BODY,
        .body = str_of(s->body, BODY),
        .report = &s->report,
        .events = &s->event,
        .events_n = 1,
    };
}

static void print_line(const char *what, size_t n, double wall, double own, double server)
{
    printf("%-9s %8.0f messages/s  client %5.1f us  server process %5.1f us a message\n", what,
           (double)n / wall, own / (double)n * 1e6, server / (double)n * 1e6);
}

static int newest_backend(PGconn *watch)
{
    PGresult *r = PQexec(watch, "SELECT pid FROM pg_stat_activity WHERE backend_type = "
                                "'client backend' AND pid <> pg_backend_pid() "
                                "AND datname = current_database() ORDER BY backend_start DESC");
    must(PQntuples(r) > 0, "pg_stat_activity", PQerrorMessage(watch));
    int pid = (int)strtol(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return pid;
}

static void bench_write(const char *conninfo, PGconn *watch, size_t n, size_t batch)
{
    struct err e = {0};
    struct db *db = NULL;
    unsigned version;
    must(db_open(conninfo, &db, &e) == 0, "db_open", e.text);
    must(db_migrate(db, NULL, NULL, &version, &e) == 0, "db_migrate", e.text);
    must(db_partitions(db, clock_now(), &e) == 0, "db_partitions", e.text);
    struct db_lane lane = {.journal = id_random(), .node = STR("mx1")};
    struct db_position at;
    must(db_lane_position(db, &lane, &at, &e) == 0, "db_lane_position", e.text);
    struct sample *s = calloc(batch, sizeof(*s));
    struct db_message *m = calloc(batch, sizeof(*m));
    must(s && m, "memory", "not enough");
    for (size_t i = 0; i < batch; i++)
        fill_body(s[i].body, BODY);
    int pid = newest_backend(watch);
    double wall = 0, own = 0, server = server_cpu(pid);
    for (size_t done = 0; done < n; done += batch) {
        for (size_t i = 0; i < batch; i++)
            fill(&s[i], &m[i], done + i);
        struct db_written written;
        int64_t t = clock_monotonic();
        double cpu = own_cpu();
        m[0].at = at;
        int rc = db_write(db, &lane, at, m, batch, &at, &written, &e);
        own += own_cpu() - cpu;
        wall += (double)(clock_monotonic() - t) / 1e6;
        must(rc == 0 && written.set_aside == 0, "db_write", e.text);
    }
    print_line("db_write", n, wall, own, server_cpu(pid) - server);
    db_free(db);
    free(s);
    free(m);
}

/* ---- the same rows by COPY ---- */

static void sql(PGconn *c, const char *text)
{
    PGresult *r = PQexec(c, text);
    ExecStatusType status = PQresultStatus(r);
    must(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, text, PQerrorMessage(c));
    PQclear(r);
}

struct rows {
    char **row;
    int *length;
    size_t n;
};

/* All rows of a table in COPY's binary format, one piece a row, as libpq gives them. */
static struct rows copy_out(PGconn *c, const char *columns, const char *table, size_t n)
{
    char text[2000];
    struct rows out = {calloc(n + 2, sizeof(char *)), calloc(n + 2, sizeof(int)), 0};
    must(out.row && out.length, "memory", "not enough");
    snprintf(text, sizeof(text),
             "COPY (SELECT %s FROM bouncemx.%s ORDER BY id LIMIT %zu) TO STDOUT BINARY", columns,
             table, n);
    PGresult *r = PQexec(c, text);
    must(PQresultStatus(r) == PGRES_COPY_OUT, text, PQerrorMessage(c));
    PQclear(r);
    char *piece;
    bool first = true;
    for (int got; (got = PQgetCopyData(c, &piece, 0)) > 0;) {
        /* The head of 19 bytes may come in front of the first row; 2 bytes are the end. */
        int skip = first && got >= 19 ? 19 : 0;
        first = false;
        if (got - skip > 2 && out.n < n) {
            out.row[out.n] = malloc((size_t)(got - skip));
            must(out.row[out.n] != NULL, "memory", "not enough");
            memcpy(out.row[out.n], piece + skip, (size_t)(got - skip));
            out.length[out.n++] = got - skip;
        }
        PQfreemem(piece);
    }
    PQclear(PQgetResult(c));
    return out;
}

static void copy_in(PGconn *c, const char *columns, const char *table, const struct rows *rows,
                    size_t from, size_t n)
{
    static const char head[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    char text[2000];
    snprintf(text, sizeof(text), "COPY copy_%s (%s) FROM STDIN BINARY", table, columns);
    PGresult *r = PQexec(c, text);
    must(PQresultStatus(r) == PGRES_COPY_IN, text, PQerrorMessage(c));
    PQclear(r);
    must(PQputCopyData(c, head, sizeof(head)) == 1, text, PQerrorMessage(c));
    for (size_t i = from; i < from + n && i < rows->n; i++)
        must(PQputCopyData(c, rows->row[i], rows->length[i]) == 1, text, PQerrorMessage(c));
    must(PQputCopyData(c, "\377\377", 2) == 1 && PQputCopyEnd(c, NULL) == 1, text,
         PQerrorMessage(c));
    r = PQgetResult(c);
    must(PQresultStatus(r) == PGRES_COMMAND_OK, text, PQerrorMessage(c));
    PQclear(r);
    while ((r = PQgetResult(c)) != NULL)
        PQclear(r);
}

static void columns_of(PGconn *c, const char *table, char *text, size_t room)
{
    char query[400];
    snprintf(query, sizeof(query),
             "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = "
             "'bouncemx.%s'::regclass AND attnum > 0 AND attgenerated = ''",
             table);
    PGresult *r = PQexec(c, query);
    must(PQntuples(r) == 1, query, PQerrorMessage(c));
    snprintf(text, room, "%s", PQgetvalue(r, 0, 0));
    PQclear(r);
}

static void bench_copy(PGconn *c, size_t n, size_t batch)
{
    static const char *const tables[] = {"message", "event", "evidence"};
    char columns[3][1400];
    struct rows rows[3];
    for (size_t i = 0; i < 3; i++) {
        char text[300];
        columns_of(c, tables[i], columns[i], sizeof(columns[i]));
        rows[i] = copy_out(c, columns[i], tables[i], n);
        must(rows[i].n == n, tables[i], "its rows do not come back one by one");
        snprintf(text, sizeof(text), "CREATE TABLE copy_%s (LIKE bouncemx.%s INCLUDING ALL)",
                 tables[i], tables[i]);
        sql(c, text);
    }
    double wall = 0, own = 0, server = server_cpu(PQbackendPID(c));
    int64_t t = clock_monotonic();
    double cpu = own_cpu();
    for (size_t done = 0; done < n; done += batch) {
        sql(c, "BEGIN");
        for (size_t i = 0; i < 3; i++)
            copy_in(c, columns[i], tables[i], &rows[i], done, batch);
        sql(c, "COMMIT");
    }
    own = own_cpu() - cpu;
    wall = (double)(clock_monotonic() - t) / 1e6;
    print_line("COPY", n, wall, own, server_cpu(PQbackendPID(c)) - server);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < rows[i].n; k++)
            free(rows[i].row[k]);
        free(rows[i].row);
        free(rows[i].length);
    }
}

int main(int argc, char **argv)
{
    const char *conninfo = getenv("BOUNCEMX_TEST_CONNINFO");
    must(conninfo != NULL, "BOUNCEMX_TEST_CONNINFO", "run by tests/support/postgres.sh run");
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 60000;
    size_t batch = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    is_unsigned = argc > 3 && strcmp(argv[3], "unsigned") == 0;
    bool alone = argc > 3 && strcmp(argv[3], "alone") == 0;
    if (alone)
        seed ^= (uint64_t)clock_now(); /* not the addresses of the run before */
    must(batch > 0 && n >= batch, "arguments", "[MESSAGES [BATCH [signed|unsigned|alone]]]");
    n -= n % batch;
    PGconn *c = PQconnectdb(conninfo);
    must(PQstatus(c) == CONNECTION_OK, "connect", PQerrorMessage(c));
    bench_write(conninfo, c, n, batch);
    if (!alone)
        bench_copy(c, n, batch);
    PQfinish(c);
    return 0;
}
