#include "resolver/rdata.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { LABEL_MAX = 63, NAME_TEXT_MAX = 4 * 255 };

static unsigned octet(struct str s, size_t i)
{
    return (unsigned char)s.p[i];
}

bool rdata_txt(struct arena *a, struct str rdata, struct str *ret)
{
    char *text = arena_alloc(a, rdata.n + 1);
    size_t n = 0;
    if (!text || rdata.n == 0)
        return false;
    for (size_t at = 0; at < rdata.n;) {
        size_t length = octet(rdata, at++);
        if (length > rdata.n - at)
            return false;
        memcpy(text + n, rdata.p + at, length);
        n += length;
        at += length;
    }
    *ret = str_of(text, n);
    return true;
}

static bool is_plain(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

bool rdata_name(struct arena *a, struct str rdata, struct str *ret)
{
    char text[NAME_TEXT_MAX + 1];
    size_t n = 0, at = 0;
    for (;;) {
        if (at >= rdata.n)
            return false;
        size_t length = octet(rdata, at++);
        if (length == 0)
            break;
        if (length > LABEL_MAX || length > rdata.n - at || at + length > 255)
            return false;
        if (n)
            text[n++] = '.';
        for (size_t i = 0; i < length; i++, at++) {
            if (is_plain(rdata.p[at]))
                text[n++] = ascii_lower(rdata.p[at]);
            else
                n += (size_t)snprintf(text + n, 5, "\\%03u", octet(rdata, at));
        }
    }
    if (at != rdata.n)
        return false;
    *ret = arena_str(a, str_of(text, n));
    return !str_is_absent(*ret);
}

bool rdata_mx(struct arena *a, struct str rdata, struct rdata_mx *ret)
{
    if (rdata.n < 3 || !rdata_name(a, str_from(rdata, 2), &ret->host))
        return false;
    ret->preference = (uint16_t)(octet(rdata, 0) << 8 | octet(rdata, 1));
    return true;
}

bool rdata_tlsa(struct str rdata, struct rdata_tlsa *ret)
{
    if (rdata.n < 4)
        return false;
    *ret = (struct rdata_tlsa){(uint8_t)octet(rdata, 0), (uint8_t)octet(rdata, 1),
                               (uint8_t)octet(rdata, 2), str_from(rdata, 3)};
    return true;
}

bool rdata_address(struct str rdata, char text[RDATA_ADDRESS_TEXT])
{
    int family = rdata.n == 4 ? AF_INET : rdata.n == 16 ? AF_INET6 : AF_UNSPEC;
    return family != AF_UNSPEC && inet_ntop(family, rdata.p, text, RDATA_ADDRESS_TEXT);
}

struct str rdata_reverse(struct arena *a, struct str address)
{
    char text[RDATA_ADDRESS_TEXT] = "", name[80];
    unsigned char b[16];
    size_t n = 0;
    if (address.n < sizeof(text))
        memcpy(text, address.p, address.n);
    if (inet_pton(AF_INET, text, b) == 1)
        return arena_fmt(a, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
    if (inet_pton(AF_INET6, text, b) != 1)
        return (struct str){NULL, 0};
    for (int i = 15; i >= 0; i--)
        n += (size_t)snprintf(name + n, 5, "%x.%x.", b[i] & 15U, b[i] >> 4);
    snprintf(name + n, sizeof(name) - n, "ip6.arpa");
    return arena_str(a, str_c(name));
}
