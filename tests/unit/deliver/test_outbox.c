#include "fixture.h"

#include "base/clock.h"
#include "deliver/outbox.h"

#define BOX    "out"
#define DOMAIN "b.example.com"

static struct outbox *box_open(void)
{
    struct outbox *o = NULL;
    struct err e;
    if (outbox_open(inside(BOX), &shim, &o, &e) < 0)
        fail_msg("%s", e.text);
    return o;
}

static size_t waiting(struct outbox *o, struct outbox_entry **ret)
{
    static struct arena a;
    struct err e;
    size_t n = 0;
    a.limit ? arena_free(&a) : (void)(a = arena_make(1 << 20));
    assert_int_equal(outbox_list(o, DOMAIN, &a, ret, &n, &e), 0);
    if (n == 0)
        arena_free(&a);
    return n;
}

static void test_round(void **state)
{
    (void)state;
    struct outbox *o = box_open();
    struct mail m = letter(), got;
    struct err e;
    struct arena a = arena_make(1 << 20);
    const char **domains;
    size_t n;
    m.truncated = true;
    assert_int_equal(outbox_put(o, &m, 0, 0, &e), 0);
    assert_int_equal(outbox_domains(o, &a, &domains, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_string_equal(domains[0], DOMAIN);
    assert_int_equal(outbox_read(o, DOMAIN, m.name, &a, &got, &e), 0);
    assert_string_equal(got.name, m.name);
    assert_true(str_eq(got.to, m.to) && str_eq(got.from, m.from) && str_eq(got.domain, m.domain));
    assert_true(str_eq(got.body, m.body) && got.size == m.size && got.truncated);
    assert_int_equal(got.received_at, m.received_at);
    struct outbox_stats stats;
    assert_int_equal(outbox_stats(inside(BOX), &stats, &e), 0);
    assert_int_equal(stats.waiting, 1);
    assert_int_equal(stats.oldest / 1000, 0x0190f0b00000);
    arena_free(&a);
    outbox_free(o);
}

/* The journal is read again: while it waits, and when it has gone. */
static void test_once(void **state)
{
    (void)state;
    struct outbox *o = box_open();
    struct mail m = letter();
    struct outbox_entry *list;
    struct err e;
    assert_int_equal(outbox_put(o, &m, 0, 0, &e), 0);
    assert_int_equal(outbox_put(o, &m, 0, 0, &e), 0);
    assert_int_equal(waiting(o, &list), 1);
    assert_int_equal(outbox_done(o, DOMAIN, m.name, &e), 0);
    assert_int_equal(waiting(o, &list), 0);
    assert_int_equal(outbox_put(o, &m, 0, 0, &e), 0);
    assert_int_equal(waiting(o, &list), 0);
    assert_string_equal(content(only_file(BOX "/done")), "");
    /* Remembered, then forgotten. */
    outbox_prune(o, clock_now() - 60 * CLOCK_SECOND);
    assert_int_equal(files_in(BOX "/done"), 1);
    outbox_prune(o, clock_now() + 60 * CLOCK_SECOND);
    assert_int_equal(files_in(BOX "/done"), 0);
    outbox_free(o);
}

static void test_later(void **state)
{
    (void)state;
    struct outbox *o = box_open();
    struct mail m = letter(), other = letter();
    struct outbox_entry *list;
    struct err e;
    other.name[0] = '1';
    assert_int_equal(outbox_put(o, &other, 0, 0, &e), 0);
    assert_int_equal(outbox_put(o, &m, 0, 0, &e), 0);
    assert_int_equal(outbox_later(o, DOMAIN, m.name, INT64_C(4000000000123456), &e), 0);
    assert_int_equal(waiting(o, &list), 2);
    assert_string_equal(list[0].name, m.name);
    assert_true(list[0].next == INT64_C(4000000000123456));
    assert_true(list[1].next <= clock_now());
    assert_int_equal(outbox_done(o, DOMAIN, m.name, &e), 0);
    assert_int_equal(outbox_done(o, DOMAIN, other.name, &e), 0);
    assert_int_equal(waiting(o, &list), 0);
    outbox_free(o);
}

static void test_bad(void **state)
{
    static const char *const texts[] = {
        "",
        "bouncemx mail 2\n",
        "bouncemx mail 1\ndomain: b.example.com\n\nbody",
        "bouncemx mail 1\ndomain: b.example.com\nto: x\nfrom: \nreceived: -1\nsize: 1\ntruncated: "
        "0\n\n",
        "bouncemx mail 1\ndomain: other.example.com\nto: x\nfrom: \nreceived: 1\nsize: 1\n"
        "truncated: 0\n\n",
    };
    (void)state;
    struct outbox *o = box_open();
    struct mail m = letter();
    struct err e;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena a = arena_make(1 << 20);
        struct mail got;
        char path[512];
        m.name[0] = (char)('0' + i);
        assert_int_equal(outbox_put(o, &m, 0, 0, &e), 0);
        snprintf(path, sizeof(path), "%s/%s", inside(BOX "/new/" DOMAIN), m.name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(texts[i], f);
        fclose(f);
        assert_int_equal(outbox_read(o, DOMAIN, m.name, &a, &got, &e), -EBADMSG);
        assert_int_equal(outbox_bad(o, DOMAIN, m.name, &e), 0);
        assert_int_equal(outbox_put(o, &m, 0, 0, &e), 0); /* once is enough */
        arena_free(&a);
    }
    struct outbox_stats stats;
    assert_int_equal(outbox_stats(inside(BOX), &stats, &e), 0);
    assert_int_equal(stats.bad, 5);
    assert_int_equal(stats.waiting, 0);
    m.name[0] = 'f';
    m.to = STR("a\nb");
    assert_int_equal(outbox_put(o, &m, 0, 0, &e), -EINVAL);
    outbox_free(o);
}

static void test_limit(void **state)
{
    (void)state;
    struct outbox *o = box_open();
    struct mail m = letter();
    struct err e;
    assert_int_equal(outbox_put(o, &m, 200, 0, &e), 0);
    m.name[0] = '1';
    assert_int_equal(outbox_put(o, &m, 200, 0, &e), -EDQUOT);
    assert_non_null(strstr(e.text, "people.max_bytes"));
    m.name[0] = '0';
    assert_int_equal(outbox_done(o, DOMAIN, m.name, &e), 0);
    m.name[0] = '1';
    assert_int_equal(outbox_put(o, &m, 200, 5 * CLOCK_SECOND, &e), -EDQUOT); /* counted later */
    assert_int_equal(outbox_put(o, &m, 200, 11 * CLOCK_SECOND, &e), 0);
    outbox_free(o);
}

/* Whatever fails, nothing half is there; the next try puts it. */
static void test_every_call_fails(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (unsigned i = 1;; i++) {
        struct outbox *o = box_open();
        struct mail m = letter();
        struct outbox_entry *list;
        struct err e;
        shim_calls = 0;
        shim_fail = i;
        shim_error = ENOSPC;
        int rc = outbox_put(o, &m, 0, 0, &e);
        bool all = shim_calls < i;
        shim_fail = 0;
        assert_int_equal(rc, all ? 0 : -ENOSPC);
        failed += !all;
        assert_int_equal(files_in(BOX "/tmp"), 0);
        assert_int_equal(outbox_put(o, &m, 0, 0, &e), 0);
        assert_int_equal(waiting(o, &list), 1);
        assert_non_null(strstr(content(only_file(BOX "/new/" DOMAIN)), "\n\nReceived: x\r\n"));
        shim_calls = 0;
        assert_int_equal(outbox_done(o, DOMAIN, m.name, &e), 0);
        assert_int_equal(waiting(o, &list), 0);
        outbox_free(o);
        assert_int_equal(nftw(inside(BOX), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
        if (all)
            break;
    }
    assert_true(failed >= 6); /* the domain's directory, file, writes, syncs, rename */
}

static void test_lock(void **state)
{
    (void)state;
    struct outbox *one = box_open(), *two = box_open();
    struct err e;
    assert_int_equal(outbox_lock(one, &e), 0);
    assert_int_equal(outbox_lock(two, &e), -EBUSY);
    outbox_free(one);
    assert_int_equal(outbox_lock(two, &e), 0);
    outbox_free(two);
}

static void test_tell(void **state)
{
    (void)state;
    struct outbox_stats stats;
    struct err e;
    assert_int_equal(outbox_stats(inside("none"), &stats, &e), 0);
    assert_int_equal(stats.waiting + stats.bad + stats.octets, 0);
    struct outbox *o = box_open();
    assert_int_equal(outbox_tell(o, "it said: no", &e), 0);
    assert_int_equal(outbox_stats(inside(BOX), &stats, &e), 0);
    assert_string_equal(stats.failure, "it said: no");
    assert_int_equal(outbox_tell(o, "", &e), 0);
    assert_int_equal(outbox_tell(o, "", &e), 0);
    assert_int_equal(outbox_stats(inside(BOX), &stats, &e), 0);
    assert_string_equal(stats.failure, "");
    outbox_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_once, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_later, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_bad, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_limit, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_every_call_fails, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_lock, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_tell, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
