/* Any address inside a message: a token of ours, in one piece, or nothing. */
#include "reader.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = arena_make(16 * 1024);
    struct returnpath got = {0};
    struct str address = str_of(data, size);
    int rc = returnpath_read_inside(reader_once(), &a, address, TODAY, &got);
    if (rc == 0) {
        found_check(&got, address);
        REQUIRE(got.proof != RETURNPATH_UNSIGNED);
    } else {
        REQUIRE(rc == -ENOENT && !got.domain);
    }
    arena_free(&a);
    return 0;
}
