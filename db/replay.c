#include "db/replay.h"

#include "db/content.h"
#include "db/handle.h"
#include "db/names.h"

#include <errno.h>
#include <inttypes.h>

enum { COLUMNS_FIRST = 3, ARRAYS = COLUMNS_FIRST + REPLAY_COLUMNS, PART_MAX = 256 << 20 };

/* As a column would hold it. */
static struct str kept(struct arena *a, struct str s, size_t max)
{
    struct buf b;
    struct str ret = {NULL, 0};
    if (s.n == 0)
        return ret;
    buf_init(&b, max * 3 + 1);
    if (text_safe(&b, s, max) == 0)
        ret = arena_str(a, buf_str(&b));
    else
        a->failed = true;
    buf_free(&b);
    return ret;
}

static void verdict_texts(struct arena *a, const struct verdict *v, struct str ret[REPLAY_COLUMNS])
{
    ret[REPLAY_CLASS] = name_of_class(v->class);
    ret[REPLAY_CATEGORY] = name_of_category(v->category);
    ret[REPLAY_FAULT] = name_of_fault(v->fault);
    ret[REPLAY_CONFIDENCE] = name_of_confidence(v->confidence);
    ret[REPLAY_RULE] = kept(a, str_c(v->rule), ROWS_WORD_MAX);
    ret[REPLAY_MX_OPERATOR] = kept(a, str_c(v->mx_operator), ROWS_WORD_MAX);
    ret[REPLAY_EVIDENCE] = kept(a, v->evidence, ROWS_TEXT_MAX);
    if (v->fingerprint)
        ret[REPLAY_FINGERPRINT] = arena_fmt(a, "%" PRId64, (int64_t)v->fingerprint);
    ret[REPLAY_LISTED] = kept(a, v->listing.address, ROWS_WORD_MAX);
    ret[REPLAY_BLOCKLIST] = kept(a, v->listing.list, ROWS_WORD_MAX);
    ret[REPLAY_LOOKUP_URL] = kept(a, v->listing.url, ROWS_TEXT_MAX);
}

int db_replay_texts(struct arena *a, const struct db_event *event, struct str ret[REPLAY_COLUMNS])
{
    const struct report_recipient *to = event->recipient;
    for (size_t i = 0; i < REPLAY_COLUMNS; i++)
        ret[i] = (struct str){NULL, 0};
    ret[REPLAY_KIND] = name_of_kind(event->kind);
    if (to) {
        ret[REPLAY_STATUS] = kept(a, to->status, ROWS_WORD_MAX);
        ret[REPLAY_DIAGNOSTIC] = kept(a, to->diagnostic, ROWS_TEXT_MAX);
        if (to->reply_code > 0 && to->reply_code <= INT16_MAX)
            ret[REPLAY_REPLY_CODE] = arena_fmt(a, "%d", (int)to->reply_code);
    }
    if (event->verdict)
        verdict_texts(a, event->verdict, ret);
    return arena_failed(a) ? -ENOMEM : 0;
}

int db_replay_recipient(struct arena *a, const struct db_event *event, struct str *ret)
{
    *ret = event->recipient ? kept(a, event->recipient->final_recipient, ROWS_WORD_MAX)
                            : (struct str){NULL, 0};
    return arena_failed(a) ? -ENOMEM : 0;
}

int db_replay_content(struct arena *a, struct str message, struct str tenant, struct str stream,
                      struct str key, struct str *ret)
{
    uint8_t body[CONTENT_HASH], hash[CONTENT_HASH];
    if (!content_hash(message, body) || !content_of_event(body, tenant, stream, key, hash))
        return -ENOMEM;
    *ret = arena_str(a, str_of(hash, sizeof(hash)));
    return arena_failed(a) ? -ENOMEM : 0;
}

/* ---- writing ---- */

static void encode(struct array arrays[ARRAYS], const struct db_replay_event *events, size_t n)
{
    array_init(&arrays[0], ENCODE_UUID, PART_MAX);
    array_init(&arrays[1], ENCODE_TIMESTAMPTZ, PART_MAX);
    array_init(&arrays[2], ENCODE_BYTEA, PART_MAX);
    for (size_t k = COLUMNS_FIRST; k < ARRAYS; k++)
        array_init(&arrays[k], ENCODE_TEXT, PART_MAX);
    for (size_t k = 0; k < ARRAYS; k++)
        array_begin(&arrays[k]);
    for (size_t i = 0; i < n; i++) {
        array_id(&arrays[0], events[i].id);
        array_time(&arrays[1], events[i].received_at);
        array_bytes(&arrays[2], events[i].content);
        for (size_t k = 0; k < REPLAY_COLUMNS; k++)
            array_text(&arrays[COLUMNS_FIRST + k], events[i].texts[k], ROWS_TEXT_MAX * 3);
    }
}

static int read_answer(const struct pg_result *res, struct arena *a,
                       struct db_replay_counts *counts, struct str *ret_effects, struct err *e)
{
    int64_t n[4];
    for (size_t i = 0; i < 4; i++) {
        int rc = pg_number(res, 0, i, &n[i], e);
        if (rc < 0)
            return rc;
    }
    *ret_effects = arena_str(a, pg_value(res, 0, 4));
    if (arena_failed(a))
        return err_set(e, -ENOMEM, "events of a replay");
    counts->changed += (uint64_t)n[0];
    counts->came += (uint64_t)n[1];
    counts->gone += (uint64_t)n[2];
    counts->altered += (uint64_t)n[3];
    return 0;
}

int db_replay_apply(struct db *db, struct arena *a, const struct db_replay_job *job,
                    const struct db_replay_event *events, size_t n, int64_t now,
                    struct db_replay_counts *counts, struct str *ret_effects, struct err *e)
{
    char time[ENCODE_NUMBER_MAX];
    struct array arrays[ARRAYS];
    struct pg_parameters p = {0};
    struct pg_result *res = NULL;
    int rc = 0;
    encode(arrays, events, n);
    pg_add(&p, str_of(job->id.b, sizeof(job->id.b)));
    pg_add(&p, kept(a, job->object, ROWS_WORD_MAX));
    pg_add(&p, kept(a, job->reason, ROWS_WORD_MAX));
    pg_add(&p, kept(a, job->actor, ROWS_WORD_MAX));
    pg_add(&p, encode_time(now, time));
    pg_add(&p, job->dry ? STR("\1") : STR("\0"));
    for (size_t k = 0; k < ARRAYS; k++) {
        int failed = array_end(&arrays[k]);
        rc = rc < 0 ? rc : failed;
        pg_add(&p, buf_str(&arrays[k].bytes));
    }
    if (rc < 0 || arena_failed(a))
        rc = err_set(e, -ENOMEM, "events of a replay");
    else
        rc = pg_call(db->pg, PG_REPLAY,
                     "SELECT changed, came, gone, altered, effects FROM bouncemx.replay_apply($1, "
                     "$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
                     "$19, $20, $21, $22, $23, $24)",
                     &p, PG_CALL_MS, &res, e);
    if (rc == 0)
        rc = read_answer(res, a, counts, ret_effects, e);
    pg_result_free(res);
    for (size_t k = 0; k < ARRAYS; k++)
        array_free(&arrays[k]);
    return rc;
}
