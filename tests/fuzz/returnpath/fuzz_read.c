/* Any address; what is found must be an address again. */
#include "base/address.h"
#include "base/require.h"
#include "returnpath/returnpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct returnpath_domain list[] = {
        {.name = STR_INIT("a.example"), .accept = RETURNPATH_ACCEPT_ANY},
        {.name = STR_INIT("b.example"), .accept = RETURNPATH_ACCEPT_VERP},
    };
    static const struct returnpath_domains domains = {list, 2};
    struct arena a = arena_make(16 * 1024);
    struct returnpath got;
    int rc = returnpath_read(&domains, &a, str_of(data, size), &got);
    REQUIRE(rc <= 0);
    if (rc == 0) {
        REQUIRE(got.domain >= list && got.domain < list + 2 && !got.verified);
        REQUIRE((got.source == RETURNPATH_SOURCE_NONE) == (got.recipient.n == 0));
        struct address parts;
        if (got.recipient.n > 0)
            REQUIRE(got.recipient.n <= size && address_split(got.recipient, &parts));
    }
    arena_free(&a);
    return 0;
}
