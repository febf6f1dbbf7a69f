/* Bare replies: the traps of the field, and what is read from the text beside the verdict. */
#include "classify/classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct classifier *classifier;

static int setup(void **state)
{
    (void)state;
    struct err e;
    if (classifier_load(NULL, 0, &classifier, &e) < 0) {
        print_error("%s\n", e.text);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    classifier_free(classifier);
    return 0;
}

struct trap {
    const char *host, *text;
    enum verdict_category category;
    const char *mx_operator; /* NULL: not asked */
};

static const struct trap traps[] = {
    /* 1: 5xx alone is never hard */
    {NULL, "550", CATEGORY_UNDETERMINED, NULL},
    {NULL, "554", CATEGORY_UNDETERMINED, NULL},
    {NULL, "521", CATEGORY_UNDETERMINED, NULL},
    {NULL, "550 5.0.0", CATEGORY_UNDETERMINED, NULL},
    /* 2: the same code, opposite meaning */
    {NULL, "550 5.2.1 The email account that you tried to reach is disabled. - gsmtp",
     CATEGORY_MAILBOX_DISABLED, "google"},
    {NULL,
     "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents "
     "additional messages from being delivered. - gsmtp",
     CATEGORY_RECIPIENT_RATE, "google"},
    {NULL, "450 4.2.1 The user you are trying to contact is receiving mail too quickly. - gsmtp",
     CATEGORY_RECIPIENT_RATE, "google"},
    {NULL, "550 5.2.1 Mailbox unavailable. Your IP address 192.0.2.1 is blacklisted",
     CATEGORY_IP_REPUTATION, NULL},
    /* 3: 5.1.1 that is a rate, 4.1.1 that is a quota */
    {NULL,
     "550 5.1.1 <a@b.example> - 192.0.2.9 has sent to too many recipients this hour. IB607 "
     "<http://x.co/rlbounce>",
     CATEGORY_RATE_LIMITED, "godaddy"},
    {"mx1.comcast.net", "452 4.1.1 user over quota", CATEGORY_MAILBOX_FULL, "comcast"},
    /* 4: directory edge blocking */
    {"b-example.mail.protection.outlook.com",
     "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", CATEGORY_BAD_MAILBOX,
     "microsoft365"},
    /* 5: 5.1.10 in both meanings */
    {NULL, "556 5.1.10 Recipient address has null MX", CATEGORY_HOST_NO_MAIL, NULL},
    {NULL, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient a@b.example not found",
     CATEGORY_BAD_MAILBOX, NULL},
    /* 6: the junk drawer */
    {NULL, "554 5.7.1 <a@b.example>: Recipient address rejected: User unknown",
     CATEGORY_BAD_MAILBOX, NULL},
    {NULL,
     "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your "
     "Internet service provider since part of their network is on our block list (S3150).",
     CATEGORY_IP_REPUTATION, NULL},
    {NULL, "550 5.7.1 Email rejected per DMARC policy for b.example", CATEGORY_AUTH_FAILURE, NULL},
    {NULL, "550 5.7.1 Relaying denied", CATEGORY_RELAY_DENIED, NULL},
    {NULL, "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
     CATEGORY_RECIPIENT_RESTRICTED, NULL},
    {NULL, "550 5.7.1 Message rejected as spam", CATEGORY_SPAM_CONTENT, NULL},
    {NULL, "550 5.7.1 Go away", CATEGORY_POLICY, NULL},
    /* 7: authentication is the sender's */
    {NULL, "550 5.7.26 no", CATEGORY_AUTH_FAILURE, NULL},
    {"gmail-smtp-in.l.google.com", "550 5.7.27 no", CATEGORY_AUTH_FAILURE, "google"},
    {"gmail-smtp-in.l.google.com", "550 5.7.30 no", CATEGORY_AUTH_FAILURE, "google"},
    {NULL, "550 5.7.515 Access denied", CATEGORY_AUTH_FAILURE, NULL},
    {NULL, "554 5.7.9 Message not accepted for policy reasons", CATEGORY_POLICY, NULL},
    /* 8: Microsoft's three digits */
    {NULL, "550 5.7.606 no", CATEGORY_IP_REPUTATION, NULL},
    {NULL, "550 5.7.649 no", CATEGORY_IP_REPUTATION, NULL},
    {NULL, "550 5.7.511 no", CATEGORY_IP_REPUTATION, NULL},
    {NULL, "550 5.7.507 no", CATEGORY_RECIPIENT_REFUSED, NULL},
    {NULL, "451 4.7.650 no", CATEGORY_RATE_LIMITED, NULL},
    {NULL, "451 4.7.500 no", CATEGORY_RATE_LIMITED, NULL},
    {NULL, "451 4.7.860 no", CATEGORY_RATE_LIMITED, NULL},
    /* 9: Yahoo */
    {NULL, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints",
     CATEGORY_IP_REPUTATION, "yahoo"},
    {NULL, "553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred",
     CATEGORY_IP_REPUTATION, "yahoo"},
    {NULL, "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1", CATEGORY_DNSBL,
     "yahoo"},
    {NULL,
     "554 30 Sorry, your message to a@aol.com cannot be delivered. This mailbox is "
     "disabled (554.30)",
     CATEGORY_MAILBOX_DISABLED, NULL},
    {NULL, "554 delivery error: dd This user doesn't have a yahoo.com account (a@yahoo.com)",
     CATEGORY_BAD_MAILBOX, "yahoo"},
    {NULL, "552 1 Requested mail action aborted, mailbox not found", CATEGORY_BAD_MAILBOX, NULL},
    /* 10: QQ, iCloud, Proofpoint, Orange, GMX, Mimecast, Cox, Barracuda */
    {"mx3.qq.com", "550 Mailbox unavailable or access denied", CATEGORY_RECIPIENT_RATE, "qq"},
    {"mx3.qq.com", "550 Domain frequency limited", CATEGORY_RATE_LIMITED, "qq"},
    {"mx3.qq.com", "550 Mailbox not found", CATEGORY_BAD_MAILBOX, "qq"},
    {"mx01.mail.icloud.com", "552 5.2.2 <a@icloud.com>: user is over quota", CATEGORY_MAILBOX_FULL,
     "icloud"},
    {NULL, "550 5.1.1 <a@icloud.com>: inactive email address", CATEGORY_MAILBOX_DISABLED, NULL},
    {NULL, "554 5.7.0 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1",
     CATEGORY_IP_REPUTATION, "proofpoint"},
    {NULL, "550 5.1.1 Adresse d au moins un destinataire invalide. OFR204_416 [416]",
     CATEGORY_BAD_MAILBOX, "orange"},
    {NULL, "421 4.3.2 Trop de connexions. OFR004_104 [104]", CATEGORY_RATE_LIMITED, "orange"},
    {NULL, "550 5.7.23 Mail rejete. OFR007_517 [517]", CATEGORY_AUTH_FAILURE, "orange"},
    {"mx00.gmx.net", "550 Requested action not taken: mailbox unavailable", CATEGORY_BAD_MAILBOX,
     "gmx"},
    {"mx-ha02.web.de", "421 Reject due to policy restrictions", CATEGORY_POLICY, "webde"},
    {NULL,
     "451 Internal resources are temporarily unavailable - "
     "https://community.mimecast.com/docs/DOC-1369#451",
     CATEGORY_GREYLISTED, "mimecast"},
    {NULL, "550 csi.mimecast.org Poor Reputation Sender, local CT IP reputation",
     CATEGORY_IP_REPUTATION, "mimecast"},
    {NULL, "554 IMP cox.net 192.0.2.1 rejected IPBL100", CATEGORY_IP_REPUTATION, NULL},
    {NULL, "554 cox.net no rDNS AUP#CXDNS", CATEGORY_PTR_MISSING, "cox"},
    {NULL, "550 permanent failure for one or more recipients (x@y.example:blocked)",
     CATEGORY_SPAM_CONTENT, NULL},
    /* 11: given up; the last inner failure decides */
    {NULL,
     "554 5.4.7 [internal] message timeout (exceeded max time, last transfail: 452 4.2.2 "
     "mailbox full)",
     CATEGORY_MAILBOX_FULL, NULL},
    {NULL, "554 5.4.7 message timeout (last transfail: 454 4.4.4 [internal] no MX or A for domain)",
     CATEGORY_DNS_TEMPORARY, NULL},
    {NULL, "550 5.4.300 Message expired -> 451 4.7.1 Greylisting in action, please come back later",
     CATEGORY_GREYLISTED, NULL},
    {NULL, "550 4.4.7 Message expired", CATEGORY_EXPIRED, NULL},
    {NULL,
     "550 4.4.7 Message expired: mailbox full at first; last error: 421 4.3.2 System "
     "shutting down",
     CATEGORY_HOST_UNAVAILABLE, NULL},
    {NULL, "550 5.4.316 Message expired, connection refused", CATEGORY_CONNECTION_FAILURE, NULL},
    {NULL, "550 5.4.312 Message expired, DNS query failed", CATEGORY_DNS_TEMPORARY, NULL},
    /* 13: the innermost quoted reply */
    {NULL, "550 5.0.0 remote host said: 550 5.1.1 who?", CATEGORY_BAD_MAILBOX, NULL},
    {NULL,
     "550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 "
     "User unknown",
     CATEGORY_BAD_MAILBOX, NULL},
    /* 15: disabled, full, inactive */
    {NULL, "552 5.2.2 The recipient's inbox is out of storage space and inactive. - gsmtp",
     CATEGORY_MAILBOX_FULL_INACTIVE, "google"},
    {NULL, "452 4.2.2 The recipient's inbox is out of storage space. - gsmtp",
     CATEGORY_MAILBOX_FULL, "google"},
    {NULL, "450 4.2.1 This mailbox is temporarily disabled", CATEGORY_MAILBOX_SUSPENDED, NULL},
    /* 18: other languages, other charsets */
    {NULL, "550 5.1.1 Empf\xe4nger unbekannt", CATEGORY_BAD_MAILBOX, NULL},
    {NULL,
     "552 \xd0\x9f\xd0\xbe\xd1\x87\xd1\x82\xd0\xbe\xd0\xb2\xd1\x8b\xd0\xb9 "
     "\xd1\x8f\xd1\x89\xd0\xb8\xd0\xba \xd0\xbf\xd0\xb5\xd1\x80\xd0\xb5\xd0\xbf\xd0\xbe"
     "\xd0\xbb\xd0\xbd\xd0\xb5\xd0\xbd",
     CATEGORY_MAILBOX_FULL, NULL},
    {NULL,
     "550-5.1.1 The email account that you tried to reach does not\r550-5.1.1 exist.\r\n"
     "550 5.1.1 - gsmtp",
     CATEGORY_BAD_MAILBOX, "google"},
    /* what MTAs put around the reply */
    {NULL, "MAIL+RCPT 550 5.1.1 No such user", CATEGORY_BAD_MAILBOX, NULL},
    {NULL, "host gmail-smtp-in.l.google.com[192.0.2.1] said: 550 5.1.1 who (in reply to RCPT TO)",
     CATEGORY_BAD_MAILBOX, "google"},
    {NULL, "550 554 5.5.1 Error: no valid recipients", CATEGORY_UNDETERMINED, NULL},
    /* a hard reason in a temporary reply is not the last word */
    {NULL, "450 4.1.1 <a@b.example>: Recipient address rejected: User unknown", CATEGORY_SOFT_OTHER,
     NULL},
    {NULL, "450 4.1.2 Domain not found", CATEGORY_DNS_TEMPORARY, NULL},
    /* words that only look like a reason */
    {NULL, "550 5.7.1 Rejected. To be removed from our list visit http://a.example/",
     CATEGORY_POLICY, NULL},
    {NULL, "550 5.1.1 no. This mail was scanned for all viruses", CATEGORY_BAD_MAILBOX, NULL},
    {"mail.host.example", "", CATEGORY_UNDETERMINED, NULL},
};

static void test_traps(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
        const struct trap *t = &traps[i];
        struct report_recipient rcpt;
        struct verdict v = classify_reply(classifier, str_c(t->text), str_c(t->host), &rcpt);
        bool good = v.category == t->category && v.class == verdict_category_class(v.category) &&
                    (!t->mx_operator || (v.mx_operator && !strcmp(v.mx_operator, t->mx_operator)));
        if (!good) {
            print_error("got %s by %s (operator %s), want %s (%s): %s\n",
                        verdict_category_name(v.category), v.rule,
                        v.mx_operator ? v.mx_operator : "-", verdict_category_name(t->category),
                        t->mx_operator ? t->mx_operator : "any", t->text);
            wrong++;
        }
        /* Again, after others: the same. */
        struct verdict again = classify_reply(classifier, str_c(t->text), str_c(t->host), &rcpt);
        assert_string_equal(v.rule, again.rule);
        assert_int_equal(v.fingerprint, again.fingerprint);
        /* Evidence is a part of the text, or a code. */
        if (v.evidence.p >= t->text && v.evidence.p < t->text + strlen(t->text))
            assert_true(v.evidence.p + v.evidence.n <= t->text + strlen(t->text));
        else
            assert_true(v.evidence.n <= 16);
    }
    assert_int_equal(wrong, 0);
}

static const struct {
    const char *text, *address, *status;
    unsigned reply;
} read[] = {
    {"550 5.1.1 <a@b.example>: user unknown", "a@b.example", "5.1.1", 550},
    {"550-5.1.1 one\n550 5.1.1 two", NULL, "5.1.1", 550},
    {"550 #5.1.0 Address rejected a@b.example", "a@b.example", "5.1.0", 550},
    {"553 sorry (#5.7.1)", NULL, "5.7.1", 553},
    {"550 5.1.351 outer -> 550 5.1.1 inner", NULL, "5.1.351", 550},
    {"MAIL+RCPT 452 4.2.2 full", NULL, "4.2.2", 452},
    {"host a.example[192.0.2.5] said: 421 busy", NULL, NULL, 421},
    {"connect to 5.1.1.7 failed", NULL, NULL, 0},
    {"message of 450 KB, 5.1.1 users", NULL, "5.1.1", 450},
    {"550 5.1.8 <me@us.example>: Sender address rejected", NULL, "5.1.8", 550},
    {"550 mail from me@us.example refused by you@them.example.", "you@them.example", NULL, 550},
    {"user \xc3\xbc@b\xc3\xbc.example unknown", "\xc3\xbc@b\xc3\xbc.example", NULL, 0},
    {"@ @@ a@ @b", NULL, NULL, 0},
    {"5.1.1", NULL, "5.1.1", 0},
};

static void test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++) {
        struct report_recipient rcpt;
        classify_reply(classifier, str_c(read[i].text), (struct str){NULL, 0}, &rcpt);
        bool good = str_eq(rcpt.final_recipient, str_c(read[i].address)) &&
                    str_eq(rcpt.status, str_c(read[i].status)) && rcpt.reply_code == read[i].reply;
        if (!good)
            fail_msg("%s: address \"%.*s\" status \"%.*s\" reply %u", read[i].text,
                     STR_ARG(rcpt.final_recipient), STR_ARG(rcpt.status), rcpt.reply_code);
    }
}

/* No number alone is hard: neither reply codes nor codes in their company. */
static void test_never_hard_by_reply(void **state)
{
    (void)state;
    for (unsigned code = 400; code < 600; code++) {
        char text[16];
        struct report_recipient rcpt;
        snprintf(text, sizeof(text), "%u", code);
        struct verdict v = classify_reply(classifier, str_c(text), (struct str){NULL, 0}, &rcpt);
        assert_int_not_equal(v.class, CLASS_HARD);
        assert_int_not_equal(v.confidence, CONFIDENCE_HIGH);
    }
}

/* Long texts, and texts that are cut inside a character, are read as far as they go. */
static void test_long(void **state)
{
    (void)state;
    static char text[40000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof(text));
        memcpy(text, "550 mailbox full ", 17);
        for (size_t i = 17 + shift; i + 3 <= sizeof(text); i += 3)
            memcpy(text + i, "\xe9\x82\xae", 3);
        struct report_recipient rcpt;
        struct verdict v =
            classify_reply(classifier, str_of(text, sizeof(text)), (struct str){NULL, 0}, &rcpt);
        assert_int_equal(v.category, CATEGORY_MAILBOX_FULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traps),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_never_hard_by_reply),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
