#include "base/smtp_command.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_find(void **state)
{
    static const struct {
        const char *text, *command;
    } t[] = {
        {"550 no (in reply to end of DATA command)", "data"},
        {"550 5.1.1 no (in reply to RCPT TO command)", "rcpt"},
        {"450 no (in reply to MAIL FROM command)", "mail"},
        {"421 no (in reply to EHLO command)", "ehlo"},
        {"530 no (in reply to STARTTLS command)", "starttls"},
        {"535 no (in reply to AUTH PLAIN command)", "auth"},
        {"host mx.example[192.0.2.1] refused to talk to me: 554 no", "connect"},
        {"SMTP error from remote mail server after RCPT TO:<a@b.example>: 550 no", "rcpt"},
        {"SMTP error from remote mail server after pipelined MAIL FROM:<a@b.example>: 550", "mail"},
        {"SMTP error from remote mail server after end of data: 550 no", "data"},
        {"SMTP error from remote mail server after initial connection: 554 no", "connect"},
        {"192.0.2.1 does not like recipient. Remote host said: 550 no", "rcpt"},
        {"192.0.2.1 failed after I sent the message. Remote host said: 554 no", "data"},
        {"Connected to 192.0.2.1 but sender was rejected. Remote host said: 550", "mail"},
        {"mx.example [192.0.2.1] did not like our final DATA: 550 no", "data"},
        {"host 'mx.example' rejected command 'RCPT TO:<a@b.example>' with 550", "rcpt"},
        {"hMailServer sent: RCPT TO:<a@b.example> Remote server replied: 550", "rcpt"},
        /* Words that only look so. */
        {"550 the data is wrong", ""},
        {"550 after database trouble", ""},
        {"550 mail from a.example is refused", ""},
        {"554 rcpt", ""},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (strcmp(smtp_command_name(smtp_command_find(str_c(t[i].text))), t[i].command) != 0)
            fail_msg("\"%s\": expected \"%s\"", t[i].text, t[i].command);
}

static void test_leading(void **state)
{
    (void)state;
    assert_int_equal(smtp_command_leading(STR(" RCPT To:<a@b.example>")), SMTP_COMMAND_RCPT);
    assert_int_equal(smtp_command_leading(STR("DATA")), SMTP_COMMAND_DATA);
    assert_int_equal(smtp_command_leading(STR("BDAT 100 LAST")), SMTP_COMMAND_DATA);
    assert_int_equal(smtp_command_leading(STR("QUIT")), SMTP_COMMAND_NONE);
    assert_int_equal(smtp_command_leading(STR("DATABASE")), SMTP_COMMAND_NONE);
    assert_int_equal(smtp_command_leading(STR("")), SMTP_COMMAND_NONE);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = SMTP_COMMAND_CONNECT; i < SMTP_COMMAND_COUNT; i++)
        assert_int_equal(smtp_command_by_name(str_c(smtp_command_name((enum smtp_command)i))), i);
    assert_int_equal(smtp_command_by_name(STR("RCPT")), SMTP_COMMAND_NONE);
    assert_int_equal(smtp_command_by_name(STR("")), SMTP_COMMAND_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_leading),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
