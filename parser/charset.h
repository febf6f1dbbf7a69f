/* charset.h - bytes of a declared, missing or wrong charset -> UTF-8. */
#ifndef PARSER_CHARSET_H
#define PARSER_CHARSET_H

#include "base/arena.h"

/* Returns bytes as valid UTF-8 of at most max bytes, cut between characters. charset is the name a
 * message gave (any case; absent: none). Valid UTF-8 under a name that says nothing (none,
 * us-ascii, utf-8, unknown) is taken as such, other bytes under these as windows-1252, which maps
 * every byte that mailers write. A byte that the named charset doesn't know becomes U+FFFD.
 * Returns a part of bytes when nothing has to change, else memory in a; absent when a is full. */
struct str charset_to_utf8(struct arena *a, struct str bytes, struct str charset, size_t max);

#endif
