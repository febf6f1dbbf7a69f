/* Files that a crash or a bad disk left behind: what is whole is read, what is not is kept aside.
 */
#define FIXTURE_IN_MEMORY
#include "fixture.h"

#include "spool/record.h"

enum { MARKS_AT = 2048, MARKS = 16, RECORDS = 6, HEADER = 4096 };

struct image {
    char *bytes; /* of a segment whose writer is about to die */
    size_t n;
    struct spool_position ends[RECORDS + 1]; /* where record i ends; 0: where the first begins */
    char name[64];
};

static struct str body_make(char *body, size_t n, int number)
{
    for (size_t i = 0; i < n; i++)
        body[i] = (char)('a' + (number * 7 + (int)i) % 23);
    return str_of(body, n);
}

/* Takes a picture of a segment file while its writer is alive, as a crash would. */
static struct image image_make(const char *directory, bool marks)
{
    struct image image = {0};
    struct spool *s = open_spool(directory, 0, 64 << 10, NULL);
    struct spool_lane *l = open_lane(s, 0);
    char body[200];
    for (int i = 1; i <= RECORDS; i++)
        assert_int_equal(append_wait(l, i, body_make(body, 150 + (size_t)i, i)), 0);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    for (int i = 1; i <= RECORDS; i++)
        assert_int_equal(next_number(r, &image.ends[i]), i);
    image.ends[0] = (struct spool_position){image.ends[1].segment, HEADER};
    char paths[2][128];
    assert_int_equal(segment_paths(directory, 0, paths, 2), 1);
    image.bytes = file_read(paths[0], &image.n);
    snprintf(image.name, sizeof(image.name), "%s", strrchr(paths[0], '/') + 1);
    if (!marks)
        memset(image.bytes + MARKS_AT, 0, MARKS);
    spool_reader_free(r);
    spool_lane_close(l);
    assert_int_equal(unlink(paths[0]), 0);
    spool_free(s);
    return image;
}

static void image_put(const struct image *image, const char *directory, size_t n)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/lane-00/%s", directory, image->name);
    file_write(path, image->bytes, n);
}

/* Reads all: the numbers seen as bits, in rising order. */
static unsigned read_all(const char *directory, struct spool_reader_stats *ret)
{
    struct spool *s = open_spool(directory, 0, 64 << 10, NULL);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    unsigned seen = 0;
    int64_t number, last = 0;
    while ((number = next_number(r, NULL)) != 0) {
        assert_true(number > last && number <= 31);
        seen |= 1u << number;
        last = number;
    }
    *ret = spool_reader_stats(r);
    spool_reader_free(r);
    spool_free(s);
    return seen;
}

static unsigned first_bits(int n)
{
    return (1u << (n + 1)) - 2;
}

static void tail_torn_at_every_byte(void **state)
{
    struct fixture *f = *state;
    struct image image = image_make(f->directory, false);
    size_t from = image.ends[RECORDS - 2].offset, to = image.ends[RECORDS].offset;
    for (size_t cut = from; cut <= to; cut++) {
        int whole = cut >= image.ends[RECORDS].offset       ? RECORDS
                    : cut >= image.ends[RECORDS - 1].offset ? RECORDS - 1
                                                            : RECORDS - 2;
        struct spool_reader_stats stats;
        image_put(&image, f->directory, cut);
        if (read_all(f->directory, &stats) != first_bits(whole))
            fail_msg("cut at %zu", cut);
        assert_int_equal(stats.damaged_places, 0);
        bool at_end = cut == image.ends[whole].offset;
        assert_int_equal(stats.torn_tails, !at_end);
        /* The same with the space allocated, as the file system would leave it. */
        char *rest = malloc(image.n);
        assert_non_null(rest);
        memcpy(rest, image.bytes, image.n);
        memset(rest + cut, 0, image.n - cut);
        struct image padded = image;
        padded.bytes = rest;
        image_put(&padded, f->directory, image.n);
        unsigned seen = read_all(f->directory, &stats);
        /* Up to 7 zeros of padding at a frame's end may be cut and not be missed. */
        if (seen != first_bits(whole) && !(whole < RECORDS && seen == first_bits(whole + 1) &&
                                           cut + 8 > image.ends[whole + 1].offset))
            fail_msg("zeros from %zu", cut);
        free(rest);
    }
    free(image.bytes);
}

static void marked_end_survives_without_its_bytes(void **state)
{
    struct fixture *f = *state;
    /* The mark says synced, the file was cut by someone: what is missing is counted. */
    struct image image = image_make(f->directory, true);
    image_put(&image, f->directory, image.ends[RECORDS - 1].offset);
    struct spool_reader_stats stats;
    assert_int_equal(read_all(f->directory, &stats), first_bits(RECORDS - 1));
    assert_int_equal(stats.damaged_places, 1);
    assert_int_equal(stats.damaged_bytes,
                     image.ends[RECORDS].offset - image.ends[RECORDS - 1].offset);
    free(image.bytes);
}

static void damage_loses_only_its_record(void **state)
{
    struct fixture *f = *state;
    for (int marks = 0; marks <= 1; marks++) {
        struct image image = image_make(f->directory, marks);
        for (int victim = 1; victim < RECORDS; victim++) {
            size_t from = image.ends[victim - 1].offset, to = image.ends[victim].offset;
            for (size_t at = from; at < to - 8; at += 3) {
                char was = image.bytes[at];
                image.bytes[at] = (char)(was ^ 0x40);
                image_put(&image, f->directory, image.n);
                struct spool_reader_stats stats;
                if (read_all(f->directory, &stats) != (first_bits(RECORDS) & ~(1u << victim)))
                    fail_msg("byte %zu of record %d", at - from, victim);
                assert_int_equal(stats.damaged_places, 1);
                assert_int_equal(stats.damaged_bytes, to - from);
                assert_int_equal(stats.damaged_unkept, 0);
                assert_int_equal(stats.torn_tails, 0);
                image.bytes[at] = was;
            }
            /* Kept aside as it stood when it was first seen. */
            char path[160];
            snprintf(path, sizeof(path), "%s/damaged/00-%llu-%zu", f->directory,
                     (unsigned long long)image.ends[0].segment, from);
            size_t n;
            char *kept = file_read(path, &n);
            assert_int_equal(n, to - from);
            image.bytes[from] = (char)(image.bytes[from] ^ 0x40);
            assert_memory_equal(kept, image.bytes + from, n);
            image.bytes[from] = (char)(image.bytes[from] ^ 0x40);
            free(kept);
        }
        assert_int_equal(folder_count(f->directory, "damaged"), RECORDS - 1);
        /* The last record of a segment that says it was synced is damage, not a torn tail. */
        image.bytes[image.ends[RECORDS - 1].offset] ^= 1;
        image_put(&image, f->directory, image.n);
        struct spool_reader_stats stats;
        assert_int_equal(read_all(f->directory, &stats), first_bits(RECORDS - 1));
        assert_int_equal(stats.damaged_places, marks);
        assert_int_equal(stats.torn_tails, !marks);
        char path[160];
        snprintf(path, sizeof(path), "%s/damaged", f->directory);
        if (!marks)
            folder_remove(path);
        snprintf(path, sizeof(path), "%s/lane-00/%s", f->directory, image.name);
        assert_int_equal(unlink(path), 0);
        free(image.bytes);
    }
}

static void damage_is_counted_once(void **state)
{
    struct fixture *f = *state;
    struct image image = image_make(f->directory, true);
    image.bytes[image.ends[1].offset + 30] ^= 1;
    image_put(&image, f->directory, image.n);
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    for (int turn = 0; turn < 3; turn++) {
        static const int want[] = {1, 3, 4, 5, 6, 0};
        for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
            assert_int_equal(next_number(r, NULL), want[i]);
        assert_int_equal(spool_reader_stats(r).damaged_places, 1);
        spool_reader_seek(r, (struct spool_position){0, 0});
    }
    spool_reader_free(r);
    spool_free(s);
    free(image.bytes);
}

static void header_has_a_second_copy(void **state)
{
    struct fixture *f = *state;
    struct image image = image_make(f->directory, false);
    struct spool_reader_stats stats;
    for (size_t at = 0; at < 56; at++) {
        image.bytes[at] ^= 4;
        image_put(&image, f->directory, image.n);
        assert_int_equal(read_all(f->directory, &stats), first_bits(RECORDS));
        image.bytes[at] ^= 4;
    }
    /* Both gone: nothing can be vouched for, all is kept aside, the next segment is read. */
    image.bytes[16] ^= 4;
    image.bytes[1024 + 16] ^= 4;
    image_put(&image, f->directory, image.n);
    struct spool *s = open_spool(f->directory, 0, 64 << 10, NULL);
    struct spool_lane *l = open_lane(s, 0);
    assert_int_equal(append_wait(l, 9, STR("next")), 0);
    spool_lane_close(l);
    spool_free(s);
    assert_int_equal(read_all(f->directory, &stats), 1u << 9);
    assert_int_equal(stats.damaged_places, 1);
    assert_int_equal(stats.damaged_bytes, image.n);
    char path[160];
    snprintf(path, sizeof(path), "%s/damaged/00-%llu-0", f->directory,
             (unsigned long long)image.ends[0].segment);
    size_t n;
    char *kept = file_read(path, &n);
    assert_int_equal(n, image.n);
    assert_memory_equal(kept, image.bytes, n);
    free(kept);
    free(image.bytes);
}

static void marks_that_lie_are_not_believed(void **state)
{
    struct fixture *f = *state;
    struct image image = image_make(f->directory, true);
    struct spool_reader_stats stats;
    for (size_t bit = 0; bit < MARKS * 8; bit++) {
        image.bytes[MARKS_AT + bit / 8] ^= (char)(1 << bit % 8);
        image_put(&image, f->directory, image.n);
        if (read_all(f->directory, &stats) != first_bits(RECORDS))
            fail_msg("bit %zu", bit);
        assert_int_equal(stats.damaged_places, 0);
        image.bytes[MARKS_AT + bit / 8] ^= (char)(1 << bit % 8);
    }
    free(image.bytes);
}

static void unknown_format_stops_the_lane(void **state)
{
    struct fixture *f = *state;
    struct image image = image_make(f->directory, true);
    for (size_t copy = 0; copy <= 1024; copy += 1024) {
        char *at = image.bytes + copy;
        at[8] = RECORD_VERSION + 1;
        uint64_t sum = record_checksum(0, str_of(at, 48), STR(""));
        memcpy(at + 48, &sum, 8);
    }
    image_put(&image, f->directory, image.n);
    struct spool *s = open_spool(f->directory, 0, 64 << 10, NULL);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    struct arena a = arena_make(1 << 20);
    struct spool_record record;
    struct err e = {0};
    assert_int_equal(spool_next(r, &a, &record, &e), -EPROTO);
    assert_non_null(strstr(e.text, "format version"));
    arena_free(&a);
    spool_reader_free(r);
    spool_free(s);
    free(image.bytes);
}

/* What the program before this one has left in the journal. */
static void segment_of_version_1_is_read(void **state)
{
    struct fixture *f = *state;
    struct image image = image_make(f->directory, false);
    uint64_t head_seed, payload_seed;
    memcpy(&head_seed, image.bytes + 32, 8);
    memcpy(&payload_seed, image.bytes + 40, 8);
    for (size_t copy = 0; copy <= 1024; copy += 1024) {
        char *at = image.bytes + copy;
        at[8] = 1;
        uint64_t sum = record_checksum(0, str_of(at, 48), STR(""));
        memcpy(at + 48, &sum, 8);
    }
    struct str payload = str_of(version_1, sizeof(version_1) - 1);
    struct record_head head = {(uint32_t)payload.n,
                               record_checksum(payload_seed, payload, STR(""))};
    char *frame = image.bytes + HEADER;
    memset(frame, 0, image.n - HEADER);
    record_head_put(frame, &head);
    record_head_seal(frame, head_seed, HEADER);
    memcpy(frame + RECORD_HEAD, payload.p, payload.n);
    image_put(&image, f->directory, image.n);

    struct spool *s = open_spool(f->directory, 0, 64 << 10, NULL);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    struct arena a = arena_make(1 << 20);
    struct spool_record record;
    assert_int_equal(spool_next(r, &a, &record, NULL), 1);
    assert_true(str_eq(record.body, STR("hello")));
    assert_true(str_eq(record.envelope.recipients[0].recipient, STR("u@e")));
    assert_int_equal(spool_next(r, &a, &record, NULL), 0);
    assert_int_equal(spool_reader_stats(r).damaged_places, 0);
    arena_free(&a);
    spool_reader_free(r);
    spool_free(s);
    free(image.bytes);
}

static void useless_files_are_passed(void **state)
{
    struct fixture *f = *state;
    struct image image = image_make(f->directory, false);
    image_put(&image, f->directory, image.n);
    static const char *const names[] = {"00000000000000000001.seg", "00000000000000000002.seg",
                                        "00000000000000000003.seg.tmp", "99999999999999999999.seg",
                                        "3.seg"};
    char path[160], zeros[8192] = {0};
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "%s/lane-00/%s", f->directory, names[i]);
        file_write(path, zeros, i == 0 ? 0 : sizeof(zeros));
    }
    struct spool_reader_stats stats;
    assert_int_equal(read_all(f->directory, &stats), first_bits(RECORDS));
    assert_int_equal(stats.torn_tails, 2);
    assert_int_equal(stats.damaged_places, 0);
    /* A copy of a segment under another name is no second segment. */
    snprintf(path, sizeof(path), "%s/lane-00/00000000000000000005.seg", f->directory);
    file_write(path, image.bytes, image.n);
    assert_int_equal(read_all(f->directory, &stats), first_bits(RECORDS));
    assert_int_equal(stats.damaged_places, 1);
    free(image.bytes);
}

/* A message body made of frames, sealed with every seed that a sender can know. */
static void body_that_poses_as_records(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    struct spool_lane *l = open_lane(s, 0);
    struct spool_envelope forged = envelope_make(666);
    struct buf payload, body;
    buf_init(&payload, 1 << 20);
    buf_init(&body, 1 << 20);
    assert_int_equal(record_encode(&payload, &forged, 0, false), 0);
    for (uint64_t i = 0; i < 2000; i++) {
        struct record_head head = {
            .payload = (uint32_t)payload.n,
            .checksum = record_checksum(0, buf_str(&payload), STR("")),
        };
        char bytes[RECORD_HEAD];
        record_head_put(bytes, &head);
        record_head_seal(bytes, 0, 4096 + 8 * i);
        assert_int_equal(buf_add(&body, str_of(bytes, sizeof(bytes))), 0);
        assert_int_equal(buf_add(&body, buf_str(&payload)), 0);
        while (body.n % 8)
            assert_int_equal(buf_add_byte(&body, 0), 0);
    }
    assert_int_equal(append_wait(l, 1, buf_str(&body)), 0);
    assert_int_equal(append_wait(l, 2, STR("plain")), 0);
    spool_lane_close(l);
    spool_free(s);
    struct spool_reader_stats stats;
    assert_int_equal(read_all(f->directory, &stats), first_bits(2));

    /* Not even when the record that carries them is damaged and has to be searched through. */
    char paths[2][128];
    assert_int_equal(segment_paths(f->directory, 0, paths, 2), 1);
    size_t n;
    char *bytes = file_read(paths[0], &n);
    bytes[HEADER] ^= 1;
    file_write(paths[0], bytes, n);
    assert_int_equal(read_all(f->directory, &stats), 1u << 2);
    assert_int_equal(stats.damaged_places, 1);
    free(bytes);
    buf_free(&payload);
    buf_free(&body);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tail_torn_at_every_byte),       TEST(marked_end_survives_without_its_bytes),
        TEST(damage_loses_only_its_record),  TEST(damage_is_counted_once),
        TEST(header_has_a_second_copy),      TEST(marks_that_lie_are_not_believed),
        TEST(unknown_format_stops_the_lane), TEST(segment_of_version_1_is_read),
        TEST(useless_files_are_passed),      TEST(body_that_poses_as_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
