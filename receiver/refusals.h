/* refusals.h - which refusals are worth a line of the log: the first of each client in a minute.
 * The others are counted, and told as one number when the minute is over. Any thread.
 *
 * The table has a fixed size; clients for which it has no place in a minute are told together. An
 * IPv6 client is its /64, as in peers.h. */
#ifndef RECEIVER_REFUSALS_H
#define RECEIVER_REFUSALS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct refusals;

/* places: how many clients are told apart in one minute, rounded up. -ENOMEM, or the error of the
 * random source. */
int refusals_new(unsigned places, struct refusals **ret);
void refusals_free(struct refusals *r);

/* One refusal more of this client, whose address is text. True: log it. minute: a number that
 * grows. */
bool refusals_note(struct refusals *r, const struct sockaddr_storage *client, const char *text,
                   int64_t minute);

/* Once a minute, by whichever thread comes first: each client of minutes before with refusals that
 * were not logged. address NULL: those that had no place. */
void refusals_tell(struct refusals *r, int64_t minute,
                   void (*each)(void *ctx, const char *address, uint64_t refusals), void *ctx);

#endif
