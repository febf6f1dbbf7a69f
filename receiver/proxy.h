/* proxy.h - the header by which a proxy says whom it speaks for: the PROXY protocol of HAProxy,
 * versions 1 and 2 (haproxy: doc/proxy-protocol.txt). Pure.
 *
 * Only a connection from a proxy that the configuration names may bring one, and must. */
#ifndef RECEIVER_PROXY_H
#define RECEIVER_PROXY_H

#include "base/str.h"

#include <netinet/in.h>

enum {
    PROXY_V1_MAX = 107,    /* with <CR><LF>; the specification's 108 count a NUL */
    PROXY_MAX = 16 + 2048, /* version 2 with its extensions (TLVs), which are skipped */
};

enum proxy_step {
    PROXY_MORE,    /* no mistake so far, and no end */
    PROXY_DONE,    /* *ret is filled */
    PROXY_REFUSED, /* no header, or one that we take from nobody */
};

struct proxy_header {
    bool named;                   /* else (LOCAL, UNKNOWN, UNSPEC) the connection is the proxy's
                                   * own, such as a health check: its real peer counts */
    struct sockaddr_storage from; /* the client; IPv4 as IPv4 */
    size_t n;                     /* octets of the header: what follows is the client's */
};

/* bytes: all that came since the begin of the connection. The same answer however they came: a
 * mistake is told as soon as it stands there, PROXY_MORE never for more than PROXY_MAX octets. */
enum proxy_step proxy_read(struct str bytes, struct proxy_header *ret);

#endif
