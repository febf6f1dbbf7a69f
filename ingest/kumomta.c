/* KumoMTA: one JSON object a line, as its log_hooks and configure_local_logs write them
 * (https://docs.kumomta.com/reference/log_record/). jansson stays here. */
#include "ingest/kept.h"
#include "ingest/reader.h"

#include "base/clock.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

enum { DEFERRALS = 65536 };

struct kumomta {
    const struct ingest_clock *clock;
    struct kept *deferrals; /* id, recipient: the line */
};

static void kumomta_free(void *state)
{
    struct kumomta *k = state;
    kept_free(k->deferrals);
    free(k);
}

static void *kumomta_make(const struct ingest_clock *clock)
{
    struct kumomta *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    k->clock = clock;
    k->deferrals = kept_new(DEFERRALS);
    if (!k->deferrals) {
        kumomta_free(k);
        return NULL;
    }
    return k;
}

/* Types that say nothing that we want to hear: of arrivals, queues and hosts; and OOB and Feedback,
 * which came by mail, to us as well. */
static const struct {
    struct str name;
    enum ingest_kind kind;
} types[] = {
    {STR_INIT("Delivery"), INGEST_SENT},
    {STR_INIT("Bounce"), INGEST_BOUNCED},
    {STR_INIT("AdminBounce"), INGEST_OTHER}, /* an operator emptied a queue: no word of the host */
    {STR_INIT("TransientFailure"), INGEST_DEFERRED},
    {STR_INIT("Expiration"), INGEST_EXPIRED},
    {STR_INIT("Reception"), INGEST_OTHER},
    {STR_INIT("OOB"), INGEST_OTHER},
    {STR_INIT("Feedback"), INGEST_OTHER},
    {STR_INIT("Rejection"), INGEST_OTHER},
    {STR_INIT("Delayed"), INGEST_OTHER},
    {STR_INIT("AdminRebind"), INGEST_OTHER},
    {STR_INIT("DeferredInjectionRebind"), INGEST_OTHER},
    {STR_INIT("XferOut"), INGEST_OTHER},
    {STR_INIT("XferIn"), INGEST_OTHER},
    {STR_INIT("Any"), INGEST_OTHER},
};

static struct str text_of(struct arena *a, const json_t *v)
{
    if (!json_is_string(v))
        return (struct str){NULL, 0};
    return ingest_text(a, str_of(json_string_value(v), json_string_length(v)));
}

/* A text of meta or headers under any of the names, which end with NULL; a list's first. */
static struct str named(struct arena *a, const json_t *object, const char *const *names)
{
    const char *key;
    json_t *v;
    for (; *names; names++) {
        void *i = json_object_iter((json_t *)(uintptr_t)object);
        for (; i; i = json_object_iter_next((json_t *)(uintptr_t)object, i)) {
            key = json_object_iter_key(i);
            v = json_object_iter_value(i);
            if (str_ieq(str_c(key), str_c(*names)))
                return text_of(a, json_is_array(v) ? json_array_get(v, 0) : v);
        }
    }
    return (struct str){NULL, 0};
}

/* "class.subject.detail" */
static struct str enhanced(struct arena *a, const json_t *code)
{
    static const char *const parts[] = {"class", "subject", "detail"};
    json_int_t n[3];
    for (size_t i = 0; i < 3; i++) {
        const json_t *v = json_object_get(code, parts[i]);
        if (!json_is_integer(v))
            return (struct str){NULL, 0};
        n[i] = json_integer_value(v);
        if (n[i] < 0 || n[i] > 999)
            return (struct str){NULL, 0};
    }
    return arena_fmt(a, "%d.%d.%d", (int)n[0], (int)n[1], (int)n[2]);
}

/* The words as the host said them: the codes stand beside the content. */
static void response(struct arena *a, const json_t *v, struct ingest_record *r)
{
    const json_t *code = json_object_get(v, "code");
    struct str content = text_of(a, json_object_get(v, "content"));
    r->status = enhanced(a, json_object_get(v, "enhanced_code"));
    r->command = text_of(a, json_object_get(v, "command"));
    if (json_is_integer(code) && json_integer_value(code) >= 200 && json_integer_value(code) < 600)
        r->reply_code = (uint16_t)json_integer_value(code);
    if (r->reply_code)
        r->text = arena_fmt(a, "%u %.*s%s%.*s", r->reply_code, STR_ARG(r->status),
                            r->status.n && content.n ? " " : "", STR_ARG(content));
    else
        r->text = content;
}

static void peer(struct arena *a, const json_t *v, struct ingest_record *r)
{
    r->remote_host = text_of(a, json_object_get(v, "name"));
    if (str_iends(r->remote_host, STR("."))) /* as DNS names the root */
        r->remote_host.n--;
    r->remote_ip = text_of(a, json_object_get(v, "addr"));
}

/* Seconds since the epoch, or the time as text (log_timestamps). */
static bool time_of(const struct kumomta *k, const json_t *v, int64_t *ret)
{
    if (json_is_string(v)) {
        struct str s = str_c(json_string_value(v));
        return ingest_time_iso(k->clock, &s, ret);
    }
    double t = json_is_number(v) ? json_number_value(v) : -1;
    if (!(t >= 0 && t < 253402300800.0)) /* the year 10000 */
        return false;
    *ret = json_is_integer(v) ? json_integer_value(v) * CLOCK_SECOND
                              : (int64_t)(t * (double)CLOCK_SECOND);
    return true;
}

static struct str message_id(struct arena *a, const json_t *headers)
{
    static const char *const names[] = {"Message-ID", NULL};
    struct str id = str_trim(named(a, headers, names));
    return id.n > 2 && id.p[0] == '<' && id.p[id.n - 1] == '>' ? str_sub(id, 1, id.n - 1) : id;
}

/* Why it was deferred last says more than that its time is over. */
static void expired(const struct kumomta *k, struct arena *a, struct ingest_record *r)
{
    const struct kept_entry *e = kept_find(k->deferrals, r->queue_id);
    while (e && !str_eq(kept_sub(e), r->recipient))
        e = kept_next(k->deferrals, e);
    json_t *before = e ? json_loadb(kept_value(e).p, kept_value(e).n, 0, NULL) : NULL;
    if (!before)
        return;
    r->reply_code = 0;
    response(a, json_object_get(before, "response"), r);
    peer(a, json_object_get(before, "peer_address"), r);
    r->evidence = arena_fmt(a, "%.*s\n%.*s", STR_ARG(kept_value(e)), STR_ARG(r->evidence));
    json_decref(before);
}

/* What is remembered of one, and what was. */
static void remember(const struct kumomta *k, struct arena *a, struct str line,
                     struct ingest_record *r)
{
    if (r->kind == INGEST_EXPIRED)
        expired(k, a, r);
    if (r->kind == INGEST_DEFERRED && r->queue_id.n)
        kept_put(k->deferrals, r->queue_id, r->recipient, line);
    else if (r->queue_id.n)
        kept_drop(k->deferrals, r->queue_id);
}

static int records(const struct kumomta *k, struct arena *a, const json_t *o, struct str line,
                   enum ingest_kind kind, struct ingest_records *ret, struct err *e)
{
    static const char *const tenant[] = {"tenant", NULL};
    static const char *const campaign[] = {"campaign", NULL};
    const json_t *meta = json_object_get(o, "meta"), *to = json_object_get(o, "recipient");
    struct ingest_record r = {.kind = kind, .evidence = arena_str(a, line)};
    if (!time_of(k, json_object_get(o, "timestamp"), &r.time))
        return err_set(e, -EINVAL, "timestamp: expected seconds since 1970");
    r.sender = text_of(a, json_object_get(o, "sender"));
    r.queue_id = text_of(a, json_object_get(o, "id"));
    r.host = text_of(a, json_object_get(o, "nodeid"));
    peer(a, json_object_get(o, "peer_address"), &r);
    r.tenant = named(a, meta, tenant);
    r.campaign = named(a, meta, campaign);
    r.message_id = message_id(a, json_object_get(o, "headers"));
    response(a, json_object_get(o, "response"), &r);
    size_t all = json_is_array(to) ? json_array_size(to) : 1;
    size_t n = all < INGEST_RECORDS_MAX ? all : INGEST_RECORDS_MAX;
    struct ingest_record *list = ARENA_ARRAY(a, n, struct ingest_record);
    if (!list)
        return 0; /* the arena remembers */
    for (size_t i = 0; i < n; i++) {
        list[i] = r;
        list[i].recipient = text_of(a, json_is_array(to) ? json_array_get(to, i) : to);
        if (!list[i].recipient.n && !arena_failed(a))
            return err_set(e, -EINVAL, "recipient: expected an address, or a list of them");
    }
    for (size_t i = 0; i < n; i++)
        remember(k, a, line, &list[i]);
    *ret = (struct ingest_records){list, n, n < all};
    return 0;
}

static int kumomta_read(void *state, struct arena *a, struct str line, struct ingest_records *ret,
                        struct err *e)
{
    json_error_t why;
    json_t *o = json_loadb(line.p, line.n, 0, &why);
    int rc = 0;
    if (!o)
        return err_set(e, -EINVAL, "column %d: %s: expected a JSON object", why.column, why.text);
    struct str type = text_of(a, json_object_get(o, "type"));
    size_t i = 0;
    while (i < sizeof(types) / sizeof(types[0]) && !str_eq(type, types[i].name))
        i++;
    if (i == sizeof(types) / sizeof(types[0]))
        rc = err_set(e, -EINVAL, "type \"%.*s\": expected one of KumoMTA's, such as Bounce",
                     STR_ARG(str_sub(type, 0, 40)));
    else if (types[i].kind != INGEST_OTHER)
        rc = records(state, a, o, line, types[i].kind, ret, e);
    json_decref(o);
    return rc;
}

const struct ingest_ops ingest_kumomta = {kumomta_make, kumomta_free, kumomta_read};
