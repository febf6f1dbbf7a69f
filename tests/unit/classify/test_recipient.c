/* Verdicts on recipients of reports: Action, Status field, hosts. */
#include "classify/classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct classifier *classifier;

static int setup(void **state)
{
    (void)state;
    struct err e;
    return classifier_load(NULL, 0, &classifier, &e);
}

static int teardown(void **state)
{
    (void)state;
    classifier_free(classifier);
    return 0;
}

static const struct {
    enum report_kind kind;
    enum report_action action;
    const char *status;
    unsigned reply;
    const char *diagnostic, *remote, *reporting;
    enum verdict_category category;
    enum verdict_confidence confidence;
    const char *rule;        /* NULL: not asked */
    const char *mx_operator; /* NULL: must be none */
} cases[] = {
    /* codes alone, in order of trust */
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, NULL, NULL, NULL, CATEGORY_BAD_MAILBOX,
     CONFIDENCE_MEDIUM, "status-5.1.1", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 0, NULL, NULL, NULL, CATEGORY_BAD_MAILBOX,
     CONFIDENCE_LOW, "status-5.1.1", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 450, NULL, NULL, NULL, CATEGORY_BAD_MAILBOX,
     CONFIDENCE_LOW, "status-5.1.1", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.0.0", 552, NULL, NULL, NULL, CATEGORY_MAILBOX_FULL,
     CONFIDENCE_LOW, "reply-552", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.0.0", 550, NULL, NULL, NULL, CATEGORY_UNDETERMINED,
     CONFIDENCE_LOW, "none", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_NONE, NULL, 0, NULL, NULL, NULL, CATEGORY_UNDETERMINED,
     CONFIDENCE_LOW, "none", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "nonsense", 0, NULL, NULL, NULL, CATEGORY_UNDETERMINED,
     CONFIDENCE_LOW, "none", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1 (no such user)", 0, NULL, NULL, NULL,
     CATEGORY_BAD_MAILBOX, CONFIDENCE_LOW, "status-5.1.1", NULL},
    /* the innermost reply before the field, the field where the reply says nothing */
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.0.0", 550, "550 5.2.2 no", NULL, NULL,
     CATEGORY_MAILBOX_FULL, CONFIDENCE_MEDIUM, NULL, NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "550 5.4.6 no", NULL, NULL,
     CATEGORY_ROUTING_LOOP, CONFIDENCE_MEDIUM, NULL, NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "550 5.0.0 no", NULL, NULL,
     CATEGORY_BAD_MAILBOX, CONFIDENCE_MEDIUM, NULL, NULL},
    /* text before codes */
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "550 5.1.1 mailbox full", NULL, NULL,
     CATEGORY_MAILBOX_FULL, CONFIDENCE_HIGH, "full-mailbox", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.2.0", 550, "550 User unknown", NULL, NULL,
     CATEGORY_RECIPIENT_REFUSED, CONFIDENCE_MEDIUM, NULL, NULL},
    /* weak words only where the status says nothing */
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.2.2", 550, "550 5.2.2 mailbox unavailable", NULL, NULL,
     CATEGORY_MAILBOX_FULL, CONFIDENCE_MEDIUM, "status-x.2.2", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.0.0", 550, "550 mailbox unavailable", NULL, NULL,
     CATEGORY_BAD_MAILBOX, CONFIDENCE_MEDIUM, "weak-mailbox-unavailable", NULL},
    /* a reply without a word: the code in the field is the sending host's own guess */
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "(reason: 550)", "mx.b.example", NULL,
     CATEGORY_UNDETERMINED, CONFIDENCE_LOW, "none", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "smtp; 550", NULL, NULL,
     CATEGORY_UNDETERMINED, CONFIDENCE_LOW, "none", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 552, "552", NULL, NULL, CATEGORY_MAILBOX_FULL,
     CONFIDENCE_LOW, "reply-552", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "550 x", NULL, NULL, CATEGORY_BAD_MAILBOX,
     CONFIDENCE_MEDIUM, "status-5.1.1", NULL},
    /* actions */
    {REPORT_DELAYED, REPORT_ACTION_DELAYED, "4.1.1", 450, "450 4.1.1 User unknown", NULL, NULL,
     CATEGORY_SOFT_OTHER, CONFIDENCE_MEDIUM, NULL, NULL},
    {REPORT_DELAYED, REPORT_ACTION_DELAYED, "5.1.1", 550, "550 5.1.1 User unknown", NULL, NULL,
     CATEGORY_SOFT_OTHER, CONFIDENCE_MEDIUM, NULL, NULL},
    {REPORT_DELAYED, REPORT_ACTION_NONE, "4.4.4", 0, "Domain not found", NULL, NULL,
     CATEGORY_DNS_TEMPORARY, CONFIDENCE_MEDIUM, NULL, NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "4.1.1", 450, "450 4.1.1 User unknown", NULL, NULL,
     CATEGORY_BAD_MAILBOX, CONFIDENCE_MEDIUM, NULL, NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "4.4.4", 0, "Domain not found", NULL, NULL,
     CATEGORY_DNS_TEMPORARY, CONFIDENCE_MEDIUM, NULL, NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "4.4.7", 450, "450 4.2.2 Mailbox Full", NULL, NULL,
     CATEGORY_MAILBOX_FULL, CONFIDENCE_HIGH, NULL, NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "4.4.7", 0, NULL, NULL, NULL, CATEGORY_EXPIRED,
     CONFIDENCE_LOW, "status-x.4.7", NULL},
    {REPORT_DELIVERED, REPORT_ACTION_DELIVERED, "2.1.5", 250, "250 2.1.5 Ok", NULL, NULL,
     CATEGORY_UNDETERMINED, CONFIDENCE_HIGH, "action-delivered", NULL},
    {REPORT_BOUNCE, REPORT_ACTION_RELAYED, "2.0.0", 250, "user unknown", NULL, NULL,
     CATEGORY_UNDETERMINED, CONFIDENCE_HIGH, "action-delivered", NULL},
    {REPORT_DELIVERED, REPORT_ACTION_NONE, NULL, 0, "user unknown", NULL, NULL,
     CATEGORY_UNDETERMINED, CONFIDENCE_HIGH, "action-delivered", NULL},
    /* no bounce, no reason */
    {REPORT_COMPLAINT, REPORT_ACTION_NONE, NULL, 0, "user unknown", NULL, NULL,
     CATEGORY_UNDETERMINED, CONFIDENCE_LOW, "none", NULL},
    /* operators: the remote host, then its words, then who reports when there was no remote */
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.0.0", 550, "550 mailbox unavailable",
     "mx00.gmx.net (212.227.15.9)", "mail.example", CATEGORY_BAD_MAILBOX, CONFIDENCE_HIGH,
     "gmx-mailbox", "gmx"},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "550 5.1.1 x - gsmtp", "mx.b.example", NULL,
     CATEGORY_BAD_MAILBOX, CONFIDENCE_MEDIUM, NULL, "google"},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "550 5.1.1 x", "mx.b.example",
     "googlemail.com", CATEGORY_BAD_MAILBOX, CONFIDENCE_MEDIUM, NULL, NULL},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "550 5.1.1 x", NULL, "googlemail.com",
     CATEGORY_BAD_MAILBOX, CONFIDENCE_MEDIUM, NULL, "google"},
    {REPORT_BOUNCE, REPORT_ACTION_FAILED, "5.1.1", 550, "550 5.1.1 x", "notgoogle.com", NULL,
     CATEGORY_BAD_MAILBOX, CONFIDENCE_MEDIUM, NULL, NULL},
};

static void test_table(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct report_recipient rcpt = {
            .action = cases[i].action,
            .status = str_c(cases[i].status),
            .reply_code = (uint16_t)cases[i].reply,
            .diagnostic = str_c(cases[i].diagnostic),
            .remote_mta = str_c(cases[i].remote),
        };
        struct report report = {
            .kind = cases[i].kind,
            .recipients = &rcpt,
            .recipients_n = 1,
            .reporting_mta = str_c(cases[i].reporting),
        };
        struct verdict v = classify_recipient(classifier, &report, 0);
        bool same_operator = cases[i].mx_operator
                                 ? v.mx_operator && strcmp(v.mx_operator, cases[i].mx_operator) == 0
                                 : v.mx_operator == NULL;
        if (v.category != cases[i].category || v.confidence != cases[i].confidence ||
            (cases[i].rule && strcmp(v.rule, cases[i].rule) != 0) || !same_operator ||
            v.class != verdict_category_class(v.category) ||
            (v.fingerprint != 0) != (cases[i].diagnostic != NULL)) {
            print_error("case %zu: %s, %s, rule %s, operator %s\n", i,
                        verdict_category_name(v.category), verdict_confidence_name(v.confidence),
                        v.rule, v.mx_operator ? v.mx_operator : "-");
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* What came through too many hosts is told by the returned header alone, when nothing else tells.
 */
static void test_hops(void **state)
{
    (void)state;
    static const struct {
        unsigned hops;
        const char *status, *diagnostic;
        enum verdict_category category;
    } hops[] = {
        {30, "5.0.0", NULL, CATEGORY_ROUTING_LOOP},
        {24, "5.0.0", NULL, CATEGORY_UNDETERMINED},
        {30, "5.0.0", "no words that a rule knows", CATEGORY_UNDETERMINED},
        {30, "5.1.1", NULL, CATEGORY_BAD_MAILBOX},
    };
    for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]); i++) {
        struct report_recipient rcpt = {.action = REPORT_ACTION_FAILED,
                                        .status = str_c(hops[i].status),
                                        .diagnostic = str_c(hops[i].diagnostic)};
        struct report report = {.kind = REPORT_BOUNCE,
                                .recipients = &rcpt,
                                .recipients_n = 1,
                                .original = {.hops = hops[i].hops}};
        struct verdict v = classify_recipient(classifier, &report, 0);
        assert_string_equal(verdict_category_name(v.category),
                            verdict_category_name(hops[i].category));
    }
}

/* The same words mean something else to another command. */
static void test_commands(void **state)
{
    (void)state;
    static const struct {
        enum smtp_command command;
        const char *status, *diagnostic, *remote_mta;
        enum verdict_category category;
        enum verdict_confidence confidence;
    } t[] = {
        {SMTP_COMMAND_NONE, "5.0.0", "550 no such user here", "", CATEGORY_BAD_MAILBOX,
         CONFIDENCE_HIGH},
        {SMTP_COMMAND_RCPT, "5.0.0", "550 no such user here", "", CATEGORY_BAD_MAILBOX,
         CONFIDENCE_HIGH},
        {SMTP_COMMAND_DATA, "5.0.0", "550 no such user here", "", CATEGORY_RECIPIENT_REFUSED,
         CONFIDENCE_MEDIUM},
        {SMTP_COMMAND_DATA, "5.1.1", "550 5.1.1 no such user here", "", CATEGORY_BAD_MAILBOX,
         CONFIDENCE_MEDIUM},
        {SMTP_COMMAND_DATA, "5.0.0",
         "554 delivery error: dd This user doesn't have a yahoo.com account (a@yahoo.com) [0]",
         "mta5.am0.yahoodns.net", CATEGORY_BAD_MAILBOX, CONFIDENCE_HIGH},
        {SMTP_COMMAND_MAIL, "5.0.0", "550 no such user here", "", CATEGORY_SENDER_REFUSED,
         CONFIDENCE_MEDIUM},
        {SMTP_COMMAND_EHLO, "5.0.0", "550 no such user here", "", CATEGORY_POLICY,
         CONFIDENCE_MEDIUM},
        {SMTP_COMMAND_DATA, "5.2.2", "552 5.2.2 mailbox full", "", CATEGORY_MAILBOX_FULL,
         CONFIDENCE_HIGH},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct report_recipient rcpt = {.action = REPORT_ACTION_FAILED,
                                        .status = str_c(t[i].status),
                                        .reply_code = 550,
                                        .command = t[i].command,
                                        .remote_mta = str_c(t[i].remote_mta),
                                        .diagnostic = str_c(t[i].diagnostic)};
        struct report report = {.kind = REPORT_BOUNCE, .recipients = &rcpt, .recipients_n = 1};
        struct verdict v = classify_recipient(classifier, &report, 0);
        if (v.category != t[i].category || v.confidence != t[i].confidence)
            fail_msg("%s \"%s\": got %s, %s", smtp_command_name(t[i].command), t[i].diagnostic,
                     verdict_category_name(v.category), verdict_confidence_name(v.confidence));
    }
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < CATEGORY_COUNT; i++) {
        enum verdict_category back;
        const char *name = verdict_category_name((enum verdict_category)i);
        assert_true(verdict_category_parse(str_c(name), &back));
        assert_int_equal(back, i);
    }
    enum verdict_category untouched = CATEGORY_VIRUS;
    assert_false(verdict_category_parse(STR("Virus"), &untouched));
    assert_false(verdict_category_parse(STR(""), &untouched));
    assert_int_equal(untouched, CATEGORY_VIRUS);
    assert_string_equal(verdict_class_name(CLASS_HARD), "hard");
    assert_string_equal(verdict_fault_name(FAULT_NETWORK), "network");
    assert_string_equal(verdict_confidence_name(CONFIDENCE_LOW), "low");
    assert_int_equal(verdict_category_class(CATEGORY_EXPIRED), CLASS_SOFT);
    assert_int_equal(verdict_category_fault(CATEGORY_VIRUS), FAULT_MESSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_hops),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
