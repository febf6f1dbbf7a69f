#include "receiver/conn.h"

#include "base/clock.h"
#include "base/require.h"
#include "receiver/received.h"
#include "receiver/session.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

enum {
    READ_BYTES = 64 * 1024, /* one buffer a thread: what is read is used at once */
    /* Input that came while the session waits for the journal or the peer for its replies; reading
     * stops above it, so at most one read more is held. */
    PENDING_HIGH = 16 * 1024,
    PENDING_MAX = PENDING_HIGH + READ_BYTES,
    OUT_FLUSH = 16 * 1024,
    OUT_MAX = 64 * 1024,
    BODY_FIRST = 8 * 1024, /* most reports fit */
    RECEIVED_MAX = 2048,
    LINGER_TIME = 2 * CLOCK_SECOND,
    TICK_MIN = 20 * 1000,
    TICK_MAX = 250 * 1000,
};

/* Why a connection does not read. It reads again when no reason is left. */
enum pause {
    PAUSE_PENDING = 1, /* too much input waits; ends when the session takes it: conn_pump */
    PAUSE_MEMORY = 2,  /* bodies fill their memory; ends in conn_tick */
};

struct conn {
    uv_tcp_t tcp;
    struct conns *pool;
    struct conn *next, *previous;
    struct smtp_session *session;

    struct buf pending; /* read, not yet fed */
    struct buf out;     /* replies that the socket did not take, behind those in sending */
    struct buf sending; /* in the hands of write */
    uv_write_t write;
    uv_shutdown_t shutdown;

    struct buf body; /* Received: line and content so far */
    size_t charged;  /* of the memory of all bodies */
    struct id id;    /* of the message in hand */
    uint64_t size;
    bool truncated;

    int64_t opened;
    int64_t progress; /* end of the last command, or begin of the message */
    int64_t paused_since;

    unsigned pause;
    bool reading;
    bool is_sending;
    bool dropped; /* the content in hand will be refused */
    bool waiting; /* the lane will call message_done */
    bool ending;  /* close once replies are sent */
    bool lingering;
    bool eof;
    bool closing, closed;
    char address[INET6_ADDRSTRLEN];
};

struct conns {
    struct receiver_shared *shared;
    uv_loop_t *loop;
    struct spool_lane *lane;
    struct conn *first;
    size_t n;
    bool stopping;
    conns_empty_fn empty;
    void *empty_ctx;
    struct smtp_config smtp;
    struct arena scratch;
    struct buf out; /* replies of the connection that is being pumped */
    char read[READ_BYTES];
    struct spool_recipient recipients[SPOOL_RECIPIENTS_MAX];
};

static void conn_pump(struct conn *c);

static int64_t now(const struct conns *p)
{
    return (int64_t)uv_now(p->loop) * 1000;
}

/* ---- life ---- */

/* Brings what is charged for this connection to what it holds. */
static void conn_charge(struct conn *c)
{
    size_t held = c->body.room + c->pending.room;
    if (held > c->charged)
        receiver_body_charge(c->pool->shared, held - c->charged);
    else if (held < c->charged)
        receiver_body_release(c->pool->shared, c->charged - held);
    c->charged = held;
}

static void body_drop(struct conn *c)
{
    buf_free(&c->body);
    conn_charge(c);
}

static void conn_free(struct conn *c)
{
    smtp_session_free(c->session);
    buf_free(&c->out);
    buf_free(&c->sending);
    buf_free(&c->pending);
    body_drop(c);
    free(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    struct conns *p = c->pool;
    if (c->previous)
        c->previous->next = c->next;
    else
        p->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    p->n--;
    atomic_fetch_sub_explicit(&p->shared->connections, 1, memory_order_relaxed);
    RECEIVER_COUNT(p->shared, connections_now, -1);
    c->closed = true;
    if (!c->waiting)
        conn_free(c); /* else message_done frees it */
    if (p->n == 0 && p->stopping)
        p->empty(p->empty_ctx);
}

static void conn_close(struct conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    c->reading = false;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* ---- reading ---- */

/* What the content in hand may grow by when bodies fill their memory: what is charged already. */
static size_t body_room(const struct conn *c)
{
    bool grows = c->session && !c->dropped && !c->lingering &&
                 smtp_session_phase(c->session) == SMTP_PHASE_DATA &&
                 !smtp_session_truncated(c->session);
    if (!grows || !receiver_body_is_full(c->pool->shared))
        return READ_BYTES;
    size_t left = c->body.room - c->body.n;
    return left < READ_BYTES ? left : READ_BYTES;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct conn *c = handle->data;
    /* No room makes libuv call on_read with UV_ENOBUFS, nothing read. */
    *ret = uv_buf_init(c->pool->read, (unsigned)body_room(c));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void conn_read(struct conn *c)
{
    bool wanted = !c->closing && !c->eof && c->pause == 0;
    if (wanted == c->reading)
        return;
    c->reading = wanted;
    if (!wanted)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
        conn_close(c);
}

static void conn_pause(struct conn *c, enum pause why)
{
    if (why == PAUSE_MEMORY && !(c->pause & PAUSE_MEMORY))
        c->paused_since = now(c->pool);
    c->pause |= why;
    conn_read(c);
}

static void conn_resume(struct conn *c, enum pause why)
{
    c->pause &= ~(unsigned)why;
    conn_read(c);
}

/* Keeps input that the session can't take now. When memory is short, a peer that sends on without
 * reading replies has to go. */
static void conn_keep(struct conn *c, struct str bytes)
{
    if (bytes.n == 0)
        return;
    if ((c->is_sending && receiver_body_is_full(c->pool->shared)) ||
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
    return c->waiting || c->is_sending || c->closing;
}

static void conn_feed(struct conn *c, struct str bytes);

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    if (c->closing || n == 0)
        return;
    if (n == UV_ENOBUFS) {
        conn_pause(c, PAUSE_MEMORY);
    } else if (n == UV_EOF) {
        c->eof = true;
        c->reading = false;
        conn_pump(c);
    } else if (n < 0) {
        conn_close(c);
    } else if (c->lingering || c->ending) {
        return; /* what comes behind our last word is read and forgotten */
    } else if (conn_is_stuck(c) || c->pending.n > 0) {
        conn_keep(c, str_of(buf->base, (size_t)n));
    } else {
        conn_feed(c, str_of(buf->base, (size_t)n));
    }
}

/* ---- writing ---- */

static void conn_send(struct conn *c);

static void on_written(uv_write_t *request, int status)
{
    struct conn *c = request->data;
    c->is_sending = false;
    buf_free(&c->sending);
    if (c->closing)
        return;
    if (status < 0) {
        conn_close(c);
        return;
    }
    if (c->out.n > 0)
        conn_send(c);
    else
        conn_pump(c);
}

/* Hands out to libuv. */
static void conn_send(struct conn *c)
{
    c->sending = c->out;
    buf_init(&c->out, OUT_MAX);
    c->is_sending = true;
    c->write.data = c;
    uv_buf_t bytes = uv_buf_init(c->sending.p, (unsigned)c->sending.n);
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_written) < 0) {
        c->is_sending = false;
        buf_free(&c->sending);
        conn_close(c);
    }
}

/* Writes the replies gathered so far; what the socket does not take waits in the connection. */
static void conn_flush(struct conn *c)
{
    struct buf *gathered = &c->pool->out;
    struct str bytes = buf_str(gathered);
    if (bytes.n > 0 && !c->closing) {
        if (!c->is_sending) {
            uv_buf_t one = uv_buf_init(gathered->p, (unsigned)gathered->n);
            int n = uv_try_write((uv_stream_t *)&c->tcp, &one, 1);
            if (n < 0 && n != UV_EAGAIN)
                conn_close(c);
            bytes = str_from(bytes, n > 0 ? (size_t)n : 0);
        }
        if (bytes.n > 0 && !c->closing) {
            if (buf_add(&c->out, bytes) < 0)
                conn_close(c); /* the peer does not read replies */
            else if (!c->is_sending)
                conn_send(c);
        }
    }
    buf_clear(gathered);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status; /* when it failed, reading ends with an error, or the time does */
}

/* Our last word is sent. Closing with unread input would reset the connection and might take the
 * word from the peer, so what it still sends is read for a while. */
static void conn_finish(struct conn *c, bool peer_expects_it)
{
    if (peer_expects_it || c->eof) {
        conn_close(c);
        return;
    }
    c->lingering = true;
    c->progress = now(c->pool);
    c->pause = 0;
    conn_read(c);
    if (!c->closing && uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) < 0)
        conn_close(c);
}

/* ---- messages ---- */

static void envelope(struct conn *c, struct spool_envelope *ret)
{
    smtp_session_envelope(c->session, c->pool->recipients, ret);
    ret->id = c->id;
    ret->received_at = clock_now();
    ret->client_address = str_c(c->address);
}

static void message_begin(struct conn *c)
{
    struct conns *p = c->pool;
    struct spool_envelope e;
    c->progress = now(p);
    c->dropped = false;
    c->id = id_make(clock_now());
    body_drop(c);
    buf_init(&c->body, p->smtp.keep_bytes + RECEIVED_MAX);
    envelope(c, &e);
    int rc = buf_reserve(&c->body, p->smtp.keep_bytes < BODY_FIRST ? RECEIVED_MAX : BODY_FIRST);
    if (rc == 0)
        rc = received_write(&c->body, &e, p->smtp.hostname);
    if (rc < 0)
        smtp_session_refuse_data(c->session, REPLY_MEMORY_FULL);
    conn_charge(c);
}

static void message_add(struct conn *c, struct str bytes)
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

static void message_end(struct conn *c)
{
    struct spool_envelope e;
    envelope(c, &e);
    c->size = e.size;
    c->truncated = smtp_session_truncated(c->session);
    int rc = spool_append(c->pool->lane, &e, buf_str(&c->body), c->truncated, message_done, c);
    body_drop(c);
    if (rc < 0)
        smtp_session_done(c->session, rc, (struct str){0});
    else
        c->waiting = true;
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
    else if (r == REPLY_SPOOL_FULL)
        RECEIVER_COUNT(s, no_room, 1);
    else if (r == REPLY_TIMED_OUT || r == REPLY_SESSION_LONG)
        RECEIVER_COUNT(s, timeouts, 1);
    else if ((code >= 500 && code <= 504) || r == REPLY_BAD_COMMANDS)
        RECEIVER_COUNT(s, bad_commands, 1);
}

static void conn_reply(struct conn *c, const struct smtp_event *ev)
{
    struct conns *p = c->pool;
    c->progress = now(p);
    if (ev->after_data)
        count_message(c, ev->reply);
    else
        count_reply(c, ev->reply);
    if (buf_add(&p->out, ev->bytes) < 0)
        conn_close(c);
    else if (p->out.n >= OUT_FLUSH)
        conn_flush(c);
}

static void conn_apply(struct conn *c, const struct smtp_event *ev)
{
    switch (ev->kind) {
    case SMTP_EV_REPLY:
        conn_reply(c, ev);
        break;
    case SMTP_EV_MAIL:
        if (!spool_lane_has_room(c->pool->lane))
            smtp_session_refuse_mail(c->session, REPLY_SPOOL_FULL);
        else if (receiver_body_is_full(c->pool->shared))
            smtp_session_refuse_mail(c->session, REPLY_MEMORY_FULL);
        break;
    case SMTP_EV_DATA:
        message_begin(c);
        break;
    case SMTP_EV_BODY:
        message_add(c, ev->bytes);
        break;
    case SMTP_EV_DROP:
        c->dropped = true;
        body_drop(c);
        break;
    case SMTP_EV_END:
        message_end(c);
        break;
    case SMTP_EV_CLOSE:
        c->ending = true;
        break;
    }
}

/* Lets the session work until it has no more to say, the journal has a message in hand, or the peer
 * must read first; then writes its replies. */
static void conn_events(struct conn *c)
{
    struct smtp_event ev = {.kind = SMTP_EV_REPLY};
    enum reply last = REPLY_COUNT;
    while (!conn_is_stuck(c) && smtp_session_next(c->session, &ev)) {
        conn_apply(c, &ev);
        if (ev.kind == SMTP_EV_REPLY)
            last = ev.reply;
    }
    conn_flush(c);
    if (c->ending && !c->is_sending && !c->closing && !c->lingering)
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
    if (p->stopping && smtp_session_phase(c->session) == SMTP_PHASE_COMMAND) {
        smtp_session_end(c->session, REPLY_STOPPING);
        conn_events(c);
    } else if (c->eof) {
        conn_close(c);
    }
}

/* Goes on after a wait, with what came meanwhile. */
static void conn_pump(struct conn *c)
{
    if (c->lingering || (c->eof && c->ending && !c->is_sending)) {
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

/* ---- time ---- */

/* Ends the session from our side, unless the journal has its message. */
static void conn_end(struct conn *c, enum reply why)
{
    if (c->lingering || c->is_sending) {
        /* The peer does not read: there is nothing that it would hear. */
        conn_close(c);
    } else if (!c->waiting && !c->ending) {
        smtp_session_end(c->session, why);
        conn_events(c);
    }
}

static bool is_over(int64_t since, int64_t limit, int64_t time)
{
    return limit > 0 && time - since >= limit;
}

static void conn_memory(struct conn *c, int64_t time)
{
    if (receiver_body_is_full(c->pool->shared)) {
        /* Others may wait for what this one holds: it gives up early enough to hear 452. */
        int64_t patience = c->pool->shared->config.limits.data_timeout / 10;
        if (!is_over(c->paused_since, patience > 0 ? patience : CLOCK_SECOND, time))
            return;
        smtp_session_refuse_data(c->session, REPLY_MEMORY_FULL);
        conn_events(c);
    }
    conn_resume(c, PAUSE_MEMORY);
}

static void conn_tick(struct conn *c, int64_t time)
{
    const struct receiver_limits *limits = &c->pool->shared->config.limits;
    if (c->closing || c->waiting)
        return; /* the journal answers in its own time */
    if (c->lingering) {
        if (is_over(c->progress, LINGER_TIME, time))
            conn_close(c);
        return;
    }
    bool in_data = smtp_session_phase(c->session) == SMTP_PHASE_DATA;
    if (is_over(c->opened, limits->session_timeout, time))
        conn_end(c, REPLY_SESSION_LONG);
    else if (is_over(c->progress, in_data ? limits->data_timeout : limits->command_timeout, time))
        conn_end(c, REPLY_TIMED_OUT);
    else if (c->pause & PAUSE_MEMORY)
        conn_memory(c, time);
}

void conns_tick(struct conns *p)
{
    int64_t time = now(p);
    /* Closing a connection takes it off the list later, in on_closed. */
    for (struct conn *c = p->first; c; c = c->next)
        conn_tick(c, time);
}

int64_t conns_tick_every(const struct conns *p)
{
    const struct receiver_limits *l = &p->shared->config.limits;
    const int64_t times[] = {l->command_timeout, l->data_timeout, l->session_timeout};
    int64_t every = TICK_MAX;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (times[i] > 0 && times[i] / 8 < every)
            every = times[i] / 8;
    return every < TICK_MIN ? TICK_MIN : every;
}

/* ---- the set ---- */

static bool conn_peer_name(struct conn *c)
{
    struct sockaddr_storage peer;
    int n = sizeof(peer);
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &n) < 0)
        return false;
    if (peer.ss_family == AF_INET6)
        return uv_ip6_name((struct sockaddr_in6 *)&peer, c->address, sizeof(c->address)) == 0;
    return uv_ip4_name((struct sockaddr_in *)&peer, c->address, sizeof(c->address)) == 0;
}

/* Without a session: says so if the socket takes it at once, and goes. */
static void conn_refuse(struct conn *c, enum reply why)
{
    char room[REPLY_MAX];
    struct str wire = reply_wire(why, c->pool->smtp.hostname, room);
    uv_buf_t one = uv_buf_init(memmove(room, wire.p, wire.n), (unsigned)wire.n);
    uv_try_write((uv_stream_t *)&c->tcp, &one, 1);
    conn_close(c);
}

int conns_accept(struct conns *p, uv_stream_t *server)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->pool = p;
    buf_init(&c->pending, PENDING_MAX);
    buf_init(&c->out, OUT_MAX);
    if (uv_tcp_init(p->loop, &c->tcp) < 0) {
        free(c);
        return -ENOMEM;
    }
    c->tcp.data = c;
    c->next = p->first;
    if (p->first)
        p->first->previous = c;
    p->first = c;
    p->n++;
    uint64_t open = atomic_fetch_add_explicit(&p->shared->connections, 1, memory_order_relaxed);
    RECEIVER_COUNT(p->shared, connections_now, 1);
    if (uv_accept(server, (uv_stream_t *)&c->tcp) < 0 || !conn_peer_name(c)) {
        conn_close(c);
        return 0;
    }
    uint32_t limit = p->shared->config.limits.connections;
    if (limit > 0 && open >= limit) {
        RECEIVER_COUNT(p->shared, connections_refused, 1);
        conn_refuse(c, REPLY_CONNECTIONS_MANY);
        return 0;
    }
    RECEIVER_COUNT(p->shared, connections, 1);
    c->session = smtp_session_new(&p->smtp);
    if (!c->session) {
        conn_refuse(c, REPLY_MEMORY_NONE);
        return 0;
    }
    c->opened = c->progress = now(p);
    conn_read(c);
    conn_pump(c); /* the greeting */
    return 0;
}

void conns_stop(struct conns *p)
{
    p->stopping = true;
    for (struct conn *c = p->first; c; c = c->next)
        if (!c->closing && !c->waiting && !c->lingering &&
            smtp_session_phase(c->session) != SMTP_PHASE_DATA)
            conn_end(c, REPLY_STOPPING);
}

void conns_abandon(struct conns *p)
{
    for (struct conn *c = p->first; c; c = c->next)
        conn_close(c);
}

bool conns_is_empty(const struct conns *p)
{
    return p->n == 0;
}

void conns_use_lane(struct conns *p, struct spool_lane *lane)
{
    p->lane = lane;
}

int conns_new(struct receiver_shared *shared, uv_loop_t *loop, conns_empty_fn empty, void *ctx,
              struct conns **ret)
{
    struct conns *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    const struct receiver_config *config = &shared->config;
    p->shared = shared;
    p->loop = loop;
    p->empty = empty;
    p->empty_ctx = ctx;
    p->scratch = arena_make((size_t)64 * 1024);
    p->smtp = (struct smtp_config){
        .domains = config->domains,
        .hostname = str_c(config->hostname),
        .message_bytes = config->limits.message_bytes,
        .keep_bytes = config->limits.keep_bytes,
        .recipients = config->limits.recipients,
        .bad_commands = config->limits.bad_commands,
        .scratch = &p->scratch,
    };
    buf_init(&p->out, OUT_FLUSH + REPLY_MAX);
    *ret = p;
    return 0;
}

void conns_free(struct conns *p)
{
    if (!p)
        return;
    REQUIRE(p->n == 0);
    buf_free(&p->out);
    arena_free(&p->scratch);
    free(p);
}
