#include "returnpath/returnpath.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct returnpath_domain list[] = {
    {.name = STR_INIT("any.example"), .accept = RETURNPATH_ACCEPT_ANY},
    {.name = STR_INIT("rp.example"), .accept = RETURNPATH_ACCEPT_VERP},
    {.name = STR_INIT("xn--bcher-kva.example"), .accept = RETURNPATH_ACCEPT_ANY},
};
static const struct returnpath_set_config config = {.domains = list, .domains_n = 3};
static struct returnpath_set *set;
static struct returnpath_reader *reader;

static int setup(void **state)
{
    (void)state;
    return returnpath_set_new(&config, &set, NULL) || returnpath_reader_new(set, &reader);
}

static int teardown(void **state)
{
    (void)state;
    returnpath_reader_free(reader);
    returnpath_set_unref(set);
    return 0;
}

/* recipient: NULL = the address names nobody. */
static const struct {
    const char *address;
    int rc;
    size_t domain;
    enum returnpath_kind kind;
    const char *recipient;
} cases[] = {
    {"postmaster", 0, 0, RETURNPATH_ROLE, NULL},
    {"PostMaster", 0, 0, RETURNPATH_ROLE, NULL},
    {"postmaster@rp.example", 0, 1, RETURNPATH_ROLE, NULL},
    {"\"postmaster\"@rp.example", 0, 1, RETURNPATH_ROLE, NULL},
    {"ABUSE@RP.Example", 0, 1, RETURNPATH_ROLE, NULL},
    {"noc@rp.example", 0, 1, RETURNPATH_ROLE, NULL},
    {"hostmaster@any.example", 0, 0, RETURNPATH_ROLE, NULL},
    {"webmaster@any.example", 0, 0, RETURNPATH_ROLE, NULL},
    {"security@any.example", 0, 0, RETURNPATH_ROLE, NULL},
    {"fbl@rp.example", -ENOENT, 0, 0, NULL},
    {"unsubscribe@rp.example", -ENOENT, 0, 0, NULL},
    {"fbl@any.example", 0, 0, RETURNPATH_BOUNCE, NULL},
    {"postmaster@elsewhere.example", -EHOSTUNREACH, 0, 0, NULL},
    {"x@sub.rp.example", -EHOSTUNREACH, 0, 0, NULL},
    {"x@rp.exampl", -EHOSTUNREACH, 0, 0, NULL},
    {"x@rp.examplee", -EHOSTUNREACH, 0, 0, NULL},
    {"x@[127.0.0.1]", -EHOSTUNREACH, 0, 0, NULL},
    {"x@b\303\274cher.example", 0, 2, RETURNPATH_BOUNCE, NULL},
    {"x@\377\376.example", -EINVAL, 0, 0, NULL},
    {"", -EINVAL, 0, 0, NULL},
    {"abuse", -EINVAL, 0, 0, NULL},
    {"@rp.example", -EINVAL, 0, 0, NULL},
    {"x@", -EINVAL, 0, 0, NULL},
    {"x y@rp.example", -EINVAL, 0, 0, NULL},
    /* VERP */
    {"b+user=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "user@example.com"},
    {"b-user=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "user@example.com"},
    {"b-news-12-user=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "user@example.com"},
    {"b-589-120-user=example.jp@rp.example", 0, 1, RETURNPATH_BOUNCE, "user@example.jp"},
    {"list-return-7-user=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "user@example.com"},
    {"my-list-RETURN-7-u-s=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "u-s@example.com"},
    {"list-return-7-u+tag=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "u+tag@example.com"},
    {"list-return-x-u=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "return-x-u@example.com"},
    {"b+u+tag=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "u+tag@example.com"},
    {"b+u-v-9-w=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "u-v-9-w@example.com"},
    {"b+u=v=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "u=v@example.com"},
    {"b+u-return-3-v=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "u-return-3-v@example.com"},
    {"b-u+tag=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "tag@example.com"},
    {"b-a-7-b=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "b@example.com"},
    {"b-q-a=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "q-a@example.com"},
    {"b+a..b.=docomo.example@rp.example", 0, 1, RETURNPATH_BOUNCE, "a..b.@docomo.example"},
    {"\"b+user=example.com\"@rp.example", 0, 1, RETURNPATH_BOUNCE, "user@example.com"},
    {"b+us%er=example.com@rp.example", 0, 1, RETURNPATH_BOUNCE, "us%er@example.com"},
    {"B+User=Example.COM@RP.EXAMPLE", 0, 1, RETURNPATH_BOUNCE, "User@Example.COM"},
    /* names nobody */
    {"user=example.com@rp.example", -ENOENT, 0, 0, NULL},
    {"+user=example.com@rp.example", -ENOENT, 0, 0, NULL},
    {"-user=example.com@rp.example", -ENOENT, 0, 0, NULL},
    {"b+=example.com@rp.example", -ENOENT, 0, 0, NULL},
    {"b+user=@rp.example", -ENOENT, 0, 0, NULL},
    {"b+user=com@rp.example", -ENOENT, 0, 0, NULL},
    {"b+user=10.0.0.1@rp.example", -ENOENT, 0, 0, NULL},
    {"b+user=exa mple.com@rp.example", -EINVAL, 0, 0, NULL},
    {"\"b+us er=example.com\"@rp.example", -ENOENT, 0, 0, NULL},
    {"b+user=example.com@any.example", 0, 0, RETURNPATH_BOUNCE, "user@example.com"},
    {"b+token@any.example", 0, 0, RETURNPATH_BOUNCE, NULL},
    /* relay requests, also where every local part is taken */
    {"user%elsewhere.example@any.example", -EHOSTUNREACH, 0, 0, NULL},
    {"user%host@any.example", -EHOSTUNREACH, 0, 0, NULL},
    {"host!user@any.example", -EHOSTUNREACH, 0, 0, NULL},
    {"a.example!b!user@any.example", -EHOSTUNREACH, 0, 0, NULL},
    {"\"user@elsewhere.example\"@any.example", -EHOSTUNREACH, 0, 0, NULL},
    {"100%@any.example", 0, 0, RETURNPATH_BOUNCE, NULL},
    {"hey!@any.example", -EHOSTUNREACH, 0, 0, NULL},
    {"!hey@any.example", 0, 0, RETURNPATH_BOUNCE, NULL},
};

static void test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a = arena_make(64 * 1024);
        struct returnpath got = {0};
        int rc = returnpath_read(reader, &a, str_c(cases[i].address), 20000, &got);
        if (rc != cases[i].rc)
            fail_msg("%s: got %d, want %d", cases[i].address, rc, cases[i].rc);
        if (rc == 0) {
            if (!str_eq(got.domain->name, list[cases[i].domain].name) ||
                got.kind != cases[i].kind || got.verified)
                fail_msg("%s: domain or kind", cases[i].address);
            if (!str_eq(got.recipient, str_c(cases[i].recipient)))
                fail_msg("%s: recipient %.*s", cases[i].address, STR_ARG(got.recipient));
            assert_int_equal(got.source,
                             cases[i].recipient ? RETURNPATH_SOURCE_VERP : RETURNPATH_SOURCE_NONE);
        } else {
            assert_null(got.domain); /* untouched */
        }
        arena_free(&a);
    }
}

static void test_memory_ends(void **state)
{
    (void)state;
    static const char *const texts[] = {"b+user=example.com@rp.example",
                                        "\"b+user=example.com\"@rp.example",
                                        "b+u=example.com@b\303\274cher.example"};
    for (size_t i = 0; i < 3; i++) {
        int rc = -ENOMEM;
        uint64_t n = 0;
        for (; rc != 0; n++) {
            assert_true(n < 10);
            struct arena a = arena_make(64 * 1024);
            struct returnpath got;
            arena_fail_at(&a, n);
            rc = returnpath_read(reader, &a, str_c(texts[i]), 20000, &got);
            assert_true(rc == 0 || rc == -ENOMEM);
            arena_free(&a);
        }
        assert_true(n > 1);
    }
}

static void test_domain_find(void **state)
{
    (void)state;
    for (size_t i = 0; i < config.domains_n; i++)
        assert_true(str_eq(returnpath_domain_find(set, list[i].name)->name, list[i].name));
    assert_true(str_eq(returnpath_domain_find(set, STR("Any.EXAMPLE"))->name, list[0].name));
    static const char *const none[] = {"", "a", "any.exampl", "any.example.", "zzz", "m"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_null(returnpath_domain_find(set, str_c(none[i])));
}

static void test_no_domain(void **state)
{
    (void)state;
    const struct returnpath_set_config nothing = {0};
    struct returnpath_set *empty = NULL;
    struct returnpath_reader *r = NULL;
    assert_int_equal(returnpath_set_new(&nothing, &empty, NULL), 0);
    assert_int_equal(returnpath_reader_new(empty, &r), 0);
    returnpath_set_unref(empty); /* the reader has its own */
    assert_null(returnpath_domain_find(returnpath_reader_set(r), STR("any.example")));
    struct arena a = arena_make(1024);
    struct returnpath got;
    assert_int_equal(returnpath_read(r, &a, STR("postmaster"), 20000, &got), -EINVAL);
    arena_free(&a);
    returnpath_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_memory_ends),
        cmocka_unit_test(test_domain_find),
        cmocka_unit_test(test_no_domain),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
