/* reader.h - what the targets of this folder read with: domains of each kind, two keys, patterns of
 * each group. Made once: OpenSSL's set-up takes longer than a thousand addresses. */
#ifndef TESTS_FUZZ_RETURNPATH_READER_H
#define TESTS_FUZZ_RETURNPATH_READER_H

#include "base/address.h"
#include "base/require.h"
#include "returnpath/returnpath.h"

enum { TODAY = 20000 };

static inline struct returnpath_reader *reader_once(void)
{
    static const struct str open[] = {STR_INIT("fbl")};
    static const struct returnpath_domain domains[] = {
        {.name = STR_INIT("a.example"), .accept = RETURNPATH_ACCEPT_ANY},
        {.name = STR_INIT("b.example"), .accept = RETURNPATH_ACCEPT_VERP},
        {.name = STR_INIT("c.example"),
         .accept = RETURNPATH_ACCEPT_SIGNED,
         .open = open,
         .open_n = 1},
    };
    static const struct returnpath_key keys[] = {
        {.id = 'k', .secret = STR_INIT("0123456789abcdef0123456789abcdef")},
        {.id = 'o', .secret = STR_INIT("fedcba9876543210fedcba9876543210"), .until = TODAY - 1},
    };
    static const struct returnpath_pattern patterns[] = {
        {.name = STR_INIT("m"),
         .regex =
             STR_INIT("m(?<message_id>[^.]+)\\.(?<tenant>.*?)\\.(?<stream>.*?)\\.(?<campaign>.*)")},
        {.name = STR_INIT("r"), .regex = STR_INIT("r(?<recipient>.*)")},
        {.name = STR_INIT("x"), .regex = STR_INIT("x-(?<user>.*?)~(?<domain>.*)")},
    };
    static const struct returnpath_set_config config = {.domains = domains,
                                                        .domains_n = 3,
                                                        .keys = keys,
                                                        .keys_n = 2,
                                                        .patterns = patterns,
                                                        .patterns_n = 3};
    static struct returnpath_reader *reader;
    if (!reader) {
        struct returnpath_set *set = NULL;
        struct err e = {0};
        REQUIRE(returnpath_set_new(&config, &set, &e) == 0);
        REQUIRE(returnpath_reader_new(set, &reader) == 0);
        returnpath_set_unref(set);
    }
    return reader;
}

/* The key stands in this file, so a valid token may be found in a seed or made from one by luck;
 * what is found must hold together, and minting must give the token again. */
static inline void found_check(const struct returnpath *found, struct str address)
{
    bool token = !str_is_absent(found->token);
    REQUIRE(found->domain);
    REQUIRE((found->proof == RETURNPATH_UNSIGNED) == !token);
    REQUIRE(found->verified == (found->proof == RETURNPATH_VALID));
    REQUIRE(!found->verified || found->key_id == 'k');
    REQUIRE((found->source == RETURNPATH_SOURCE_OPAQUE) == !str_is_absent(found->token_id));
    REQUIRE(token || (found->key_id == 0 && found->day == 0));
    REQUIRE(found->recipient.n <= address.n && found->stream.n <= address.n);
    struct address parts;
    REQUIRE(found->recipient.n == 0 || address_split(found->recipient, &parts));
    if (found->proof != RETURNPATH_VALID || found->token.n > ADDRESS_LOCAL_MAX)
        return;
    struct returnpath_mint mint = {.kind = found->kind,
                                   .domain = found->domain->name,
                                   .recipient = found->recipient,
                                   .stream = found->stream,
                                   .token_id = found->token_id,
                                   .day = found->day,
                                   .key_id = found->key_id};
    struct arena a = arena_make(4096);
    struct str again;
    struct err e = {0};
    REQUIRE(returnpath_mint(reader_once(), &a, &mint, &again, &e) == 0);
    struct str head = str_sub(found->token, 0, str_rchr(found->token, '@'));
    REQUIRE(str_istarts(again, head));
    arena_free(&a);
}

#endif
