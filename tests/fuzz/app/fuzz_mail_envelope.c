/* The front of a stored message, any bytes: what is found lies in it, and in time. */
#include "app/mail_ingest.h"
#include "base/clock.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct str s, struct str all)
{
    REQUIRE(str_is_absent(s) || (s.p >= all.p && s.p + s.n <= all.p + all.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = str_of(data, size);
    struct mail_envelope m;
    mail_envelope_read(all, &m);
    REQUIRE(m.rcpt_n <= MAIL_ENVELOPE_RCPT_MAX);
    for (size_t i = 0; i < m.rcpt_n; i++) {
        inside(m.rcpt[i], all);
        REQUIRE(m.rcpt[i].n);
    }
    inside(m.mail_from, all);
    REQUIRE(m.received == CLOCK_UNKNOWN ||
            (m.received >= 0 && m.received < INT64_C(253402300800) * CLOCK_SECOND + CLOCK_DAY));
    return 0;
}
