/* json_split.h - the objects of a JSON file one by one, so that a list of millions needs the memory
 * of one.
 *
 * Objects are: those of a list at the top ([{...}, ...]); those of the list in an object at the
 * top, where the list has one of the names in which providers send it ({"items": [{...}]}); else
 * objects at the top, behind each other (NDJSON). Only where each begins and ends is found here. */
#ifndef APP_JSON_SPLIT_H
#define APP_JSON_SPLIT_H

#include "base/buf.h"

enum { JSON_OBJECT_MAX = 1 << 20, JSON_DEPTH_MAX = 64 };

struct json_split {
    struct buf object;
    size_t word_at;  /* in object: where the last string began */
    size_t word_end; /* and ended */
    unsigned depth;
    unsigned list_depth; /* objects begin at this depth */
    bool in_string, escaped, ended;
};

void json_split_init(struct json_split *s);
void json_split_free(struct json_split *s);

/* Takes one byte. 1: an object is whole, json_split_object gives it until the next call; 0;
 * -EINVAL: over JSON_OBJECT_MAX or JSON_DEPTH_MAX, or brackets that do not match; -ENOMEM. */
int json_split_feed(struct json_split *s, char c);
static inline struct str json_split_object(const struct json_split *s)
{
    return buf_str(&s->object);
}
/* True between objects: a file may end here. */
static inline bool json_split_idle(const struct json_split *s)
{
    return s->depth == 0 && !s->in_string;
}

#endif
