/* group.h - records that wait together for one fdatasync: their frames, one behind the other, and
 * whom to answer. Private to spool/. No locks: who holds a group has it alone. */
#ifndef SPOOL_GROUP_H
#define SPOOL_GROUP_H

#include "spool/record.h"

enum { GROUP_BYTES_MAX = (64 << 20) + SPOOL_RECORD_MAX };

struct group_entry {
    spool_done_fn done;
    void *ctx;
    uint32_t bytes; /* of its frame */
    int result;
};

struct group {
    struct group *next;
    struct buf frames; /* their heads are sealed once their place is known */
    struct group_entry *entries;
    size_t n, room;
};

struct group *group_new(void); /* NULL: no memory */
void group_free(struct group *g);

/* Adds a frame around envelope and body, which have head->payload bytes together. 0, or -ENOBUFS:
 * no memory, or over GROUP_BYTES_MAX; nothing is added. */
int group_add(struct group *g, const struct record_head *head, struct str envelope, struct str body,
              spool_done_fn done, void *ctx);

/* Once its frames were written they are of no use; gives back a buffer that grew large. */
void group_written(struct group *g);

/* Calls done() of each entry, in order, and empties the group. */
void group_answer(struct group *g);

/* Whether it is small enough to be kept for the next records. */
bool group_worth_keeping(const struct group *g);

#endif
