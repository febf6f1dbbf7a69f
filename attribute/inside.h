/* inside.h - signed tokens that stand inside a message: in the returned message's envelope and
 * header, or in the report's Subject. */
#ifndef ATTRIBUTE_INSIDE_H
#define ATTRIBUTE_INSIDE_H

#include "attribute/named.h"
#include "parser/report.h"
#include "returnpath/returnpath.h"

/* An address of ours that stands in the message, and whom it names. */
struct inside_address {
    struct returnpath says;
    struct named whose; /* says.recipient */
};

struct inside {
    /* The first valid token, else the first that is not valid; proof is RETURNPATH_UNSIGNED when
     * there is none at all. */
    struct inside_address returned; /* in the returned message */
    struct inside_address subject;  /* in the report's own Subject */
    bool several;                   /* valid tokens in the returned message name different people */
    struct inside_address
        return_path; /* the returned message's, when it names a recipient unsigned */
};

/* Texts that hold a token without its domain are read as of domain, which may be absent. today:
 * days since 1970-01-01, of the day of receipt. A bounded number of places is read. reader NULL: no
 * token is known. 0 or -ENOMEM. */
int inside_read(struct returnpath_reader *reader, struct arena *a, const struct report *report,
                struct str domain, uint32_t today, struct inside *ret);

#endif
