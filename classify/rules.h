/* rules.h - many patterns, one scan. The only file of the room that sees Vectorscan is rules.c.
 *
 * A pattern is one expression, or several joined by " ... ", which must follow one another with at
 * most RULES_GAP bytes between. (A bounded gap inside an expression would cost Vectorscan a state
 * for every byte of it: 600 such patterns take it half a minute to compile, split ones 50 ms.) */
#ifndef CLASSIFY_RULES_H
#define CLASSIFY_RULES_H

#include "base/err.h"
#include "base/str.h"

enum {
    RULES_GAP = 80,
    RULES_PARTS_MAX = 8, /* expressions of one pattern */
    RULES_TEXT_MAX = UINT16_MAX,
};

/* A pattern and whom it speaks for. Patterns of one owner stand together. */
struct rules_pattern {
    const char *text;
    unsigned owner;
    const char *file; /* for errors; "" for what is shipped */
    unsigned line;
};

struct rules;

/* Patterns that are compiled together. */
struct rules_group {
    const struct rules_pattern *patterns;
    size_t n;
    struct str saved; /* of rules_save for the same patterns; absent: there is none */
};

enum { RULES_GROUPS_MAX = 2 };

/* Makes groups ready to scan; those with a saved database that fits this program, processor and
 * Vectorscan are not compiled again. Owners are below `owners` and rise over all groups.
 * 0; -EINVAL with file, line and the reason; -ENOTSUP on a processor that Vectorscan does not run
 * on; -ENOMEM. */
int rules_make(const struct rules_group *groups, size_t n, size_t owners, struct rules **ret,
               struct err *e);

/* The compiled database of a group as bytes (malloc'd), for every processor of this kind. */
int rules_save(const struct rules_pattern *patterns, size_t n, size_t owners, char **ret,
               size_t *ret_n, struct err *e);
void rules_free(struct rules *r);

/* Scans valid UTF-8 of at most RULES_TEXT_MAX bytes once for each group; what matched is asked
 * below until the next scan. False when the text could not be scanned (memory). */
bool rules_scan(struct rules *r, struct str text);

/* Whether a pattern of the owner matched, and where: of its first pattern that did, the leftmost
 * match with its shortest end. */
bool rules_hit(const struct rules *r, unsigned owner, size_t *ret_from, size_t *ret_to);

#endif
