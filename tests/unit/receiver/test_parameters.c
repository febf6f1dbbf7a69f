#include "receiver/parameters.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool esmtp;
        enum reply answer;
        uint64_t size;
        bool utf8;
    } t[] = {
        {"", true, REPLY_MAIL_OK, 0, false},
        {" ", false, REPLY_MAIL_OK, 0, false},
        {" SIZE=1000", true, REPLY_MAIL_OK, 1000, false},
        {" size=1 SmtpUtf8 body=8bitmime", true, REPLY_MAIL_OK, 1, true},
        {" SIZE=00000000000000000007", false, REPLY_MAIL_OK, 7, false},
        {" SIZE=1001", true, REPLY_TOO_BIG, 0, false},
        {" SIZE=18446744073709551616", true, REPLY_PARAMETER_SYNTAX, 0, false},
        {" SIZE=-1", true, REPLY_PARAMETER_SYNTAX, 0, false},
        {" SIZE=1 SIZE=1", true, REPLY_PARAMETER_SYNTAX, 0, false},
        {" BODY=7bit", true, REPLY_MAIL_OK, 0, false},
        {" BODY=BinaryMime", true, REPLY_BODY_BINARY, 0, false},
        {" BODY=8BIT", true, REPLY_BODY_OTHER, 0, false},
        {" BODY", true, REPLY_BODY_OTHER, 0, false},
        {" SMTPUTF8", false, REPLY_PARAMETER_UNKNOWN, 0, false},
        {" SMTPUTF8=", true, REPLY_PARAMETER_SYNTAX, 0, false},
        {" SMTPUTF8=yes", true, REPLY_PARAMETER_SYNTAX, 0, false},
        {" RET=FULL", true, REPLY_PARAMETER_UNKNOWN, 0, false},
        {" SIZ=1", true, REPLY_PARAMETER_UNKNOWN, 0, false},
        {"x", true, REPLY_PARAMETER_SYNTAX, 0, false},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct smtp_parameters p = {0};
        enum reply answer = smtp_parameters_read(str_c(t[i].in), t[i].esmtp, 1000, &p);
        if (answer != t[i].answer || p.size != t[i].size || p.utf8 != t[i].utf8)
            fail_msg("\"%s\": reply %u, size %llu", t[i].in, reply_code(answer),
                     (unsigned long long)p.size);
    }
    struct smtp_parameters p;
    assert_int_equal(smtp_parameters_read(STR(" SIZE=1001"), true, 0, &p), REPLY_MAIL_OK);
    assert_int_equal(p.size, 1001);
}

static void test_chunk(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int rc;
        uint64_t octets;
        bool last;
    } t[] = {
        {"0", 0, 0, false},
        {"12", 0, 12, false},
        {"  12   last ", 0, 12, true},
        {"0 LAST", 0, 0, true},
        {"00000000000000000000000000000012 Last", 0, 12, true},
        {"18446744073709551615", 0, UINT64_MAX, false},
        {"18446744073709551616 LAST", 0, UINT64_MAX, true},
        {"99999999999999999999999999999999999999", 0, UINT64_MAX, false},
        {"12 FIRST", 1, 12, false},
        {"12 LAST LAST", 1, 12, false},
        {"12 L", 1, 12, false},
        {"", -EINVAL, 0, false},
        {"LAST", -EINVAL, 0, false},
        {"-1", -EINVAL, 0, false},
        {"+1", -EINVAL, 0, false},
        {"0x10", -EINVAL, 0, false},
        {"1e3", -EINVAL, 0, false},
        {"1.0", -EINVAL, 0, false},
        {"12LAST", -EINVAL, 0, false},
        {"99999999999999999999999999999999999999x", -EINVAL, 0, false},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        uint64_t octets = 0;
        bool last = false;
        int rc = smtp_chunk_read(str_c(t[i].in), &octets, &last);
        if (rc != t[i].rc || octets != t[i].octets || last != t[i].last)
            fail_msg("\"%s\": %d, %llu, %d", t[i].in, rc, (unsigned long long)octets, last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
