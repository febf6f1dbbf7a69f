/* fixture.h - a spool in a folder of its own, records that can be told apart, and a shim that makes
 * chosen calls fail. Included by one test program each. */
#ifndef TESTS_SPOOL_FIXTURE_H
#define TESTS_SPOOL_FIXTURE_H

#include "base/clock.h"
#include "spool/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

struct fixture {
    char directory[64];
    struct spool *spool;
    struct spool_lane *lane;
};

static UNUSED int fixture_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static UNUSED void folder_remove(const char *path)
{
    nftw(path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static UNUSED void folder_make(char path[64])
{
#ifdef FIXTURE_IN_MEMORY /* for tests of thousands of syncs, which a busy disk would take minutes \
                            for */
    snprintf(path, 64, "/dev/shm/bouncemx-spool-XXXXXX");
    if (mkdtemp(path))
        return;
#endif
    snprintf(path, 64, "/tmp/bouncemx-spool-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static UNUSED struct spool *open_spool(const char *directory, uint64_t max, uint64_t segment,
                                       const struct spool_io *io)
{
    struct spool_config config = {directory, max, segment, io};
    struct spool *s = NULL;
    struct err e = {0};
    if (spool_open(&config, &s, &e) < 0)
        fail_msg("%s", e.text);
    return s;
}

/* ---- the first format ---- */

/* A payload as the first version of the program wrote it, octet by octet. */
static UNUSED const char version_1[] = "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\0\0" /* id */
                                       "\7\0\0\0\0\0\0\0"                       /* received at */
                                       "\5\0\0\0\0\0\0\0"                       /* size */
                                       "\5\0\0\0"                               /* body */
                                       "\2\0\0\0"                     /* recipients, flags */
                                       "\3\0::1\1\0h\4\0SMTP\0\0\0\0" /* the envelope's texts */
                                       "\0\1\1\0\3\0a@d\1\0d\1\0t\1\0s\3\0u@e" /* recipients */
                                       "\1\0\0\0\3\0p@d\1\0d\1\0t\1\0s\0\0"
                                       "hello";

/* ---- appending ---- */

static UNUSED void wake_nothing(void *ctx)
{
    (void)ctx;
}

static UNUSED struct spool_lane *open_lane(struct spool *s, unsigned lane)
{
    struct spool_lane *l = NULL;
    struct err e = {0};
    if (spool_lane_open(s, lane, wake_nothing, NULL, &l, &e) < 0)
        fail_msg("%s", e.text);
    return l;
}

/* The received time carries a number by which a record is known again. */
static UNUSED struct spool_envelope envelope_make(int64_t number)
{
    static const struct spool_recipient recipients[] = {
        {.address = STR_INIT("b1xyz@bounces.example.test"),
         .domain = STR_INIT("bounces.example.test"),
         .tenant = STR_INIT("main"),
         .stream = STR_INIT(""),
         .recipient = STR_INIT("joe@customer.example"),
         .kind = 2,
         .source = 1,
         .verified = true},
        {.address = STR_INIT("postmaster@bounces.example.test")},
    };
    return (struct spool_envelope){
        .id = id_make(number),
        .received_at = number,
        .client_address = STR("192.0.2.1"),
        .helo = STR("mail.example.com"),
        .protocol = STR("ESMTP"),
        .recipients = recipients,
        .recipients_n = 2,
        .size = 77,
    };
}

enum { PENDING = 1 };

static UNUSED void done_store(void *ctx, int result)
{
    int *at = ctx;
    assert_int_equal(*at, PENDING); /* exactly once */
    *at = result;
}

static UNUSED int append(struct spool_lane *l, int64_t number, struct str body, int *result)
{
    struct spool_envelope envelope = envelope_make(number);
    *result = PENDING;
    int rc = spool_append(l, &envelope, body, false, done_store, result);
    spool_lane_commit(l);
    return rc;
}

static UNUSED void wait_done(struct spool_lane *l, const int *result)
{
    int64_t give_up = clock_monotonic() + 20 * CLOCK_SECOND;
    while (*result == PENDING && clock_monotonic() < give_up) {
        spool_lane_reap(l);
        usleep(50);
    }
    assert_int_not_equal(*result, PENDING);
}

static UNUSED int append_wait(struct spool_lane *l, int64_t number, struct str body)
{
    int result;
    int rc = append(l, number, body, &result);
    if (rc < 0)
        return rc;
    wait_done(l, &result);
    return result;
}

/* ---- reading ---- */

static UNUSED struct spool_reader *open_reader(struct spool *s, unsigned lane,
                                               struct spool_position at)
{
    struct spool_reader *r = NULL;
    struct err e = {0};
    if (spool_reader_open(s, lane, at, &r, &e) < 0)
        fail_msg("%s", e.text);
    return r;
}

/* The number of the next record, 0 when there is none now; negative: an error. */
static UNUSED int64_t next_number(struct spool_reader *r, struct spool_position *ret_next)
{
    struct arena a = arena_make(128 << 20);
    struct spool_record record = {0};
    struct err e = {0};
    int rc = spool_next(r, &a, &record, &e);
    int64_t number = rc == 1 ? record.envelope.received_at : rc;
    if (rc == 1) {
        struct spool_envelope want = envelope_make(number);
        assert_true(str_eq(record.envelope.helo, want.helo));
        assert_int_equal(record.envelope.recipients_n, 2);
        assert_true(str_eq(record.envelope.recipients[0].recipient, want.recipients[0].recipient));
        if (ret_next)
            *ret_next = record.next;
    }
    arena_free(&a);
    return number;
}

/* ---- files ---- */

/* Paths of the lane's segments, ascending; returns how many. */
static UNUSED size_t segment_paths(const char *directory, unsigned lane, char paths[][128],
                                   size_t room)
{
    char folder[96];
    snprintf(folder, sizeof(folder), "%s/lane-%02u", directory, lane);
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    size_t found = 0;
    for (int i = 0; i < n; i++) {
        size_t length = strlen(names[i]->d_name);
        if (length > 4 && strcmp(names[i]->d_name + length - 4, ".seg") == 0 && found < room)
            snprintf(paths[found++], 128, "%s/%.30s", folder, names[i]->d_name);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return found;
}

static UNUSED size_t folder_count(const char *directory, const char *name)
{
    char folder[96];
    snprintf(folder, sizeof(folder), "%s/%s", directory, name);
    DIR *dir = opendir(folder);
    size_t n = 0;
    for (struct dirent *d; dir && (d = readdir(dir)) != NULL;)
        n += d->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

static UNUSED char *file_read(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    struct stat st;
    assert_int_equal(fstat(fileno(f), &st), 0);
    char *bytes = malloc((size_t)st.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)st.st_size, f), st.st_size);
    fclose(f);
    *ret_n = (size_t)st.st_size;
    return bytes;
}

static UNUSED void file_write(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static UNUSED int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    folder_make(f->directory);
    *state = f;
    return 0;
}

static UNUSED int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    folder_remove(f->directory);
    free(f);
    return 0;
}

#endif
