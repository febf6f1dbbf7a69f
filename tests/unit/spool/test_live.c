/* Writers and readers at work at the same time, as receiver threads and workers are; what preset
 * tsan looks at. And the worker's mark of what it has in hand. */
#define FIXTURE_IN_MEMORY
#include "fixture.h"

#include "spool/inflight.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { LANES = 2, RECORDS = 3000 };

struct side {
    struct spool *s;
    unsigned lane;
    int seen;
    int failed;
};

static void done_count(void *ctx, int result)
{
    struct side *side = ctx;
    side->seen++;
    side->failed += result != 0;
}

static void *write_lane(void *arg)
{
    struct side *side = arg;
    struct spool_lane *l = NULL;
    if (spool_lane_open(side->s, side->lane, wake_nothing, NULL, &l, NULL) < 0)
        return NULL;
    char body[600];
    memset(body, 'w', sizeof(body));
    for (int i = 1; i <= RECORDS;) {
        struct spool_envelope envelope = envelope_make(i);
        size_t n = (size_t)i * 7919 % sizeof(body);
        if (spool_append(l, &envelope, str_of(body, n), false, done_count, side) == 0)
            i++;
        spool_lane_commit(l);
        if (i % 64 == 0)
            spool_lane_reap(l);
    }
    spool_lane_close(l);
    return NULL;
}

static void *read_lane(void *arg)
{
    struct side *side = arg;
    struct spool_reader *r = NULL;
    if (spool_reader_open(side->s, side->lane, (struct spool_position){0, 0}, &r, NULL) < 0)
        return NULL;
    struct arena a = arena_make(1 << 20);
    int64_t give_up = clock_monotonic() + 60 * CLOCK_SECOND;
    while (side->seen < RECORDS && clock_monotonic() < give_up) {
        struct spool_record record;
        int rc = spool_next(r, &a, &record, NULL);
        if (rc == 1 && record.envelope.received_at == side->seen + 1 &&
            record.body.n == (size_t)(side->seen + 1) * 7919 % 600)
            side->seen++;
        else if (rc != 0)
            side->failed++;
        else
            usleep(200);
        arena_reset(&a);
    }
    arena_free(&a);
    spool_reader_free(r);
    return NULL;
}

static void readers_follow_writers(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 64 << 20, 64 << 10, NULL);
    pthread_t threads[2 * LANES];
    struct side sides[2 * LANES];
    for (unsigned i = 0; i < 2 * LANES; i++) {
        sides[i] = (struct side){.s = s, .lane = i % LANES};
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < LANES ? write_lane : read_lane, &sides[i]), 0);
    }
    for (unsigned i = 0; i < 2 * LANES; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sides[i].seen, RECORDS);
        assert_int_equal(sides[i].failed, 0);
    }
    spool_free(s);
}

/* A writer killed at any moment: what it was told to be durable is there, once, and the next writer
 * and the reader go on. */
static void writer_is_killed(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 64 << 10, NULL);
    struct spool_reader *r = open_reader(s, 0, (struct spool_position){0, 0});
    static bool seen[1 << 20];
    int64_t next = 1;
    for (int round = 0; round < 12; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct spool_lane *l = NULL;
            if (spool_lane_open(s, 0, wake_nothing, NULL, &l, NULL) < 0)
                _exit(1);
            for (int64_t i = next;; i++) {
                struct spool_envelope envelope = envelope_make(i);
                int result = PENDING;
                if (spool_append(l, &envelope, STR("killed"), false, done_store, &result) < 0)
                    _exit(1);
                spool_lane_commit(l);
                while (result == PENDING)
                    spool_lane_reap(l);
                if (result != 0 || write(fds[1], &i, sizeof(i)) != sizeof(i))
                    _exit(1);
            }
        }
        close(fds[1]);
        int64_t answered = next - 1, number;
        for (int k = 0; k < 20 + round * 3; k++)
            assert_int_equal(read(fds[0], &answered, sizeof(answered)), sizeof(answered));
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(fds[0], &number, sizeof(number)) == sizeof(number))
            answered = number;
        close(fds[0]);
        int64_t last = next - 1;
        while ((number = next_number(r, NULL)) != 0) {
            assert_true(number > 0 && number < 1 << 20 && !seen[number]);
            seen[number] = true;
            last = number;
        }
        for (number = next; number <= answered; number++)
            assert_true(seen[number]);
        assert_true(last <= answered + 1);
        next = last + 1;
    }
    spool_reader_free(r);
    spool_free(s);
}

static void mark_survives_its_worker(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    struct inflight *mine = NULL, *other = NULL;
    assert_int_equal(inflight_open(s, 4, &mine, NULL), 0);
    assert_int_equal(inflight_read(mine).at.segment, 0);
    struct inflight_mark mark = {{123456789, 4096}, true, 3, 987654321};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        inflight_take(mine, &mark);
        kill(getpid(), SIGKILL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(inflight_open(s, 4, &other, NULL), 0);
    struct inflight_mark got = inflight_read(other);
    assert_int_equal(got.at.segment, 123456789);
    assert_int_equal(got.at.offset, 4096);
    assert_true(got.alone);
    assert_int_equal(got.deaths, 3);
    assert_int_equal(got.since, 987654321);
    inflight_clear(other);
    got = inflight_read(mine);
    assert_int_equal(got.at.segment, 0);
    assert_int_equal(got.deaths, 0);
    inflight_free(mine);
    inflight_free(other);
    spool_free(s);
}

/* A worker that begins on a disk that mail has filled needs no room for it. */
static void mark_has_its_room_with_the_lane(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    struct spool_lane *lane = NULL;
    assert_int_equal(spool_lane_open(s, 5, wake_nothing, NULL, &lane, NULL), 0);
    char path[96];
    snprintf(path, sizeof(path), "%s/lane-05/inflight", f->directory);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4096);
    assert_true(st.st_blocks > 0);
    spool_lane_close(lane);
    spool_free(s);
}

static void damaged_mark_is_nothing(void **state)
{
    struct fixture *f = *state;
    struct spool *s = open_spool(f->directory, 0, 0, NULL);
    char path[96];
    snprintf(path, sizeof(path), "%s/lane-00/inflight", f->directory);
    struct inflight *i = NULL;
    assert_int_equal(inflight_open(s, 0, &i, NULL), 0);
    inflight_take(i, &(struct inflight_mark){{7, 4096}, false, 0, 1});
    inflight_free(i);
    size_t n;
    char *bytes = file_read(path, &n);
    assert_int_equal(n, 4096);
    /* A flip in what counts is seen; elsewhere it does not matter. Never another mark. */
    int lost = 0;
    for (size_t at = 0; at < 256; at++) {
        bytes[at] ^= 1;
        file_write(path, bytes, n);
        assert_int_equal(inflight_open(s, 0, &i, NULL), 0);
        struct inflight_mark got = inflight_read(i);
        assert_true(got.at.segment == 0 || (got.at.segment == 7 && got.at.offset == 4096));
        lost += got.at.segment == 0;
        inflight_free(i);
        bytes[at] ^= 1;
    }
    assert_true(lost >= 40);
    for (size_t cut = 0; cut < n; cut += 409) {
        file_write(path, bytes, cut);
        assert_int_equal(inflight_open(s, 0, &i, NULL), 0);
        assert_int_equal(inflight_read(i).at.segment, 0);
        inflight_free(i);
    }
    free(bytes);
    spool_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(readers_follow_writers),   TEST(writer_is_killed),
        TEST(mark_survives_its_worker), TEST(mark_has_its_room_with_the_lane),
        TEST(damaged_mark_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
