#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/reading.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>

static struct classifier *classifier;

static const struct returnpath_domain domain_list[] = {
    {STR_INIT("strict.example"), RETURNPATH_ACCEPT_ANY, STR_INIT("now"), STR_INIT("now"), false,
     NULL, 0},
    {STR_INIT("trusting.example"), RETURNPATH_ACCEPT_ANY, STR_INIT("now"), STR_INIT("now"), true,
     NULL, 0},
};
static struct returnpath_set *set;
static struct returnpath_reader *reader;

#define REPORT(groups)                                                                \
    "From: MAILER-DAEMON@r.example\r\nSubject: failure\r\nMIME-Version: 1.0\r\n"      \
    "Content-Type: multipart/report; report-type=delivery-status; boundary=e\r\n\r\n" \
    "--e\r\nContent-Type: text/plain\r\n\r\nFailed.\r\n\r\n"                          \
    "--e\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; "        \
    "r.example\r\n\r\n" groups "--e--\r\n"
#define GROUP(address, action, status)                                              \
    "Final-Recipient: rfc822; " address "\r\nAction: " action "\r\nStatus: " status \
    "\r\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\r\n\r\n"

/* The sender of the transaction, and what a listed feedback source is asked. */
static struct str mail_from = STR_INIT("");
static int64_t received_at = 77;
static bool truncated;
static int signed_answer = -1; /* -1: there is no listed source */
static unsigned signed_asked;

static bool is_signed(void *ctx, struct arena *a, struct str message, struct str from, int64_t at)
{
    assert_ptr_equal(ctx, &signed_answer);
    assert_non_null(a);
    assert_true(message.n > 0 && at == received_at);
    assert_true(str_eq(from, STR("fbl@provider.example")));
    signed_asked++;
    return signed_answer == 1;
}

static int read_one(struct arena *a, struct str body, const struct spool_recipient *to, size_t n,
                    struct db_message *ret)
{
    struct err e = {0};
    struct spool_record record = {.at = {3, 100},
                                  .next = {3, 900},
                                  .envelope = {.id = id_make(0),
                                               .received_at = received_at,
                                               .mail_from = mail_from,
                                               .recipients = to,
                                               .recipients_n = n,
                                               .size = body.n},
                                  .body = body,
                                  .truncated = truncated};
    static const struct str headers[] = {STR_INIT("X-Token")};
    struct reading reading = {.classifier = classifier,
                              .returnpath = reader,
                              .token_headers = headers,
                              .token_headers_n = 1,
                              .is_signed = signed_answer < 0 ? NULL : is_signed,
                              .is_signed_ctx = &signed_answer};
    return reading_message(&reading, a, &record, ret, &e);
}

static const struct spool_recipient plain = {.address = STR_INIT("x@strict.example"),
                                             .domain = STR_INIT("strict.example"),
                                             .tenant = STR_INIT("t1"),
                                             .stream = STR_INIT("s1")};

static void test_events_of_a_report(void **state)
{
    (void)state;
    struct arena a = arena_make(READING_ARENA_MAX);
    struct db_message m;
    assert_int_equal(read_one(&a,
                              STR(REPORT(GROUP("a@x.example", "failed", "5.1.1")
                                             GROUP("b@x.example", "delivered", "2.0.0")
                                                 GROUP("c@x.example", "delayed", "4.0.0"))),
                              &plain, 1, &m),
                     0);
    assert_int_equal(m.at.offset, 100);
    assert_int_equal(m.next.offset, 900);
    assert_int_equal(m.received_at, 77);
    assert_int_equal(m.events_n, 3);
    assert_int_equal(m.events[0].kind, REPORT_BOUNCE);
    assert_int_equal(m.events[0].verdict->class, CLASS_HARD);
    assert_true(str_eq(m.events[0].attribution.key, STR("a@x.example")));
    assert_int_equal(m.events[1].kind, REPORT_DELIVERED);
    assert_null(m.events[1].verdict);
    assert_int_equal(m.events[2].kind, REPORT_DELAYED);
    for (size_t i = 0; i < 3; i++) {
        assert_true(str_eq(m.events[i].tenant, STR("t1")));
        assert_true(str_eq(m.events[i].stream, STR("s1")));
        assert_false(m.events[i].trusted);
    }
    arena_free(&a);
}

/* Trust is today's configuration; what the record says of tenant and stream stays. */
static void test_trust(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        bool verified, trusted;
    } t[] = {
        {"strict.example", false, false}, {"trusting.example", false, true},
        {"gone.example", false, false},   {"", false, false},
        {"strict.example", true, true},   {"gone.example", true, true},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        struct spool_recipient to = plain;
        to.domain = str_c(t[i].domain);
        to.source = RETURNPATH_SOURCE_VERP;
        to.recipient = STR("a@x.example");
        to.verified = t[i].verified;
        to.proof = t[i].verified ? RETURNPATH_VALID : RETURNPATH_UNSIGNED;
        assert_int_equal(
            read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), &to, 1, &m), 0);
        assert_int_equal(m.events_n, 1);
        assert_int_equal(m.events[0].trusted, t[i].trusted);
        assert_true(str_eq(m.events[0].tenant, STR("t1")));
        arena_free(&a);
    }
}

static void test_mail_for_a_person(void **state)
{
    (void)state;
    struct arena a = arena_make(READING_ARENA_MAX);
    struct db_message m;
    struct spool_recipient to = plain;
    to.kind = RETURNPATH_ROLE;
    to.domain = STR("trusting.example");
    assert_int_equal(read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), &to, 1, &m),
                     0);
    assert_int_equal(m.events_n, 1);
    assert_int_equal(m.events[0].kind, REPORT_OTHER);
    assert_null(m.events[0].recipient);
    assert_null(m.events[0].verdict);
    assert_false(m.events[0].trusted);
    assert_int_equal(read_one(&a, STR("Subject: hello\r\n\r\nCall me.\r\n"), &plain, 1, &m), 0);
    assert_int_equal(m.events_n, 1);
    assert_int_equal(m.events[0].kind, REPORT_OTHER);
    arena_free(&a);
}

/* One transaction to several of our addresses: what says the same counts once. */
static void test_several_envelope_recipients(void **state)
{
    (void)state;
    struct arena a = arena_make(READING_ARENA_MAX);
    struct db_message m;
    struct spool_recipient to[4] = {plain, plain, plain, plain};
    to[1].address = STR("y@strict.example");
    to[2].recipient = STR("v@x.example");
    to[2].source = RETURNPATH_SOURCE_VERP;
    to[3].stream = STR("s2");
    assert_int_equal(read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), to, 4, &m),
                     0);
    assert_int_equal(m.rcpt_to_n, 4);
    assert_int_equal(m.events_n, 3);
    assert_true(str_eq(m.events[0].attribution.key, STR("a@x.example")));
    assert_true(str_eq(m.events[1].attribution.key, STR("v@x.example")));
    assert_true(str_eq(m.events[2].stream, STR("s2")));
    arena_free(&a);
}

/* 1000 recipients of the envelope, 900 of the report: bounded. */
static void test_events_are_bounded(void **state)
{
    (void)state;
    static struct spool_recipient to[SPOOL_RECIPIENTS_MAX];
    static char names[SPOOL_RECIPIENTS_MAX][24];
    struct arena a = arena_make(READING_ARENA_MAX), text = arena_make(8 << 20);
    struct str groups = STR("");
    for (size_t i = 0; i < SPOOL_RECIPIENTS_MAX; i++) {
        to[i] = plain;
        snprintf(names[i], sizeof(names[i]), "s%zu", i);
        to[i].stream = str_c(names[i]);
    }
    char *list = arena_alloc(&text, 900 * 80);
    assert_non_null(list);
    size_t n = 0;
    for (int i = 0; i < 900; i++)
        n += (size_t)snprintf(list + n, 80,
                              "Final-Recipient: rfc822; u%d@x.example\r\n"
                              "Action: failed\r\nStatus: 5.1.1\r\n\r\n",
                              i);
    groups = str_of(list, n);
    struct str body = arena_fmt(&text, REPORT("%.*s"), STR_ARG(groups));
    struct db_message m;
    assert_int_equal(read_one(&a, body, to, SPOOL_RECIPIENTS_MAX, &m), 0);
    assert_int_equal(m.report->recipients_n, 900);
    assert_int_equal(m.events_n, READING_EVENTS_MAX);
    arena_free(&a);
    arena_free(&text);
}

enum { DAY = 20500 };

static struct str token_of(struct arena *a, enum returnpath_kind kind, struct str recipient)
{
    struct str token;
    struct err e;
    const struct returnpath_mint mint = {
        .kind = kind, .domain = STR("strict.example"), .recipient = recipient, .day = DAY};
    assert_int_equal(returnpath_mint(reader, a, &mint, &token, &e), 0);
    return token;
}

/* As the receiver records it on that day. */
static struct spool_recipient recorded(struct arena *a, struct str address)
{
    struct returnpath r;
    assert_int_equal(returnpath_read(reader, a, address, DAY, &r), 0);
    return (struct spool_recipient){.address = address,
                                    .domain = r.domain->name,
                                    .tenant = r.domain->tenant,
                                    .stream = r.domain->stream,
                                    .recipient = r.recipient,
                                    .token = r.token,
                                    .token_id = r.token_id,
                                    .kind = (uint8_t)r.kind,
                                    .source = (uint8_t)r.source,
                                    .proof = (uint8_t)r.proof,
                                    .verified = r.verified,
                                    .day = r.day};
}

/* A proof that is no proof is trusted nowhere; what nothing vouches for, in trusting domains. */
static void test_proofs_and_trust(void **state)
{
    (void)state;
    for (int proof = RETURNPATH_UNSIGNED; proof < RETURNPATH_PROOF_COUNT; proof++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        struct spool_recipient to = plain;
        to.domain = STR("trusting.example");
        to.source = RETURNPATH_SOURCE_TOKEN;
        to.recipient = STR("a@x.example");
        to.token = STR("t@trusting.example");
        to.proof = (uint8_t)proof;
        assert_int_equal(
            read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), &to, 1, &m), 0);
        const struct db_event *e = &m.events[0];
        assert_int_equal(e->attribution.verified, proof == RETURNPATH_VALID);
        assert_int_equal(e->trusted, proof == RETURNPATH_VALID || proof == RETURNPATH_UNSIGNED);
        assert_int_equal(e->attribution.token.n > 0, proof == RETURNPATH_VALID);
        arena_free(&a);
    }
}

/* A forwarded bounce, or one of a real sender, is of medium confidence; its words stay. */
static void test_confidence_is_capped(void **state)
{
    (void)state;
    static const struct {
        const char *from, *final;
        enum verdict_confidence want;
        bool counts;
    } t[] = {
        {"", "kim@x.example", CONFIDENCE_HIGH, true},
        {"", "lee@y.example", CONFIDENCE_MEDIUM, true},
        {"mta@y.example", "kim@x.example", CONFIDENCE_MEDIUM, true},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        struct spool_recipient to =
            recorded(&a, token_of(&a, RETURNPATH_BOUNCE, STR("kim@x.example")));
        struct str body = arena_fmt(&a, REPORT(GROUP("%s", "failed", "5.1.1")), t[i].final);
        mail_from = str_c(t[i].from);
        assert_int_equal(read_one(&a, body, &to, 1, &m), 0);
        mail_from = STR("");
        const struct db_event *e = &m.events[0];
        assert_true(str_eq(e->attribution.key, STR("kim@x.example")));
        assert_true(e->attribution.verified && e->trusted);
        assert_int_equal(e->verdict->class, CLASS_HARD);
        assert_int_equal(e->verdict->confidence, t[i].want);
        assert_true(e->verdict->rule && *e->verdict->rule);
        assert_int_equal(e->attribution.counts, t[i].counts);
        arena_free(&a);
    }
}

#define COMPLAINT(fields, header)                                                         \
    "From: FBL <fbl@provider.example>\r\nSubject: FW: News\r\nMIME-Version: 1.0\r\n"      \
    "Content-Type: multipart/report; report-type=feedback-report; boundary=e\r\n\r\n"     \
    "--e\r\nContent-Type: text/plain\r\n\r\nSpam.\r\n\r\n"                                \
    "--e\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n" fields \
    "\r\n--e\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: n@sender.example\r\n"      \
    "Subject: News\r\n" header "\r\n--e--\r\n"

/* A token in a header of the sender's own, good on the day of receipt whenever it is read. */
static void test_token_inside(void **state)
{
    (void)state;
    static const struct {
        int64_t day;
        enum attribution_verification want;
    } t[] = {
        {DAY, ATTRIBUTION_TOKEN_VALID},
        {DAY + 30, ATTRIBUTION_TOKEN_VALID},
        {DAY + 31, ATTRIBUTION_EXPIRED},
        {DAY - 2, ATTRIBUTION_EARLY},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        struct str token = token_of(&a, RETURNPATH_BOUNCE, STR("kim@x.example"));
        struct str body = arena_fmt(&a, COMPLAINT("", "X-Token: %.*s\r\n"), STR_ARG(token));
        struct spool_recipient to = recorded(&a, STR("fbl@strict.example"));
        mail_from = STR("fbl@provider.example");
        received_at = t[i].day * CLOCK_DAY + 5;
        assert_int_equal(read_one(&a, body, &to, 1, &m), 0);
        received_at = 77;
        mail_from = STR("");
        assert_int_equal(m.events_n, 1);
        const struct db_event *e = &m.events[0];
        assert_int_equal(e->kind, REPORT_COMPLAINT);
        assert_int_equal(e->attribution.source, ATTRIBUTION_RETURNED_TOKEN);
        assert_int_equal(e->attribution.verification, t[i].want);
        assert_int_equal(e->trusted, t[i].want == ATTRIBUTION_TOKEN_VALID);
        assert_true(str_eq(e->attribution.key, STR("kim@x.example")));
        assert_true(str_eq(e->tenant, STR("now")));
        arena_free(&a);
    }
}

/* A listed source's signature vouches for what stands in a complaint, and is asked once. */
static void test_signed_reports(void **state)
{
    (void)state;
    static const char rcpt_to[] = "Original-Rcpt-To: <kim@x.example>\r\n";
    static const char two[] = "Original-Rcpt-To: <kim@x.example>\r\n"
                              "Original-Rcpt-To: <lee@y.example>\r\n";
    static const struct {
        const char *name, *to, *fields;
        int answer;
        bool forged;
        unsigned asked;
        enum attribution_verification want;
    } t[] = {
        {"signed", "fbl@strict.example", rcpt_to, 1, false, 1, ATTRIBUTION_DKIM},
        {"not signed", "fbl@strict.example", rcpt_to, 0, false, 1, ATTRIBUTION_UNSIGNED},
        {"no listed source", "fbl@strict.example", rcpt_to, -1, false, 0, ATTRIBUTION_UNSIGNED},
        {"twice", "fbl@strict.example", two, 1, false, 1, ATTRIBUTION_DKIM},
        {"nobody named", "fbl@strict.example", "", 1, false, 0, ATTRIBUTION_UNSIGNED},
        {"redacted", "fbl@strict.example", "Original-Rcpt-To: <redacted@x.example>\r\n", 1, false,
         0, ATTRIBUTION_UNSIGNED},
        {"sent on to another's VERP", "n+lee=y.example@strict.example", rcpt_to, 1, false, 0,
         ATTRIBUTION_UNSIGNED},
        {"VERP that the report names too", "n+kim=x.example@strict.example", rcpt_to, 1, false, 1,
         ATTRIBUTION_DKIM},
        {"VERP inside", "fbl@strict.example",
         "Original-Mail-From: <n+kim=x.example@strict.example>\r\n", 1, false, 1, ATTRIBUTION_DKIM},
        {"a forged token rules", "fbl@strict.example", rcpt_to, 1, true, 0, ATTRIBUTION_FORGED},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        struct spool_recipient to = recorded(&a, str_c(t[i].to));
        if (t[i].forged) {
            to.source = RETURNPATH_SOURCE_TOKEN;
            to.proof = RETURNPATH_FORGED;
            to.recipient = STR("kim@x.example");
        }
        signed_asked = 0;
        signed_answer = t[i].answer;
        assert_int_equal(read_one(&a, arena_fmt(&a, COMPLAINT("%s", ""), t[i].fields), &to, 1, &m),
                         0);
        signed_answer = -1;
        const struct db_event *e = &m.events[0];
        if (signed_asked != t[i].asked || e->attribution.verification != t[i].want ||
            e->trusted != (t[i].want == ATTRIBUTION_DKIM) || e->attribution.verified != e->trusted)
            fail_msg("%s: asked %u, %u", t[i].name, signed_asked, e->attribution.verification);
        arena_free(&a);
    }
}

/* Bounces are not a feedback source's; a message that was cut can't be checked. */
static void test_signed_complaints_alone(void **state)
{
    (void)state;
    struct arena a = arena_make(READING_ARENA_MAX);
    struct db_message m;
    signed_asked = 0;
    signed_answer = 1;
    assert_int_equal(
        read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), &plain, 1, &m), 0);
    assert_int_equal(signed_asked, 0);
    assert_false(m.events[0].trusted);
    truncated = true;
    assert_int_equal(
        read_one(&a, STR(COMPLAINT("Original-Rcpt-To: <a@x.example>\r\n", "")), &plain, 1, &m), 0);
    truncated = false;
    signed_answer = -1;
    assert_int_equal(signed_asked, 0);
    assert_false(m.events[0].trusted);
    assert_int_equal(m.events[0].kind, REPORT_COMPLAINT);
    arena_free(&a);
}

/* A domain that trusts what is unsigned trusts it for its own tenant: a return path inside may be
 * another's. */
static void test_trust_is_of_one_tenant(void **state)
{
    (void)state;
    for (int same = 0; same < 2; same++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        struct spool_recipient to = recorded(&a, STR("fbl@trusting.example"));
        if (!same)
            to.tenant = STR("another");
        assert_int_equal(
            read_one(&a,
                     STR(COMPLAINT("Original-Mail-From: <n+kim=x.example@strict.example>\r\n", "")),
                     &to, 1, &m),
            0);
        assert_int_equal(m.events[0].attribution.source, ATTRIBUTION_VERP);
        assert_true(str_eq(m.events[0].tenant, STR("now")));
        assert_int_equal(m.events[0].trusted, same);
        arena_free(&a);
    }
}

/* An address made for unsubscribing, whatever is written to it; one's own VERP is not that. */
static void test_unsubscribes(void **state)
{
    (void)state;
    static const struct {
        bool token;
        const char *subject;
        enum report_kind kind;
        bool verified;
    } t[] = {
        {true, "", REPORT_UNSUBSCRIBE, true},
        {true, "What is this?", REPORT_UNSUBSCRIBE, true},
        {false, "What is this?", REPORT_OTHER, false},
        {false, "unsubscribe", REPORT_UNSUBSCRIBE, false},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        struct str address = t[i].token ? token_of(&a, RETURNPATH_UNSUBSCRIBE, STR("kim@x.example"))
                                        : STR("n+kim=x.example@strict.example");
        struct spool_recipient to = recorded(&a, address);
        mail_from = STR("kim@x.example");
        struct str body =
            arena_fmt(&a, "From: kim@x.example\r\nSubject: %s\r\n\r\nHi.\r\n", t[i].subject);
        assert_int_equal(read_one(&a, body, &to, 1, &m), 0);
        mail_from = STR("");
        assert_int_equal(m.events[0].kind, t[i].kind);
        assert_int_equal(m.events[0].trusted, t[i].verified);
        assert_false(m.events[0].attribution.medium && t[i].kind == REPORT_UNSUBSCRIBE);
        arena_free(&a);
    }
}

/* In one transaction: a forged token beside the genuine one that it imitates, and twice the same.
 */
static void test_forged_beside_genuine(void **state)
{
    (void)state;
    struct arena a = arena_make(READING_ARENA_MAX);
    struct db_message m;
    struct spool_recipient to[3];
    to[1] = to[2] = recorded(&a, token_of(&a, RETURNPATH_BOUNCE, STR("kim@x.example")));
    to[0] = to[1];
    to[0].proof = RETURNPATH_FORGED;
    to[0].verified = false;
    assert_int_equal(
        read_one(&a, STR(REPORT(GROUP("kim@x.example", "failed", "5.1.1"))), to, 3, &m), 0);
    assert_int_equal(m.events_n, 2);
    assert_int_equal(m.events[0].attribution.verification, ATTRIBUTION_FORGED);
    assert_int_equal(m.events[1].attribution.verification, ATTRIBUTION_TOKEN_VALID);
    arena_free(&a);
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    int rc = -ENOMEM;
    unsigned failed = 0;
    for (unsigned n = 0; rc == -ENOMEM && n < 10000; n++) {
        struct arena a = arena_make(READING_ARENA_MAX);
        struct db_message m;
        arena_fail_at(&a, n);
        mail_from = STR("mta@x.example"); /* so that the verdict is capped */
        rc = read_one(&a, STR(REPORT(GROUP("a@x.example", "failed", "5.1.1"))), &plain, 1, &m);
        mail_from = STR("");
        failed += rc == -ENOMEM;
        arena_free(&a);
    }
    assert_int_equal(rc, 0);
    assert_true(failed > 3);
}

int main(void)
{
    struct err e;
    report_init();
    static const struct returnpath_key keys[] = {
        {.id = 'a', .secret = STR_INIT("0123456789abcdef0123456789abcdef")}};
    const struct returnpath_set_config returnpath = {
        .domains = domain_list, .domains_n = 2, .keys = keys, .keys_n = 1};
    if (classifier_load(NULL, 0, &classifier, &e) < 0 ||
        returnpath_set_new(&returnpath, &set, &e) < 0 || returnpath_reader_new(set, &reader) < 0)
        fail_msg("%s", e.text);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_of_a_report),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_mail_for_a_person),
        cmocka_unit_test(test_several_envelope_recipients),
        cmocka_unit_test(test_events_are_bounded),
        cmocka_unit_test(test_proofs_and_trust),
        cmocka_unit_test(test_confidence_is_capped),
        cmocka_unit_test(test_token_inside),
        cmocka_unit_test(test_signed_reports),
        cmocka_unit_test(test_signed_complaints_alone),
        cmocka_unit_test(test_trust_is_of_one_tenant),
        cmocka_unit_test(test_unsubscribes),
        cmocka_unit_test(test_forged_beside_genuine),
        cmocka_unit_test(test_every_allocation_fails),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    returnpath_reader_free(reader);
    classifier_free(classifier);
    return rc;
}
