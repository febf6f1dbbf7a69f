#include "ingest/kept.h"

#include "base/hash.h"

#include <stdlib.h>

/* Entries are a ring; those of one bucket are linked by their places, counted from 1: memory that
 * was never needed is never touched. */
enum { NONE = 0 };

struct kept_entry {
    char *bytes; /* key, sub, value; NULL: free */
    size_t key_n, sub_n, value_n;
    int32_t next;
};

struct kept {
    struct kept_entry *entries;
    int32_t *buckets;
    size_t n;
    size_t at;   /* the place that is filled next: the oldest */
    size_t used; /* places that were ever filled */
};

struct kept *kept_new(size_t entries)
{
    struct kept *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    k->n = entries;
    k->entries = calloc(entries, sizeof(*k->entries));
    k->buckets = calloc(entries, sizeof(*k->buckets));
    if (!k->entries || !k->buckets) {
        kept_free(k);
        return NULL;
    }
    return k;
}

void kept_free(struct kept *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->used; i++)
        free(k->entries[i].bytes);
    free(k->entries);
    free(k->buckets);
    free(k);
}

static struct str key_of(const struct kept_entry *e)
{
    return str_of(e->bytes, e->key_n);
}

struct str kept_sub(const struct kept_entry *e)
{
    return str_of(e->bytes + e->key_n, e->sub_n);
}

struct str kept_value(const struct kept_entry *e)
{
    return str_of(e->bytes + e->key_n + e->sub_n, e->value_n);
}

static int32_t *bucket_of(const struct kept *k, struct str key)
{
    return &k->buckets[hash_fnv1a(key) % k->n];
}

static const struct kept_entry *from(const struct kept *k, int32_t at, struct str key)
{
    while (at != NONE && !str_eq(key_of(&k->entries[at - 1]), key))
        at = k->entries[at - 1].next;
    return at == NONE ? NULL : &k->entries[at - 1];
}

const struct kept_entry *kept_find(const struct kept *k, struct str key)
{
    return from(k, *bucket_of(k, key), key);
}

const struct kept_entry *kept_next(const struct kept *k, const struct kept_entry *e)
{
    return from(k, e->next, key_of(e));
}

static void take_out(struct kept *k, size_t place)
{
    struct kept_entry *e = &k->entries[place];
    if (!e->bytes)
        return;
    int32_t *link = bucket_of(k, key_of(e));
    while (*link != (int32_t)place + 1)
        link = &k->entries[*link - 1].next;
    *link = e->next;
    free(e->bytes);
    e->bytes = NULL;
}

void kept_drop(struct kept *k, struct str key)
{
    const struct kept_entry *e;
    while ((e = kept_find(k, key)))
        take_out(k, (size_t)(e - k->entries));
}

void kept_put(struct kept *k, struct str key, struct str sub, struct str value)
{
    size_t n = key.n + sub.n + value.n;
    size_t subs = 0;
    for (const struct kept_entry *e = kept_find(k, key); e; e = kept_next(k, e), subs++)
        if (str_eq(kept_sub(e), sub)) {
            take_out(k, (size_t)(e - k->entries));
            break;
        }
    char *bytes = n && n <= KEPT_BYTES_MAX && subs < KEPT_SUBS_MAX ? malloc(n) : NULL;
    if (!bytes)
        return;
    take_out(k, k->at);
    struct kept_entry *e = &k->entries[k->at];
    int32_t *bucket = bucket_of(k, key);
    *e = (struct kept_entry){bytes, key.n, sub.n, value.n, *bucket};
    memcpy(bytes, key.p, key.n);
    if (sub.n)
        memcpy(bytes + key.n, sub.p, sub.n);
    if (value.n)
        memcpy(bytes + key.n + sub.n, value.p, value.n);
    *bucket = (int32_t)k->at + 1;
    if (k->used < k->n)
        k->used++;
    k->at = (k->at + 1) % k->n;
}
