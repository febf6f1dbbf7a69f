#include "classify/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* NULL: absent. */
static const struct {
    const char *text, *address, *list, *url;
} cases[] = {
    {"", NULL, NULL, NULL},
    {"550 5.7.1 refused by policy", NULL, NULL, NULL},

    /* Postfix, with and without the URL of the list's TXT record */
    {"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; "
     "https://www.spamhaus.org/query/ip/192.0.2.1",
     "192.0.2.1", "zen.spamhaus.org", "https://www.spamhaus.org/query/ip/192.0.2.1"},
    {"host mx.example.net[198.51.100.9] said: 554 5.7.1 Service unavailable; Client host "
     "[192.0.2.1] blocked using dnsbl.example.org (in reply to RCPT TO command)",
     "192.0.2.1", "dnsbl.example.org", NULL},
    {"521 5.7.1 Service unavailable; client [2001:db8::1:25] blocked using bl.example.org",
     "2001:db8::1:25", "bl.example.org", NULL},
    {"554 5.7.1 <out1.example.com[192.0.2.7]>: Client host rejected: blocked using "
     "rbl.example.net; "
     "Please see http://www.example.net/rbl/?ip=192.0.2.7 to send.",
     "192.0.2.7", "rbl.example.net", "http://www.example.net/rbl/?ip=192.0.2.7"},

    /* The refusing host's own address in the words of the MTA around it */
    {"host mx1.example.net [198.51.100.9] SMTP error from remote mail server after RCPT TO: 550 "
     "rejected because 192.0.2.8 is in a black list at bl.spamcop.net",
     "192.0.2.8", "bl.spamcop.net", NULL},
    {"198.51.100.9 does not like recipient. Remote host said: 550 192.0.2.8 is listed in "
     "b.barracudacentral.org. Giving up on 198.51.100.9.",
     "192.0.2.8", "b.barracudacentral.org", NULL},
    {"mx.example.net [198.51.100.9] did not like our MAIL FROM: 550 5.7.1 no", NULL, NULL, NULL},
    {"Connected to 198.51.100.9 but sender was rejected.", NULL, NULL, NULL},

    {"550-192.0.2.8 is refused 550 see below", "192.0.2.8", NULL, NULL},
    {"550 Bad SPF records for [example.org:192.0.2.2]", "192.0.2.2", NULL, NULL},
    {"host mx.example.net[198.51.100.9] refused to talk to me: 554 no", NULL, NULL, NULL},
    {"554 5.7.1 rejected due to example.org's DMARC policy", NULL, NULL, NULL},

    /* Lists that only their site names */
    {"550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus. To request "
     "removal from this list see https://www.spamhaus.org/query/ip/192.0.2.1 (AS160126)",
     "192.0.2.1", "www.spamhaus.org", "https://www.spamhaus.org/query/ip/192.0.2.1"},
    {"550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list "
     "please visit https://sender.office.com/ and follow the directions. See "
     "http://go.microsoft.com/fwlink/?LinkID=526655 (AS16012609)",
     "192.0.2.1", "sender.office.com", "https://sender.office.com/"},
    {"550 Mail from IP 192.0.2.1 was rejected: see https://help.example.com/first and "
     "https://psbl.surriel.com/listing?ip=192.0.2.1.",
     "192.0.2.1", "psbl.surriel.com", "https://psbl.surriel.com/listing?ip=192.0.2.1"},

    /* What looks like one of them and is none */
    {"421 4.7.0 [TSS04] Messages from 192.0.2.5 temporarily deferred - 4.16.55.1; see "
     "https://postmaster.example.com/error-codes",
     "192.0.2.5", NULL, "https://postmaster.example.com/error-codes"},
    {"550 message size 1.2.3.4.5 exceeds 5.7.1", NULL, NULL, NULL},
    {"550 rejected by ann@bl.example.org", NULL, NULL, NULL},
    {"550 blocked by 192.0.2.3", "192.0.2.3", NULL, NULL},
    {"550 abcd:ef is down at 10:20:30", NULL, NULL, NULL},
    {"450 see http:// or https://x", NULL, NULL, NULL},
    {"550 (see <http://bl.example.net/q?a=b&c=d>).", NULL, NULL, "http://bl.example.net/q?a=b&c=d"},
    {"550 IPv6:2001:db8::2 has no reverse name", "2001:db8::2", NULL, NULL},
};

static void check(struct str found, const char *expected, const char *text)
{
    struct str want = str_c(expected);
    if (str_is_absent(found) != str_is_absent(want) || !str_eq(found, want))
        fail_msg("%s: found \"%.*s\", expected \"%s\"", text, STR_ARG(found),
                 expected ? expected : "(none)");
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct listing l = listing_find(str_c(cases[i].text));
        check(l.address, cases[i].address, cases[i].text);
        check(l.list, cases[i].list, cases[i].text);
        check(l.url, cases[i].url, cases[i].text);
    }
}

/* A reply may end anywhere: slices stay inside of it. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t n = strlen(cases[i].text); n-- > 0;) {
            char *copy = malloc(n + 1);
            assert_non_null(copy);
            memcpy(copy, cases[i].text, n);
            struct listing l = listing_find(str_of(copy, n));
            assert_true(l.address.n <= n && l.list.n <= n && l.url.n <= n);
            free(copy);
        }
    }
}

/* What is long is looked at in its front only. */
static void test_long(void **state)
{
    (void)state;
    size_t n = 1 << 20;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, 'h', n);
    for (size_t i = 0; i + 16 < n; i += 16)
        memcpy(text + i, "http://a.b.c listed by ", 16);
    memcpy(text + n - 10, " 192.0.2.1", 10);
    assert_true(str_is_absent(listing_find(str_of(text, n)).address));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
