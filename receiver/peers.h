/* peers.h - what each client address has open and has sent in this minute; one table for all
 * threads.
 *
 * An IPv6 client is counted by its /64, which is what one customer gets. The table has a fixed
 * size, and an address is kept in it while it has a connection or until its minute is over. When
 * the table has no place for an address, that address is not counted: a full table refuses nobody.
 * Places are found with a random key, so that a client can't choose whom it shares one with. */
#ifndef RECEIVER_PEERS_H
#define RECEIVER_PEERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct peers;
struct peer;

/* places: how many addresses it holds, rounded up. -ENOMEM, or the error of the random source. */
int peers_new(unsigned places, struct peers **ret);
void peers_free(struct peers *p);

/* One connection more from an address. minute: a number that changes each minute. False: it has
 * limit of them already (0: no limit); nothing is counted then. *ret is NULL when the address is
 * not counted. Any thread. */
bool peers_enter(struct peers *p, const struct sockaddr_storage *address, uint32_t limit,
                 int64_t minute, struct peer **ret);
/* One less; NULL is fine. */
void peers_leave(struct peers *p, struct peer *peer);

/* One message, one recipient more in this minute, from an address with a connection; false: it has
 * sent limit of them already (0: no limit), and nothing is counted. NULL: true. */
bool peers_message(struct peers *p, struct peer *peer, uint32_t limit, int64_t minute);
bool peers_recipient(struct peers *p, struct peer *peer, uint32_t limit, int64_t minute);

#endif
