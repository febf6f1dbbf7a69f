/* named.h - an address that something names, and whether it is the same as another. */
#ifndef ATTRIBUTE_NAMED_H
#define ATTRIBUTE_NAMED_H

#include "base/arena.h"

struct named {
    struct str text; /* absent: nothing is named */
    struct str key;  /* address_key(text); absent: it is no address */
};

/* Empty text names nobody. 0 or -ENOMEM. */
int named_read(struct arena *a, struct str text, struct named *ret);

/* A report's address that was withheld before it was sent (RFC 6590 and its likes): REDACTED,
 * redacted@domain, xxxx@domain, something@redacted.invalid. Never ask it of our own. */
bool named_is_redacted(struct str text);

/* Both name an address, and not the same one. */
bool named_differ(const struct named *a, const struct named *b);

#endif
