#include "receiver/handshakes.h"

#include "receiver/conn_state.h"

/* An answer to a ClientHello costs a fifth of a millisecond and more; this many are what others may
 * have to wait for. */
enum { AT_ONCE = 4 };

void handshakes_wait(struct conn *c, struct str wire)
{
    struct handshakes *h = &c->pool->handshakes;
    if (buf_add(&c->pending, wire) < 0) {
        conn_close(c);
        return;
    }
    conn_charge(c);
    stream_read(c->stream, false);
    if (c->turn_waits)
        return;
    c->turn_waits = true;
    c->turn_previous = h->last;
    c->turn_next = NULL;
    if (h->last)
        h->last->turn_next = c;
    else
        h->first = c;
    h->last = c;
}

void handshakes_leave(struct conn *c)
{
    struct handshakes *h = &c->pool->handshakes;
    if (!c->turn_waits)
        return;
    c->turn_waits = false;
    if (c->turn_previous)
        c->turn_previous->turn_next = c->turn_next;
    else
        h->first = c->turn_next;
    if (c->turn_next)
        c->turn_next->turn_previous = c->turn_previous;
    else
        h->last = c->turn_previous;
}

bool handshakes_turn(struct handshakes *h)
{
    for (int i = 0; i < AT_ONCE && h->first; i++) {
        struct conn *c = h->first;
        handshakes_leave(c);
        struct buf wire = c->pending;
        buf_init(&c->pending, PENDING_MAX);
        if (!c->closing && !c->lingering && !c->ending)
            conn_tls_push(c, buf_str(&wire));
        buf_free(&wire);
        conn_charge(c);
        conn_read(c);
    }
    return h->first != NULL;
}
