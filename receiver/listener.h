/* listener.h - one thread of the receiver: its event loop, its listening sockets, its journal lane.
 */
#ifndef RECEIVER_LISTENER_H
#define RECEIVER_LISTENER_H

#include "receiver/shared.h"

struct listener;

/* Opens lane, and listens on its sockets. Errors as receiver_start. */
int listener_new(struct receiver_shared *shared, unsigned lane, struct receiver_sockets *sockets,
                 struct listener **ret, struct err *e);

/* Serves until listener_stop; closes the lane. On the thread that it is for. */
void listener_run(struct listener *l);

/* Any thread, any number of times: see receiver_stop. */
void listener_stop(struct listener *l, int64_t grace);

/* After listener_run has returned, or when it was never called. */
void listener_free(struct listener *l);

#endif
