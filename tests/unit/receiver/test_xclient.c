#include "receiver/xclient.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

static void test_read(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *address; /* NULL: a mistake */
        const char *helo;    /* NULL: not said */
        bool smtp;
    } t[] = {
        {STR_INIT("ADDR=192.0.2.1"), "192.0.2.1", NULL, false},
        {STR_INIT("addr=192.0.2.1 Helo=c.example"), "192.0.2.1", "c.example", false},
        {STR_INIT("ADDR=IPV6:2001:db8::1"), "2001:db8::1", NULL, false},
        {STR_INIT("ADDR=ipv6:::1 PROTO=smtp"), "::1", NULL, true},
        {STR_INIT("PROTO=ESMTP"), "", NULL, false},
        {STR_INIT("  ADDR=192.0.2.1   PORT=25  "), "192.0.2.1", NULL, false},
        {STR_INIT("ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL] HELO=[unavailable]"), "", NULL, false},
        {STR_INIT("LOGIN=a+2Bb+40c.example NAME=c.example REVERSE_NAME=r.example"), "", NULL,
         false},
        {STR_INIT("HELO=[192.0.2.1]"), "", "[192.0.2.1]", false},
        {STR_INIT("HELO=a+2bb"), "", "a+b", false},
        {STR_INIT("DESTADDR=IPV6:::1 DESTPORT=25"), "", NULL, false},
        {STR_INIT("ADDR=192.0.2.1 ADDR=192.0.2.2"), "192.0.2.2", NULL, false},
        {STR_INIT(""), NULL, NULL, false},
        {STR_INIT("   "), NULL, NULL, false},
        {STR_INIT("ADDR"), NULL, NULL, false},
        {STR_INIT("ADDR="), NULL, NULL, false},
        {STR_INIT("=192.0.2.1"), NULL, NULL, false},
        {STR_INIT("ADDR=2001:db8::1"), NULL, NULL, false},
        {STR_INIT("ADDR=IPV6:192.0.2.1"), NULL, NULL, false},
        {STR_INIT("ADDR=192.0.2.1+00"), NULL, NULL, false},
        {STR_INIT("DESTADDR=here"), NULL, NULL, false},
        {STR_INIT("PORT=65536"), NULL, NULL, false},
        {STR_INIT("PORT=-1"), NULL, NULL, false},
        {STR_INIT("PROTO=QMTP"), NULL, NULL, false},
        {STR_INIT("HELO=a=b"), NULL, NULL, false},
        {STR_INIT("HELO=a+20b"), NULL, NULL, false},
        {STR_INIT("HELO=a+0D+0Ab"), NULL, NULL, false},
        {STR_INIT("HELO=\xc3\xa4"), NULL, NULL, false},
        {STR_INIT("NAME=a+0Ab"), NULL, NULL, false},
        {STR_INIT("NAME=+4"), NULL, NULL, false},
        {STR_INIT("NAME=+"), NULL, NULL, false},
        {STR_INIT("NAME=+zz"), NULL, NULL, false},
        {STR_INIT("SIZE=1"), NULL, NULL, false},
        {STR_INIT("ADDR=192.0.2.1 OTHER=x"), NULL, NULL, false},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct xclient x = {.helo_n = 99};
        int rc = xclient_read(t[i].in, &x);
        if (rc != (t[i].address ? 0 : -EINVAL))
            fail_msg("%s: %d", t[i].in.p, rc);
        if (rc < 0) {
            assert_int_equal(x.helo_n, 99); /* untouched */
            continue;
        }
        assert_string_equal(x.address, t[i].address);
        assert_int_equal(x.has_helo, t[i].helo != NULL);
        if (t[i].helo)
            assert_true(str_eq(str_of(x.helo, x.helo_n), str_c(t[i].helo)));
        assert_int_equal(x.smtp, t[i].smtp);
    }
}

/* A value of 255 octets, and one more. */
static void test_long(void **state)
{
    (void)state;
    char text[5 + 256];
    struct xclient x;
    memset(text, 'h', sizeof(text));
    memcpy(text, "HELO=", 5);
    assert_int_equal(xclient_read(str_of(text, 5 + 255), &x), 0);
    assert_int_equal(x.helo_n, 255);
    assert_int_equal(xclient_read(str_of(text, 5 + 256), &x), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
