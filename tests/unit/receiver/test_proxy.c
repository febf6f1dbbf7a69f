#include "receiver/network.h"
#include "receiver/proxy.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

#define MARK   "\r\n\r\n\0\r\nQUIT\n"
#define CLIENT "\xc0\x00\x02\x01"             /* 192.0.2.1 */
#define SERVER "\xc6\x33\x64\x01"             /* 198.51.100.1 */
#define PORTS  "\xdc\x04\x00\x19"             /* 56324, 25 */
#define SIX    "\x20\x01\x0d\xb8\0\0\0\0\0\0" /* 2001:db8:: and the last six */

/* from: "ADDRESS PORT", "real" (keep the peer's), NULL refused, "more" not at its end. */
static const struct {
    const char *what;
    struct str in;
    const char *from;
    size_t left; /* octets behind it */
} cases[] = {
    {"v1 IPv4", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n"), "192.0.2.1 56324", 0},
    {"v1 IPv6", STR_INIT("PROXY TCP6 2001:db8::1 2001:db8::2 1 25\r\nEHLO x\r\n"), "2001:db8::1 1",
     8},
    {"v1 IPv4 in IPv6", STR_INIT("PROXY TCP6 ::ffff:192.0.2.9 ::1 65535 0\r\n"), "192.0.2.9 65535",
     0},
    {"v1 unknown", STR_INIT("PROXY UNKNOWN\r\n"), "real", 0},
    {"v1 unknown, more behind", STR_INIT("PROXY UNKNOWN ffff::1 what so ever\r\n."), "real", 1},
    {"v1 at its longest",
     STR_INIT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
              "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     "real", 0},
    {"v1 one longer",
     STR_INIT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff  "
              "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     NULL, 0},
    {"v1 no end", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25"), "more", 0},
    {"v1 LF", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\n"), NULL, 0},
    {"v1 CR", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\rE"), NULL, 0},
    {"v1 CR in the middle", STR_INIT("PROXY UNKNOWN \r x\r\n"), NULL, 0},
    {"v1 two spaces", STR_INIT("PROXY TCP4  192.0.2.1 198.51.100.1 56324 25\r\n"), NULL, 0},
    {"v1 space at the end", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25 \r\n"), NULL, 0},
    {"v1 leading zero", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 056324 25\r\n"), NULL, 0},
    {"v1 port too big", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\r\n"), NULL, 0},
    {"v1 port missing", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 25\r\n"), NULL, 0},
    {"v1 negative", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 -1 25\r\n"), NULL, 0},
    {"v1 short address", STR_INIT("PROXY TCP4 192.0.2 198.51.100.1 1 25\r\n"), NULL, 0},
    {"v1 wrong family", STR_INIT("PROXY TCP4 2001:db8::1 2001:db8::2 1 25\r\n"), NULL, 0},
    {"v1 mixed family", STR_INIT("PROXY TCP4 192.0.2.1 2001:db8::2 1 25\r\n"), NULL, 0},
    {"v1 UDP", STR_INIT("PROXY UDP4 192.0.2.1 198.51.100.1 1 25\r\n"), NULL, 0},
    {"v1 lower case", STR_INIT("proxy TCP4 192.0.2.1 198.51.100.1 1 25\r\n"), NULL, 0},
    {"v1 NUL in an address", STR_INIT("PROXY TCP4 192.0.2.1\0 198.51.100.1 1 25\r\n"), NULL, 0},
    {"SMTP instead", STR_INIT("EHLO client.example\r\n"), NULL, 0},
    {"SMTP that begins as it", STR_INIT("PROXIMA"), NULL, 0},
    {"TLS instead", STR_INIT("\x16\x03\x01\x02\x00\x01"), NULL, 0},
    {"nothing", STR_INIT(""), "more", 0},

    {"v2 IPv4", STR_INIT(MARK "\x21\x11\x00\x0c" CLIENT SERVER PORTS), "192.0.2.1 56324", 0},
    {"v2 IPv4 with TLVs", STR_INIT(MARK "\x21\x11\x00\x13" CLIENT SERVER PORTS "\x04\x00\x04zzzzQ"),
     "192.0.2.1 56324", 1},
    {"v2 IPv6",
     STR_INIT(MARK "\x21\x21\x00\x24" SIX "\0\0\0\0\0\1" SIX "\0\0\0\0\0\2" PORTS "QUIT\r\n"),
     "2001:db8::1 56324", 6},
    {"v2 IPv4 in IPv6",
     STR_INIT(MARK "\x21\x21\x00\x24\0\0\0\0\0\0\0\0\0\0\xff\xff" CLIENT SIX "\0\0\0\0\0\2" PORTS),
     "192.0.2.1 56324", 0},
    {"v2 LOCAL", STR_INIT(MARK "\x20\x00\x00\x00"), "real", 0},
    {"v2 LOCAL with an address", STR_INIT(MARK "\x20\x11\x00\x0c" CLIENT SERVER PORTS), "real", 0},
    {"v2 LOCAL of any family", STR_INIT(MARK "\x20\x31\x00\x02zz."), "real", 1},
    {"v2 UNSPEC", STR_INIT(MARK "\x21\x00\x00\x03zzz"), "real", 0},
    {"v2 Unix socket", STR_INIT(MARK "\x21\x31\x00\xd8"), NULL, 0},
    {"v2 UDP", STR_INIT(MARK "\x21\x12\x00\x0c" CLIENT SERVER PORTS), NULL, 0},
    {"v2 version 1", STR_INIT(MARK "\x11\x11\x00\x0c" CLIENT SERVER PORTS), NULL, 0},
    {"v2 version 3", STR_INIT(MARK "\x31"), NULL, 0},
    {"v2 command 2", STR_INIT(MARK "\x22"), NULL, 0},
    {"v2 too short for IPv4", STR_INIT(MARK "\x21\x11\x00\x0b" CLIENT SERVER PORTS), NULL, 0},
    {"v2 too short for IPv6", STR_INIT(MARK "\x21\x21\x00\x23"), NULL, 0},
    {"v2 over 2048", STR_INIT(MARK "\x21\x11\x08\x01"), NULL, 0},
    {"v2 LOCAL over 2048", STR_INIT(MARK "\x20\x00\xff\xff"), NULL, 0},
    {"v2 at most 2048, not all there", STR_INIT(MARK "\x21\x11\x08\x00" CLIENT), "more", 0},
    {"v2 mark cut", STR_INIT("\r\n\r\n\0\r\nQU"), "more", 0},
    {"v2 mark spoilt", STR_INIT("\r\n\r\n\0\r\nQUIZ"), NULL, 0},
};

static const char *name_of(const struct proxy_header *h, char text[80])
{
    char address[INET6_ADDRSTRLEN];
    if (!h->named)
        return "real";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&h->from;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&h->from;
    bool four = h->from.ss_family == AF_INET;
    const void *bytes = four ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr;
    assert_non_null(inet_ntop(h->from.ss_family, bytes, address, sizeof(address)));
    snprintf(text, 80, "%s %u", address, ntohs(four ? v4->sin_port : v6->sin6_port));
    return text;
}

/* At every cut: no answer but "more" before the one that the whole gets, and then that one. */
static void test_cases(void **state)
{
    (void)state;
    char text[80];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum proxy_step wanted = !cases[i].from                       ? PROXY_REFUSED
                                 : strcmp(cases[i].from, "more") == 0 ? PROXY_MORE
                                                                      : PROXY_DONE;
        for (size_t n = 0; n <= cases[i].in.n; n++) {
            /* A copy of its own lets ASan see a read beyond what came. */
            char *copy = malloc(n + 1);
            assert_non_null(copy);
            memcpy(copy, cases[i].in.p, n);
            struct proxy_header h = {.n = 999};
            enum proxy_step step = proxy_read(str_of(copy, n), &h);
            free(copy);
            bool whole = n == cases[i].in.n;
            if (step != PROXY_MORE ? step != wanted : whole && wanted != PROXY_MORE)
                fail_msg("%s: %d after %zu octets", cases[i].what, (int)step, n);
            if (step != PROXY_DONE) {
                assert_int_equal(h.n, 999); /* untouched */
                continue;
            }
            assert_string_equal(name_of(&h, text), cases[i].from);
            assert_int_equal(h.n, cases[i].in.n - cases[i].left);
            assert_true(n >= h.n && h.n <= PROXY_MAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
