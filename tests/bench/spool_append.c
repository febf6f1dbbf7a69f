/* spool_append.c - what the journal carries: records a second and how long an append waits to be
 * durable, for 1, 10 and 100 submitters that each wait for their record before the next, beside a
 * bare loop of pwrite and fdatasync of one and of many records.
 * Usage: bench_spool_append DIRECTORY [SECONDS]. Makes and leaves DIRECTORY/bench-* folders. */
#include "base/clock.h"
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BODY = 4096, SAMPLES = 4 << 20, SUBMITTERS_MAX = 10000 };

static atomic_ullong syncs;
static uint32_t *samples;
static size_t samples_n;

static int counted_fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    return fdatasync(fd);
}

struct submitter {
    struct bench *bench;
    int64_t since;
    struct submitter *next;
};

struct bench {
    int wake_fd;
    struct submitter *idle; /* their last record is durable */
    size_t records, failed;
};

static void wake(void *ctx)
{
    const struct bench *b = ctx;
    uint64_t one = 1;
    if (write(b->wake_fd, &one, sizeof(one)) != sizeof(one))
        abort();
}

static void sample_add(int64_t since)
{
    if (samples_n < SAMPLES)
        samples[samples_n++] = (uint32_t)(clock_monotonic() - since);
}

static void done(void *ctx, int result)
{
    struct submitter *s = ctx;
    s->bench->records++;
    s->bench->failed += result != 0;
    sample_add(s->since);
    s->next = s->bench->idle;
    s->bench->idle = s;
}

static int sample_cmp(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void result_print(const char *what, size_t records, int64_t us, unsigned long long n_syncs)
{
    qsort(samples, samples_n, sizeof(*samples), sample_cmp);
    double seconds = (double)us / 1e6;
    printf("%-28s %9.0f records/s %7.1f MB/s %8.0f fdatasync/s  p50 %6u us  p99 %6u us\n", what,
           (double)records / seconds, (double)records * BODY / seconds / 1e6,
           (double)n_syncs / seconds, samples_n ? samples[samples_n / 2] : 0,
           samples_n ? samples[samples_n * 99 / 100] : 0);
    fflush(stdout);
    samples_n = 0;
}

static void fill(char *body)
{
    for (size_t i = 0; i < BODY; i++)
        body[i] = (char)("bounce report "[i % 14]);
}

static int bench_journal(const char *directory, size_t submitters, int64_t length)
{
    static struct spool_recipient recipient = {
        .address = STR_INIT("b1abcdefghijklmnop-0123456789abcdef@bounces.example.test"),
        .domain = STR_INIT("bounces.example.test"),
        .tenant = STR_INIT("main"),
        .stream = STR_INIT("default"),
    };
    char path[4096], body[BODY], what[64];
    snprintf(path, sizeof(path), "%s/bench-%zu", directory, submitters);
    fill(body);
    struct spool_io io = spool_io_system;
    io.fdatasync = counted_fdatasync;
    struct spool_config config = {.directory = path, .io = &io};
    struct bench b = {.wake_fd = eventfd(0, EFD_CLOEXEC)};
    struct submitter *all = calloc(submitters, sizeof(*all));
    struct spool *s = NULL;
    struct spool_lane *l = NULL;
    struct err e = {0};
    if (b.wake_fd < 0 || !all || spool_open(&config, &s, &e) < 0 ||
        spool_lane_open(s, 0, wake, &b, &l, &e) < 0) {
        fprintf(stderr, "%s: %s\n", path, e.text);
        return 1;
    }
    for (size_t i = 0; i < submitters; i++) {
        all[i] = (struct submitter){.bench = &b, .next = b.idle};
        b.idle = &all[i];
    }
    unsigned long long before = atomic_load(&syncs);
    int64_t begin = clock_monotonic();
    while (clock_monotonic() - begin < length) {
        while (b.idle) {
            struct submitter *one = b.idle;
            b.idle = one->next;
            one->since = clock_monotonic();
            struct spool_envelope envelope = {
                .id = id_make(one->since),
                .received_at = one->since,
                .client_address = STR("192.0.2.1"),
                .helo = STR("mail.example.com"),
                .protocol = STR("ESMTP"),
                .recipients = &recipient,
                .recipients_n = 1,
                .size = BODY,
            };
            int rc = spool_append(l, &envelope, str_of(body, BODY), false, done, one);
            if (rc < 0) {
                fprintf(stderr, "append: %d\n", rc);
                return 1;
            }
        }
        spool_lane_commit(l);
        if (b.idle)
            continue; /* synced at once */
        uint64_t n;
        if (read(b.wake_fd, &n, sizeof(n)) != sizeof(n))
            return 1;
        spool_lane_reap(l);
    }
    int64_t us = clock_monotonic() - begin;
    size_t records = b.records;
    unsigned long long used = atomic_load(&syncs) - before;
    snprintf(what, sizeof(what), "journal, %zu at once", submitters);
    result_print(what, records, us, used);
    spool_lane_close(l);

    /* And out again. */
    struct spool_reader *r = NULL;
    if (spool_reader_open(s, 0, (struct spool_position){0, 0}, &r, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    struct arena a = arena_make(1 << 20);
    struct spool_record record;
    size_t read_n = 0;
    begin = clock_monotonic();
    while (spool_next(r, &a, &record, &e) == 1) {
        read_n++;
        arena_reset(&a);
    }
    us = clock_monotonic() - begin;
    snprintf(what, sizeof(what), "  read back");
    result_print(what, read_n, us ? us : 1, 0);
    arena_free(&a);
    bool bad = b.failed || read_n < records;
    spool_reader_free(r);
    spool_free(s);
    close(b.wake_fd);
    free(all);
    if (bad)
        fprintf(stderr, "%zu failed, %zu written, %zu read\n", b.failed, records, read_n);
    return bad;
}

static int bare_open(const char *directory, size_t group, int number, off_t size)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/bench-bare-%zu-%d", directory, group, number);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || fallocate(fd, 0, 0, size) < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

/* Files of a segment's size one after the other, as the journal does: writing the same pages again
 * and again would be quicker than any journal can be. */
static int bench_bare(const char *directory, size_t group, int64_t length)
{
    char what[64];
    char *bytes = calloc(group, BODY);
    off_t size = 64 << 20, at = 0;
    int number = 0, fd = bare_open(directory, group, number, size);
    if (!bytes)
        return 1;
    size_t records = 0;
    unsigned long long n_syncs = 0;
    int64_t begin = clock_monotonic(), now = begin;
    while (now - begin < length) {
        if (at + (off_t)(group * BODY) > size) {
            close(fd);
            fd = bare_open(directory, group, ++number, size);
            at = 0;
        }
        if (pwrite(fd, bytes, group * BODY, at) != (ssize_t)(group * BODY) || fdatasync(fd) < 0) {
            perror("write");
            return 1;
        }
        at += (off_t)(group * BODY);
        records += group;
        n_syncs++;
        sample_add(now);
        now = clock_monotonic();
    }
    snprintf(what, sizeof(what), "bare, %zu a fdatasync", group);
    result_print(what, records, now - begin, n_syncs);
    close(fd);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s DIRECTORY [SECONDS]\n", argv[0]);
        return 2;
    }
    uint32_t seconds = 2;
    if (argc == 3 && (!str_to_u32(str_c(argv[2]), &seconds) || seconds < 1 || seconds > 60)) {
        fprintf(stderr, "SECONDS: 1 to 60\n");
        return 2;
    }
    samples = calloc(SAMPLES, sizeof(*samples));
    if (!samples)
        return 1;
    static const size_t at_once[] = {1, 10, 100, 1000};
    int failed = 0;
    for (size_t i = 0; i < 4 && !failed; i++)
        failed = bench_bare(argv[1], at_once[i], seconds * CLOCK_SECOND) ||
                 bench_journal(argv[1], at_once[i], seconds * CLOCK_SECOND);
    free(samples);
    return failed;
}
