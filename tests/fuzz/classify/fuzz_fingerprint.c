/* Any bytes as a diagnostic: the form stays in its room and holds no address. */
#include "classify/fingerprint.h"

#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[300];
    struct str text = str_of(data, size);
    size_t n = fingerprint_text(text, out, sizeof(out));
    REQUIRE(n <= sizeof(out));
    REQUIRE(str_chr(str_of(out, n), '@', 0) == n);
    REQUIRE(fingerprint(text) == fingerprint(text));
    return 0;
}
