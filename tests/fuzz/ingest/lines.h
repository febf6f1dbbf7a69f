/* lines.h - any bytes as lines of one format: records that are clean and bounded, or an error with
 * words. */
#ifndef TESTS_FUZZ_INGEST_LINES_H
#define TESTS_FUZZ_INGEST_LINES_H

#include "base/clock.h"
#include "base/require.h"
#include "ingest/ingest.h"

#include <errno.h>

static inline void text_check(struct str s)
{
    REQUIRE(str_is_utf8(s));
    for (size_t i = 0; i < s.n; i++)
        REQUIRE((unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f);
}

static inline void record_check(const struct ingest_record *r)
{
    const struct str texts[] = {
        r->recipient,  r->orig_to, r->sender,  r->queue_id, r->host,   r->remote_host, r->remote_ip,
        r->message_id, r->text,    r->command, r->status,   r->tenant, r->campaign};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        text_check(texts[i]);
    REQUIRE(r->recipient.n && r->evidence.n);
    REQUIRE(r->reply_code == 0 || (r->reply_code >= 200 && r->reply_code < 600));
    REQUIRE(r->time > -2 * CLOCK_DAY && r->time < INT64_C(253402300800) * CLOCK_SECOND + CLOCK_DAY);
}

static inline void lines_check(enum ingest_format format, struct str rest)
{
    struct ingest_clock clock = {.year = rest.n % 2 ? 2024 : 0,
                                 .latest = clock_days(2026, 3, 1) * CLOCK_DAY};
    struct arena a = arena_make(64 << 20);
    struct ingest_reader *reader;
    REQUIRE(ingest_reader_new(format, &clock, &reader) == 0);
    while (rest.n) {
        struct ingest_records got;
        struct err e = {0};
        int rc = ingest_read(reader, &a, str_cut(&rest, '\n'), &got, &e);
        REQUIRE(rc == 0 || ((rc == -EINVAL || rc == -ENOMEM) && e.text[0] && !got.n));
        for (size_t i = 0; i < got.n; i++)
            record_check(&got.list[i]);
        arena_reset(&a);
    }
    ingest_reader_free(reader);
    arena_free(&a);
}

#endif
