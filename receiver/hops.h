/* hops.h - counts the Received: lines in the header of a message while its content passes, however
 * that is cut: many of them mean that it goes round in a loop (RFC 5321 section 6.3). Pure. */
#ifndef RECEIVER_HOPS_H
#define RECEIVER_HOPS_H

#include "base/str.h"

enum { HOPS_MAX = 100 };

/* {0} at the begin of a message. */
struct hops {
    uint32_t n;
    uint8_t matched; /* octets of "received:" at the start of this line */
    bool elsewhere;  /* this line is another one */
    bool ended;      /* an empty line: behind it stands the body */
    bool cr;         /* the line so far is a <CR> alone */
};

void hops_add(struct hops *h, struct str content);

static inline bool hops_is_loop(const struct hops *h)
{
    return h->n > HOPS_MAX;
}

#endif
