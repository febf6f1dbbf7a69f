/* kept.h - private to ingest/: what lines before said, by queue id. A fixed number of entries, the
 * oldest go. */
#ifndef INGEST_KEPT_H
#define INGEST_KEPT_H

#include "base/str.h"

/* Bytes of one entry, and entries below one key; what is over them is not kept. */
enum { KEPT_BYTES_MAX = 4096, KEPT_SUBS_MAX = 1000 };

struct kept;
struct kept_entry;

/* NULL: memory ended. */
struct kept *kept_new(size_t entries);
void kept_free(struct kept *k);

/* Keeps value under (key, sub), instead of what stood there. When memory ends it is not kept. */
void kept_put(struct kept *k, struct str key, struct str sub, struct str value);
/* Takes all below key away. */
void kept_drop(struct kept *k, struct str key);

/* The first entry below key, NULL: none; then the next one. Good until the next put or drop. */
const struct kept_entry *kept_find(const struct kept *k, struct str key);
const struct kept_entry *kept_next(const struct kept *k, const struct kept_entry *e);
struct str kept_sub(const struct kept_entry *e);
struct str kept_value(const struct kept_entry *e);

#endif
