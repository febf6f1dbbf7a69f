/* sockets.h - the listening sockets of all threads, bound before there are any. */
#ifndef RECEIVER_SOCKETS_H
#define RECEIVER_SOCKETS_H

#include "receiver/receiver.h"

/* The socket of a thread for listen[i]; the caller's from now on. Once for each. */
int sockets_take(struct receiver_sockets *s, unsigned thread, size_t i);

#endif
