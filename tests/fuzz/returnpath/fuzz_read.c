/* Any address; what is found must be an address again. */
#include "base/address.h"
#include "base/require.h"
#include "returnpath/returnpath.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct returnpath_reader *reader_once(void)
{
    static const struct returnpath_domain list[] = {
        {.name = STR_INIT("a.example"), .accept = RETURNPATH_ACCEPT_ANY},
        {.name = STR_INIT("b.example"), .accept = RETURNPATH_ACCEPT_VERP},
        {.name = STR_INIT("c.example"), .accept = RETURNPATH_ACCEPT_SIGNED},
    };
    static const struct returnpath_key key = {
        .id = 'k', .secret = STR_INIT("0123456789abcdef0123456789abcdef")};
    static const struct returnpath_set_config config = {
        .domains = list, .domains_n = 3, .keys = &key, .keys_n = 1};
    static struct returnpath_reader *reader;
    if (!reader) {
        struct returnpath_set *set = NULL;
        REQUIRE(returnpath_set_new(&config, &set, NULL) == 0);
        REQUIRE(returnpath_reader_new(set, &reader) == 0);
        returnpath_set_unref(set);
    }
    return reader;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = arena_make(16 * 1024);
    struct returnpath got = {0};
    int rc = returnpath_read(reader_once(), &a, str_of(data, size), 20000, &got);
    REQUIRE(rc <= 0);
    if (rc == 0) {
        REQUIRE(got.domain);
        REQUIRE((got.source == RETURNPATH_SOURCE_VERP || got.source == RETURNPATH_SOURCE_TOKEN) ==
                (got.recipient.n > 0));
        REQUIRE((got.proof == RETURNPATH_UNSIGNED) == str_is_absent(got.token));
        REQUIRE(got.verified == (got.proof == RETURNPATH_VALID));
        REQUIRE(got.verified || got.proof == RETURNPATH_UNSIGNED ||
                got.domain->accept != RETURNPATH_ACCEPT_SIGNED);
        struct address parts;
        if (got.recipient.n > 0)
            REQUIRE(got.recipient.n <= size && address_split(got.recipient, &parts));
    } else if (rc == -EKEYREJECTED) {
        REQUIRE(got.domain->accept == RETURNPATH_ACCEPT_SIGNED && got.token.n > 0 && !got.verified);
    } else {
        REQUIRE(!got.domain);
    }
    arena_free(&a);
    return 0;
}
