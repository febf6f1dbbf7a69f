#include "base/require.h"
#include "receiver/conn_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

/* ---- one more, one less ---- */

static bool peer_name(struct conn *c, const struct sockaddr_storage *peer)
{
    const void *from = peer->ss_family == AF_INET6
                           ? (const void *)&((const struct sockaddr_in6 *)peer)->sin6_addr
                           : (const void *)&((const struct sockaddr_in *)peer)->sin_addr;
    return inet_ntop(peer->ss_family, from, c->address, sizeof(c->address)) != NULL;
}

/* Without a session: says so if the socket takes it at once, and goes. */
static void refuse(struct conn *c, enum reply why)
{
    char room[REPLY_MAX];
    if (!c->implicit) /* else it understands nothing in clear */
        stream_write(c->stream, reply_wire(why, c->pool->smtp.hostname, room)); /* it goes anyway */
    conn_close(c);
}

static bool is_welcome(struct conn *c, uint64_t open)
{
    struct receiver_shared *s = c->pool->shared;
    struct sockaddr_storage peer;
    if (!stream_peer(c->stream, &peer) || !peer_name(c, &peer)) {
        conn_close(c);
        return false;
    }
    uint32_t limit = s->config.limits.connections;
    if (limit > 0 && open >= limit) {
        RECEIVER_COUNT(s, connections_refused, 1);
        refuse(c, REPLY_CONNECTIONS_MANY);
        return false;
    }
    limit = s->config.limits.connections_per_address;
    if (!peers_enter(s->peers, &peer, limit, conns_minute(c->pool), &c->peer)) {
        RECEIVER_COUNT(s, connections_refused_address, 1);
        refuse(c, REPLY_ADDRESS_CONNECTIONS);
        return false;
    }
    RECEIVER_COUNT(s, connections, 1);
    return true;
}

int conns_accept(struct conns *p, struct uv_stream_s *server, enum receiver_tls tls)
{
    struct conn *c = calloc(1, sizeof(*c));
    bool good;
    if (!c)
        return -ENOMEM;
    c->pool = p;
    c->implicit = tls == RECEIVER_TLS_IMPLICIT;
    buf_init(&c->pending, PENDING_MAX);
    int rc = stream_accept(p->loop, server, &conn_calls, c, p->read, &c->stream, &good);
    if (rc < 0) {
        free(c);
        return rc;
    }
    c->next = p->first;
    if (p->first)
        p->first->previous = c;
    p->first = c;
    p->n++;
    uint64_t open = atomic_fetch_add_explicit(&p->shared->connections, 1, memory_order_relaxed);
    RECEIVER_COUNT(p->shared, connections_now, 1);
    if (!good) {
        conn_close(c);
        return 0;
    }
    if (!is_welcome(c, open))
        return 0;
    c->session = smtp_session_new(tls == RECEIVER_TLS_STARTTLS ? &p->smtp_starttls : &p->smtp);
    if (!c->session || (c->implicit && conn_tls_start(c) < 0)) {
        refuse(c, REPLY_MEMORY_NONE);
        return 0;
    }
    c->opened = c->progress = conns_now(p);
    conn_read(c);
    conn_pump(c); /* the greeting; behind implicit TLS it comes later */
    return 0;
}

void conns_release(struct conn *c)
{
    struct conns *p = c->pool;
    if (c->previous)
        c->previous->next = c->next;
    else
        p->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    p->n--;
    handshakes_leave(c);
    peers_leave(p->shared->peers, c->peer);
    atomic_fetch_sub_explicit(&p->shared->connections, 1, memory_order_relaxed);
    RECEIVER_COUNT(p->shared, connections_now, -1);
    c->closed = true;
    if (!c->waiting)
        conn_free(c); /* else the lane's call frees it */
    if (p->n == 0 && p->stopping)
        p->empty(p->empty_ctx);
}

/* ---- all of them ---- */

void conns_stop(struct conns *p)
{
    p->stopping = true;
    for (struct conn *c = p->first; c; c = c->next)
        if (!c->closing && !c->waiting && !c->lingering && !smtp_session_has_message(c->session))
            conn_end(c, REPLY_STOPPING);
}

bool conns_turn(struct conns *p)
{
    return handshakes_turn(&p->handshakes);
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

int conns_new(struct receiver_shared *shared, struct uv_loop_s *loop, conns_clock_fn clock,
              conns_empty_fn empty, void *ctx, struct conns **ret)
{
    struct conns *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    int rc = returnpath_reader_new(shared->config.returnpath, &p->reader);
    if (rc < 0) {
        free(p);
        return rc;
    }
    const struct receiver_config *config = &shared->config;
    p->shared = shared;
    p->loop = loop;
    p->clock = clock;
    p->empty = empty;
    p->empty_ctx = ctx;
    p->scratch = arena_make((size_t)64 * 1024);
    p->smtp = (struct smtp_config){
        .reader = p->reader,
        .hostname = str_c(config->hostname),
        .message_bytes = config->limits.message_bytes,
        .keep_bytes = config->limits.keep_bytes,
        .recipients = config->limits.recipients,
        .bad_commands = config->limits.bad_commands,
        .unknown_recipients = config->limits.unknown_recipients,
        .null_sender_recipients = config->limits.null_sender_recipients,
        .bare_newlines = config->bare_newlines,
        .tls_require = config->tls_require,
        .scratch = &p->scratch,
    };
    p->smtp_starttls = p->smtp;
    p->smtp_starttls.starttls = true;
    conns_tick(p);
    buf_init(&p->plain, PLAIN_MAX);
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
    buf_free(&p->plain);
    arena_free(&p->scratch);
    returnpath_reader_free(p->reader);
    free(p);
}
