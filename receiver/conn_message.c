#include "base/clock.h"
#include "receiver/conn_state.h"
#include "receiver/received.h"

enum {
    BODY_FIRST = 8 * 1024, /* most reports fit */
    RECEIVED_MAX = 2048,
};

/* ---- memory ---- */

void conn_charge(struct conn *c)
{
    size_t held = c->body.room + c->pending.room;
    if (held > c->charged)
        receiver_body_charge(c->pool->shared, held - c->charged);
    else if (held < c->charged)
        receiver_body_release(c->pool->shared, c->charged - held);
    c->charged = held;
}

size_t conn_body_room(const struct conn *c)
{
    bool grows = c->session && !c->lingering && smtp_session_body_grows(c->session);
    if (!grows || !receiver_body_is_full(c->pool->shared))
        return STREAM_READ_MAX;
    size_t left = c->body.room - c->body.n;
    return left < STREAM_READ_MAX ? left : STREAM_READ_MAX;
}

void conn_body_drop(struct conn *c)
{
    buf_free(&c->body);
    conn_charge(c);
}

/* ---- the message ---- */

static void envelope(struct conn *c, struct spool_envelope *ret)
{
    smtp_session_envelope(c->session, c->pool->recipients, ret);
    ret->id = c->id;
    ret->received_at = clock_now();
    ret->client_address = str_c(c->address);
    if (c->tls)
        ret->tls = tls_name(c->tls, c->pool->tls_name);
}

void conn_message_begin(struct conn *c)
{
    const struct receiver_settings *settings = conn_settings(c);
    struct spool_envelope e;
    c->message_since = conns_now(c->pool);
    c->id = id_make(clock_now());
    conn_body_drop(c);
    buf_init(&c->body, settings->limits.keep_bytes + RECEIVED_MAX);
    envelope(c, &e);
    int rc =
        buf_reserve(&c->body, settings->limits.keep_bytes < BODY_FIRST ? RECEIVED_MAX : BODY_FIRST);
    if (rc == 0)
        rc = received_write(&c->body, &e, str_c(settings->hostname));
    if (rc < 0)
        smtp_session_refuse_data(c->session, REPLY_MEMORY_FULL);
    conn_charge(c);
}

void conn_message_add(struct conn *c, struct str bytes)
{
    if (buf_add(&c->body, bytes) < 0)
        smtp_session_refuse_data(c->session, REPLY_MEMORY_FULL);
    conn_charge(c);
}

/* What the journal says of a message, perhaps after its peer has gone. */
static void message_done(void *ctx, int result)
{
    struct conn *c = ctx;
    c->waiting = false;
    if (c->closed) {
        conn_free(c);
        return;
    }
    if (c->closing)
        return;
    char id[ID_TEXT];
    smtp_session_done(c->session, result, str_c(id_format(c->id, id)));
    conn_pump(c);
}

void conn_message_end(struct conn *c)
{
    struct spool_envelope e;
    envelope(c, &e);
    c->size = e.size;
    c->truncated = smtp_session_truncated(c->session);
    int rc = spool_append(c->pool->lane, &e, buf_str(&c->body), c->truncated, message_done, c);
    conn_body_drop(c);
    if (rc < 0)
        smtp_session_done(c->session, rc, (struct str){0});
    else
        c->waiting = true;
}
