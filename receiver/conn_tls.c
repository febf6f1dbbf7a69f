#include "receiver/conn_state.h"

/* Sends what TLS has to say to the other side, if only why it fails. */
static int output_send(struct conn *c)
{
    int rc = stream_write(c->stream, tls_output(c->tls));
    tls_output_taken(c->tls);
    return rc;
}

int conn_tls_start(struct conn *c)
{
    struct tls_context *context = conn_settings(c)->tls;
    if (!context)
        return -1; /* not offered without one */
    c->tls = tls_new(context);
    return c->tls ? 0 : -1;
}

/* Not TLS, or the peer does not like ours. The alert has to reach it: as with any last word. */
static void conn_tls_fail(struct conn *c)
{
    RECEIVER_COUNT(c->pool->shared, tls_failed, 1);
    c->ending = true;
    conn_finish(c, false);
}

void conn_tls_bytes(struct conn *c, struct str wire)
{
    if (conn_is_shaking_hands(c))
        handshakes_wait(c, wire);
    else
        conn_tls_push(c, wire);
}

void conn_tls_push(struct conn *c, struct str wire)
{
    struct conns *p = c->pool;
    bool was_open = tls_is_open(c->tls);
    buf_clear(&p->plain);
    int rc = tls_push(c->tls, wire, &p->plain);
    if (output_send(c) < 0) {
        conn_close(c);
        return;
    }
    if (rc < 0) {
        conn_tls_fail(c);
        return;
    }
    if (!was_open && tls_is_open(c->tls)) {
        RECEIVER_COUNT(p->shared, tls_handshakes, 1);
        if (tls_is_resumed(c->tls))
            RECEIVER_COUNT(p->shared, tls_resumed, 1);
        c->progress = conns_now(p);
        smtp_session_secured(c->session);
        conn_pump(c); /* the greeting of implicit TLS; the stop that was waited for */
    }
    if (p->plain.n > 0 && !c->closing && !c->ending)
        conn_plain(c, buf_str(&p->plain));
    if (tls_is_ended(c->tls) && !c->closing)
        conn_ended(c);
    /* A burst grows it; between bursts the others have no use for so much. */
    if (p->plain.room > PLAIN_KEEP)
        buf_free(&p->plain);
}

int conn_write(struct conn *c, struct str bytes)
{
    if (!c->tls)
        return stream_write(c->stream, bytes);
    int rc = tls_write(c->tls, bytes);
    int sent = output_send(c);
    return rc < 0 ? rc : sent;
}

int conn_tls_close(struct conn *c)
{
    if (!c->tls)
        return 0;
    tls_close(c->tls);
    return output_send(c);
}
