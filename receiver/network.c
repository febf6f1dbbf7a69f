#include "receiver/network.h"

#include <arpa/inet.h>
#include <stdio.h>

static size_t bytes_of(sa_family_t family)
{
    return family == AF_INET ? 4 : 16;
}

/* Where the address stands, in network byte order; NULL: neither IPv4 nor IPv6. */
static const unsigned char *bytes_at(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return (const unsigned char *)&((const struct sockaddr_in *)a)->sin_addr;
    if (a->ss_family == AF_INET6)
        return (const unsigned char *)&((const struct sockaddr_in6 *)a)->sin6_addr;
    return NULL;
}

static bool prefix_matches(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool network_address(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        *ret = (struct sockaddr_storage){0};
        memcpy(ret, &v4, sizeof(v4));
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        *ret = (struct sockaddr_storage){0};
        memcpy(ret, &v6, sizeof(v6));
        return true;
    }
    return false;
}

void network_unmap(struct sockaddr_storage *address)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_in6 v6;
    if (address->ss_family != AF_INET6)
        return;
    memcpy(&v6, address, sizeof(v6));
    if (memcmp(&v6.sin6_addr, mapped, sizeof(mapped)) != 0)
        return;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6.sin6_port};
    memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + sizeof(mapped), sizeof(v4.sin_addr));
    *address = (struct sockaddr_storage){0};
    memcpy(address, &v4, sizeof(v4));
}

bool network_parse(struct str text, struct network *ret)
{
    char address[INET6_ADDRSTRLEN] = "";
    static const unsigned char none[16];
    struct sockaddr_storage found;
    struct str rest = text, front = str_cut(&rest, '/');
    if (front.n >= sizeof(address) || str_chr(front, '\0', 0) < front.n)
        return false;
    memcpy(address, front.p, front.n);
    if (!network_address(address, 0, &found))
        return false;
    struct network n = {.family = found.ss_family};
    uint32_t most = (uint32_t)bytes_of(n.family) * 8, bits = most;
    if (front.n < text.n && (!str_to_u32(rest, &bits) || bits > most || rest.n > 3))
        return false;
    n.bits = (uint8_t)bits;
    memcpy(n.bytes, bytes_at(&found), bytes_of(n.family));
    unsigned char behind[16];
    memcpy(behind, n.bytes, sizeof(behind));
    memset(behind, 0, bits / 8);
    if (bits % 8)
        behind[bits / 8] &= (unsigned char)(0xff >> (bits % 8));
    if (memcmp(behind, none, sizeof(none)) != 0)
        return false;
    *ret = n;
    return true;
}

void network_format(const struct network *n, char text[NETWORK_TEXT])
{
    char address[INET6_ADDRSTRLEN] = "";
    inet_ntop(n->family, n->bytes, address, sizeof(address));
    if (n->bits == bytes_of(n->family) * 8)
        snprintf(text, NETWORK_TEXT, "%s", address);
    else
        snprintf(text, NETWORK_TEXT, "%s/%u", address, n->bits);
}

bool network_holds(const struct network *list, size_t n, const struct sockaddr_storage *address)
{
    struct sockaddr_storage a = *address;
    network_unmap(&a);
    const unsigned char *bytes = bytes_at(&a);
    for (size_t i = 0; bytes && i < n; i++)
        if (list[i].family == a.ss_family && prefix_matches(list[i].bytes, bytes, list[i].bits))
            return true;
    return false;
}

bool network_client(const struct sockaddr_storage *address, uint64_t *ret)
{
    struct sockaddr_storage a = *address;
    network_unmap(&a);
    const unsigned char *bytes = bytes_at(&a);
    *ret = 0;
    if (bytes)
        memcpy(ret, bytes, a.ss_family == AF_INET ? 4 : sizeof(*ret));
    return bytes != NULL;
}

/* Two rounds of multiply and fold, each with its half of the key. */
uint64_t network_hash(const uint64_t key[2], uint64_t number)
{
    for (int i = 0; i < 2; i++) {
        unsigned __int128 product = (unsigned __int128)(number ^ key[i]) * (key[!i] | 1);
        number = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    return number;
}
