/* Any RCPT TO: what is found holds together, and nothing unsigned gets where signed ones alone go.
 */
#include "reader.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = arena_make(16 * 1024);
    struct returnpath got = {0};
    struct str address = str_of(data, size);
    int rc = returnpath_read(reader_once(), &a, address, TODAY, &got);
    if (rc == 0 || rc == -EKEYREJECTED) {
        bool only_signed = got.domain->accept == RETURNPATH_ACCEPT_SIGNED;
        found_check(&got, address);
        REQUIRE(rc == 0 || (only_signed && got.token.n > 0 && !got.verified));
        REQUIRE(rc < 0 || !only_signed || got.verified || got.proof == RETURNPATH_UNSIGNED);
        REQUIRE(got.source != RETURNPATH_SOURCE_VERP || got.recipient.n > 0);
    } else {
        REQUIRE(rc == -EINVAL || rc == -EHOSTUNREACH || rc == -ENOENT);
        REQUIRE(!got.domain); /* untouched */
    }
    arena_free(&a);
    return 0;
}
