#include "db/rows.h"

#include "base/require.h"
#include "db/content.h"
#include "db/names.h"

#include <errno.h>

enum {
    BATCH_BYTES = 32 << 20,
    BATCH_EVENTS = 10000,
    BODY_MAX = 256 << 20,   /* what is longer is cut, and marked truncated */
    COLUMN_MAX = 384 << 20, /* PostgreSQL takes a value, and all of a call, up to 1 GB */
    CALL_MAX = 768 << 20,
};

static const enum encode_type types[] = {
#define X(id, type) type,
    MESSAGE_COLUMNS(X) EVENT_COLUMNS(X)
#undef X
};

void rows_init(struct rows *r)
{
    for (size_t i = 0; i < ROWS_COLUMNS; i++)
        array_init(&r->column[i], types[i], COLUMN_MAX);
}

void rows_free(struct rows *r)
{
    for (size_t i = 0; i < ROWS_COLUMNS; i++)
        array_free(&r->column[i]);
}

size_t rows_fit(const struct db_message *messages, size_t n)
{
    size_t bytes = 0, events = 0;
    for (size_t i = 0; i < n; i++) {
        const struct db_message *m = &messages[i];
        bytes += rows_body(m).n;
        events += m->events_n;
        for (size_t k = 0; k < m->events_n && k <= BATCH_EVENTS; k++)
            if (m->events[k].recipient)
                bytes += m->events[k].recipient->diagnostic.n;
        if (i > 0 && (bytes > BATCH_BYTES || events > BATCH_EVENTS))
            return i;
    }
    return n;
}

struct str rows_body(const struct db_message *m)
{
    return str_sub(m->body, 0, BODY_MAX);
}

struct str rows_word(struct str s)
{
    return s.n > 0 ? s : (struct str){NULL, 0};
}

static struct str or_empty(struct str s)
{
    return str_is_absent(s) ? STR("") : s;
}

static void word(struct rows *r, enum rows_column column, struct str v)
{
    array_text(&r->column[column], v, ROWS_WORD_MAX);
}

static void text(struct rows *r, enum rows_column column, struct str v)
{
    array_text(&r->column[column], v, ROWS_TEXT_MAX);
}

/* The same 64 bits; 0: there was nothing to hash. */
static void hash64(struct rows *r, enum rows_column column, uint64_t v)
{
    if (v)
        array_int8(&r->column[column], (int64_t)v);
    else
        array_null(&r->column[column]);
}

/* Events without a token are known by their content. */
static bool has_untokened(const struct db_message *m)
{
    for (size_t i = 0; i < m->events_n; i++)
        if (str_is_absent(rows_word(m->events[i].attribution.token)))
            return true;
    return false;
}

/* What the report shows of the message that it is about; no words of its subject or body. */
static void encode_original(struct rows *r, const struct report_original *o)
{
    struct str sender = rows_word(o->return_path);
    word(r, M_ORIGINAL_MESSAGE_ID, rows_word(o->message_id));
    word(r, M_ORIGINAL_FROM, rows_word(o->from));
    word(r, M_ORIGINAL_TO, rows_word(o->to));
    word(r, M_ORIGINAL_RETURN_PATH, str_is_absent(sender) ? rows_word(o->mail_from) : sender);
    word(r, M_ORIGINAL_DATE, rows_word(o->date));
    hash64(r, M_ORIGINAL_SUBJECT_HASH, o->subject_hash);
    word(r, M_FEEDBACK_ID, rows_word(o->feedback_id));
    word(r, M_LIST_ID, rows_word(o->list_id));
    text(r, M_LIST_UNSUBSCRIBE, rows_word(o->list_unsubscribe));
    word(r, M_CFBL_ADDRESS, rows_word(o->cfbl_address));
    word(r, M_CFBL_FEEDBACK_ID, rows_word(o->cfbl_feedback_id));
    word(r, M_DKIM_DOMAIN, rows_word(o->dkim_domain));
}

static void encode_message(struct rows *r, const struct db_message *m, struct str content)
{
    static const struct report unread = {.kind = REPORT_OTHER};
    const struct report *report = m->report ? m->report : &unread;
    array_id(&r->column[M_ID], m->id);
    array_time(&r->column[M_RECEIVED_AT], m->received_at);
    word(r, M_CLIENT_ADDRESS, rows_word(m->client_address));
    word(r, M_HELO, rows_word(m->helo));
    word(r, M_PROTOCOL, rows_word(m->protocol));
    word(r, M_TLS, rows_word(m->tls));
    word(r, M_MAIL_FROM, or_empty(m->mail_from));
    array_lines(&r->column[M_RCPT_TO], m->rcpt_to, m->rcpt_to_n, ROWS_WORD_MAX);
    array_int8(&r->column[M_SIZE], m->size > INT64_MAX ? INT64_MAX : (int64_t)m->size);
    array_bool(&r->column[M_TRUNCATED], m->truncated || m->body.n > BODY_MAX);
    word(r, M_KIND, name_of_kind(report->kind));
    word(r, M_READER, rows_word(str_c(report->reader)));
    text(r, M_SUBJECT, report->subject);
    word(r, M_HEADER_FROM, rows_word(report->from));
    word(r, M_REPORTING_MTA, rows_word(report->reporting_mta));
    word(r, M_FEEDBACK_TYPE, rows_word(report->feedback_type));
    word(r, M_USER_AGENT, rows_word(report->user_agent));
    word(r, M_ENVELOPE_ID, rows_word(report->envelope_id));
    word(r, M_ARRIVAL_DATE, rows_word(report->arrival_date));
    word(r, M_SOURCE_IP, rows_word(report->source_ip));
    encode_original(r, &report->original);
    array_bytes(&r->column[M_CONTENT_HASH], content);
    array_bytes(&r->column[M_RAW], or_empty(rows_body(m)));
}

/* A key that would have to be changed to be stored would be another person's: then it is none. */
static struct str key_of(const struct attribution *a)
{
    bool good = a->key.n > 0 && a->key.n <= ROWS_KEY_MAX && text_is_safe(a->key);
    return good ? a->key : (struct str){NULL, 0};
}

static void encode_recipient(struct rows *r, const struct report_recipient *to)
{
    static const struct report_recipient nobody;
    if (!to)
        to = &nobody;
    word(r, E_FINAL_RECIPIENT, rows_word(to->final_recipient));
    word(r, E_ACTION, name_of_action(to->action));
    word(r, E_STATUS, rows_word(to->status));
    if (to->reply_code > 0 && to->reply_code <= INT16_MAX)
        array_int2(&r->column[E_REPLY_CODE], (int16_t)to->reply_code);
    else
        array_null(&r->column[E_REPLY_CODE]);
    text(r, E_DIAGNOSTIC, rows_word(to->diagnostic));
    word(r, E_REMOTE_MTA, rows_word(to->remote_mta));
    word(r, E_LAST_ATTEMPT, rows_word(to->last_attempt));
    word(r, E_RETRY_UNTIL, rows_word(to->retry_until));
    word(r, E_FINAL_LOG_ID, rows_word(to->final_log_id));
}

static void encode_verdict(struct rows *r, const struct verdict *v)
{
    static const enum rows_column all[] = {
        E_CLASS,         E_CATEGORY,    E_FAULT,          E_CONFIDENCE, E_RULE,      E_MX_OPERATOR,
        E_EVIDENCE_TEXT, E_FINGERPRINT, E_LISTED_ADDRESS, E_BLOCKLIST,  E_LOOKUP_URL};
    if (!v) {
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            array_null(&r->column[all[i]]);
        return;
    }
    word(r, E_CLASS, name_of_class(v->class));
    word(r, E_CATEGORY, name_of_category(v->category));
    word(r, E_FAULT, name_of_fault(v->fault));
    word(r, E_CONFIDENCE, name_of_confidence(v->confidence));
    word(r, E_RULE, rows_word(str_c(v->rule)));
    word(r, E_MX_OPERATOR, rows_word(str_c(v->mx_operator)));
    text(r, E_EVIDENCE_TEXT, rows_word(v->evidence));
    hash64(r, E_FINGERPRINT, v->fingerprint);
    word(r, E_LISTED_ADDRESS, rows_word(v->listing.address));
    word(r, E_BLOCKLIST, rows_word(v->listing.list));
    text(r, E_LOOKUP_URL, rows_word(v->listing.url));
}

/* What it is known by: its token's identity, else its content. */
static void encode_identity(struct rows *r, const struct db_event *event, struct str content)
{
    const struct attribution *a = &event->attribution;
    uint8_t hash[CONTENT_HASH];
    struct str key = key_of(a), known = {NULL, 0};
    bool tokened = !str_is_absent(rows_word(a->token));
    word(r, E_TOKEN, rows_word(a->token));
    word(r, E_TOKEN_ID, rows_word(a->token_id));
    if (tokened)
        array_date(&r->column[E_TOKEN_DAY], a->day);
    else
        array_null(&r->column[E_TOKEN_DAY]);
    if (!tokened && !str_is_absent(content) && !str_is_absent(key) &&
        content_of_event((const uint8_t *)content.p, event->tenant, event->stream, key, hash))
        known = str_of(hash, sizeof(hash));
    array_bytes(&r->column[E_CONTENT], known);
}

static void encode_event(struct rows *r, const struct db_message *m, unsigned ordinal,
                         const struct db_event *event, struct str content)
{
    array_id(&r->column[E_ID], id_with_ordinal(m->id, ordinal));
    array_time(&r->column[E_RECEIVED_AT], m->received_at);
    word(r, E_KIND, name_of_kind(event->kind));
    word(r, E_TENANT, or_empty(event->tenant));
    word(r, E_STREAM, or_empty(event->stream));
    word(r, E_ADDRESS, rows_word(event->attribution.address));
    array_text(&r->column[E_ADDRESS_KEY], key_of(&event->attribution), ROWS_KEY_MAX);
    word(r, E_SOURCE, name_of_source(event->attribution.source));
    array_bool(&r->column[E_VERIFIED], event->attribution.verified);
    array_bool(&r->column[E_FORWARDED], event->attribution.forwarded);
    array_bool(&r->column[E_TRUSTED], event->trusted);
    encode_recipient(r, event->recipient);
    encode_verdict(r, event->verdict);
    static const struct report unread;
    const struct report *report = m->report ? m->report : &unread;
    word(r, E_REPORTING_MTA, rows_word(report->reporting_mta));
    struct str original = rows_word(report->original.message_id);
    word(r, E_ORIGINAL_MESSAGE_ID,
         str_is_absent(original) ? rows_word(event->attribution.message_id) : original);
    word(r, E_FEEDBACK_TYPE, rows_word(report->feedback_type));
    word(r, E_VERIFICATION, name_of_verification(event->attribution.verification));
    word(r, E_CAMPAIGN, rows_word(event->attribution.campaign));
    array_bool(&r->column[E_COUNTS], event->attribution.counts);
    array_bool(&r->column[E_CAPPED], event->attribution.medium);
    encode_identity(r, event, content);
}

int rows_encode(struct rows *r, const struct db_message *messages, size_t n, struct err *e)
{
    for (size_t i = 0; i < ROWS_COLUMNS; i++)
        array_begin(&r->column[i]);
    for (size_t i = 0; i < n; i++) {
        const struct db_message *m = &messages[i];
        if (m->events_n > ID_ORDINAL_MAX)
            return err_set(e, -EINVAL, "a message gave %zu events; %d have an id", m->events_n,
                           ID_ORDINAL_MAX);
        uint8_t hash[CONTENT_HASH];
        struct str content = {NULL, 0};
        if (has_untokened(m)) {
            if (!content_hash(rows_body(m), hash))
                return err_set(e, -ENOMEM, "hash of a message");
            content = str_of(hash, sizeof(hash));
        }
        encode_message(r, m, content);
        for (size_t k = 0; k < m->events_n; k++)
            encode_event(r, m, (unsigned)k + 1, &m->events[k], content);
    }
    size_t bytes = 0;
    for (size_t i = 0; i < ROWS_COLUMNS; i++) {
        int rc = array_end(&r->column[i]);
        bytes += r->column[i].bytes.n;
        if (rc == -ENOBUFS || bytes > CALL_MAX)
            return err_set(e, -EINVAL, "the rows are over the %d MiB that a call can hold",
                           (rc == -ENOBUFS ? COLUMN_MAX : CALL_MAX) >> 20);
        if (rc < 0)
            return err_set(e, rc, "rows of a batch");
    }
    return 0;
}

void rows_parameters(const struct rows *r, struct pg_parameters *p)
{
    for (size_t i = 0; i < ROWS_COLUMNS; i++)
        pg_add(p, buf_str(&r->column[i].bytes));
}

void rows_sql(char *sql, size_t room, const char *head, unsigned first, const char *tail)
{
    int n = snprintf(sql, room, "%s", head);
    REQUIRE(n >= 0 && (size_t)n < room);
    size_t at = (size_t)n;
    for (unsigned i = 0; i < ROWS_COLUMNS; i++) {
        n = snprintf(sql + at, room - at, "%s$%u", i ? ", " : "", first + i);
        REQUIRE(n >= 0 && (size_t)n < room - at);
        at += (size_t)n;
    }
    n = snprintf(sql + at, room - at, "%s", tail);
    REQUIRE(n >= 0 && (size_t)n < room - at);
}
