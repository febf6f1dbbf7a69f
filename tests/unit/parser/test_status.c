#include "parser/status.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_leading(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        {"5.1.1", "5.1.1"},
        {" 4.4.7 (delivery time expired)", "4.4.7"},
        {"5.7.606", "5.7.606"},
        {"#5.0.0", "5.0.0"},
        {"2.0.0 (ok)", "2.0.0"},
        {"5.1.1000", NULL},
        {"3.1.1", NULL},
        {"5.1", NULL},
        {"5..1", NULL},
        {"5.1.1.1", NULL},
        {"RO", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct str got = status_leading(str_c(t[i].in));
        if (!str_eq(got, str_c(t[i].out)))
            fail_msg("\"%s\": got \"%.*s\"", t[i].in, STR_ARG(got));
    }
}

static void test_find(void **state)
{
    static const struct {
        const char *in, *status;
        unsigned reply;
    } t[] = {
        {"550 5.1.1 <a@b.example>: user unknown", "5.1.1", 550},
        {"550-5.1.1 The account does not exist. 550 5.1.1 see there", "5.1.1", 550},
        {"550 #5.7.1 refused", "5.7.1", 550},
        {"553 sorry, not in my list (#5.7.1)", "5.7.1", 553},
        {"host mx.example[192.0.2.10] said: 450 4.2.0 greylisted", "4.2.0", 450},
        {"host mx.example[192.0.2.10] said: 554 no", NULL, 554},
        {"delivery temporarily suspended: connect to 5.2.3.4: refused", NULL, 0},
        {"Exim 4.92.3 could not deliver", NULL, 0},
        {"version 4.2.1 of the program", NULL, 0},
        {"at 10.5.1.1 and 5.1.1.2", NULL, 0},
        {"message of 550000 bytes, 550 KB", NULL, 0},
        {"u529@mx-529.example: no", NULL, 0},
        {"<kim@kontor-529.example>: 198.51.100.3 said: 550 no", NULL, 550},
        {"smtp;421 4.7.650 IP address throttled", "4.7.650", 421},
        {"550 5.4.300 message expired -> 451 4.7.0 later", "4.7.0", 451},
        {"554 <kim@rcpt.example>... 550 Host unknown", NULL, 550},
        {"554 5.4.7 [internal] timeout (last transfail: 454 4.4.4 no MX)", "4.4.4", 454},
        {"554 4.4.7 Expired: gave up.<421 4.4.2 timed out>", "4.4.2", 421},
        {"450 554 5.5.1 no valid recipients", NULL, 450},
        {"(expired) last error 4.4.2 timeout", "4.4.2", 0},
        {"2.0.0 accepted", "2.0.0", 0},
        {"$550 spent", NULL, 0},
        {"MAIL+RCPT 550 Line 1", NULL, 550},
        {"it was 550 mailbox", NULL, 550},
        {"user550 unknown", NULL, 0},
        {"", NULL, 0},
        {"5", NULL, 0},
        {"550", NULL, 550},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct status_codes got = reply_codes_find(str_c(t[i].in));
        if (!str_eq(got.status, str_c(t[i].status)) || got.reply != t[i].reply)
            fail_msg("\"%s\": got \"%.*s\" %u", t[i].in, STR_ARG(got.status), got.reply);
    }
}

static void test_bare(void **state)
{
    (void)state;
    assert_true(status_is_bare(STR("5.0.0")));
    assert_false(status_is_bare(STR("5.1.0")));
    assert_false(status_is_bare(STR("5.10.0.0")));
    assert_false(status_is_bare((struct str){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leading),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_bare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
