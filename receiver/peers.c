#include "receiver/peers.h"

#include "base/require.h"
#include "receiver/network.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A short lock for some sets: threads seldom meet on one. */
enum { WAYS = 8, LOCKS = 64 };

struct peer {
    uint64_t network; /* the /64, or the IPv4 address */
    int64_t minute;   /* that these count: */
    uint32_t messages, recipients;
    uint32_t connections;
    uint16_t family; /* 0: never used */
    uint16_t lock;
};

struct peers {
    uint64_t key[2];
    size_t sets; /* a power of two */
    pthread_mutex_t locks[LOCKS];
    struct peer places[];
};

int peers_new(unsigned places, struct peers **ret)
{
    size_t sets = 1;
    while (sets * WAYS < places && sets < (size_t)1 << 20)
        sets *= 2;
    struct peers *p = calloc(1, sizeof(*p) + sets * WAYS * sizeof(p->places[0]));
    if (!p)
        return -ENOMEM;
    if (getrandom(p->key, sizeof(p->key), 0) != sizeof(p->key)) {
        free(p);
        return -EIO;
    }
    p->sets = sets;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&p->locks[i], NULL); /* cannot fail for a plain one */
    for (size_t i = 0; i < sets * WAYS; i++)
        p->places[i].lock = (uint16_t)(i / WAYS % LOCKS);
    *ret = p;
    return 0;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&p->locks[i]);
    free(p);
}

static struct peer *set_of(struct peers *p, uint64_t network)
{
    return &p->places[(network_hash(p->key, network) & (p->sets - 1)) * WAYS];
}

static bool is_free(const struct peer *peer, int64_t minute)
{
    return peer->connections == 0 && (peer->family == 0 || peer->minute != minute);
}

/* The place of an address, or one that nobody needs. */
static struct peer *place_of(struct peer *set, uint16_t family, uint64_t network, int64_t minute)
{
    struct peer *unused = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].family == family && set[i].network == network)
            return &set[i];
        if (!unused && is_free(&set[i], minute))
            unused = &set[i];
    }
    if (unused) {
        unused->family = family;
        unused->network = network;
        unused->messages = unused->recipients = 0;
        unused->minute = minute;
    }
    return unused;
}

bool peers_enter(struct peers *p, const struct sockaddr_storage *address, uint32_t limit,
                 int64_t minute, struct peer **ret)
{
    uint64_t network;
    *ret = NULL;
    if (!network_client(address, &network))
        return true;
    struct peer *set = set_of(p, network);
    pthread_mutex_t *lock = &p->locks[set->lock];
    pthread_mutex_lock(lock);
    struct peer *peer = place_of(set, address->ss_family, network, minute);
    bool good = !peer || limit == 0 || peer->connections < limit;
    if (peer && good) {
        peer->connections++;
        *ret = peer;
    }
    pthread_mutex_unlock(lock);
    return good;
}

void peers_leave(struct peers *p, struct peer *peer)
{
    if (!peer)
        return;
    pthread_mutex_lock(&p->locks[peer->lock]);
    REQUIRE(peer->connections > 0);
    peer->connections--;
    pthread_mutex_unlock(&p->locks[peer->lock]);
}

/* counter is one of the peer's. */
static bool count(struct peers *p, struct peer *peer, uint32_t *counter, uint32_t limit,
                  int64_t minute)
{
    pthread_mutex_lock(&p->locks[peer->lock]);
    if (peer->minute != minute) {
        peer->minute = minute;
        peer->messages = peer->recipients = 0;
    }
    bool good = *counter < limit;
    *counter += good;
    pthread_mutex_unlock(&p->locks[peer->lock]);
    return good;
}

bool peers_message(struct peers *p, struct peer *peer, uint32_t limit, int64_t minute)
{
    return !peer || limit == 0 || count(p, peer, &peer->messages, limit, minute);
}

bool peers_recipient(struct peers *p, struct peer *peer, uint32_t limit, int64_t minute)
{
    return !peer || limit == 0 || count(p, peer, &peer->recipients, limit, minute);
}
