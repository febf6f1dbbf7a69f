#include "returnpath/pattern.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct returnpath_domain domain = {.name = STR_INIT("b.example")};

/* Compiles one expression; NULL and words when it does not. */
static struct pattern *compiled(struct returnpath_pattern one, int *rc, struct err *e)
{
    struct pattern *list = NULL;
    *e = (struct err){0};
    *rc = pattern_list_new(&one, 1, &list, e);
    return list;
}

static int read_one(const struct pattern *list, struct arena *a, const char *local,
                    struct returnpath *got)
{
    struct pattern_matcher *m = NULL;
    assert_int_equal(pattern_matcher_new(&m), 0);
    *got = (struct returnpath){.domain = &domain};
    int rc = pattern_read(list, 1, m, a, str_c(local), got);
    pattern_matcher_free(m);
    return rc;
}

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* matches false: nothing of it may be set. */
static const struct {
    const char *regex, *local;
    bool matches;
    const char *recipient, *tenant, *stream, *campaign, *message_id;
} cases[] = {
    {"r\\+(?<recipient>.+)", "r+ann@b.c", true, "ann@b.c", NULL, NULL, NULL, NULL},
    {"r\\+(?<recipient>.+)", "R+Ann@b.C", true, "Ann@b.C", NULL, NULL, NULL, NULL},
    {"(?<user>.+)~(?<domain>.+)", "ann~b.c", true, "ann@b.c", NULL, NULL, NULL, NULL},
    {"(?P<user>.+)~(?'domain'.+)", "ann~b.c", true, "ann@b.c", NULL, NULL, NULL, NULL},
    {"(?<tenant>\\w+)\\.(?<stream>\\w+)\\.(?<campaign>\\w+)\\.(?<message_id>\\w+)", "t.s.c.m", true,
     NULL, "t", "s", "c", "m"},
    {"c(?<campaign>\\d+)-(?<user>[^=]+)=(?<domain>.+)", "c7-ann=b.c", true, "ann@b.c", NULL, NULL,
     "7", NULL},
    /* the whole local part, or not at all */
    {"(?<tenant>b)", "ab", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<tenant>b)", "bc", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<tenant>b)$", "b\n", false, NULL, NULL, NULL, NULL, NULL},
    /* a group that took no part, or nothing */
    {"(?<tenant>t)?(?<stream>.*)x", "x", true, NULL, NULL, NULL, NULL, NULL},
    /* what is captured must be what it claims to be */
    {"(?<recipient>.*)", "ann", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<recipient>.*)", "ann@localhost", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<recipient>.*)", "ann@10.0.0.1", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<recipient>.*)", "a@b@c.d", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<user>.*)~(?<domain>.*)", "~b.c", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<user>.*)~(?<domain>.*)", "a b~c.d", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<user>.*)~(?<domain>.*)", "ann~", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<tenant>.*)", "a/b", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<tenant>.*)", "a\033[2J", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<stream>.*)", "a b", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<campaign>.*)", "\303\274", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<message_id>.*)", "<a>", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<message_id>.*)", X64, true, NULL, NULL, NULL, NULL, X64},
    {"(?<message_id>.*)", X64 "x", false, NULL, NULL, NULL, NULL, NULL},
    /* over its bounds: no match, soon */
    /* the second half would match, after some 200,000 steps in the first */
    {"(?:(x+)+a|(?<tenant>x+))", "xxxxxxxxxxxxxxxxxx", false, NULL, NULL, NULL, NULL, NULL},
    {"(?<tenant>(x+x+)+)y", X64, false, NULL, NULL, NULL, NULL, NULL},
    {"(?<tenant>(x*)*)\\d", X64, false, NULL, NULL, NULL, NULL, NULL},
    {"(?<tenant>(?:x|(?R))+)(?<stream>(?1)y)", X64, false, NULL, NULL, NULL, NULL, NULL},
};

static bool same(struct str got, const char *want)
{
    return want ? str_eq(got, str_c(want)) : str_is_absent(got);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a = arena_make(4096);
        struct returnpath got;
        struct err e;
        int rc;
        struct pattern *list = compiled(
            (struct returnpath_pattern){.name = STR("p"), .regex = str_c(cases[i].regex)}, &rc, &e);
        if (rc < 0)
            fail_msg("%zu: %s", i, e.text);
        rc = read_one(list, &a, cases[i].local, &got);
        if (rc != cases[i].matches || !same(got.recipient, cases[i].recipient) ||
            !same(got.tenant, cases[i].tenant) || !same(got.stream, cases[i].stream) ||
            !same(got.campaign, cases[i].campaign) || !same(got.message_id, cases[i].message_id))
            fail_msg("%zu: %s on %s: %d", i, cases[i].regex, cases[i].local, rc);
        assert_int_equal(got.source, rc ? RETURNPATH_SOURCE_PATTERN : RETURNPATH_SOURCE_NONE);
        assert_false(got.verified);
        pattern_list_free(list, 1);
        arena_free(&a);
    }
}

static const struct {
    const char *regex, *words;
} bad[] = {
    {"", "0 octets"},
    {"(?<user>a", "pattern p: missing closing parenthesis at offset 9"},
    {"a(?<tenant>[z-a])", "range out of order in character class at offset"},
    {"abc", "a named group"},
    {"(abc)", "a named group"},
    {"(?<who>a)", "group \"who\""},
    {"(?<User>a)(?<domain>b)", "group \"User\""},
    {"(?<user>a)", "user and domain, or recipient"},
    {"(?<domain>a)", "user and domain, or recipient"},
    {"(?<user>a)(?<domain>b)(?<recipient>c)", "user and domain, or recipient"},
    {"(?J)(?<user>a)(?<user>b)(?<domain>c)", "stands twice"},
    {"(*UTF)(?<tenant>a)", "disabled"},
    {"(*UCP)(?<tenant>a)", "disabled"},
    {"(?<tenant>a)()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()", "fewer than 32"},
    {"(?<tenant>(((a{1,500}){1,500}){1,500}))", "too large"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e;
        int rc;
        struct pattern *list = compiled(
            (struct returnpath_pattern){.name = STR("p"), .regex = str_c(bad[i].regex)}, &rc, &e);
        if (rc != -EINVAL || list || !strstr(e.text, bad[i].words))
            fail_msg("%zu: %d %s", i, rc, e.text);
    }
    char longest[PATTERN_REGEX_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "(?<tenant>.)", 12);
    for (size_t over = 0; over <= 1; over++) {
        struct err e;
        int rc;
        struct returnpath_pattern p = {.regex = str_of(longest, PATTERN_REGEX_MAX + over)};
        struct pattern *list = compiled(p, &rc, &e);
        assert_int_equal(rc, over ? -EINVAL : 0);
        pattern_list_free(list, 1);
    }
}

static void test_case_and_domain(void **state)
{
    (void)state;
    static const struct {
        struct returnpath_pattern p;
        const char *local;
        int rc;
    } t[] = {
        {{.regex = STR_INIT("(?<tenant>A)")}, "a", 1},
        {{.regex = STR_INIT("(?<tenant>A)"), .case_sensitive = true}, "a", 0},
        {{.regex = STR_INIT("(?<tenant>A)"), .case_sensitive = true}, "A", 1},
        {{.regex = STR_INIT("(?<tenant>a)"), .domain = STR_INIT("B.Example")}, "a", 1},
        {{.regex = STR_INIT("(?<tenant>a)"), .domain = STR_INIT("c.example")}, "a", 0},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(4096);
        struct returnpath got;
        struct err e;
        int rc;
        struct pattern *list = compiled(t[i].p, &rc, &e);
        assert_int_equal(rc, 0);
        assert_int_equal(read_one(list, &a, t[i].local, &got), t[i].rc);
        pattern_list_free(list, 1);
        arena_free(&a);
    }
}

static void test_first_that_matches(void **state)
{
    (void)state;
    const struct returnpath_pattern three[] = {
        {.name = STR("never"), .regex = STR("(?<tenant>[/]+)")},
        {.name = STR("unclean"), .regex = STR("(?<tenant>.+/.*)")},
        {.name = STR("both"), .regex = STR("(?<campaign>[a-z]+).*")},
    };
    struct pattern *list = NULL;
    struct pattern_matcher *m = NULL;
    struct arena a = arena_make(4096);
    struct returnpath got = {.domain = &domain};
    assert_int_equal(pattern_list_new(three, 3, &list, NULL), 0);
    assert_int_equal(pattern_matcher_new(&m), 0);
    assert_int_equal(pattern_read(list, 3, m, &a, STR("ab/cd"), &got), 1);
    assert_true(str_eq(got.campaign, STR("ab")) && str_is_absent(got.tenant));
    assert_int_equal(pattern_read(list, 0, m, &a, STR("ab/cd"), &got), 0);
    pattern_matcher_free(m);
    pattern_list_free(list, 3);
    arena_free(&a);
}

static void test_memory_ends(void **state)
{
    (void)state;
    struct err e;
    int rc;
    struct pattern *list =
        compiled((struct returnpath_pattern){.regex = STR("(?<recipient>.*)")}, &rc, &e);
    struct arena a = arena_make(4096);
    struct returnpath got;
    arena_fail_at(&a, 0);
    assert_int_equal(read_one(list, &a, "a@b.c", &got), -ENOMEM);
    assert_true(str_is_absent(got.recipient));
    arena_free(&a);
    pattern_list_free(list, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),           cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_case_and_domain), cmocka_unit_test(test_first_that_matches),
        cmocka_unit_test(test_memory_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
