/* handshakes.h - TLS handshakes wait for their turn, so that many of them at once do not keep the
 * sessions that are open waiting: what a peer sends in its handshake is set aside, and a few peers
 * are answered each time round the loop. For conn_*.c and conns.c. */
#ifndef RECEIVER_HANDSHAKES_H
#define RECEIVER_HANDSHAKES_H

#include "base/str.h"

struct conn;

/* First come, first served. {0} is empty. */
struct handshakes {
    struct conn *first, *last;
};

/* Keeps bytes of a handshake for c's turn; c reads no more until then. */
void handshakes_wait(struct conn *c, struct str wire);
/* c is closed: it has no turn. */
void handshakes_leave(struct conn *c);
/* Some turns are taken. True: others still wait. */
bool handshakes_turn(struct handshakes *h);

#endif
