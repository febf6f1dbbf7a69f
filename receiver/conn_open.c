#include "base/log.h"
#include "receiver/conn_state.h"
#include "receiver/network.h"
#include "receiver/proxy.h"

#include <arpa/inet.h>

/* ---- what is refused ---- */

static void tell(struct conn *c, const char *event, struct str why)
{
    if (refusals_note(c->pool->shared->refusals, &c->from, c->address, conns_minute(c->pool)))
        log_info(event, KV("client", (const char *)c->address), KV("why", why));
}

void conn_refused(struct conn *c, struct str why)
{
    tell(c, "refused", why);
}

void conn_refuse(struct conn *c, enum reply why)
{
    char room[REPLY_MAX];
    struct str wire = reply_wire(why, str_c(conn_settings(c)->hostname), room);
    if (why != REPLY_STOPPING)
        conn_refused(c, str_trim(wire));
    if (c->where->tls != RECEIVER_TLS_IMPLICIT && c->stage != STAGE_PROXY)
        stream_write(c->stream, wire); /* it goes anyway; else it would understand nothing */
    conn_close(c);
}

/* ---- whose connection it is ---- */

static bool client_is(struct conn *c, const struct sockaddr_storage *from)
{
    const void *bytes = from->ss_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)from)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)from)->sin_addr;
    c->from = *from;
    return inet_ntop(from->ss_family, bytes, c->address, sizeof(c->address)) != NULL;
}

static bool client_enters(struct conn *c)
{
    struct receiver_shared *s = c->pool->shared;
    if (peers_enter(s->peers, &c->from, conn_settings(c)->limits.connections_per_address,
                    conns_minute(c->pool), &c->peer))
        return true;
    RECEIVER_COUNT(s, connections_refused_address, 1);
    return false;
}

static void early(struct conn *c)
{
    RECEIVER_COUNT(c->pool->shared, early_talkers, 1);
    if (conn_settings(c)->greeting_delay > 0)
        conn_refuse(c, REPLY_EARLY_TALKER);
    else
        tell(c, "early_talker", STR("it spoke before the greeting, and was let in"));
}

/* The client is known. bytes: what it has sent already. */
static void conn_welcome(struct conn *c, struct str bytes)
{
    int64_t delay = conn_settings(c)->greeting_delay;
    c->stage = STAGE_GREETING;
    c->progress = conns_now(c->pool);
    if (!client_enters(c)) {
        conn_refuse(c, REPLY_ADDRESS_CONNECTIONS);
        return;
    }
    RECEIVER_COUNT(c->pool->shared, connections, 1);
    bool first =
        c->where->tls != RECEIVER_TLS_IMPLICIT; /* else it is the client who speaks first */
    if (first && (bytes.n > 0 || stream_has_input(c->stream)))
        early(c);
    if (first && delay > 0)
        conn_read(c);
    else if (!c->closing)
        conn_begin(c);
    if (bytes.n > 0 && !c->closing)
        conn_bytes(c, bytes);
}

void conn_open(struct conn *c, uint64_t open)
{
    struct receiver_shared *s = c->pool->shared;
    const struct receiver_settings *settings = conn_settings(c);
    struct sockaddr_storage peer;
    c->opened = c->progress = conns_now(c->pool);
    c->stage = STAGE_GREETING;
    if (!stream_peer(c->stream, &peer) || !client_is(c, &peer)) {
        conn_close(c);
    } else if (settings->limits.connections > 0 && open >= settings->limits.connections) {
        RECEIVER_COUNT(s, connections_refused, 1);
        conn_refuse(c, REPLY_CONNECTIONS_MANY);
    } else if (!c->where->proxy) {
        conn_welcome(c, (struct str){0});
    } else if (network_holds(settings->proxy_from, settings->proxy_from_n, &peer)) {
        c->stage = STAGE_PROXY;
        conn_read(c);
    } else {
        RECEIVER_COUNT(s, proxy_refused, 1);
        conn_refuse(c, REPLY_NO_SERVICE);
    }
}

void conn_begin(struct conn *c)
{
    const struct receiver_settings *settings = conn_settings(c);
    bool implicit = c->where->tls == RECEIVER_TLS_IMPLICIT;
    bool starttls = c->where->tls == RECEIVER_TLS_STARTTLS && settings->tls;
    bool xclient = network_holds(settings->xclient_from, settings->xclient_from_n, &c->from);
    c->session = smtp_session_new(&c->generation->smtp[starttls][xclient]);
    if (!c->session || (implicit && conn_tls_start(c) < 0)) {
        conn_refuse(c, REPLY_MEMORY_NONE);
        return;
    }
    c->stage = STAGE_SESSION;
    c->progress = conns_now(c->pool);
    conn_read(c);
    conn_pump(c); /* the greeting; behind implicit TLS it comes later */
}

/* ---- the PROXY header ---- */

size_t conn_open_room(const struct conn *c)
{
    /* proxy_read has an answer before it is full. */
    return c->stage == STAGE_PROXY ? PROXY_MAX - c->pending.n : STREAM_READ_MAX;
}

static void proxy_done(struct conn *c, const struct proxy_header *header)
{
    struct buf held = c->pending;
    buf_init(&c->pending, PENDING_MAX);
    RECEIVER_COUNT(c->pool->shared, proxy_headers, 1);
    if (header->named && !client_is(c, &header->from))
        conn_close(c);
    else
        conn_welcome(c, str_from(buf_str(&held), header->n));
    buf_free(&held);
    conn_charge(c);
}

static void proxy_bytes(struct conn *c, struct str bytes)
{
    struct proxy_header header;
    enum proxy_step step = PROXY_REFUSED;
    if (buf_add(&c->pending, bytes) == 0)
        step = proxy_read(buf_str(&c->pending), &header);
    conn_charge(c);
    if (step == PROXY_DONE) {
        proxy_done(c, &header);
    } else if (step == PROXY_REFUSED) {
        /* No word: what the proxy would do with it nobody knows. */
        RECEIVER_COUNT(c->pool->shared, proxy_refused, 1);
        conn_refused(c, STR("expected a PROXY header that names a TCP connection"));
        conn_close(c);
    }
}

void conn_open_bytes(struct conn *c, struct str bytes)
{
    if (c->stage == STAGE_PROXY)
        proxy_bytes(c, bytes);
    else
        early(c); /* it waits for the greeting only when that is delayed: refused */
}

/* ---- XCLIENT ---- */

void conn_xclient(struct conn *c, struct str address)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct sockaddr_storage from;
    RECEIVER_COUNT(c->pool->shared, xclient, 1);
    c->unknown = 0; /* of a client before it */
    if (address.n == 0 || address.n >= sizeof(text))
        return; /* it did not say, or does not know */
    memcpy(text, address.p, address.n);
    if (!network_address(text, 0, &from))
        return;
    network_unmap(&from);
    peers_leave(c->pool->shared->peers, c->peer);
    c->peer = NULL;
    if (!client_is(c, &from) || !client_enters(c))
        smtp_session_refuse(c->session, REPLY_ADDRESS_CONNECTIONS);
}
