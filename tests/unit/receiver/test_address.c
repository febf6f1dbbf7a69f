#include "receiver/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *in;
    enum smtp_path_kind kind;
    int rc;
    const char *path, *rest;
} paths[] = {
    {"<>", SMTP_PATH_REVERSE, 0, "", ""},
    {"<> SIZE=1", SMTP_PATH_REVERSE, 0, "", " SIZE=1"},
    {"  <a@b.example>x", SMTP_PATH_REVERSE, 0, "a@b.example", "x"},
    {"<a@b.example>", SMTP_PATH_FORWARD, 0, "a@b.example", ""},
    {"<a@b>", SMTP_PATH_FORWARD, 0, "a@b", ""},
    {"<\"a b\"@c.example>", SMTP_PATH_FORWARD, 0, "\"a b\"@c.example", ""},
    {"<\"a>b\"@c.example>", SMTP_PATH_FORWARD, 0, "\"a>b\"@c.example", ""},
    {"<\"a\\\"@b>\"@c.example>", SMTP_PATH_FORWARD, 0, "\"a\\\"@b>\"@c.example", ""},
    {"<\"\"@c.example>", SMTP_PATH_FORWARD, 0, "\"\"@c.example", ""},
    {"<a..b.@c.example>", SMTP_PATH_FORWARD, 0, "a..b.@c.example", ""},
    {"<a@[192.0.2.1]>", SMTP_PATH_FORWARD, 0, "a@[192.0.2.1]", ""},
    {"<a@[IPv6:2001:db8::1]>", SMTP_PATH_FORWARD, 0, "a@[IPv6:2001:db8::1]", ""},
    {"<@x.example:a@b.example>", SMTP_PATH_FORWARD, 0, "a@b.example", ""},
    {"<@x.example,@[IPv6:::1],@y:a@b.example>", SMTP_PATH_FORWARD, 0, "a@b.example", ""},
    {"<Postmaster>", SMTP_PATH_FORWARD, 0, "Postmaster", ""},
    {"<postmaster>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"", SMTP_PATH_FORWARD, -EINVAL, NULL, NULL},
    {"a@b.example", SMTP_PATH_FORWARD, -EINVAL, NULL, NULL},
    {"<a@b.example", SMTP_PATH_FORWARD, -EINVAL, NULL, NULL},
    {"<\"a@b.example>", SMTP_PATH_FORWARD, -EINVAL, NULL, NULL},
    {"<\"a\\", SMTP_PATH_FORWARD, -EINVAL, NULL, NULL},
    {"<>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<@>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<@a.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<@a.example:>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<@:a@b.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<@x,y:a@b.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<@[x:a@b.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a@>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<@b.example:@c>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a@b@c.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a b@c.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a,b@c.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a\"b\"@c.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<\"a\"b@c.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a@b.example.>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a@b..example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a@-b.example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a@[]>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a@[1.2.3.4>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a@[1.2.3.4]x>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    {"<a@b(c).example>", SMTP_PATH_FORWARD, -EBADMSG, NULL, NULL},
    /* RFC 6531 section 3.3 */
    {"<a@b\303\274.example>", SMTP_PATH_FORWARD, 0, "a@b\303\274.example", ""},
    {"<\303\274@b.example>", SMTP_PATH_REVERSE, 0, "\303\274@b.example", ""},
    {"<\"\303\274 \"@b.example>", SMTP_PATH_REVERSE, 0, "\"\303\274 \"@b.example", ""},
    {"<@b\303\274.example:a@b.example>", SMTP_PATH_REVERSE, 0, "a@b.example", ""},
    {"<\340\270\207@\340\270\207.example>", SMTP_PATH_FORWARD, 0,
     "\340\270\207@\340\270\207.example", ""},
    {"<\374@b.example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<\300\200@b.example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<\355\240\200@b.example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<a\302\233@b.example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<a@b\374.example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<a@\303\274..example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<a@\303\274.example.>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<a@-\303\274.example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<a@\342\202\254\342\200\250.example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<a@[\303\274]>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<@\374.example:a@b.example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
    {"<\"\001\"@b.example>", SMTP_PATH_REVERSE, -EBADMSG, NULL, NULL},
};

static void test_paths(void **state)
{
    (void)state;
    struct arena scratch = arena_make(4096);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        arena_reset(&scratch);
        struct str rest = str_c(paths[i].in), path = {0};
        int rc = smtp_path_read(&scratch, &rest, paths[i].kind, &path);
        if (rc != paths[i].rc)
            fail_msg("%s: %d, expected %d", paths[i].in, rc, paths[i].rc);
        if (rc == 0 && (!str_eq(path, str_c(paths[i].path)) || !str_eq(rest, str_c(paths[i].rest))))
            fail_msg("%s: \"%.*s\", rest \"%.*s\"", paths[i].in, STR_ARG(path), STR_ARG(rest));
        if (rc < 0)
            assert_true(str_eq(rest, str_c(paths[i].in)) && str_is_absent(path));
    }
    arena_free(&scratch);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct arena scratch = arena_make(8);
    struct str path, rest = STR("<a@b\303\274.example>");
    assert_int_equal(smtp_path_read(&scratch, &rest, SMTP_PATH_FORWARD, &path), -ENOMEM);
    assert_int_equal(rest.n, 15);
    arena_free(&scratch);
}

/* RFC 5321 section 4.5.3.1.3: a path of 256 octets, so an address of 254. */
static void test_longest(void **state)
{
    (void)state;
    struct arena scratch = arena_make(4096);
    for (size_t n = 253; n <= 256; n++) {
        char text[300];
        struct str path, rest;
        memset(text, 'x', sizeof(text));
        text[0] = '<';
        memcpy(text + n - 7, "@d.test>", 8);
        rest = str_of(text, n + 1);
        int rc = smtp_path_read(&scratch, &rest, SMTP_PATH_FORWARD, &path);
        assert_int_equal(rc, n - 1 + 0 <= 254 ? 0 : -EBADMSG);
    }
    arena_free(&scratch);
}

static void test_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int rc;
        const char *keyword, *value, *rest; /* value NULL: absent */
    } t[] = {
        {"", 0, NULL, NULL, ""},
        {"   ", 0, NULL, NULL, ""},
        {" A", 1, "A", NULL, ""},
        {"  SIZE=12 BODY=7BIT", 1, "SIZE", "12", " BODY=7BIT"},
        {" X-y=a<b>", 1, "X-y", "a<b>", ""},
        {"SIZE=1", -EINVAL, NULL, NULL, NULL},
        {" =1", -EINVAL, NULL, NULL, NULL},
        {" A=", -EINVAL, NULL, NULL, NULL},
        {" A=b=c", -EINVAL, NULL, NULL, NULL},
        {" -A", -EINVAL, NULL, NULL, NULL},
        {" A_B", -EINVAL, NULL, NULL, NULL},
        {" A=\303\274", -EINVAL, NULL, NULL, NULL},
        {" A=\tb", -EINVAL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct str rest = str_c(t[i].in), keyword, value;
        int rc = smtp_parameter_read(&rest, &keyword, &value);
        if (rc != t[i].rc)
            fail_msg("\"%s\": %d", t[i].in, rc);
        if (rc >= 0)
            assert_true(str_eq(rest, str_c(t[i].rest)));
        if (rc == 1) {
            assert_true(str_eq(keyword, str_c(t[i].keyword)));
            assert_true(str_eq(value, str_c(t[i].value)));
            assert_int_equal(str_is_absent(value), t[i].value == NULL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
