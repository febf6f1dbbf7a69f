/* operator.h - who runs the MX that answered, from its name or from words only it uses. */
#ifndef CLASSIFY_OPERATOR_H
#define CLASSIFY_OPERATOR_H

#include "base/str.h"

/* The operator of a host name, which may be followed by an address or a comment; NULL: not known.
 * What is returned here and below is static, one pointer per operator. */
const char *operator_by_host(struct str host);

/* The operator of that name, in any case; NULL: there is none. */
const char *operator_by_name(struct str name);

/* The operator of the host that an MTA quotes in a diagnostic: "host mx.example[192.0.2.1] said:"
 */
const char *operator_by_quoted_host(struct str text);

/* Patterns (Vectorscan) that tell an operator by its words; name is NULL behind the last. */
struct operator_mark {
    const char *name;
    const char *pattern;
};
struct operator_mark operator_mark(size_t i);

/* Every name once, for docs and `rules list`; NULL behind the last. */
const char *operator_name(size_t i);

#endif
