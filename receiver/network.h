/* network.h - addresses of clients, and lists of networks that they may belong to. Pure.
 *
 * An IPv4 address that came as IPv6 (::ffff:192.0.2.1, RFC 4291 section 2.5.5.2) is the IPv4
 * address: counters and lists must not be escaped by another spelling. */
#ifndef RECEIVER_NETWORK_H
#define RECEIVER_NETWORK_H

#include "base/str.h"

#include <netinet/in.h>

struct network {
    sa_family_t family; /* AF_INET, AF_INET6 */
    uint8_t bits;
    unsigned char bytes[16]; /* zero behind bits */
};

enum { NETWORK_TEXT = INET6_ADDRSTRLEN + 4 };

/* "192.0.2.1", "192.0.2.0/24", "2001:db8::/32". False (untouched): no address, too many bits, or
 * bits set behind the prefix, which would not mean what it says. */
bool network_parse(struct str text, struct network *ret);
/* The one way to write it; an address alone has no "/32". */
void network_format(const struct network *n, char text[NETWORK_TEXT]);

/* True when one of list holds the address. */
bool network_holds(const struct network *list, size_t n, const struct sockaddr_storage *address);

/* An address and a port from text; IPv6 without brackets. False (untouched): no address. */
bool network_address(const char *text, uint16_t port, struct sockaddr_storage *ret);
/* ::ffff:192.0.2.1 becomes 192.0.2.1; all else stays as it is. */
void network_unmap(struct sockaddr_storage *address);

/* What one client is counted by: its IPv4 address, or its /64, which is what one customer gets.
 * False: neither. */
bool network_client(const struct sockaddr_storage *address, uint64_t *ret);

/* Spreads numbers by a secret key, so that nobody outside can choose two that meet. */
uint64_t network_hash(const uint64_t key[2], uint64_t number);

#endif
