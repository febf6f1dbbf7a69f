/* domain.h - DNS names as mail uses them. */
#ifndef BASE_DOMAIN_H
#define BASE_DOMAIN_H

#include "base/arena.h"

/* True for a syntactically valid host name in A-label form: labels of 1-63 letters, digits, '-'
 * and '_' (seen in the wild), no '-' at a label's ends, at most 253 octets, at least one label, no
 * dot at the end. RFC 1035 section 2.3.1 as relaxed by RFC 1123 section 2.1. */
bool domain_is_valid(struct str s);

/* Lower-case A-label form (IDNA 2008, RFC 5891; UTS 46 non-transitional mapping) of an ASCII or
 * UTF-8 name, one dot at the end dropped; the absent string when s is no valid domain or memory
 * ended. The result lives in a. */
struct str domain_to_ascii(struct arena *a, struct str s);

/* The registrable domain (public suffix + one label) of a lower-case A-label name, as a part of s;
 * s itself when the list says nothing about it or it is a public suffix. */
struct str domain_registrable(struct str s);

/* True when name is zone or ends in "." zone, ASCII case folded. */
bool domain_is_within(struct str name, struct str zone);

#endif
