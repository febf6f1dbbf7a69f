/* conn.h - the connections of one thread: sockets and time on one side, sessions on the other.
 *
 * All functions are called on the thread that runs the loop. */
#ifndef RECEIVER_CONN_H
#define RECEIVER_CONN_H

#include "receiver/shared.h"

struct conns;
struct uv_loop_s;
struct uv_stream_s;

/* Called when the last connection has gone while stopping. */
typedef void (*conns_empty_fn)(void *ctx);

/* The time of a loop in microseconds; stands still while one of its callbacks runs. */
typedef int64_t (*conns_clock_fn)(const struct uv_loop_s *loop);

/* shared and loop outlive it. -ENOMEM. */
int conns_new(struct receiver_shared *shared, struct uv_loop_s *loop, conns_clock_fn clock,
              conns_empty_fn empty, void *ctx, struct conns **ret);
/* The lane must have been closed: it calls back for messages whose peer has gone. */
void conns_free(struct conns *p);

/* Where messages go; before the first connection. */
void conns_use_lane(struct conns *p, struct spool_lane *lane);

/* Takes one waiting connection from a listening stream. -ENOMEM: it still waits, and libuv listens
 * no more until it is taken by another call. */
int conns_accept(struct conns *p, struct uv_stream_s *server, const struct receiver_listen *where);

/* Looks at all time limits, at connections that wait for memory and at the date; to be called every
 * conns_tick_every microseconds. */
void conns_tick(struct conns *p);
int64_t conns_tick_every(const struct conns *p);

/* Does what was put off for the sake of others; to be called before each wait of the loop. True:
 * more of it is left, the loop must not wait. */
bool conns_turn(struct conns *p);

/* 421 to whoever is not in a message; the others get it behind its reply. */
void conns_stop(struct conns *p);
/* Closes what is left. */
void conns_abandon(struct conns *p);
bool conns_is_empty(const struct conns *p);

#endif
