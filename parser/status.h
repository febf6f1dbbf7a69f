/* status.h - enhanced status codes (RFC 3463) and reply codes (RFC 5321 section 4.2) in text. */
#ifndef PARSER_STATUS_H
#define PARSER_STATUS_H

#include "base/str.h"

/* The code that s begins with ("5.1.1 (bad destination mailbox)"): class 2, 4 or 5, subject and
 * detail of up to three digits (Microsoft uses 5.7.606). Absent when there is none. */
struct str status_leading(struct str s);

struct status_codes {
    struct str status; /* part of the text; absent: none */
    uint16_t reply;    /* 0: none */
};

/* The codes of a remote reply quoted in text: the first reply code that stands where a server's
 * reply begins, and the enhanced code that follows it or else the first that stands alone. A reply
 * inside of another one ("554 <a@b>... 550 Host unknown"), and the last one that a text about
 * giving up (x.4.7) quotes, go before the one around them. Parts of IP addresses, versions, dates
 * and sizes are none. */
struct status_codes reply_codes_find(struct str text);

/* True when status has no detail (5.1.0) and than is of the same subject and has one (5.1.1). */
bool status_is_vaguer(struct str status, struct str than);

/* True for x.0.0: it says no more than the class. */
bool status_is_bare(struct str status);

#endif
