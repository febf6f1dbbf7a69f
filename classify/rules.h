/* rules.h - many patterns, one scan. The only file of the room that sees Vectorscan is rules.c. */
#ifndef CLASSIFY_RULES_H
#define CLASSIFY_RULES_H

#include "base/err.h"
#include "base/str.h"

/* A pattern and whom it speaks for: several may share an owner. */
struct rules_pattern {
    const char *text;
    unsigned owner;
    const char *file; /* for errors; "" for what is shipped */
    unsigned line;
};

struct rules;

/* Compiles all patterns into one database. 0; -EINVAL with file, line and the reason; -ENOTSUP on a
 * processor that Vectorscan does not run on; -ENOMEM. */
int rules_compile(const struct rules_pattern *patterns, size_t n, size_t owners,
                  struct rules **ret, struct err *e);
void rules_free(struct rules *r);

/* Scans valid UTF-8 once; what matched is asked below until the next scan. Returns false when the
 * text could not be scanned (memory). */
bool rules_scan(struct rules *r, struct str text);

/* Whether a pattern of the owner matched, and where: the leftmost match, its shortest end. */
bool rules_hit(const struct rules *r, unsigned owner, size_t *ret_from, size_t *ret_to);

#endif
