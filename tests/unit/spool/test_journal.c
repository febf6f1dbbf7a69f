/* The journal as its users see it: what is appended is read, once, in order, over restarts. */
#define FIXTURE_IN_MEMORY
#include "fixture.h"

static void reads_what_was_appended(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    struct spool_lane *l = open_lane(s, 0);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    assert_int_equal(next_number(r, NULL), 0);

    struct spool_envelope envelope = envelope_make(42);
    envelope.tls = STR("TLSv1.3 TLS_AES_256_GCM_SHA384");
    envelope.mail_from = STR("someone@example.org");
    int result = PENDING;
    struct str body = STR("From: a\r\n\r\nbytes \0 and \xff\r\n");
    assert_int_equal(spool_append(l, &envelope, body, true, done_store, &result), 0);
    spool_lane_commit(l);
    wait_done(l, &result);
    assert_int_equal(result, 0);

    struct arena a = arena_make(1 << 20);
    struct spool_record record;
    struct err e = {0};
    assert_int_equal(spool_next(r, &a, &record, &e), 1);
    assert_true(id_eq(record.envelope.id, envelope.id));
    assert_int_equal(record.envelope.received_at, 42);
    assert_int_equal(record.envelope.size, 77);
    assert_true(str_eq(record.envelope.client_address, envelope.client_address));
    assert_true(str_eq(record.envelope.protocol, envelope.protocol));
    assert_true(str_eq(record.envelope.tls, envelope.tls));
    assert_true(str_eq(record.envelope.mail_from, envelope.mail_from));
    assert_true(str_eq(record.body, body));
    assert_true(record.truncated);
    assert_int_equal(record.envelope.recipients_n, 2);
    const struct spool_recipient *got = &record.envelope.recipients[0];
    assert_true(got->verified);
    assert_int_equal(got->kind, 2);
    assert_int_equal(got->source, 1);
    assert_true(str_eq(got->address, envelope.recipients[0].address));
    assert_true(str_eq(got->domain, envelope.recipients[0].domain));
    assert_true(str_eq(got->tenant, envelope.recipients[0].tenant));
    assert_int_equal(got->stream.n, 0);
    assert_false(record.envelope.recipients[1].verified);
    assert_true(spool_position_cmp(record.at, record.next) < 0);
    assert_int_equal(spool_next(r, &a, &record, &e), 0);
    arena_free(&a);

    spool_reader_free(r);
    spool_lane_close(l);
    spool_free(s);
}

static void positions_seek_and_go_on(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 16 << 10, NULL);
    struct spool_lane *l = open_lane(s, 3);
    char body[3000] = {'x'};
    struct spool_position after[41] = {{0, 0}};
    for (int i = 1; i <= 40; i++)
        assert_int_equal(append_wait(l, i, str_of(body, sizeof(body))), 0);
    char paths[64][128];
    assert_true(segment_paths(f->directory, 3, paths, 64) > 5);

    struct spool_reader *r = open_reader(s, 3, after[0]);
    for (int i = 1; i <= 40; i++) {
        assert_int_equal(next_number(r, &after[i]), i);
        assert_true(spool_position_cmp(after[i - 1], after[i]) < 0);
    }
    assert_int_equal(next_number(r, NULL), 0);
    for (int i = 0; i < 40; i++) {
        spool_reader_seek(r, after[i]);
        assert_int_equal(next_number(r, NULL), i + 1);
    }
    spool_reader_free(r);
    /* A reader that starts at a position goes on behind it, with the writer alive or gone. */
    for (int i = 0; i < 40; i += 7) {
        r = open_reader(s, 3, after[i]);
        assert_int_equal(next_number(r, NULL), i + 1);
        spool_reader_free(r);
    }
    uint64_t whole, half, none;
    assert_int_equal(spool_backlog(s, 3, after[0], &whole, NULL), 0);
    assert_int_equal(spool_backlog(s, 3, after[20], &half, NULL), 0);
    assert_int_equal(spool_backlog(s, 3, after[40], &none, NULL), 0);
    assert_true(whole >= 40 * sizeof(body));
    assert_true(half < whole && half >= 20 * sizeof(body));
    assert_int_equal(none, 0);
    spool_lane_close(l);
    assert_int_equal(spool_backlog(s, 3, after[40], &none, NULL), 0);
    assert_int_equal(none, 0);
    spool_free(s);
}

static void reopening_starts_a_higher_segment(void **state)
{
    struct fixture *f = *state;
    struct id journal = {{0}};
    struct spool_position last = {0, 0};
    for (int i = 1; i <= 5; i++) {
        struct spool *s = open_spool(f->directory, 0, 0, NULL);
        if (i > 1)
            assert_true(id_eq(journal, spool_journal(s)));
        journal = spool_journal(s);
        struct spool_lane *l = open_lane(s, 0);
        assert_int_equal(append_wait(l, i, STR("x")), 0);
        spool_lane_close(l);
        struct spool_reader *r = open_reader(s, 0, last);
        struct spool_position next;
        assert_int_equal(next_number(r, &next), i);
        assert_true(next.segment > last.segment);
        assert_int_equal(next_number(r, NULL), 0);
        last = next;
        spool_reader_free(r);
        spool_free(s);
    }
    char paths[8][128];
    assert_int_equal(segment_paths(f->directory, 0, paths, 8), 5);
    for (int i = 0; i < 5; i++)
        unlink(paths[i]);
    /* Emptied: the numbers rise all the same, so the old position hides nothing. */
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    struct spool_lane *l = open_lane(s, 0);
    assert_int_equal(append_wait(l, 6, STR("x")), 0);
    struct spool_reader *r = open_reader(s, 0, last);
    assert_int_equal(next_number(r, NULL), 6);
    spool_reader_free(r);
    spool_lane_close(l);
    spool_free(s);
}

static void locks_keep_a_second_one_out(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    struct spool_lane *l = open_lane(s, 0), *l2 = NULL;
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0}), *r2 = NULL;
    struct err e;
    assert_int_equal(spool_lane_open(s, 0, wake_nothing, NULL, &l2, &e), -EBUSY);
    assert_non_null(strstr(e.text, "another process"));
    assert_int_equal(spool_reader_open(s, 0, (struct spool_position){0, 0}, &r2, &e), -EBUSY);
    assert_null(l2);
    assert_null(r2);
    spool_reader_free(r);
    spool_lane_close(l);
    spool_lane_close(open_lane(s, 0));
    spool_free(s);
}

static void lanes_are_found_again(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    static const unsigned made[] = {7, 0, 255, 12};
    for (size_t i = 0; i < 4; i++) {
        struct spool_lane *l = open_lane(s, made[i]);
        assert_int_equal(append_wait(l, made[i] + 1, STR("x")), 0);
        spool_lane_close(l);
    }
    char path[96];
    static const char *const strange[] = {"lane-", "lane-1", "lane-256", "lane-007", "lane-0x"};
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "%s/%s", f->directory, strange[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    unsigned lanes[SPOOL_LANES_MAX];
    size_t n;
    assert_int_equal(spool_lanes(s, lanes, &n, NULL), 0);
    static const unsigned sorted[] = {0, 7, 12, 255};
    assert_int_equal(n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(lanes[i], sorted[i]);
        struct spool_reader *r = open_reader(s, lanes[i], (struct spool_position){0, 0});
        assert_int_equal(next_number(r, NULL), lanes[i] + 1);
        spool_reader_free(r);
    }
    spool_free(s);
}

static void journal_file_is_never_replaced(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *word;
    } bad[] = {
        {"", "damaged"},
        {"bouncemx journal\n", "damaged"},
        {"bouncemx journal\nformat 2\nid 018f2f6e-0000-4000-8000-000000000000\n", "format 2"},
        {"bouncemx journal\nformat 1\nid 018f2f6e-0000-4000-8000-00000000000\n", "third line"},
        {"bouncemx journal\nformat 1\nid 018f2f6e-0000-4000-8000-000000000000", "third line"},
        {"bouncemx journal\nformat 1\nid 018f2f6e-0000-4000-8000-000000000000\nx", "third line"},
        {"bouncemx journal\nformat x\nid 018f2f6e-0000-4000-8000-000000000000\n", "damaged"},
    };
    char path[96];
    snprintf(path, sizeof(path), "%s/journal", f->directory);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        file_write(path, bad[i].text, strlen(bad[i].text));
        struct spool_config config = {.directory = f->directory};
        struct spool *s = NULL;
        struct err e = {0};
        assert_int_equal(spool_open(&config, &s, &e), -EPROTO);
        assert_null(s);
        if (!strstr(e.text, bad[i].word))
            fail_msg("case %zu says: %s", i, e.text);
        size_t n;
        char *bytes = file_read(path, &n);
        assert_int_equal(n, strlen(bad[i].text));
        free(bytes);
    }
    static const char good[] =
        "bouncemx journal\nformat 1\nid 018f2f6e-0000-4000-8000-000000000000\n";
    file_write(path, good, sizeof(good) - 1);
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    char text[ID_TEXT];
    assert_string_equal(id_format(spool_journal(s), text), "018f2f6e-0000-4000-8000-000000000000");
    spool_free(s);
}

static void bad_folders_are_named(void **state)
{
    struct fixture *f = *state;
    char path[96];
    snprintf(path, sizeof(path), "%s/file", f->directory);
    file_write(path, "x", 1);
    struct spool_config config = {.directory = path};
    struct spool *s = NULL;
    struct err e = {0};
    assert_int_equal(spool_open(&config, &s, &e), -ENOTDIR);
    assert_non_null(strstr(e.text, path));
    snprintf(path, sizeof(path), "%s/none/spool", f->directory);
    assert_int_equal(spool_open(&config, &s, &e), -ENOENT);
    snprintf(path, sizeof(path), "%s/made", f->directory);
    assert_int_equal(spool_open(&config, &s, &e), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    spool_free(s);
}

static void large_records_and_too_large_ones(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 8 << 20, NULL);
    struct spool_lane *l = open_lane(s, 0);
    size_t n = 7 << 20;
    char *body = malloc(2 * n);
    assert_non_null(body);
    for (size_t i = 0; i < 2 * n; i++)
        body[i] = (char)(i * 2654435761u >> 13);
    int result;
    assert_int_equal(append(l, 1, str_of(body, 2 * n), &result), -EMSGSIZE);
    assert_int_equal(append_wait(l, 1, str_of(body, n)), 0);
    assert_int_equal(append_wait(l, 2, str_of(body, n)), 0);
    assert_int_equal(append_wait(l, 3, STR("")), 0);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    struct arena a = arena_make(64 << 20);
    struct spool_record record;
    assert_int_equal(spool_next(r, &a, &record, NULL), 1);
    assert_true(str_eq(record.body, str_of(body, n)));
    /* Memory that ends is no reason to lose one. */
    struct arena small = arena_make(1 << 20);
    struct err e;
    assert_int_equal(spool_next(r, &small, &record, &e), -ENOMEM);
    arena_free(&small);
    assert_int_equal(next_number(r, NULL), 2);
    assert_int_equal(next_number(r, NULL), 3);
    assert_int_equal(next_number(r, NULL), 0);
    arena_free(&a);
    free(body);
    spool_reader_free(r);
    spool_lane_close(l);
    spool_free(s);
}

static void prunes_only_what_lies_behind(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 16 << 10, NULL);
    struct spool_lane *l = open_lane(s, 0);
    char body[5000] = {0};
    for (int i = 1; i <= 12; i++)
        assert_int_equal(append_wait(l, i, str_of(body, sizeof(body))), 0);
    char paths[32][128];
    size_t n = segment_paths(f->directory, 0, paths, 32);
    assert_int_equal(n, 6); /* two records each */
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    struct spool_position third, last;
    for (int i = 1; i <= 12; i++)
        assert_int_equal(next_number(r, i <= 5 ? &third : &last), i);
    int64_t now = clock_now();
    assert_int_equal(spool_prune(s, 0, (struct spool_position){0, 0}, 0, now, NULL), 0);
    assert_int_equal(segment_paths(f->directory, 0, paths, 32), 6);
    assert_int_equal(spool_prune(s, 0, third, CLOCK_DAY, now, NULL), 0);
    assert_int_equal(segment_paths(f->directory, 0, paths, 32), 6);
    assert_int_equal(spool_prune(s, 0, third, 0, now, NULL), 0);
    assert_int_equal(segment_paths(f->directory, 0, paths, 32), 4);
    /* The one being written stays, also when all of it is processed. */
    assert_int_equal(spool_prune(s, 0, last, 0, now, NULL), 0);
    assert_int_equal(segment_paths(f->directory, 0, paths, 32), 1);
    struct spool_position beyond = {INT64_MAX, 0};
    assert_int_equal(spool_prune(s, 0, beyond, 0, now, NULL), 0);
    assert_int_equal(segment_paths(f->directory, 0, paths, 32), 1);
    assert_int_equal(append_wait(l, 13, STR("x")), 0);
    assert_int_equal(next_number(r, &last), 13);
    spool_lane_close(l);
    assert_int_equal(spool_prune(s, 0, last, 0, clock_now() + 1000000, NULL), 0);
    assert_int_equal(segment_paths(f->directory, 0, paths, 32), 0);
    spool_reader_free(r);
    spool_free(s);
}

static void over_max_bytes_and_back(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 512 << 10, 64 << 10, NULL);
    struct spool_lane *l = open_lane(s, 0);
    char body[4000] = {0};
    int64_t number = 0;
    int rc = 0;
    while (number < 1000 && (rc = append_wait(l, number + 1, str_of(body, sizeof(body)))) == 0)
        number++;
    assert_int_equal(rc, -ENOSPC);
    assert_in_range(number, 60, 130);
    assert_false(spool_lane_has_room(l, 0));
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    struct spool_position at = {0, 0};
    for (int64_t i = 1; i <= number; i++)
        assert_int_equal(next_number(r, &at), i);
    /* Three quarters are exceeded: copies kept for comfort go, oldest first, down to that. */
    char paths[32][128];
    size_t before = segment_paths(f->directory, 0, paths, 32);
    assert_int_equal(spool_prune(s, 0, at, CLOCK_DAY, clock_now(), NULL), 0);
    size_t after = segment_paths(f->directory, 0, paths, 32);
    assert_true(after < before && after >= 4);
    int64_t give_up = clock_monotonic() + 5 * CLOCK_SECOND;
    while (!spool_lane_has_room(l, 0) && clock_monotonic() < give_up)
        usleep(1000);
    assert_true(spool_lane_has_room(l, 0));
    assert_int_equal(append_wait(l, number + 1, str_of(body, sizeof(body))), 0);
    assert_int_equal(next_number(r, NULL), number + 1);
    spool_reader_free(r);
    spool_lane_close(l);
    spool_free(s);
}

static void files_are_private(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    struct spool_lane *l = open_lane(s, 0);
    char paths[2][128], path[96];
    assert_int_equal(segment_paths(f->directory, 0, paths, 2), 1);
    struct stat st;
    assert_int_equal(stat(paths[0], &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(path, sizeof(path), "%s/lane-00", f->directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    snprintf(path, sizeof(path), "%s/journal", f->directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    spool_lane_close(l);
    /* An unused segment leaves nothing. */
    assert_int_equal(segment_paths(f->directory, 0, paths, 2), 0);
    spool_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_what_was_appended),
        TEST(positions_seek_and_go_on),
        TEST(reopening_starts_a_higher_segment),
        TEST(locks_keep_a_second_one_out),
        TEST(lanes_are_found_again),
        TEST(journal_file_is_never_replaced),
        TEST(bad_folders_are_named),
        TEST(large_records_and_too_large_ones),
        TEST(prunes_only_what_lies_behind),
        TEST(over_max_bytes_and_back),
        TEST(files_are_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
