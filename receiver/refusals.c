#include "receiver/refusals.h"

#include "receiver/network.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum { WAYS = 8 };

struct refused {
    uint64_t client;
    uint64_t more; /* not logged */
    int64_t minute;
    sa_family_t family; /* 0: free */
    char address[INET6_ADDRSTRLEN];
};

struct refusals {
    pthread_mutex_t lock; /* short: who is refused is not in a hurry */
    uint64_t key[2];
    size_t sets; /* a power of two */
    uint64_t unnamed;
    int64_t told; /* the minute of the last refusals_tell */
    struct refused places[];
};

int refusals_new(unsigned places, struct refusals **ret)
{
    size_t sets = 1;
    while (sets * WAYS < places && sets < (size_t)1 << 20)
        sets *= 2;
    struct refusals *r = calloc(1, sizeof(*r) + sets * WAYS * sizeof(r->places[0]));
    if (!r)
        return -ENOMEM;
    if (getrandom(r->key, sizeof(r->key), 0) != sizeof(r->key)) {
        free(r);
        return -EIO;
    }
    r->sets = sets;
    pthread_mutex_init(&r->lock, NULL); /* cannot fail for a plain one */
    *ret = r;
    return 0;
}

void refusals_free(struct refusals *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* The client's place, or one whose minute is over and told; NULL: all are in use. */
static struct refused *place_of(struct refusals *r, sa_family_t family, uint64_t client,
                                int64_t minute)
{
    struct refused *set = &r->places[(network_hash(r->key, client) & (r->sets - 1)) * WAYS];
    struct refused *unused = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].family == family && set[i].client == client)
            return &set[i];
        if (!unused && (set[i].family == 0 || (set[i].minute != minute && set[i].more == 0)))
            unused = &set[i];
    }
    if (unused)
        *unused = (struct refused){.client = client, .family = family, .minute = minute - 1};
    return unused;
}

bool refusals_note(struct refusals *r, const struct sockaddr_storage *client, const char *text,
                   int64_t minute)
{
    uint64_t number;
    if (!network_client(client, &number))
        return false;
    bool first = false;
    pthread_mutex_lock(&r->lock);
    struct refused *place = place_of(r, client->ss_family, number, minute);
    if (!place) {
        r->unnamed++;
    } else if (place->minute != minute) {
        first = true;
        place->minute = minute;
        /* What a minute before has left is told at the next refusals_tell. */
        size_t n = strnlen(text, sizeof(place->address) - 1);
        memcpy(place->address, text, n);
        place->address[n] = '\0';
    } else {
        place->more++;
    }
    pthread_mutex_unlock(&r->lock);
    return first;
}

void refusals_tell(struct refusals *r, int64_t minute,
                   void (*each)(void *ctx, const char *address, uint64_t refusals), void *ctx)
{
    pthread_mutex_lock(&r->lock);
    bool due = r->told < minute;
    r->told = due ? minute : r->told;
    for (size_t i = 0; due && i < r->sets * WAYS; i++) {
        struct refused *place = &r->places[i];
        if (place->more == 0)
            continue;
        each(ctx, place->address, place->more);
        place->more = 0;
    }
    if (due && r->unnamed > 0) {
        each(ctx, NULL, r->unnamed);
        r->unnamed = 0;
    }
    pthread_mutex_unlock(&r->lock);
}
