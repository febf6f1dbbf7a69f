/* Any bytes as a frame's head and as a payload: refused, or decoded into what encodes to the same.
 */
#include "base/require.h"
#include "spool/record.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was of this version encodes to the same, what was older to something as long or longer. */
static void decode(unsigned version, struct str payload)
{
    struct arena a = arena_make(4 << 20);
    struct spool_record record;
    if (record_decode(&a, version, payload, &record) == 0) {
        REQUIRE(record.body.p >= payload.p &&
                record.body.p + record.body.n == payload.p + payload.n);
        struct buf again;
        buf_init(&again, 64 << 20);
        int rc = record_encode(&again, &record.envelope, record.body.n, record.truncated);
        if (rc == 0) {
            rc = buf_add(&again, record.body);
            REQUIRE(rc == 0);
            if (version == RECORD_VERSION)
                REQUIRE(str_eq(buf_str(&again), payload));
            else
                REQUIRE(again.n > payload.n);
        }
        buf_free(&again);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str payload = str_of(data, size);
    struct record_head head;
    if (size >= RECORD_HEAD)
        (void)record_head_get(payload.p, 0, 4096, &head);
    for (unsigned version = 1; version <= RECORD_VERSION; version++)
        decode(version, payload);
    return 0;
}
