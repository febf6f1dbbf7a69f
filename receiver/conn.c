#include "receiver/conn_state.h"

#include <stdlib.h>

/* ---- life ---- */

void conn_free(struct conn *c)
{
    smtp_session_free(c->session);
    tls_free(c->tls);
    stream_free(c->stream);
    buf_free(&c->pending);
    conn_body_drop(c);
    generation_unref(c->generation);
    free(c);
}

void conn_close(struct conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    stream_close(c->stream);
}

static void on_closed(void *ctx)
{
    conns_release(ctx);
}

static void on_broken(void *ctx)
{
    conn_close(ctx);
}

/* ---- reading ---- */

static size_t on_room(void *ctx)
{
    const struct conn *c = ctx;
    return c->stage == STAGE_SESSION ? conn_body_room(c) : conn_open_room(c);
}

void conn_read(struct conn *c)
{
    stream_read(c->stream, !c->closing && !c->eof && c->pause == 0);
}

static void conn_pause(struct conn *c, enum pause why)
{
    if (why == PAUSE_MEMORY && !(c->pause & PAUSE_MEMORY))
        c->paused_since = conns_now(c->pool);
    c->pause |= why;
    conn_read(c);
}

void conn_resume(struct conn *c, enum pause why)
{
    c->pause &= ~(unsigned)why;
    conn_read(c);
}

static void on_full(void *ctx)
{
    conn_pause(ctx, PAUSE_MEMORY);
}

/* Keeps input that the session can't take now. When memory is short, a peer that sends on without
 * reading replies has to go. */
static void conn_keep(struct conn *c, struct str bytes)
{
    if (bytes.n == 0)
        return;
    if ((stream_is_sending(c->stream) && receiver_body_is_full(c->pool->shared)) ||
        buf_add(&c->pending, bytes) < 0) {
        conn_close(c);
        return;
    }
    conn_charge(c);
    if (c->pending.n > PENDING_HIGH)
        conn_pause(c, PAUSE_PENDING);
}

static bool conn_is_stuck(const struct conn *c)
{
    return c->waiting || stream_is_sending(c->stream) || c->closing || conn_is_slowed(c);
}

static void conn_feed(struct conn *c, struct str bytes);

void conn_plain(struct conn *c, struct str bytes)
{
    if (conn_is_stuck(c) || c->pending.n > 0)
        conn_keep(c, bytes);
    else
        conn_feed(c, bytes);
}

void conn_bytes(struct conn *c, struct str bytes)
{
    c->rate_received += bytes.n;
    if (c->lingering || c->ending)
        return; /* what comes behind our last word is read and forgotten */
    if (c->tls)
        conn_tls_bytes(c, bytes);
    else
        conn_plain(c, bytes);
}

static void on_bytes(void *ctx, struct str bytes)
{
    struct conn *c = ctx;
    if (c->stage == STAGE_SESSION)
        conn_bytes(c, bytes);
    else
        conn_open_bytes(c, bytes);
}

void conn_ended(struct conn *c)
{
    c->eof = true;
    if (c->stage != STAGE_SESSION) {
        conn_close(c);
        return;
    }
    conn_read(c);
    conn_pump(c);
}

static void on_end(void *ctx)
{
    conn_ended(ctx);
}

/* ---- writing ---- */

static void on_sent(void *ctx)
{
    conn_pump(ctx);
}

/* Writes the replies gathered so far; what the socket does not take waits in the stream. */
static void conn_flush(struct conn *c)
{
    struct buf *gathered = &c->pool->out;
    if (gathered->n > 0 && !c->closing && conn_write(c, buf_str(gathered)) < 0)
        conn_close(c);
    buf_clear(gathered);
}

void conn_finish(struct conn *c, bool peer_expects_it)
{
    /* Who speaks TLS answers close_notify even when it has closed the session itself. */
    if (conn_tls_close(c) < 0 || (peer_expects_it && !c->tls) || c->eof) {
        conn_close(c);
        return;
    }
    c->lingering = true;
    c->progress = conns_now(c->pool);
    c->pause = 0;
    conn_read(c);
    if (!c->closing && stream_shutdown(c->stream) < 0)
        conn_close(c);
}

/* ---- events ---- */

static void count_message(struct conn *c, enum reply r)
{
    struct receiver_shared *s = c->pool->shared;
    if (r == REPLY_STORED) {
        RECEIVER_COUNT(s, messages, 1);
        RECEIVER_COUNT(s, octets, c->size);
        if (c->truncated)
            RECEIVER_COUNT(s, messages_truncated, 1);
    } else if (reply_code(r) < 500) {
        RECEIVER_COUNT(s, messages_failed, 1);
    } else {
        if (r == REPLY_LOOP)
            RECEIVER_COUNT(s, messages_looping, 1);
        RECEIVER_COUNT(s, messages_refused, 1);
    }
}

static void count_reply(struct conn *c, enum reply r)
{
    struct receiver_shared *s = c->pool->shared;
    unsigned code = reply_code(r);
    if (r == REPLY_RCPT_OK)
        RECEIVER_COUNT(s, rcpt_accepted, 1);
    else if (r == REPLY_RELAY_DENIED)
        RECEIVER_COUNT(s, rcpt_relay, 1);
    else if (r == REPLY_RCPT_UNKNOWN)
        RECEIVER_COUNT(s, rcpt_unknown, 1);
    else if (r == REPLY_RCPT_TOKEN)
        RECEIVER_COUNT(s, rcpt_token, 1);
    else if (r == REPLY_RCPT_MANY_NULL)
        RECEIVER_COUNT(s, rcpt_null_many, 1);
    else if (r == REPLY_SPOOL_FULL)
        RECEIVER_COUNT(s, no_room, 1);
    else if (r == REPLY_ADDRESS_MESSAGES)
        RECEIVER_COUNT(s, rate_refused, 1);
    else if (r == REPLY_ADDRESS_RECIPIENTS)
        RECEIVER_COUNT(s, rate_refused_recipients, 1);
    else if (r == REPLY_XCLIENT_DENIED)
        RECEIVER_COUNT(s, xclient_refused, 1);
    else if (r == REPLY_UNKNOWN_MANY)
        RECEIVER_COUNT(s, unknown_recipients, 1);
    else if (r == REPLY_DATA_SLOW)
        RECEIVER_COUNT(s, slow_senders, 1);
    else if (r == REPLY_TIMED_OUT || r == REPLY_SESSION_LONG)
        RECEIVER_COUNT(s, timeouts, 1);
    else if ((code >= 500 && code <= 504) || r == REPLY_BAD_COMMANDS)
        RECEIVER_COUNT(s, bad_commands, 1);
}

/* Worth a line of the log: what the client is to blame for, and limits that it met. */
static bool is_refusal(enum reply r)
{
    return reply_code(r) >= 400 && r != REPLY_STOPPING && r != REPLY_TIMED_OUT &&
           r != REPLY_SESSION_LONG;
}

static void conn_reply(struct conn *c, const struct smtp_event *ev)
{
    struct conns *p = c->pool;
    c->progress = c->rate_since = conns_now(p);
    c->rate_received = 0;
    if (ev->after_data)
        count_message(c, ev->reply);
    else
        count_reply(c, ev->reply);
    if (is_refusal(ev->reply))
        conn_refused(c, str_trim(ev->bytes));
    if (ev->reply == REPLY_RCPT_UNKNOWN || ev->reply == REPLY_RELAY_DENIED ||
        ev->reply == REPLY_RCPT_TOKEN)
        conn_slow(c);
    if (buf_add(&p->out, ev->bytes) < 0)
        conn_close(c);
    else if (p->out.n >= OUT_FLUSH)
        conn_flush(c);
}

/* What the session can't know before it accepts a sender. */
static void conn_mail(struct conn *c, uint64_t size)
{
    struct receiver_shared *s = c->pool->shared;
    uint64_t keep = conn_settings(c)->limits.keep_bytes;
    if (!spool_lane_has_room(c->pool->lane, size < keep ? size : keep))
        smtp_session_refuse(c->session, REPLY_SPOOL_FULL);
    else if (receiver_body_is_full(s))
        smtp_session_refuse(c->session, REPLY_MEMORY_FULL);
    else if (!peers_message(s->peers, c->peer, conn_settings(c)->limits.messages_per_minute,
                            conns_minute(c->pool)))
        smtp_session_refuse(c->session, REPLY_ADDRESS_MESSAGES);
}

static void conn_rcpt(struct conn *c)
{
    if (!peers_recipient(c->pool->shared->peers, c->peer,
                         conn_settings(c)->limits.recipients_per_minute, conns_minute(c->pool)))
        smtp_session_refuse(c->session, REPLY_ADDRESS_RECIPIENTS);
}

static void conn_apply(struct conn *c, const struct smtp_event *ev)
{
    switch (ev->kind) {
    case SMTP_EV_REPLY:
        conn_reply(c, ev);
        break;
    case SMTP_EV_MAIL:
        conn_mail(c, ev->size);
        break;
    case SMTP_EV_RCPT:
        conn_rcpt(c);
        break;
    case SMTP_EV_XCLIENT:
        conn_xclient(c, ev->bytes);
        break;
    case SMTP_EV_DATA:
        conn_message_begin(c);
        break;
    case SMTP_EV_BODY:
        conn_message_add(c, ev->bytes);
        break;
    case SMTP_EV_DROP:
        conn_body_drop(c);
        break;
    case SMTP_EV_END:
        conn_message_end(c);
        break;
    case SMTP_EV_STARTTLS:
        conn_flush(c); /* the reply, still in clear */
        if (!c->closing && conn_tls_start(c) < 0)
            conn_close(c);
        break;
    case SMTP_EV_CLOSE:
        c->ending = true;
        break;
    }
}

/* Lets the session work until it has no more to say, the journal has a message in hand, or the peer
 * must read first; then writes its replies. */
void conn_events(struct conn *c)
{
    struct smtp_event ev = {.kind = SMTP_EV_REPLY};
    enum reply last = REPLY_COUNT;
    while (!conn_is_stuck(c) && smtp_session_next(c->session, &ev)) {
        conn_apply(c, &ev);
        if (ev.kind == SMTP_EV_REPLY)
            last = ev.reply;
    }
    conn_flush(c);
    if (c->ending && !stream_is_sending(c->stream) && !c->closing && !c->lingering)
        conn_finish(c, last == REPLY_QUIT_OK);
}

/* Gives the session bytes that stay valid during the call; what it can't take is kept. */
static void conn_feed(struct conn *c, struct str bytes)
{
    struct conns *p = c->pool;
    smtp_session_feed(c->session, bytes);
    conn_events(c);
    struct str rest = smtp_session_rest(c->session);
    if (!c->closing && !c->ending)
        conn_keep(c, rest);
    if (c->closing || c->ending || conn_is_stuck(c))
        return;
    if (p->stopping && smtp_session_phase(c->session) == SMTP_PHASE_COMMAND &&
        !smtp_session_has_message(c->session)) {
        smtp_session_end(c->session, REPLY_STOPPING);
        conn_events(c);
    } else if (c->eof) {
        conn_close(c);
    }
}

/* Goes on after a wait, with what came meanwhile. */
void conn_pump(struct conn *c)
{
    if (conn_is_shaking_hands(c) && !c->lingering) {
        if (c->eof)
            conn_close(c);
        return;
    }
    if (c->lingering || (c->eof && c->ending && !stream_is_sending(c->stream))) {
        if (c->eof)
            conn_close(c);
        return;
    }
    if (conn_is_stuck(c))
        return;
    struct buf held = c->pending;
    buf_init(&c->pending, PENDING_MAX);
    conn_feed(c, buf_str(&held));
    buf_free(&held);
    conn_charge(c);
    if (!c->closing && c->pending.n <= PENDING_HIGH)
        conn_resume(c, PAUSE_PENDING);
}

/* Ends the session from our side, unless the journal has its message. */
void conn_end(struct conn *c, enum reply why)
{
    if (c->stage != STAGE_SESSION)
        conn_refuse(c, why);
    else if (c->lingering || stream_is_sending(c->stream) || conn_is_shaking_hands(c)) {
        /* The peer does not read, or can't yet: there is nothing that it would hear. */
        conn_close(c);
    } else if (!c->waiting && !c->ending) {
        c->slow_until = 0;
        smtp_session_end(c->session, why);
        conn_events(c);
    }
}

const struct stream_calls conn_calls = {
    .room = on_room,
    .full = on_full,
    .bytes = on_bytes,
    .end = on_end,
    .sent = on_sent,
    .broken = on_broken,
    .closed = on_closed,
};
