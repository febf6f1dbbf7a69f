#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 32 * 1024 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of data */
    size_t used;
    alignas(max_align_t) char data[];
};

struct arena arena_make(size_t limit_bytes)
{
    return (struct arena){.limit = limit_bytes, .fail_after = UINT64_MAX};
}

static void chunks_free(struct arena_chunk *c)
{
    while (c) {
        struct arena_chunk *next = c->next;
        free(c);
        c = next;
    }
}

void arena_free(struct arena *a)
{
    chunks_free(a->head);
    a->head = NULL;
    a->used = 0;
    a->failed = false;
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->head;
    if (keep && keep->size == CHUNK_BYTES) {
        chunks_free(keep->next);
        keep->next = NULL;
        keep->used = 0;
        a->used = keep->size;
        a->failed = false;
    } else {
        arena_free(a);
    }
}

static void *fail(struct arena *a)
{
    a->failed = true;
    return NULL;
}

static struct arena_chunk *chunk_add(struct arena *a, size_t n)
{
    size_t size = n > CHUNK_BYTES / 4 ? n : CHUNK_BYTES;
    if (size > a->limit - a->used)
        size = n; /* the last chunk may be a small one */
    if (size > a->limit - a->used)
        return NULL;
    if (size > SIZE_MAX - sizeof(struct arena_chunk))
        return NULL;
    struct arena_chunk *c = malloc(sizeof(*c) + size);
    if (!c)
        return NULL;
    *c = (struct arena_chunk){.size = size};
    a->used += size;
    /* A large block goes behind the head, so that the head's free room stays in use. */
    if (a->head && size != CHUNK_BYTES) {
        c->next = a->head->next;
        a->head->next = c;
    } else {
        c->next = a->head;
        a->head = c;
    }
    return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
    enum { ALIGN = alignof(max_align_t) };
    if (a->fail_after == 0 || n > a->limit || n > SIZE_MAX - ALIGN)
        return fail(a);
    if (a->fail_after != UINT64_MAX)
        a->fail_after--;
    n = n ? (n + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    struct arena_chunk *c = a->head;
    if (!c || c->size - c->used < n)
        c = chunk_add(a, n);
    if (!c)
        return fail(a);
    void *p = c->data + c->used;
    c->used += n;
    return memset(p, 0, n);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n))
        return fail(a);
    return arena_alloc(a, n);
}

struct str arena_str(struct arena *a, struct str s)
{
    if (str_is_absent(s))
        return s;
    char *copy = arena_alloc(a, s.n + 1);
    if (!copy)
        return (struct str){NULL, 0};
    memcpy(copy, s.p, s.n);
    return str_of(copy, s.n);
}

struct str arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *text = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
    if (!text)
        return (struct str){NULL, 0};
    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return str_of(text, (size_t)n);
}

void arena_fail_at(struct arena *a, uint64_t n)
{
    a->fail_after = n;
}
