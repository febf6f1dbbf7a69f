#include "db/read.h"

#include "base/address.h"
#include "base/clock.h"
#include "db/decimal.h"
#include "db/handle.h"

#include <errno.h>
#include <inttypes.h>

/* Types of answers that are not in encode.h. */
enum {
    OID_NAME = 19,
    OID_INT4 = 23,
    OID_VARCHAR = 1043,
    OID_NUMERIC = 1700,
    OID_FIRST_OF_USER = 16384
};
enum { LIST_MAX = 64 << 20 };

/* parameters: t text, n number, z time, i id, a address (asked for by its key), l list of texts. */
static const struct {
    const char *parameters;
    const char *sql;
} questions[] = {
    [DB_ASK_SUPPRESSIONS] =
        {"tntztttt",
         "SELECT * FROM bouncemx.suppressions($1, $2, $3, $4, $5::bouncemx.suppression_scope, $6, "
         "$7::bouncemx.event_kind, $8::bouncemx.suppression_state)"},
    [DB_ASK_SUPPRESSION] = {"az", "SELECT * FROM bouncemx.suppression_of($1, $2)"},
    [DB_ASK_SUPPRESSED] = {"attz", "SELECT * FROM bouncemx.suppressed($1, $2, $3, $4)"},
    [DB_ASK_EVENTS] = {"ni", "SELECT * FROM bouncemx.events($1, $2)"},
    [DB_ASK_EVENT] = {"i", "SELECT * FROM bouncemx.event_of($1)"},
    [DB_ASK_EVIDENCE] = {"i", "SELECT * FROM bouncemx.evidence_of($1)"},
    [DB_ASK_SET_ASIDE] = {"n", "SELECT * FROM bouncemx.set_aside_list($1)"},
    [DB_ASK_SET_ASIDE_ONE] = {"i", "SELECT * FROM bouncemx.set_aside_one($1)"},
    [DB_ASK_REPLAY_COUNT] = {"zz", "SELECT bouncemx.replay_count($1, $2) AS count"},
    [DB_ASK_REPLAY_MESSAGES] = {"zztin",
                                "SELECT * FROM bouncemx.replay_messages($1, $2, $3, $4, $5)"},
    [DB_ASK_REPLAY_EVENTS] = {"zzii", "SELECT * FROM bouncemx.replay_events($1, $2, $3, $4)"},
    [DB_ASK_FEED] = {"tn", "SELECT * FROM bouncemx.feed_after($1, $2)"},
    [DB_ASK_FEED_POSITION] = {"z", "SELECT * FROM bouncemx.feed_position($1)"},
    [DB_ASK_MAINTENANCE] = {"", "SELECT * FROM bouncemx.maintenance_shown()"},
    [DB_ASK_LANES] = {"", "SELECT * FROM bouncemx.lanes()"},
    [DB_ASK_COUNTS] = {"", "SELECT * FROM bouncemx.counts()"},
    [DB_ASK_UNMATCHED] = {"zz", "SELECT bouncemx.unmatched($1, $2) AS count"},
    [DB_ASK_REPORT_OPERATOR] = {"zzt", "SELECT * FROM bouncemx.report_operator($1, $2, $3)"},
    [DB_ASK_REPORT_CAMPAIGN] = {"zzt", "SELECT * FROM bouncemx.report_campaign($1, $2, $3)"},
    [DB_ASK_REPORT_REASONS] = {"zzt", "SELECT * FROM bouncemx.report_reasons($1, $2, $3)"},
    [DB_ASK_REPORT_SPIKES] = {"zzt", "SELECT * FROM bouncemx.report_spikes($1, $2, $3)"},
    [DB_ASK_VOLUMES] = {"ttn", "SELECT * FROM bouncemx.volumes($1, $2, $3)"},
    [DB_ASK_REPORT_BLOCKS] = {"zzt", "SELECT * FROM bouncemx.report_blocks($1, $2, $3)"},
    [DB_ASK_REPORT_DIAGNOSTICS] = {"zzt", "SELECT * FROM bouncemx.report_diagnostics($1, $2, $3)"},
    [DB_ASK_REPORT_UNCLASSIFIED] = {"zzt",
                                    "SELECT * FROM bouncemx.report_unclassified($1, $2, $3)"},
    [DB_ASK_REPORT_LATENCY] = {"zzt", "SELECT * FROM bouncemx.report_latency($1, $2, $3)"},
    [DB_ASK_REPORT_RATES] = {"zzt", "SELECT * FROM bouncemx.report_rates($1, $2, $3)"},
    [DB_ASK_REPORT_FLOW] = {"zzt", "SELECT * FROM bouncemx.report_flow($1, $2, $3)"},
    [DB_ASK_REPORT_SOFT] = {"zzt", "SELECT * FROM bouncemx.report_soft($1, $2, $3)"},
    [DB_ASK_REPORT_FORGED] = {"zzt", "SELECT * FROM bouncemx.report_forged($1, $2, $3)"},
    [DB_ASK_REPORT_RULES] = {"zzt", "SELECT * FROM bouncemx.report_rules($1, $2, $3)"},
    [DB_ASK_REPORT_UNMATCHED] = {"zzt", "SELECT * FROM bouncemx.report_unmatched($1, $2, $3)"},
    [DB_ASK_REPORT_HELD] = {"zzt", "SELECT * FROM bouncemx.report_held($1, $2, $3)"},
    [DB_ASK_CHECK] = {"llttz", "SELECT * FROM bouncemx.check_keys($1, $2, $3, $4, $5)"},
    [DB_ASK_ALLOWED] = {"t", "SELECT * FROM bouncemx.allowed_list($1)"},
    [DB_ASK_WEEKS] = {"", "SELECT count(*) AS count FROM bouncemx.weeks_kept()"},
    [DB_DO_ACT_AS] = {"t", "SELECT set_config('bouncemx.actor', $1, false) AS actor"},
    [DB_DO_ADD] =
        {"atttttzz",
         "SELECT bouncemx.suppression_add($1, $2, $3::bouncemx.suppression_scope, $4, $5, "
         "$6::bouncemx.event_kind, $7, $8) AS did"},
    [DB_DO_REMOVE] = {"atttttz", "SELECT * FROM bouncemx.suppression_remove($1, $2, "
                                 "$3::bouncemx.suppression_scope, $4, $5, $6::text::boolean, $7)"},
    [DB_DO_ERASE] = {"atz", "SELECT * FROM bouncemx.erase($1, $2, $3)"},
    [DB_DO_ERASE_WEEK] = {"an",
                          "SELECT m.* FROM bouncemx.weeks_kept() w CROSS JOIN LATERAL "
                          "bouncemx.erase_mentioned($1, w.since, w.until) m WHERE w.week = $2"},
    [DB_DO_UNDO] = {"ittz", "SELECT * FROM bouncemx.undo_event($1, $2, $3::text::boolean, $4)"},
    [DB_DO_ALLOW] = {"tttz", "SELECT bouncemx.allow($1, $2, $3, $4) AS removed"},
    [DB_DO_DISALLOW] = {"ttt", "SELECT bouncemx.disallow($1, $2, $3) AS stood"},
    [DB_DO_DELIVERED] =
        {"llll", "SELECT bouncemx.delivered($1, $2, $3, $4::text[]::timestamptz[]) AS reset"},
};
_Static_assert(sizeof(questions) / sizeof(questions[0]) == DB_QUESTION_COUNT,
               "a question has no SQL");
_Static_assert((size_t)PG_ASK + DB_QUESTION_COUNT <= PG_STATEMENTS_MAX, "PG_STATEMENTS_MAX is low");

/* ---- parameters ---- */

/* A line each, as text[]. */
static struct str list_of(struct arena *a, struct str lines)
{
    struct array list;
    struct str rest = lines, line, out = {NULL, 0};
    array_init(&list, ENCODE_TEXT, LIST_MAX);
    array_begin(&list);
    while (str_line(&rest, &line))
        array_text(&list, line, line.n);
    if (array_end(&list) == 0)
        out = arena_str(a, buf_str(&list.bytes));
    array_free(&list);
    return out;
}

static int add_parameter(struct arena *a, char type, struct str v, struct pg_parameters *p,
                         struct err *e)
{
    struct str out = v;
    if (str_is_absent(v)) {
        pg_add(p, v);
        return 0;
    }
    if (type == 'n' || type == 'z') {
        uint64_t n;
        if (!str_to_u64(v, &n) || n > INT64_MAX)
            return err_set(e, -EINVAL, "\"%.*s\" is no number", STR_ARG(v));
        char number[ENCODE_NUMBER_MAX];
        out = arena_str(a, type == 'n' ? encode_int8((int64_t)n, number)
                                       : encode_time((int64_t)n, number));
    } else if (type == 'i') {
        struct id id;
        if (!id_parse(v, &id))
            return err_set(e, -EINVAL, "\"%.*s\" is no id (8-4-4-4-12 hex digits)", STR_ARG(v));
        out = arena_str(a, str_of(id.b, sizeof(id.b)));
    } else if (type == 'a') {
        out = address_key(a, v);
        if (str_is_absent(out) && !arena_failed(a))
            return err_set(e, -EINVAL, "\"%.*s\" is no address", STR_ARG(v));
    } else if (type == 'l') {
        out = list_of(a, v);
    } else if (!text_is_safe(v)) {
        return err_set(e, -EINVAL, "\"%.*s\" is not UTF-8 text", STR_ARG(v));
    }
    if (str_is_absent(out) || out.n > INT32_MAX)
        return err_set(e, -ENOMEM, "parameter of a question");
    pg_add(p, out);
    return 0;
}

/* ---- answers ---- */

static int64_t number_of(struct str v)
{
    uint64_t n = v.n > 0 && ((uint8_t)v.p[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < v.n; i++)
        n = n << 8 | (uint8_t)v.p[i];
    return (int64_t)n;
}

static struct str time_of(struct arena *a, struct str v)
{
    char text[CLOCK_TEXT];
    int64_t t = number_of(v);
    if (t == INT64_MAX || t == INT64_MIN)
        return arena_str(a, t > 0 ? STR("infinity") : STR("-infinity"));
    if (t > INT64_MAX - 946684800 * CLOCK_SECOND)
        t = INT64_MAX - 946684800 * CLOCK_SECOND;
    return arena_str(a, str_c(clock_format_rfc3339(t + 946684800 * CLOCK_SECOND, text)));
}

static struct str date_of(struct arena *a, struct str v)
{
    char text[CLOCK_TEXT];
    int64_t days = (int32_t)number_of(v);
    return arena_str(a,
                     str_sub(str_c(clock_format_rfc3339((days + 10957) * CLOCK_DAY, text)), 0, 10));
}

static int type_of(uint32_t oid, enum db_type *ret)
{
    switch (oid) {
    case ENCODE_BOOL:
        *ret = DB_BOOL;
        return 0;
    case ENCODE_BYTEA:
        *ret = DB_BYTES;
        return 0;
    case ENCODE_INT2:
    case OID_INT4:
    case ENCODE_INT8:
        *ret = DB_NUMBER;
        return 0;
    case ENCODE_TIMESTAMPTZ:
        *ret = DB_TIME;
        return 0;
    case OID_NUMERIC:
        *ret = DB_DECIMAL;
        return 0;
    case OID_NAME:
    case ENCODE_DATE:
    case ENCODE_TEXT:
    case OID_VARCHAR:
    case ENCODE_UUID:
        *ret = DB_TEXT;
        return 0;
    default:
        /* Our enums; their binary form is their word. */
        *ret = DB_TEXT;
        return oid >= OID_FIRST_OF_USER ? 0 : -EPROTO;
    }
}

static size_t size_of(uint32_t oid)
{
    switch (oid) {
    case ENCODE_BOOL:
        return 1;
    case ENCODE_INT2:
        return 2;
    case OID_INT4:
    case ENCODE_DATE:
        return 4;
    case ENCODE_INT8:
    case ENCODE_TIMESTAMPTZ:
        return 8;
    case ENCODE_UUID:
        return sizeof(struct id);
    default:
        return 0; /* any */
    }
}

static struct str text_of(struct arena *a, uint32_t oid, struct str v)
{
    char id_text[ID_TEXT];
    struct id id;
    switch (oid) {
    case ENCODE_BOOL:
        return v.p[0] ? STR("true") : STR("false");
    case ENCODE_INT2:
    case OID_INT4:
    case ENCODE_INT8:
        return arena_fmt(a, "%" PRId64, number_of(v));
    case OID_NUMERIC:
        return decimal_text(a, v);
    case ENCODE_TIMESTAMPTZ:
        return time_of(a, v);
    case ENCODE_DATE:
        return date_of(a, v);
    case ENCODE_UUID:
        memcpy(id.b, v.p, sizeof(id.b));
        return arena_str(a, str_c(id_format(id, id_text)));
    default:
        return arena_str(a, v);
    }
}

static int read_cell(struct arena *a, const struct pg_result *res, size_t row, size_t column,
                     struct db_cell *ret, struct err *e)
{
    struct str v = pg_value(res, row, column);
    uint32_t oid = pg_type(res, column);
    *ret = (struct db_cell){.null = str_is_absent(v)};
    if (ret->null)
        return 0;
    if (size_of(oid) && size_of(oid) != v.n)
        return err_set(e, -EPROTO, "column %.*s has %zu bytes, not %zu",
                       STR_ARG(pg_name(res, column)), v.n, size_of(oid));
    ret->text = text_of(a, oid, v);
    if (str_is_absent(ret->text) && !arena_failed(a))
        return err_set(e, -EPROTO, "column %.*s has a value that is no number",
                       STR_ARG(pg_name(res, column)));
    return 0;
}

static int read_table(struct arena *a, const struct pg_result *res, struct db_table *ret,
                      struct err *e)
{
    struct db_table t = {.columns_n = pg_columns(res), .rows_n = pg_rows(res)};
    struct str *names = ARENA_ARRAY(a, t.columns_n, struct str);
    enum db_type *types = ARENA_ARRAY(a, t.columns_n, enum db_type);
    struct db_cell *cells = NULL;
    if (t.columns_n == 0 || t.rows_n <= SIZE_MAX / t.columns_n)
        cells = ARENA_ARRAY(a, t.rows_n * t.columns_n, struct db_cell);
    if (!names || !types || !cells)
        return err_set(e, -ENOMEM, "answer of %zu rows", t.rows_n);
    for (size_t c = 0; c < t.columns_n; c++) {
        names[c] = arena_str(a, pg_name(res, c));
        if (type_of(pg_type(res, c), &types[c]) < 0)
            return err_set(e, -EPROTO, "column %.*s has the unknown type %u",
                           STR_ARG(pg_name(res, c)), (unsigned)pg_type(res, c));
    }
    for (size_t r = 0; r < t.rows_n; r++)
        for (size_t c = 0; c < t.columns_n; c++) {
            int rc = read_cell(a, res, r, c, &cells[r * t.columns_n + c], e);
            if (rc < 0)
                return rc;
        }
    if (arena_failed(a))
        return err_set(e, -ENOMEM, "answer of %zu rows", t.rows_n);
    t.names = names;
    t.types = types;
    t.cells = cells;
    *ret = t;
    return 0;
}

int db_ask(struct db *db, struct arena *a, enum db_question question, const struct str *params,
           size_t params_n, struct db_table *ret, struct err *e)
{
    if ((size_t)question >= DB_QUESTION_COUNT || params_n != strlen(questions[question].parameters))
        return err_set(e, -EINVAL, "question %u does not take %zu parameters", (unsigned)question,
                       params_n);
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    int rc = 0;
    for (size_t i = 0; i < params_n && rc == 0; i++)
        rc = add_parameter(a, questions[question].parameters[i], params[i], &p, e);
    if (rc == 0)
        rc = pg_call(db->pg, (enum pg_statement)(PG_ASK + question), questions[question].sql, &p,
                     PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = read_table(a, res, ret, e);
    pg_result_free(res);
    return rc;
}
