/* xclient.h - the argument of XCLIENT, by which a trusted proxy says whom it speaks for (Postfix:
 * XCLIENT_README). Pure. */
#ifndef RECEIVER_XCLIENT_H
#define RECEIVER_XCLIENT_H

#include "base/str.h"

#include <netinet/in.h>

/* What is announced, and read. Only ADDR, HELO and PROTO mean something here; the others are looked
 * at for mistakes and forgotten. */
#define XCLIENT_NAMES "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT REVERSE_NAME"

enum { XCLIENT_HELO_MAX = 255 };

struct xclient {
    char address[INET6_ADDRSTRLEN]; /* "": not said, or not known to the proxy */
    bool has_helo;
    uint8_t helo_n;
    char helo[XCLIENT_HELO_MAX];
    bool smtp; /* PROTO=SMTP: the client said HELO */
};

/* argument: behind "XCLIENT". -EINVAL: empty, an unknown name, not xtext (RFC 3461 section 4), or a
 * value that is none of its kind. [UNAVAILABLE] and [TEMPUNAVAIL] are as if nothing was said. */
int xclient_read(struct str argument, struct xclient *ret);

#endif
