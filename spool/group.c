#include "spool/group.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FRAMES_KEEP = 4 << 20,   /* a buffer above this is not kept for the next records */
    ENTRIES_KEEP = 64 << 10, /* nor are so many entries */
    ENTRIES_FIRST = 64,
};

struct group *group_new(void)
{
    struct group *g = calloc(1, sizeof(*g));
    if (g)
        buf_init(&g->frames, GROUP_BYTES_MAX);
    return g;
}

void group_free(struct group *g)
{
    if (!g)
        return;
    buf_free(&g->frames);
    free(g->entries);
    free(g);
}

static bool group_reserve(struct group *g, size_t bytes)
{
    if (buf_reserve(&g->frames, bytes) < 0)
        return false;
    if (g->n < g->room)
        return true;
    size_t room = g->room ? g->room * 2 : ENTRIES_FIRST;
    struct group_entry *entries = reallocarray(g->entries, room, sizeof(*entries));
    if (!entries)
        return false;
    g->entries = entries;
    g->room = room;
    return true;
}

int group_add(struct group *g, const struct record_head *head, struct str envelope, struct str body,
              spool_done_fn done, void *ctx)
{
    size_t bytes = record_frame_bytes(head->payload);
    if (!group_reserve(g, bytes))
        return -ENOBUFS;
    char *to = g->frames.p + g->frames.n;
    record_head_put(to, head);
    memcpy(to + RECORD_HEAD, envelope.p, envelope.n);
    if (body.n)
        memcpy(to + RECORD_HEAD + envelope.n, body.p, body.n);
    memset(to + RECORD_HEAD + head->payload, 0, bytes - RECORD_HEAD - head->payload);
    g->frames.n += bytes;
    g->entries[g->n++] = (struct group_entry){.done = done, .ctx = ctx, .bytes = (uint32_t)bytes};
    return 0;
}

void group_written(struct group *g)
{
    buf_clear(&g->frames);
    if (g->frames.room > FRAMES_KEEP)
        buf_free(&g->frames);
}

void group_answer(struct group *g)
{
    for (size_t i = 0; i < g->n; i++)
        g->entries[i].done(g->entries[i].ctx, g->entries[i].result);
    g->n = 0;
    buf_clear(&g->frames);
}

bool group_worth_keeping(const struct group *g)
{
    return g->room <= ENTRIES_KEEP;
}
