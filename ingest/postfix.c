/* Postfix: "Nov 24 01:02:03 host postfix/smtp[123]: 4XyZ: to=<a@b>, ..., dsn=5.1.1, status=bounced
 * (words)"; cleanup and qmgr lines of the same queue id say Message-ID and sender, and that a
 * message expired, whose last deferrals then were the reasons. */
#include "ingest/kept.h"
#include "ingest/reader.h"

#include <errno.h>
#include <stdlib.h>

enum { MESSAGES = 65536, DEFERRALS = 65536, QUEUE_ID_MAX = 64 };

struct postfix {
    struct ingest_years years;
    struct kept *facts;     /* queue id, "from" or "message-id" */
    struct kept *deferrals; /* queue id, recipient: the line */
};

static void postfix_free(void *state)
{
    struct postfix *p = state;
    kept_free(p->facts);
    kept_free(p->deferrals);
    free(p);
}

static void *postfix_make(const struct ingest_clock *clock)
{
    struct postfix *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->years.clock = clock;
    p->facts = kept_new(2 * MESSAGES);
    p->deferrals = kept_new(DEFERRALS);
    if (!p->facts || !p->deferrals) {
        postfix_free(p);
        return NULL;
    }
    return p;
}

/* ---- the parts of a line ---- */

struct line {
    int64_t time;
    struct str host, daemon, queue_id, rest;
};

static bool queue_id_is(struct str s)
{
    if (s.n < 5 || s.n > QUEUE_ID_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]))
            return false;
    return true;
}

/* 0: not a line about a message; 1: it is; -EINVAL: no line of syslog. */
static int line_split(struct ingest_years *y, struct str text, struct line *ret, struct err *e)
{
    struct line l = {0};
    bool iso = text.n && ascii_is_digit(text.p[0]);
    if (!(iso ? ingest_time_iso(y->clock, &text, &l.time) : ingest_time_syslog(y, &text, &l.time)))
        return err_set(e, -EINVAL,
                       "\"%.*s\": expected a time, such as Nov 24 01:02:03 or "
                       "2026-11-24T01:02:03Z",
                       STR_ARG(str_sub(text, 0, 40)));
    text = str_trim(text);
    l.host = str_cut(&text, ' ');
    struct str tag = str_cut(&text, ' ');
    size_t bracket = str_chr(tag, '[', 0), slash = str_rchr(str_sub(tag, 0, bracket), '/');
    if (slash >= bracket || !str_iends(tag, STR("]:")))
        return 0;
    l.daemon = str_sub(tag, slash + 1, bracket);
    l.queue_id = str_cut(&text, ':');
    l.rest = str_trim(text);
    if (!queue_id_is(l.queue_id))
        return 0;
    *ret = l;
    return 1;
}

/* "<a@b>" at the front of *rest: without its brackets. A quoted local part may hold '>'. */
static bool angle(struct str *rest, struct str *ret)
{
    bool quoted = false;
    if (!rest->n || rest->p[0] != '<')
        return false;
    for (size_t i = 1; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == '\\' && quoted)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == '>' && !quoted) {
            *ret = str_sub(*rest, 1, i);
            *rest = str_from(*rest, i + 1);
            return true;
        }
    }
    return false;
}

/* "name=value, " at the front; false at the end or when it is none. */
static bool pair(struct str *rest, struct str *ret_name, struct str *ret_value)
{
    struct str left = *rest;
    size_t equals = str_chr(left, '=', 0);
    if (equals == left.n || equals == 0 || equals > 32)
        return false;
    *ret_name = str_sub(left, 0, equals);
    left = str_from(left, equals + 1);
    if (left.n && left.p[0] == '<') {
        if (!angle(&left, ret_value))
            return false;
        if (str_starts(left, STR(",")))
            left = str_from(left, 1);
    } else {
        *ret_value = str_cut(&left, ',');
    }
    *rest = str_trim(left);
    return true;
}

/* "mx.example[192.0.2.1]:25" */
static void host_split(struct str s, struct str *ret_host, struct str *ret_ip)
{
    size_t open = str_chr(s, '[', 0), close = str_chr(s, ']', open);
    if (open == 0 || open == s.n || close == s.n)
        return;
    *ret_host = str_sub(s, 0, open);
    *ret_ip = str_sub(s, open + 1, close);
}

/* "host mx.example[192.0.2.1] said: 550 ... (in reply to RCPT TO command)" */
static void words(struct ingest_record *r, struct str text)
{
    static const struct str speaks[] = {STR_INIT(" said: "), STR_INIT(" refused to talk to me: ")};
    if (str_starts(text, STR("host ")))
        for (size_t i = 0; i < 2; i++) {
            size_t at = str_find(text, speaks[i], 0);
            if (at == text.n)
                continue;
            host_split(str_sub(text, 5, at), &r->remote_host, &r->remote_ip);
            text = str_from(text, at + speaks[i].n);
            break;
        }
    size_t reply_to = str_find(text, STR(" (in reply to "), 0);
    if (reply_to < text.n) {
        struct str command = str_from(text, reply_to + 14);
        r->command = str_sub(command, 0, str_find(command, STR(" command"), 0));
        text = str_sub(text, 0, reply_to);
    }
    r->text = str_trim(text);
    ingest_codes(r->text, &r->reply_code, &r->status);
}

static bool kind_read(struct str word, enum ingest_kind *ret)
{
    static const struct {
        struct str word;
        enum ingest_kind kind;
    } t[] = {{STR_INIT("sent"), INGEST_SENT},           {STR_INIT("bounced"), INGEST_BOUNCED},
             {STR_INIT("deferred"), INGEST_DEFERRED},   {STR_INIT("expired"), INGEST_EXPIRED},
             {STR_INIT("SOFTBOUNCE"), INGEST_DEFERRED}, /* soft_bounce = yes */
             {STR_INIT("deliverable"), INGEST_OTHER},   /* a probe: there was no mail */
             {STR_INIT("undeliverable"), INGEST_OTHER}};
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (str_eq(word, t[i].word)) {
            *ret = t[i].kind;
            return true;
        }
    return false;
}

/* ---- a line about a recipient ---- */

static struct str fact(const struct postfix *p, struct str queue_id, struct str name)
{
    for (const struct kept_entry *e = kept_find(p->facts, queue_id); e; e = kept_next(p->facts, e))
        if (str_eq(kept_sub(e), name))
            return str_from(kept_value(e), 1);
    return (struct str){NULL, 0};
}

/* False: it does not have the form. */
static bool delivery(const struct postfix *p, struct arena *a, const struct line *l,
                     struct ingest_record *ret)
{
    struct ingest_record r = {.time = l->time, .host = l->host, .queue_id = l->queue_id};
    struct str rest = l->rest, name, value, relay = {NULL, 0};
    bool found = false;
    while (!found && pair(&rest, &name, &value)) {
        if (str_eq(name, STR("to"))) {
            r.recipient = value;
        } else if (str_eq(name, STR("orig_to"))) {
            r.orig_to = value;
        } else if (str_eq(name, STR("relay"))) {
            relay = value;
        } else if (str_eq(name, STR("dsn"))) {
            r.status = value;
        } else if (str_eq(name, STR("status"))) {
            /* The words may hold commas: all that follows is theirs. */
            rest = str_from(l->rest, (size_t)(value.p - l->rest.p));
            value = str_cut(&rest, ' ');
            found = true;
        }
    }
    if (!found || !r.recipient.n || !kind_read(value, &r.kind))
        return false;
    if (str_starts(rest, STR("(")) && str_iends(rest, STR(")")))
        rest = str_sub(rest, 1, rest.n - 1);
    words(&r, rest);
    /* An alias became another message: what becomes of that is logged for itself. */
    if (r.kind == INGEST_SENT && str_starts(r.text, STR("forwarded as ")))
        r.kind = INGEST_OTHER;
    if (!r.remote_host.n)
        host_split(relay, &r.remote_host, &r.remote_ip);
    r.sender = fact(p, l->queue_id, STR("from"));
    r.message_id = fact(p, l->queue_id, STR("message-id"));
    struct str *texts[] = {&r.recipient,  &r.orig_to, &r.sender,      &r.queue_id,
                           &r.message_id, &r.host,    &r.remote_host, &r.remote_ip,
                           &r.text,       &r.command, &r.status};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = ingest_text(a, *texts[i]);
    *ret = r;
    return true;
}

static int one(struct postfix *p, struct arena *a, const struct line *l, struct str text,
               struct ingest_records *ret, struct err *e)
{
    struct ingest_record *r = ARENA_NEW(a, struct ingest_record);
    if (!r)
        return 0; /* the arena remembers */
    if (!delivery(p, a, l, r))
        return err_set(e, -EINVAL,
                       "expected to=<address>, dsn=..., status=sent|bounced|deferred "
                       "(words)");
    r->evidence = arena_str(a, text);
    if (r->kind == INGEST_DEFERRED)
        kept_put(p->deferrals, l->queue_id, r->recipient, text);
    *ret = (struct ingest_records){r, 1, false};
    return 0;
}

/* ---- a message that expired ---- */

static int expired(struct postfix *p, struct arena *a, const struct line *l, struct str text,
                   struct ingest_records *ret)
{
    size_t n = 0;
    for (const struct kept_entry *e = kept_find(p->deferrals, l->queue_id);
         e && n < INGEST_RECORDS_MAX; e = kept_next(p->deferrals, e))
        n++;
    struct ingest_record *list = ARENA_ARRAY(a, n, struct ingest_record);
    if (!list)
        return 0;
    n = 0;
    for (const struct kept_entry *e = kept_find(p->deferrals, l->queue_id);
         e && n < INGEST_RECORDS_MAX; e = kept_next(p->deferrals, e)) {
        struct ingest_years years = p->years; /* an older line must not turn the year back */
        struct str before = arena_str(a, kept_value(e));
        struct line d;
        if (str_is_absent(before))
            return 0;
        if (line_split(&years, before, &d, NULL) != 1 || !delivery(p, a, &d, &list[n]))
            continue;
        list[n].kind = INGEST_EXPIRED;
        list[n].time = l->time;
        list[n].evidence = arena_fmt(a, "%.*s\n%.*s", STR_ARG(before), STR_ARG(text));
        n++;
    }
    *ret = (struct ingest_records){list, n, false};
    return 0;
}

/* ---- what other lines say ---- */

/* With a byte in front: an empty sender is a fact, too. */
static void keep(struct postfix *p, struct arena *a, struct str queue_id, struct str name,
                 struct str value)
{
    struct str marked = arena_fmt(a, "=%.*s", STR_ARG(value));
    if (!str_is_absent(marked))
        kept_put(p->facts, queue_id, name, marked);
}

static int other(struct postfix *p, struct arena *a, const struct line *l, struct str text,
                 struct ingest_records *ret)
{
    struct str rest = l->rest, name, value;
    if (str_eq(l->daemon, STR("qmgr")) && str_eq(l->rest, STR("removed"))) {
        kept_drop(p->facts, l->queue_id);
        kept_drop(p->deferrals, l->queue_id);
        return 0;
    }
    if (!pair(&rest, &name, &value))
        return 0;
    if (str_eq(l->daemon, STR("cleanup")) && str_eq(name, STR("message-id")))
        keep(p, a, l->queue_id, name, value);
    if (str_eq(l->daemon, STR("qmgr")) && str_eq(name, STR("from"))) {
        keep(p, a, l->queue_id, name, value);
        if (str_starts(rest, STR("status=expired")) ||
            str_starts(rest, STR("status=force-expired")))
            return expired(p, a, l, text, ret);
    }
    return 0;
}

static int postfix_read(void *state, struct arena *a, struct str text, struct ingest_records *ret,
                        struct err *e)
{
    struct postfix *p = state;
    struct line l;
    int rc = line_split(&p->years, text, &l, e);
    if (rc <= 0)
        return rc;
    if (str_starts(l.rest, STR("to=<")) && str_find(l.rest, STR(" status="), 0) < l.rest.n)
        return one(p, a, &l, text, ret, e);
    return other(p, a, &l, text, ret);
}

const struct ingest_ops ingest_postfix = {postfix_make, postfix_free, postfix_read};
