/* shared.h - what the threads of one receiver share: its settings, what limits are kept by, and the
 * counters that are only shown. */
#ifndef RECEIVER_SHARED_H
#define RECEIVER_SHARED_H

#include "receiver/peers.h"
#include "receiver/refusals.h"
#include "receiver/settings.h"

#include <pthread.h>

struct receiver_shared {
    const struct receiver_listen *listen;
    size_t listen_n;
    struct spool *spool;
    struct receiver_counters *counters;
    struct peers *peers;
    struct refusals *refusals;
    pthread_mutex_t settings_lock;
    struct settings *settings; /* of connections to come: receiver_settings_ref */
    _Atomic uint64_t version;  /* of settings; grows */
    /* Not kept in counters: those may outlive a killed receiver, and then say too much. */
    _Atomic uint64_t connections;
    _Atomic uint64_t body_bytes;
    _Atomic uint64_t body_memory; /* limits.body_memory as it is now: it is for all connections */
};

#define RECEIVER_COUNT(shared, name, n) \
    atomic_fetch_add_explicit(&(shared)->counters->name, (uint64_t)(n), memory_order_relaxed)

/* A reference of the caller's own, and their version. Any thread. */
struct settings *receiver_settings_ref(struct receiver_shared *s, uint64_t *ret_version);

static inline void receiver_body_charge(struct receiver_shared *s, uint64_t n)
{
    atomic_fetch_add_explicit(&s->body_bytes, n, memory_order_relaxed);
    RECEIVER_COUNT(s, body_bytes_now, n);
}

static inline void receiver_body_release(struct receiver_shared *s, uint64_t n)
{
    atomic_fetch_sub_explicit(&s->body_bytes, n, memory_order_relaxed);
    RECEIVER_COUNT(s, body_bytes_now, -n);
}

/* True when bodies may not grow now. Several threads may pass at once: each by one read more. */
static inline bool receiver_body_is_full(const struct receiver_shared *s)
{
    uint64_t limit = atomic_load_explicit(&s->body_memory, memory_order_relaxed);
    return limit > 0 && atomic_load_explicit(&s->body_bytes, memory_order_relaxed) >= limit;
}

#endif
