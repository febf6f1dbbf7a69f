#include "fixture.h"

#include "deliver/maildir.h"

static int deliver(const struct mail *m, uint64_t max, struct err *e)
{
    return maildir_deliver(&shim, inside("box"), "mx1", max, m, e);
}

static void test_file(void **state)
{
    (void)state;
    struct mail m = letter();
    struct err e;
    struct stat st;
    assert_int_equal(deliver(&m, 0, &e), 0);
    const char *path = only_file("box/new");
    assert_string_equal(strrchr(path, '/') + 1,
                        "1719800000.0190f0b0-0000-7000-8000-000000000000-0.mx1");
    assert_string_equal(content(path), "Return-Path: <anna@example.org>\n"
                                       "Delivered-To: postmaster@b.example.com\n"
                                       "X-Bouncemx-Message: 0190f0b0-0000-7000-8000-000000000000\n"
                                       "Received: x\nSubject: hello\n\none\n.two\n\rlone\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(inside("box"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(files_in("box/tmp"), 0);
}

static void test_truncated(void **state)
{
    (void)state;
    struct mail m = letter();
    struct err e;
    m.truncated = true;
    m.size = 5000;
    m.from = STR("");
    assert_int_equal(deliver(&m, 0, &e), 0);
    const char *text = content(only_file("box/new"));
    assert_int_equal(strncmp(text, "Return-Path: <>\n", 16), 0);
    assert_non_null(strstr(text, "\nX-Bouncemx-Truncated: 48 of 5000 octets were kept\n"));
    assert_int_equal(m.body.n, 48);
}

/* Delivered before: unread, read, or in another message's place. */
static void test_once(void **state)
{
    (void)state;
    struct mail m = letter();
    struct err e;
    char read[600];
    assert_int_equal(deliver(&m, 0, &e), 0);
    assert_int_equal(deliver(&m, 0, &e), 0);
    assert_int_equal(files_in("box/new"), 1);
    const char *path = only_file("box/new");
    snprintf(read, sizeof(read), "%s/%s:2,S", inside("box/cur"), strrchr(path, '/') + 1);
    assert_int_equal(rename(path, read), 0);
    assert_int_equal(deliver(&m, 0, &e), 0);
    assert_int_equal(files_in("box/new"), 0);
    assert_int_equal(files_in("box/cur"), 1);
    m.name[strlen(m.name) - 1]++;
    assert_int_equal(deliver(&m, 0, &e), 0);
    assert_int_equal(files_in("box/new"), 1);
}

static void test_limit(void **state)
{
    (void)state;
    struct mail m = letter();
    struct err e;
    assert_int_equal(deliver(&m, 100, &e), 0);
    m.name[strlen(m.name) - 1]++;
    assert_int_equal(deliver(&m, 100, &e), -EDQUOT);
    assert_int_equal(files_in("box/new"), 1);
    assert_int_equal(deliver(&m, 0, &e), 0);
}

/* Whatever fails: an error, nothing left in tmp/, what is in new/ is whole; the next try delivers.
 */
static void test_every_call_fails(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (unsigned i = 1;; i++) {
        struct mail m = letter();
        struct err e;
        shim_calls = 0;
        shim_fail = i;
        shim_error = i % 2 ? ENOSPC : EIO;
        int rc = deliver(&m, 0, &e);
        bool all = shim_calls < i;
        shim_fail = 0;
        assert_int_equal(rc, all ? 0 : -shim_error);
        failed += !all;
        if (access(inside("box/tmp"), F_OK) == 0)
            assert_int_equal(files_in("box/tmp"), 0);
        assert_int_equal(deliver(&m, 0, &e), 0);
        assert_non_null(strstr(content(only_file("box/new")), "\rlone\n"));
        assert_int_equal(nftw(inside("box"), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
        if (all)
            break;
    }
    assert_true(failed > 12); /* four directories and their syncs, file, writes, syncs, rename */
}

static void test_not_a_directory(void **state)
{
    (void)state;
    struct mail m = letter();
    struct err e;
    int fd = open(inside("box"), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(deliver(&m, 0, &e), -ENOTDIR);
    assert_int_equal(maildir_deliver(&shim, inside("no/box"), "mx1", 0, &m, &e), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_truncated, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_once, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_limit, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_every_call_fails, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_not_a_directory, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
