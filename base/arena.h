/* arena.h - memory of one message, freed once.
 *
 * Bump allocation in chunks with a hard maximum. When the maximum is reached, memory ends, or a
 * test asked for it (arena_fail_at), the call returns NULL (arena_str: the absent string) and the
 * arena remembers: a reader may build a whole report and ask arena_failed() once at its end, as
 * long as it checks each pointer that it writes through. Not thread-safe. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head;
    size_t used; /* bytes taken from the system, of limit */
    size_t limit;
    uint64_t fail_after; /* allocations that still succeed, counted down; UINT64_MAX = all */
    bool failed;
};

struct arena arena_make(size_t limit_bytes);

/* Frees all of it; the arena can be used again with the same limit. */
void arena_free(struct arena *a);

/* As arena_free, but keeps one chunk: for a loop over messages. */
void arena_reset(struct arena *a);

/* n zeroed bytes, aligned for any type; NULL on failure. n == 0 gives a unique pointer. */
void *arena_alloc(struct arena *a, size_t n);
/* Room for count items of size bytes, overflow checked. */
void *arena_array(struct arena *a, size_t count, size_t size);
#define ARENA_NEW(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, count, type) ((type *)arena_array((a), (count), sizeof(type)))

/* A copy of s, NUL-terminated behind its end (not counted in n). Absent stays absent. */
struct str arena_str(struct arena *a, struct str s);
/* printf into the arena. */
struct str arena_fmt(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Makes the call after the next n allocations, and all later ones, fail. For tests. */
void arena_fail_at(struct arena *a, uint64_t n);

static inline bool arena_failed(const struct arena *a)
{
    return a->failed;
}

#endif
