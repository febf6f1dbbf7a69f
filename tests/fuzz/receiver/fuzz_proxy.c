/* Any bytes as the begin of a proxied connection: the same answer byte by byte as at once, never an
 * unbounded wait, and only an address of IPv4 or IPv6. */
#include "base/require.h"
#include "receiver/network.h"
#include "receiver/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size);
    struct proxy_header whole = {0}, cut = {0};
    enum proxy_step step = PROXY_MORE;
    size_t n = 0;
    for (; n <= in.n && step == PROXY_MORE; n++)
        step = proxy_read(str_sub(in, 0, n), &cut);
    REQUIRE(step == proxy_read(in, &whole));
    if (step == PROXY_MORE)
        REQUIRE(in.n < PROXY_MAX);
    if (step != PROXY_DONE)
        return 0;
    uint64_t client;
    REQUIRE(n - 1 == cut.n && cut.n == whole.n && cut.n <= PROXY_MAX);
    REQUIRE(cut.named == whole.named && memcmp(&cut.from, &whole.from, sizeof(cut.from)) == 0);
    REQUIRE(cut.named == network_client(&cut.from, &client));
    return 0;
}
