/* support.h - a reader that is fed lines, for the tests of each format. */
#ifndef TESTS_UNIT_INGEST_SUPPORT_H
#define TESTS_UNIT_INGEST_SUPPORT_H

#include "base/clock.h"
#include "ingest/ingest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fed {
    struct arena a;
    struct ingest_clock clock;
    struct ingest_reader *reader;
    struct err e;
};

static inline void feed_open(struct fed *f, enum ingest_format format)
{
    *f = (struct fed){.a = arena_make(16 << 20)};
    f->clock.latest = clock_days(2026, 3, 1) * CLOCK_DAY;
    assert_int_equal(ingest_reader_new(format, &f->clock, &f->reader), 0);
}

static inline void feed_close(struct fed *f)
{
    ingest_reader_free(f->reader);
    arena_free(&f->a);
}

static inline int feed_line(struct fed *f, struct str line, struct ingest_records *ret)
{
    return ingest_read(f->reader, &f->a, line, ret, &f->e);
}

/* The only record of a line. */
static inline struct ingest_record feed_one(struct fed *f, struct str line)
{
    struct ingest_records got;
    if (feed_line(f, line, &got) != 0 || got.n != 1)
        fail_msg("%.*s: %zu records, %s", STR_ARG(line), got.n, f->e.text);
    return got.list[0];
}

static inline void check_text(struct str got, const char *want, const char *what)
{
    if (!str_eq(got, str_c(want ? want : "")))
        fail_msg("%s: \"%.*s\", expected \"%s\"", what, STR_ARG(got), want ? want : "");
}

/* The n-th allocation of a line fails: an error or nothing, never a crash. */
static inline void check_memory(enum ingest_format format, const struct str *lines, size_t n)
{
    for (uint64_t at = 0; at < 60; at++) {
        struct fed f;
        struct ingest_records got;
        feed_open(&f, format);
        arena_fail_at(&f.a, at);
        for (size_t i = 0; i < n; i++) {
            int rc = feed_line(&f, lines[i], &got);
            assert_true(rc == 0 || rc == -ENOMEM || rc == -EINVAL);
            assert_true(rc == 0 || got.n == 0);
        }
        feed_close(&f);
    }
}

#endif
