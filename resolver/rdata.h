/* rdata.h - the RDATA of DNS records, read. Pure; hostile bytes give false. RFC 1035 section 3.3.
 */
#ifndef RESOLVER_RDATA_H
#define RESOLVER_RDATA_H

#include "base/arena.h"

enum { RDATA_ADDRESS_TEXT = 46 };

struct rdata_mx {
    uint16_t preference;
    struct str host; /* lower-case, without the last dot; "" for the root: a null MX (RFC 7505) */
};

struct rdata_tlsa {
    uint8_t usage, selector, matching; /* RFC 6698 section 2.1 */
    struct str data;                   /* in the record */
};

/* TXT: its strings joined without anything between them (RFC 7208 section 3.3, RFC 6376 section
 * 3.6.2.2). False: it is broken, or memory ended. */
bool rdata_txt(struct arena *a, struct str rdata, struct str *ret);
/* PTR, CNAME: one name that fills the record; as rdata_mx.host. Octets that no host name has are
 * written \DDD (RFC 1035 section 5.1). */
bool rdata_name(struct arena *a, struct str rdata, struct str *ret);
bool rdata_mx(struct arena *a, struct str rdata, struct rdata_mx *ret);
bool rdata_tlsa(struct str rdata, struct rdata_tlsa *ret);
/* A or AAAA, by its length. */
bool rdata_address(struct str rdata, char text[RDATA_ADDRESS_TEXT]);

/* "25.2.0.192.in-addr.arpa" (RFC 1035 section 3.5), "...ip6.arpa" (RFC 3596 section 2.5) of an
 * address literal; absent when it is none. */
struct str rdata_reverse(struct arena *a, struct str address);

#endif
