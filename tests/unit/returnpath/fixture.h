/* fixture.h - a set of domains and keys, and a reader of it, for the tests of tokens. */
#ifndef TESTS_RETURNPATH_FIXTURE_H
#define TESTS_RETURNPATH_FIXTURE_H

#include "returnpath/returnpath.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define UNUSED __attribute__((unused))

enum { TODAY = 20415 };

/* The secrets of the vectors: 32 characters, and the octets 0 to 127. */
static const char secret_text[] = "0123456789abcdef0123456789abcdef";
static unsigned char secret_octets[RETURNPATH_KEY_MAX];

static const struct str fixture_open[] = {STR_INIT("fbl"), STR_INIT("unsubscribe")};
static const struct returnpath_domain fixture_domains[] = {
    {.name = STR_INIT("bounces.example.test"), .accept = RETURNPATH_ACCEPT_ANY},
    {.name = STR_INIT("signed.example.test"),
     .accept = RETURNPATH_ACCEPT_SIGNED,
     .open = fixture_open,
     .open_n = 2},
    {.name = STR_INIT("verp.example.test"), .accept = RETURNPATH_ACCEPT_VERP},
    {.name = STR_INIT("xn--bcher-kva.example"), .accept = RETURNPATH_ACCEPT_SIGNED},
};
enum { FIXTURE_DOMAINS = sizeof(fixture_domains) / sizeof(fixture_domains[0]) };

static UNUSED struct returnpath_reader *fixture_reader(const struct returnpath_key *keys, size_t n)
{
    struct returnpath_set_config config = {
        .domains = fixture_domains, .domains_n = FIXTURE_DOMAINS, .keys = keys, .keys_n = n};
    struct returnpath_set *set = NULL;
    struct returnpath_reader *r = NULL;
    struct err e = {0};
    if (returnpath_set_new(&config, &set, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(returnpath_reader_new(set, &r), 0);
    returnpath_set_unref(set);
    return r;
}

/* Keys a (mints) and 7. */
static UNUSED struct returnpath_reader *fixture_reader_default(void)
{
    for (size_t i = 0; i < sizeof(secret_octets); i++)
        secret_octets[i] = (unsigned char)i;
    const struct returnpath_key keys[] = {
        {.id = 'a', .secret = str_of(secret_text, 32)},
        {.id = '7', .secret = str_of(secret_octets, sizeof(secret_octets))},
    };
    return fixture_reader(keys, 2);
}

#endif
