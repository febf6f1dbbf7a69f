/* fingerprint.h - what two diagnostics have in common when only names, numbers and ids differ. */
#ifndef CLASSIFY_FINGERPRINT_H
#define CLASSIFY_FINGERPRINT_H

#include "base/str.h"

/* Writes the common form of text, at most room bytes, to out: lower case, words parted by single
 * spaces, no punctuation, and {url} {address} {ip} {host} {id} {n} instead of what varies. Reply
 * codes and enhanced status codes stay. Holds nothing of an address. Returns the bytes written. */
size_t fingerprint_text(struct str text, char *out, size_t room);

/* A 64-bit hash of that form; 0 only for a text without any word. */
uint64_t fingerprint(struct str text);

#endif
