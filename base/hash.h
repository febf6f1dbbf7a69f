/* hash.h - a number for a text, to group equal ones without keeping them. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

/* FNV-1a, 64 bits. The same on every machine and in every version, so it may be stored. Who writes
 * the text can make two collide: it groups, it proves nothing. */
uint64_t hash_fnv1a(struct str s);

#endif
