/* mailbox.h - addresses as reports and headers write them. */
#ifndef PARSER_MAILBOX_H
#define PARSER_MAILBOX_H

#include "base/arena.h"

/* The address in a "type; address" field (RFC 3464 section 2.3.1, RFC 6533 section 3): type,
 * brackets, comments and source route cut off, xtext (RFC 3461 section 4) and \x{...} decoded.
 * Absent when there is none with an '@'. Lives in a. */
struct str mailbox_typed(struct arena *a, struct str value);

/* A copy in a of an address that stands alone, as UTF-8 and of at most ADDRESS_MAX bytes; absent
 * when text is none. */
struct str mailbox_copy(struct arena *a, struct str text);

/* The first address of a From:, To: or Return-Path: value; absent when there is none. */
struct str mailbox_first(struct arena *a, struct str value);

/* Finds the next address that stands in running text at or after *at: bare or in <>, with a local
 * part and a domain of mailers' usual characters. False when there is none; else *ret is that
 * part of text and *at stands behind it. */
bool mailbox_next(struct str text, size_t *at, struct str *ret);

/* ASCII case folded; domains and, as everywhere, local parts. */
bool mailbox_eq(struct str a, struct str b);

/* RFC 3461 section 4, for the characters that must be encoded. A '+' with other hex digits is
 * left: sub-addresses look just so. */
struct str mailbox_xtext(struct arena *a, struct str text);
/* RFC 6533 section 3: \x{HEX} as UTF-8. */
struct str mailbox_unescape(struct arena *a, struct str text);

#endif
