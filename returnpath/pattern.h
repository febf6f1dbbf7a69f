/* pattern.h - the user's own shapes of a local part, as PCRE2 expressions with named groups. Pure.
 *
 *   (?<user>...) and (?<domain>...)   the recipient, in two parts
 *   (?<recipient>...)                 the recipient, user@domain
 *   (?<tenant>...) (?<stream>...) (?<campaign>...) (?<message_id>...)   facts beside it
 *
 * An expression matches a whole local part (quotes removed) or not at all. Bytes are bytes: no
 * UTF mode. What it captures comes from whoever wrote the address, so the recipient must be an
 * address and the other facts short and plain, else the pattern does not match. A pattern never
 * verifies. The work of one match is bounded: an expression that would need more does not match. */
#ifndef RETURNPATH_PATTERN_H
#define RETURNPATH_PATTERN_H

#include "returnpath/returnpath.h"

enum {
    PATTERN_REGEX_MAX = 1000, /* octets */
    PATTERN_FACT_MAX = 64,    /* octets of a captured fact */
};

struct pattern; /* compiled */

/* An array of n compiled expressions; regexes and names live as long as it. -EINVAL with the
 * pattern's name, the offset and PCRE2's words in *e; -ENOMEM. */
int pattern_list_new(const struct returnpath_pattern *from, size_t n, struct pattern **ret,
                     struct err *e);
void pattern_list_free(struct pattern *list, size_t n);

/* Match state of one thread. -ENOMEM. */
struct pattern_matcher;
int pattern_matcher_new(struct pattern_matcher **ret);
void pattern_matcher_free(struct pattern_matcher *m);

/* Reads a local part of ret->domain. 1: the first of the list that matches has filled recipient,
 * tenant, stream, campaign, message_id and source of *ret; 0: none does; -ENOMEM. */
int pattern_read(const struct pattern *list, size_t n, struct pattern_matcher *m, struct arena *a,
                 struct str local, struct returnpath *ret);

#endif
