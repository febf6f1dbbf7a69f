/* address.h - an address as "local part @ domain", and the key under which it is one person's. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/arena.h"

enum { ADDRESS_LOCAL_MAX = 64, ADDRESS_DOMAIN_MAX = 255, ADDRESS_MAX = 254 };

struct address {
    struct str local;  /* as written, quotes included */
    struct str domain; /* as written; "[...]" for an address literal */
};

/* Splits at the last '@' outside quotes. False when there is none or a part is empty, too long
 * (RFC 5321 section 4.5.3.1) or holds a control character, a space outside quotes, or '<' '>'. */
bool address_split(struct str text, struct address *ret);

/* The key: local part with ASCII case folded, domain as lower-case A-label, no dot or plus folding.
 * A quoted local part that needs no quotes loses them, so that "a"@x and a@x are one address.
 * The absent string when text is no address or its domain is none. Lives in a. */
struct str address_key(struct arena *a, struct str text);

#endif
