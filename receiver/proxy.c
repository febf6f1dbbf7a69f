#include "receiver/proxy.h"

#include "receiver/network.h"

#include <arpa/inet.h>

enum {
    V2_HEAD = 16,
    V2_TCP4 = 12, /* two addresses, two ports */
    V2_TCP6 = 36,
    V2_LOCAL = 0,
    V2_PROXY = 1,
    FAMILY_UNSPEC = 0x00,
    FAMILY_TCP4 = 0x11,
    FAMILY_TCP6 = 0x21,
};

static const struct str v1_mark = STR_INIT("PROXY ");
static const struct str v2_mark = STR_INIT("\r\n\r\n\0\r\nQUIT\n");

/* ---- version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 56324 25<CR><LF>" ---- */

static bool port_read(struct str text, uint16_t *ret)
{
    uint32_t n;
    bool zeros = text.n > 1 && text.p[0] == '0';
    if (zeros || text.n > 5 || !str_to_u32(text, &n) || n > UINT16_MAX)
        return false;
    *ret = (uint16_t)n;
    return true;
}

static bool address_read(struct str text, uint16_t port, sa_family_t family,
                         struct sockaddr_storage *ret)
{
    char word[INET6_ADDRSTRLEN] = "";
    if (text.n >= sizeof(word) || str_chr(text, '\0', 0) < text.n)
        return false;
    memcpy(word, text.p, text.n);
    return network_address(word, port, ret) && ret->ss_family == family;
}

/* line: behind "PROXY ", without its end. */
static enum proxy_step v1_line(struct str line, struct proxy_header *ret)
{
    struct str family = str_cut(&line, ' ');
    if (str_eq(family, STR("UNKNOWN")))
        return PROXY_DONE; /* whatever follows is ignored */
    bool four = str_eq(family, STR("TCP4"));
    if (!four && !str_eq(family, STR("TCP6")))
        return PROXY_REFUSED;
    sa_family_t wanted = four ? AF_INET : AF_INET6;
    struct str from = str_cut(&line, ' '), to = str_cut(&line, ' ');
    struct str from_port = str_cut(&line, ' ');
    struct sockaddr_storage client, server;
    uint16_t port, server_port;
    /* A space behind the last port is part of it, and makes it none. */
    if (!port_read(from_port, &port) || !port_read(line, &server_port) ||
        !address_read(from, port, wanted, &client) ||
        !address_read(to, server_port, wanted, &server))
        return PROXY_REFUSED;
    network_unmap(&client);
    ret->from = client;
    ret->named = true;
    return PROXY_DONE;
}

static enum proxy_step v1_read(struct str bytes, struct proxy_header *ret)
{
    struct str seen = str_sub(bytes, 0, PROXY_V1_MAX);
    size_t end = str_find(seen, STR("\r\n"), 0);
    /* A <CR> or <LF> elsewhere than at the end is no part of any field. */
    for (size_t i = v1_mark.n; i < seen.n && i < end; i++)
        if (seen.p[i] == '\n' || (seen.p[i] == '\r' && i + 1 < seen.n))
            return PROXY_REFUSED;
    if (end == seen.n)
        return seen.n == PROXY_V1_MAX ? PROXY_REFUSED : PROXY_MORE;
    ret->n = end + 2;
    return v1_line(str_sub(seen, v1_mark.n, end), ret);
}

/* ---- version 2: 12 octets of mark, command, family, length, addresses, extensions ---- */

static unsigned u16_at(struct str s, size_t i)
{
    return (unsigned)(unsigned char)s.p[i] << 8 | (unsigned char)s.p[i + 1];
}

static void v2_address(struct str bytes, bool four, struct proxy_header *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const char *from = bytes.p + V2_HEAD;
    if (four) {
        memcpy(&v4.sin_addr, from, sizeof(v4.sin_addr));
        memcpy(&v4.sin_port, from + 8, sizeof(v4.sin_port));
        memcpy(&ret->from, &v4, sizeof(v4));
    } else {
        memcpy(&v6.sin6_addr, from, sizeof(v6.sin6_addr));
        memcpy(&v6.sin6_port, from + 32, sizeof(v6.sin6_port));
        memcpy(&ret->from, &v6, sizeof(v6));
    }
    network_unmap(&ret->from);
    ret->named = true;
}

/* What can be said of a head of which only n octets have come. */
static bool v2_is_refused(struct str bytes)
{
    unsigned command = bytes.n > 12 ? (unsigned char)bytes.p[12] : 0x20;
    if (command >> 4 != 2 || (command & 0x0f) > V2_PROXY)
        return true;
    if (bytes.n <= 13 || (command & 0x0f) == V2_LOCAL)
        return bytes.n >= V2_HEAD && u16_at(bytes, 14) > PROXY_MAX - V2_HEAD;
    unsigned family = (unsigned char)bytes.p[13];
    if (family != FAMILY_UNSPEC && family != FAMILY_TCP4 && family != FAMILY_TCP6)
        return true; /* UDP brings no mail; a Unix socket has no address to count by */
    if (bytes.n < V2_HEAD)
        return false;
    unsigned needed = family == FAMILY_TCP4 ? V2_TCP4 : family == FAMILY_TCP6 ? V2_TCP6 : 0;
    return u16_at(bytes, 14) > PROXY_MAX - V2_HEAD || u16_at(bytes, 14) < needed;
}

static enum proxy_step v2_read(struct str bytes, struct proxy_header *ret)
{
    if (v2_is_refused(bytes))
        return PROXY_REFUSED;
    if (bytes.n < V2_HEAD || bytes.n < V2_HEAD + u16_at(bytes, 14))
        return PROXY_MORE;
    unsigned family = (unsigned char)bytes.p[13];
    ret->n = V2_HEAD + u16_at(bytes, 14);
    if ((bytes.p[12] & 0x0f) == V2_PROXY && family != FAMILY_UNSPEC)
        v2_address(bytes, family == FAMILY_TCP4, ret);
    return PROXY_DONE;
}

static bool begins(struct str bytes, struct str mark)
{
    return str_starts(mark, str_sub(bytes, 0, mark.n));
}

enum proxy_step proxy_read(struct str bytes, struct proxy_header *ret)
{
    struct proxy_header found = {0};
    enum proxy_step step = PROXY_REFUSED;
    if (bytes.n == 0)
        return PROXY_MORE;
    if (begins(bytes, v1_mark))
        step = bytes.n < v1_mark.n ? PROXY_MORE : v1_read(bytes, &found);
    else if (begins(bytes, v2_mark))
        step = bytes.n < v2_mark.n ? PROXY_MORE : v2_read(bytes, &found);
    if (step == PROXY_DONE)
        *ret = found;
    return step;
}
