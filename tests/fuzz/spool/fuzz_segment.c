/* A hostile segment file: read to its end without a fault, and in order. The checksum of the header
 * is put right first, else only the very first comparison would ever be tested; with the seeds in
 * the file, frames are sealed where the input asks for it. */
#include "base/require.h"
#include "spool/journal.h"
#include "spool/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 4096, LANE = 0, NUMBER = 7, SIZE_MAX_BYTES = 1 << 16 };

static char directory[64];

static void directory_remove(void)
{
    char path[128];
    static const char *const names[] = {"lane-00/00000000000000000007.seg", "lane-00/reader.lock",
                                        "damaged", "lane-00", "journal"};
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        remove(path);
    }
    rmdir(directory);
}

static struct spool *spool_once(void)
{
    static struct spool *s;
    if (s)
        return s;
    snprintf(directory, sizeof(directory), "/dev/shm/bouncemx-fuzz-XXXXXX"); /* in memory */
    if (!mkdtemp(directory)) {
        snprintf(directory, sizeof(directory), "/tmp/bouncemx-fuzz-XXXXXX");
        REQUIRE(mkdtemp(directory));
    }
    struct spool_config config = {.directory = directory};
    REQUIRE(spool_open(&config, &s, NULL) == 0);
    char path[128];
    snprintf(path, sizeof(path), "%s/lane-00", directory);
    REQUIRE(mkdir(path, 0700) == 0);
    /* What is kept aside has its own tests; here each run would leave files. */
    snprintf(path, sizeof(path), "%s/damaged", directory);
    FILE *f = fopen(path, "w");
    REQUIRE(f && fclose(f) == 0);
    atexit(directory_remove);
    return s;
}

static void put64(char *to, uint64_t value)
{
    memcpy(to, &value, sizeof(value));
}

/* The last byte of the input says how much of it is put right. */
static void header_repair(char *file, uint8_t how)
{
    if (how & 1) {
        memcpy(file, "bmxsegm\n\1\0\0\0\0\0\0\0", 16);
        file[8] = how & 16 ? 2 : 1; /* the version */
        put64(file + 16, NUMBER);
        put64(file + 24, LANE);
    }
    if (how & 2)
        put64(file + 48, record_checksum(0, str_of(file, 48), STR("")));
}

/* Seals each head that has the magic, and, if asked, vouches for its payload. */
static void frames_repair(char *file, size_t size, uint8_t how)
{
    uint64_t head_seed, payload_seed;
    memcpy(&head_seed, file + 32, 8);
    memcpy(&payload_seed, file + 40, 8);
    for (size_t at = HEADER; at + RECORD_HEAD <= size; at += RECORD_ALIGN) {
        if (!record_magic_at(file + at))
            continue;
        uint32_t payload;
        memcpy(&payload, file + at + 4, 4);
        if ((how & 8) && payload <= size - at - RECORD_HEAD)
            put64(file + at + 8,
                  record_checksum(payload_seed, str_of(file + at + RECORD_HEAD, payload), STR("")));
        record_head_seal(file + at, head_seed, at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool *s = spool_once();
    if (size > SIZE_MAX_BYTES)
        return 0;
    char *file = malloc(size + 1);
    REQUIRE(file);
    memcpy(file, data, size);
    uint8_t how = size ? data[size - 1] : 0;
    if (size >= HEADER) {
        header_repair(file, how);
        if (how & 4)
            frames_repair(file, size, how);
    }
    char path[PATH_MAX];
    journal_segment_path(s, LANE, NUMBER, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(fd >= 0 && write(fd, file, size) == (ssize_t)size && close(fd) == 0);
    free(file);

    struct spool_reader *r = NULL;
    REQUIRE(spool_reader_open(s, LANE, (struct spool_position){0, 0}, &r, NULL) == 0);
    struct arena a = arena_make(1 << 20);
    struct spool_record record;
    struct spool_position last = {0, 0};
    struct err e;
    while (spool_next(r, &a, &record, &e) == 1) {
        REQUIRE(spool_position_cmp(last, record.at) <= 0);
        REQUIRE(spool_position_cmp(record.at, record.next) < 0);
        REQUIRE(record.envelope.recipients_n >= 1);
        last = record.next;
        arena_reset(&a);
    }
    uint64_t backlog;
    REQUIRE(spool_backlog(s, LANE, last, &backlog, NULL) <= 0);
    arena_free(&a);
    spool_reader_free(r);
    unlink(path);
    return 0;
}
