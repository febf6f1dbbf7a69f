/* shared.h - what the threads of one receiver share: its configuration, what limits are kept by,
 * and the counters that are only shown. */
#ifndef RECEIVER_SHARED_H
#define RECEIVER_SHARED_H

#include "receiver/peers.h"
#include "receiver/receiver.h"

#include <pthread.h>

/* Not kept in config.counters: those may outlive a killed receiver, and then say too much. */
struct receiver_shared {
    struct receiver_config config;
    struct peers *peers;
    pthread_mutex_t tls_lock;
    struct tls_context *tls; /* NULL: no TLS; new connections take it by receiver_tls_ref */
    _Atomic uint64_t connections;
    _Atomic uint64_t body_bytes;
};

#define RECEIVER_COUNT(shared, name, n) \
    atomic_fetch_add_explicit(&(shared)->config.counters->name, (uint64_t)(n), memory_order_relaxed)

/* A reference of the caller's own. Any thread. */
struct tls_context *receiver_tls_ref(struct receiver_shared *s);

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
    uint64_t limit = s->config.limits.body_memory;
    return limit > 0 && atomic_load_explicit(&s->body_bytes, memory_order_relaxed) >= limit;
}

#endif
