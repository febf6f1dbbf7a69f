#include "receiver/reply.h"

#include "base/require.h"
#include "receiver/xclient.h"

#include <stdio.h>

/* "" or the enhanced code with its space, decided while compiling. */
#define LINE(code, enhanced, text) \
    (sizeof(enhanced) > 1 ? code " " enhanced " " text "\r\n" : code " " text "\r\n")
#define LINE_BYTES(code, enhanced, text) \
    (sizeof(code " " text "\r\n") - 1 + (sizeof(enhanced) > 1 ? sizeof(enhanced) : 0))

static const struct {
    unsigned code;
    const char *wire;
    size_t n;
} table[] = {
#define X(name, code, enhanced, text, rfc)                                            \
    [REPLY_##name] = {(code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'), \
                      LINE(code, enhanced, text), LINE_BYTES(code, enhanced, text)},
    REPLIES(X)
#undef X
};

unsigned reply_code(enum reply r)
{
    return r == REPLY_EHLO_OK ? 250 : table[r].code;
}

struct str reply_wire(enum reply r, struct str arg, char room[REPLY_MAX])
{
    REQUIRE(r < REPLY_EHLO_OK);
    struct str wire = str_of(table[r].wire, table[r].n);
    size_t hole = str_find(wire, STR("{}"), 0);
    if (hole == wire.n)
        return wire;
    struct str behind = str_from(wire, hole + 2);
    if (arg.n > REPLY_MAX - hole - behind.n)
        arg.n = REPLY_MAX - hole - behind.n;
    memcpy(room, wire.p, hole);
    if (arg.n > 0)
        memcpy(room + hole, arg.p, arg.n);
    memcpy(room + hole + arg.n, behind.p, behind.n);
    return str_of(room, hole + arg.n + behind.n);
}

struct str reply_ehlo(struct str hostname, const struct reply_offer *offer, char room[REPLY_MAX])
{
    int n = snprintf(room, REPLY_MAX,
                     "250-%.*s\r\n"
                     "250-PIPELINING\r\n"
                     "250-SIZE %llu\r\n"
                     "250-8BITMIME\r\n"
                     "250-SMTPUTF8\r\n"
                     "250-CHUNKING\r\n"
                     "250-LIMITS RCPTMAX=%u\r\n"
                     "%s%s"
                     "250 ENHANCEDSTATUSCODES\r\n",
                     STR_ARG(hostname), (unsigned long long)offer->message_bytes, offer->recipients,
                     offer->starttls ? "250-STARTTLS\r\n" : "",
                     offer->xclient ? "250-XCLIENT " XCLIENT_NAMES "\r\n" : "");
    REQUIRE(n > 0 && n < REPLY_MAX);
    return str_of(room, (size_t)n);
}
