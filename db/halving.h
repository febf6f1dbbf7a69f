/* halving.h - private to db/: how a batch is cut until the message that the server refuses stands
 * alone. */
#ifndef DB_HALVING_H
#define DB_HALVING_H

#include <stddef.h>
#include <stdint.h>

struct halving {
    size_t limit; /* how many to try at once; SIZE_MAX at the start */
    size_t until; /* somewhere before it is one that is refused; 0: not known of any */
};

/* n from at were refused together. */
static inline void halving_refused(struct halving *h, size_t at, size_t n)
{
    *h = (struct halving){.limit = n / 2, .until = at + n};
}

/* What stands before at is written. */
static inline void halving_written(struct halving *h, size_t at)
{
    if (at < h->until)
        h->limit = (h->until - at + 1) / 2;
    else
        h->limit = h->limit > SIZE_MAX / 2 ? SIZE_MAX : h->limit * 2;
}

/* It stood alone. Where one is refused others are likely: from 1 it grows again with each success.
 */
static inline void halving_found(struct halving *h)
{
    *h = (struct halving){.limit = 1};
}

#endif
