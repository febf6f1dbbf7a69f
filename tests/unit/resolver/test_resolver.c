/* Against tests/support/dns_server.py on loopback. */
#include "base/clock.h"
#include "resolver/rdata.h"
#include "resolver/resolver.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char zone[] =
    "{\"a.example.com\": {\"A\": [\"192.0.2.1\", \"192.0.2.2\"]},"
    " \"txt.example.com\": {\"TXT\": [\"one\"]},"
    " \"alias.example.com\": {\"CNAME\": [\"txt.example.com\"]},"
    " \"loop.example.com\": {\"CNAME\": [\"loop.example.com\"]},"
    " \"fail.example.com\": {\"behave\": \"servfail\"},"
    " \"refused.example.com\": {\"behave\": \"refused\"},"
    " \"silent.example.com\": {\"behave\": \"silent\"},"
    " \"garbage.example.com\": {\"behave\": \"garbage\"},"
    " \"wrong.example.com\": {\"TXT\": [\"forged\"], \"behave\": \"wrong_id\"},"
    " \"cut.example.com\": {\"TXT\": [\"over TCP\"], \"behave\": \"truncated\"},"
    " \"25.2.0.192.in-addr.arpa\": {\"PTR\": [\"mx.example.com\"]},"
    " \"name.test\": {\"TXT\": [\"of a private name\"]},"
    " \"big.example.com\": {\"TXT\": [\"%05000d\"]}}";

enum { GENEROUS = 60 };

static struct server {
    pid_t pid;
    int input; /* closing it ends the server */
    char address[32];
    char folder[64], zone[96], log[96];
} server;

static int start(void **state)
{
    (void)state;
    int in[2], out[2];
    char port[16] = "";
    snprintf(server.folder, sizeof(server.folder), "/tmp/test-resolver-XXXXXX");
    assert_non_null(mkdtemp(server.folder));
    snprintf(server.zone, sizeof(server.zone), "%s/zone", server.folder);
    snprintf(server.log, sizeof(server.log), "%s/log", server.folder);
    FILE *f = fopen(server.zone, "w");
    assert_non_null(f);
    const char *big = strstr(zone, "%05000d");
    fprintf(f, "%.*s%05000d%s", (int)(big - zone), zone, 0, big + strlen("%05000d"));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(pipe(in) | pipe(out), 0);
    server.pid = fork();
    if (server.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        execlp("python3", "python3", TEST_SOURCE_DIR "/tests/support/dns_server.py", server.zone,
               "--log", server.log, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server.input = in[1];
    assert_true(read(out[0], port, sizeof(port) - 1) > 1);
    close(out[0]);
    snprintf(server.address, sizeof(server.address), "127.0.0.1@%d", atoi(port));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    close(server.input);
    waitpid(server.pid, NULL, 0);
    unlink(server.zone);
    unlink(server.log);
    return rmdir(server.folder);
}

/* How often the server was asked for a name. */
static unsigned asked(const char *name)
{
    char line[300];
    unsigned n = 0;
    FILE *f = fopen(server.log, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        n += strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ';
    fclose(f);
    return n;
}

static struct resolver *opened(void)
{
    const char *servers[] = {server.address};
    struct resolver *r = NULL;
    struct err e;
    assert_int_equal(resolver_new(&(struct resolver_config){servers, 1, NULL}, &r, &e), 0);
    return r;
}

static const struct {
    const char *name;
    enum resolver_type type;
    enum resolver_status status;
    const char *text; /* of the first record */
    const char *canonical;
    size_t n;
} rows[] = {
    {"txt.example.com", RESOLVER_TXT, RESOLVER_FOUND, "one", NULL, 1},
    {"TXT.example.com.", RESOLVER_TXT, RESOLVER_FOUND, "one", NULL, 1},
    {"a.example.com", RESOLVER_A, RESOLVER_FOUND, NULL, NULL, 2},
    {"alias.example.com", RESOLVER_TXT, RESOLVER_FOUND, "one", "txt.example.com", 1},
    {"25.2.0.192.in-addr.arpa", RESOLVER_PTR, RESOLVER_FOUND, NULL, NULL, 1},
    {"name.test", RESOLVER_TXT, RESOLVER_FOUND, "of a private name", NULL, 1},
    {"cut.example.com", RESOLVER_TXT, RESOLVER_FOUND, "over TCP", NULL, 1},
    {"big.example.com", RESOLVER_TXT, RESOLVER_FOUND, "", NULL, 1},
    {"a.example.com", RESOLVER_TXT, RESOLVER_NO_DATA, NULL, NULL, 0},
    {"none.example.com", RESOLVER_TXT, RESOLVER_NO_NAME, NULL, NULL, 0},
    {"loop.example.com", RESOLVER_TXT, RESOLVER_FAILED, NULL, NULL, 0},
    {"fail.example.com", RESOLVER_TXT, RESOLVER_FAILED, NULL, NULL, 0},
    {"refused.example.com", RESOLVER_TXT, RESOLVER_FAILED, NULL, NULL, 0},
};

static void answers(void **state)
{
    (void)state;
    struct resolver *r = opened();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = arena_make(1 << 20);
        struct resolver_answer answer;
        struct str text;
        struct err e;
        int rc = resolver_query(r, &a, str_c(rows[i].name), rows[i].type, GENEROUS * CLOCK_SECOND,
                                &answer, &e);
        if (rc < 0 || answer.status != rows[i].status || answer.records_n != rows[i].n)
            fail_msg("%s: %d, status %d, %zu records", rows[i].name, rc,
                     rc ? 0 : (int)answer.status, rc ? 0 : answer.records_n);
        assert_false(answer.secure);
        assert_true(str_ieq(answer.canonical, str_c(rows[i].canonical)));
        if (rows[i].text) {
            assert_true(rdata_txt(&a, answer.records[0], &text));
            assert_true(*rows[i].text ? str_eq(text, str_c(rows[i].text)) : text.n == 5000);
        }
        arena_free(&a);
    }
    resolver_free(r);
}

static void cached(void **state)
{
    (void)state;
    struct resolver *r = opened();
    unsigned before = asked("txt.example.com"), missing = asked("no.example.com");
    for (int i = 0; i < 100; i++) {
        struct arena a = arena_make(1 << 20);
        struct resolver_answer answer;
        assert_int_equal(resolver_query(r, &a, STR("txt.example.com"), RESOLVER_TXT,
                                        GENEROUS * CLOCK_SECOND, &answer, NULL),
                         0);
        assert_true(answer.ttl > 0 && answer.ttl <= 60 * CLOCK_SECOND);
        assert_int_equal(resolver_query(r, &a, STR("no.example.com"), RESOLVER_TXT,
                                        GENEROUS * CLOCK_SECOND, &answer, NULL),
                         0);
        arena_free(&a);
    }
    resolver_free(r);
    assert_int_equal(asked("txt.example.com"), before + 1);
    assert_int_equal(asked("no.example.com"), missing + 1);
}

/* What never comes, what is no message, and what answers another question. */
static void silence(void **state)
{
    (void)state;
    static const char *const names[] = {"silent.example.com", "wrong.example.com",
                                        "garbage.example.com"};
    struct resolver *r = opened();
    struct arena a = arena_make(1 << 20);
    struct resolver_answer answer;
    struct err e;
    for (size_t i = 0; i < 3; i++) {
        int rc =
            resolver_query(r, &a, str_c(names[i]), RESOLVER_TXT, CLOCK_SECOND / 10, &answer, &e);
        if (rc != -ETIMEDOUT)
            fail_msg("%s: %d", names[i], rc);
        assert_non_null(strstr(e.text, names[i]));
    }
    /* Now nobody is asked, for a while. */
    unsigned before = asked("a.example.com");
    assert_int_equal(resolver_query(r, &a, STR("a.example.com"), RESOLVER_A,
                                    GENEROUS * CLOCK_SECOND, &answer, &e),
                     -EHOSTDOWN);
    assert_int_equal(asked("a.example.com"), before);
    arena_free(&a);
    resolver_free(r);
}

/* Any answer shows that somebody is there. */
static void silence_ends(void **state)
{
    (void)state;
    struct resolver *r = opened();
    struct arena a = arena_make(1 << 20);
    struct resolver_answer answer;
    for (int i = 0; i < 2 * RESOLVER_SILENCES; i++) {
        assert_int_equal(
            resolver_query(r, &a, STR("silent.example.com"), RESOLVER_TXT, 1, &answer, NULL),
            -ETIMEDOUT);
        assert_int_equal(resolver_query(r, &a, STR("txt.example.com"), RESOLVER_TXT,
                                        GENEROUS * CLOCK_SECOND, &answer, NULL),
                         0);
    }
    arena_free(&a);
    resolver_free(r);
}

static void mistakes(void **state)
{
    (void)state;
    static const char *const bad[] = {"mx.example.com", "", "127.0.0.1@x", "127.0.0.1@70000"};
    struct resolver *r = NULL;
    struct err e;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (resolver_new(&(struct resolver_config){&bad[i], 1, NULL}, &r, &e) != -EINVAL)
            fail_msg("%s", bad[i]);
    const char *servers[] = {server.address};
    assert_int_equal(
        resolver_new(&(struct resolver_config){servers, 1, "/nonexistent/root.key"}, &r, &e),
        -EINVAL);
    assert_non_null(strstr(e.text, "/nonexistent/root.key"));
    r = opened();
    struct arena a = arena_make(1 << 20);
    struct resolver_answer answer;
    assert_int_equal(resolver_query(r, &a, STR("a..b"), RESOLVER_A, 1, &answer, &e), -EINVAL);
    assert_int_equal(resolver_query(r, &a, STR(""), RESOLVER_A, 1, &answer, &e), -EINVAL);
    for (uint64_t n = 0; n < 4; n++) {
        struct arena small = arena_make(1 << 20);
        arena_fail_at(&small, n);
        int rc = resolver_query(r, &small, STR("a.example.com"), RESOLVER_A,
                                GENEROUS * CLOCK_SECOND, &answer, &e);
        assert_int_equal(rc, -ENOMEM);
        arena_free(&small);
    }
    arena_free(&a);
    resolver_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),      cmocka_unit_test(cached),   cmocka_unit_test(silence),
        cmocka_unit_test(silence_ends), cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
