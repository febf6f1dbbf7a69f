/* Whose address, how sure, and whether it may count: every line of the order. */
#include "tests/support/attribute_keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct keys keys;

struct group {
    const char *original, *final;
    enum report_action action;
    bool guessed;
};

struct want {
    const char *address; /* NULL: absent */
    enum attribution_source source;
    enum attribution_verification verification;
    bool forwarded, medium, counts_not;
    const char *token_id;
    const char *tenant, *stream; /* NULL: t1, s1 */
};

/* What a test case is made of; texts as in attribute_keys.h. */
struct situation {
    const char *name;
    enum report_kind kind; /* REPORT_BOUNCE = 0 */
    const char *to;        /* RCPT TO */
    bool real_sender;
    struct group groups[3];
    size_t n, i;
    bool cut;
    const char *return_path, *mail_from, *envelope_id, *message_id, *list_unsubscribe;
    const char *cfbl_address, *cfbl_feedback_id, *feedback_id, *header, *subject;
    struct want want;
};

#define VALID     ATTRIBUTION_TOKEN_VALID
#define PLAIN     "bounces@" DOMAIN
#define FBL       "fbl@" DOMAIN
#define KIM       "kim@x.example"
#define LEE       "lee@y.example"
#define VERP      "news+kim=x.example@" DOMAIN
#define ID        "abcdefghijklm"
#define ID2       "abcdefghijkl2"
#define FINAL(a)  .groups = {{.final = (a)}}, .n = 1
#define FINAL_KIM FINAL(KIM)

static const struct situation order[] = {
    /* 1. a valid token in RCPT TO */
    {"a token alone", .to = "{b:" KIM "}", .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"a token, the report agrees", .to = "{b:Kim@X.example}", FINAL_KIM,
     .want = {"Kim@X.example", ATTRIBUTION_TOKEN, VALID}},
    {"a token before a token inside", .to = "{b:" KIM "}", .return_path = "{b:" LEE "}",
     .want = {KIM, ATTRIBUTION_TOKEN, VALID, true, true}},
    {"a token before what the report names", .to = "{b:" KIM "}", FINAL(LEE),
     .want = {KIM, ATTRIBUTION_TOKEN, VALID, true, true}},
    {"an opaque token waits for its row", .to = "{b#" ID "}", FINAL_KIM,
     .want = {NULL, ATTRIBUTION_TOKEN, ATTRIBUTION_WAITING, .token_id = ID}},
    {"a wrapped token", .to = "prvs=1234abcdef={b:" KIM "}",
     .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"a token of another tenant's domain", .to = "{b@:" KIM "}",
     .want = {KIM, ATTRIBUTION_TOKEN, VALID, .tenant = "t2", .stream = "s2"}},

    /* 2. a valid token inside */
    {"Return-Path", .to = PLAIN, FINAL_KIM, .return_path = "{b:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"Original-Mail-From", .kind = REPORT_COMPLAINT, .to = FBL, .mail_from = "{b:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"Original-Envelope-Id", .to = PLAIN, .envelope_id = "{b:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"Message-ID", .to = PLAIN, .message_id = "{b:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"Message-ID of another host", .to = PLAIN, .message_id = "{b~:" KIM "}@mail.example",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"List-Unsubscribe", .kind = REPORT_COMPLAINT, .to = FBL,
     .list_unsubscribe = "<https://x.example/u?1>, <mailto:{u:" KIM "}?subject=unsubscribe>",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"List-Unsubscribe, percent-encoded", .kind = REPORT_COMPLAINT, .to = FBL,
     .list_unsubscribe = "<MAILTO:{u/:" KIM "}>", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"List-Unsubscribe with the token as the subject", .kind = REPORT_COMPLAINT, .to = FBL,
     .list_unsubscribe =
         "<mailto:unsubscribe@" DOMAIN "?body=x&Subject=unsubscribe%20{u/:" KIM "}>",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"no URI of List-Unsubscribe but mailto:", .kind = REPORT_COMPLAINT, .to = FBL,
     .list_unsubscribe = "<https:/{u:" KIM "}>", .want = {NULL}},
    {"CFBL-Address", .kind = REPORT_COMPLAINT, .to = FBL, .cfbl_address = "{c:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"CFBL-Feedback-ID", .kind = REPORT_COMPLAINT, .to = FBL, .cfbl_feedback_id = "{c~:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"Feedback-ID", .kind = REPORT_COMPLAINT, .to = FBL, .feedback_id = "c1:{c~:" KIM "}:t:sender",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"a header of the sender's own", .kind = REPORT_COMPLAINT, .to = FBL,
     .header = "id=\"{b:" KIM "}\";", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"a header of the sender's own, as words", .kind = REPORT_COMPLAINT, .to = FBL,
     .header = "for <{b:" KIM "}>", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"wrapped by a forwarder", .to = PLAIN,
     .return_path = "SRS0=Cpi3=WK=" DOMAIN "={b~:" KIM "}@forward.example",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"a token inside before VERP", .to = "news+lee=y.example@" DOMAIN, .return_path = "{b:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"a token inside before what the report names", .to = PLAIN, FINAL(LEE),
     .return_path = "{b:" KIM "}", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID, true, true}},
    {"an opaque token inside", .to = PLAIN, FINAL_KIM, .return_path = "{b#" ID "}",
     .want = {NULL, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_WAITING, .token_id = ID}},
    {"the return path before the header", .to = PLAIN, .return_path = "{b:" KIM "}",
     .message_id = "{b:" LEE "}", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID, true, true}},
    {"two tokens that name one", .to = PLAIN, .return_path = "{b:" KIM "}",
     .list_unsubscribe = "<mailto:{u:KIM@x.example}>",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"a valid one behind a forged one", .to = PLAIN, .return_path = "{b!:" LEE "}",
     .message_id = "{b:" KIM "}", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"a bounce by an unsubscribe token inside is not the return path's", .to = PLAIN, FINAL_KIM,
     .list_unsubscribe = "<mailto:{u:" KIM "}>",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID, .medium = true}},
    {"a bounce by a complaint token inside", .to = PLAIN, FINAL_KIM, .cfbl_address = "{c:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID, .medium = true}},
    {"a bounce by an opaque complaint token inside", .to = PLAIN, FINAL_KIM,
     .cfbl_address = "{c#" ID "}",
     .want = {NULL, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_WAITING, .medium = true,
              .token_id = ID}},
    {"a delay by an unsubscribe token inside", .kind = REPORT_DELAYED, .to = PLAIN, FINAL_KIM,
     .list_unsubscribe = "<mailto:{u:" KIM "}>",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID, .medium = true}},
    {"a bounce token inside, and an unsubscribe token too", .to = PLAIN, FINAL_KIM,
     .return_path = "{b:" KIM "}", .list_unsubscribe = "<mailto:{u:" KIM "}>",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"a complaint by an unsubscribe token inside is as sure as any", .kind = REPORT_COMPLAINT,
     .to = FBL, FINAL_KIM, .list_unsubscribe = "<mailto:{u:" KIM "}>",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"a token inside is of its own domain", .kind = REPORT_COMPLAINT, .to = FBL,
     .return_path = "{b@:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID, .tenant = "t2", .stream = "s2"}},

    /* 3. unsigned in RCPT TO */
    {"VERP", .to = VERP, .want = {KIM, ATTRIBUTION_VERP}},
    {"VERP before what the report names", .to = VERP, .groups = {{.original = LEE, .final = LEE}},
     .n = 1, .want = {KIM, ATTRIBUTION_VERP, .forwarded = true, .medium = true}},
    {"a pattern", .to = "c7_8_kim_x.example@" DOMAIN, .want = {KIM, ATTRIBUTION_PATTERN}},
    {"VERP, and an opaque forged token inside", .to = VERP, .return_path = "{b!#" ID "}",
     .want = {KIM, ATTRIBUTION_VERP}},
    {"the return path inside a complaint", .kind = REPORT_COMPLAINT, .to = FBL, .mail_from = VERP,
     .groups = {{.original = "redacted@x.example"}}, .n = 1, .want = {KIM, ATTRIBUTION_VERP}},
    {"a pattern inside a complaint, of another domain", .kind = REPORT_COMPLAINT, .to = FBL,
     .return_path = "c7_8_kim_x.example@second.example",
     .want = {KIM, ATTRIBUTION_PATTERN, .tenant = "t2", .stream = "s2"}},
    {"RCPT TO before the return path inside", .kind = REPORT_COMPLAINT,
     .to = "news+lee=y.example@" DOMAIN, .return_path = VERP, .want = {LEE, ATTRIBUTION_VERP}},
    {"the return path inside a bounce is no word of ours", .to = PLAIN, .return_path = VERP,
     FINAL(LEE), .want = {LEE, ATTRIBUTION_FINAL}},

    /* 4., 5. the report's words */
    {"Original-Recipient before Final-Recipient", .to = PLAIN,
     .groups = {{.original = KIM, .final = LEE}}, .n = 1,
     .want = {KIM, ATTRIBUTION_ORIGINAL, .forwarded = true, .medium = true}},
    {"both name one", .to = PLAIN, .groups = {{.original = KIM, .final = "KIM@X.example"}}, .n = 1,
     .want = {KIM, ATTRIBUTION_ORIGINAL}},
    {"Final-Recipient alone", .to = PLAIN, FINAL_KIM, .want = {KIM, ATTRIBUTION_FINAL}},
    {"Original-Recipient is no address", .to = PLAIN,
     .groups = {{.original = "unknown", .final = KIM}}, .n = 1, .want = {KIM, ATTRIBUTION_FINAL}},
    {"nothing is an address", .to = PLAIN, FINAL("/dev/null"),
     .want = {"/dev/null", ATTRIBUTION_FINAL}},
    {"the second of two groups", .to = PLAIN, .groups = {{.final = LEE}, {.final = KIM}}, .n = 2,
     .i = 1, .want = {KIM, ATTRIBUTION_FINAL, .forwarded = true, .medium = true}},
    {"a guess from the returned message", .to = PLAIN,
     .groups = {{.original = KIM, .guessed = true}}, .n = 1, .want = {NULL}},
    {"a complaint's Original-Rcpt-To", .kind = REPORT_COMPLAINT, .to = FBL,
     .groups = {{.original = KIM}}, .n = 1, .want = {KIM, ATTRIBUTION_ORIGINAL}},
    {"nothing", .to = PLAIN, .want = {NULL}},
    {"nothing in a group", .to = PLAIN, .n = 1, .want = {NULL}},

    /* a token that is not valid, inside: where nothing else names anybody */
    {"forged inside, alone", .to = PLAIN, .return_path = "{b!:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_FORGED}},
    {"forged inside a complaint, alone", .kind = REPORT_COMPLAINT, .to = FBL,
     .return_path = "{b!:" KIM "}", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_FORGED}},
    {"expired inside, alone", .kind = REPORT_COMPLAINT, .to = FBL, .message_id = "{b-:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_EXPIRED}},
    {"early inside, alone", .to = PLAIN, .return_path = "{b+:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_EARLY}},
    {"of an unknown key inside, alone", .to = PLAIN, .return_path = "{b?:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_UNKNOWN_KEY}},
    {"forged inside, and the report names somebody", .to = PLAIN, .return_path = "{b!:" KIM "}",
     FINAL(LEE), .want = {LEE, ATTRIBUTION_FINAL}},
};

/* What is no valid token in RCPT TO rules as well: nothing verifies. */
static const struct situation rejected[] = {
    {"forged", .to = "{b!:" KIM "}", FINAL_KIM,
     .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_FORGED}},
    {"expired", .to = "{b-:" KIM "}", .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_EXPIRED}},
    {"early", .to = "{b+:" KIM "}", .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_EARLY}},
    {"of an unknown key", .to = "{b?:" KIM "}",
     .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_UNKNOWN_KEY}},
    {"forged, with a valid one inside for another", .to = "{b!:" KIM "}",
     .return_path = "{b:" LEE "}",
     .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_FORGED, true, true}},
    {"forged, with a valid one inside for the same", .to = "{b!:" KIM "}",
     .return_path = "{b:" KIM "}", .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_FORGED}},
    {"of another purpose, with a valid one inside", .to = "{u:" KIM "}",
     .return_path = "{b:" KIM "}", .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_WRONG_PURPOSE}},
    {"forged and opaque: the report's word, unverified", .to = "{b!#" ID "}", FINAL_KIM,
     .return_path = "{b:" LEE "}",
     .want = {KIM, ATTRIBUTION_FINAL, ATTRIBUTION_FORGED, true, true}},
    {"forged and opaque, and nothing else", .to = "{b!#" ID "}",
     .want = {NULL, ATTRIBUTION_NONE, ATTRIBUTION_FORGED}},
    {"opaque of another purpose", .to = "{c#" ID "}", FINAL_KIM,
     .want = {KIM, ATTRIBUTION_FINAL, ATTRIBUTION_WRONG_PURPOSE}},
    {"a complaint with a forged token and a named recipient", .kind = REPORT_COMPLAINT,
     .to = "{c!:" KIM "}", .groups = {{.original = LEE}}, .n = 1,
     .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_FORGED, true, true}},
    {"an unsubscribe with a forged token and a good Subject", .kind = REPORT_UNSUBSCRIBE,
     .to = "{u!:" KIM "}", .subject = "unsubscribe {u:" LEE "}", .real_sender = true,
     .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_FORGED}},
};

static const struct situation forwarding[] = {
    {"Final-Recipient differs", .to = "{b:" KIM "}", FINAL(LEE),
     .want = {KIM, ATTRIBUTION_TOKEN, VALID, true, true}},
    {"Original-Recipient agrees, Final-Recipient differs", .to = "{b:" KIM "}",
     .groups = {{.original = KIM, .final = LEE}}, .n = 1,
     .want = {KIM, ATTRIBUTION_TOKEN, VALID, true, true}},
    {"two groups, both of the one", .to = "{b:" KIM "}", .groups = {{.final = KIM}, {.final = KIM}},
     .n = 2, .want = {KIM, ATTRIBUTION_TOKEN, VALID, true, true}},
    {"groups were cut, so what they said is not known", .to = "{b:" KIM "}", FINAL_KIM, .cut = true,
     .want = {KIM, ATTRIBUTION_TOKEN, VALID, true, true, .counts_not = true}},
    {"another spelling", .to = "{b:" KIM "}", FINAL("KIM@X.Example"),
     .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"IDN in two forms", .to = "{b:kim@xn--bcher-kva.example}",
     FINAL("kim@b\xc3\xbc\x63her.example"),
     .want = {"kim@xn--bcher-kva.example", ATTRIBUTION_TOKEN, VALID}},
    {"no address is not another one", .to = "{b:" KIM "}", FINAL("kim"),
     .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"what can't be read is another one", .to = "{b:" KIM "}", FINAL("a b@c d"),
     .want = {KIM, ATTRIBUTION_TOKEN, VALID, true, true}},
    {"redacted", .to = "{b:" KIM "}", FINAL("redacted@x.example"),
     .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"REDACTED", .to = "{b:" KIM "}", FINAL("[REDACTED]"), .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"redacted by letters", .to = "{b:" KIM "}", FINAL("xxxxxx@x.example"),
     .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"redacted by a domain", .to = "{b:" KIM "}", FINAL("7f3a@redacted.invalid"),
     .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"a redacted address is nobody's", .to = PLAIN, FINAL("redacted@x.example"), .want = {NULL}},
    {"ours are never redacted", .to = "{b:redacted@x.example}", FINAL_KIM,
     .want = {"redacted@x.example", ATTRIBUTION_TOKEN, VALID, true, true}},
    {"an opaque token: two names of the report differ", .to = "{b#" ID "}",
     .groups = {{.original = KIM, .final = LEE}}, .n = 1,
     .want = {NULL, ATTRIBUTION_TOKEN, ATTRIBUTION_WAITING, true, true, .token_id = ID}},
    {"two opaque tokens may be one person's", .to = PLAIN, .return_path = "{b#" ID "}",
     .list_unsubscribe = "<mailto:{u#" ID2 "}>",
     .want = {NULL, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_WAITING, .token_id = ID}},
};

static const struct situation counting[] = {
    {"a delivered group beside a failed one", .to = "{b:" KIM "}",
     .groups = {{.final = KIM, .action = REPORT_ACTION_FAILED},
                {.final = LEE, .action = REPORT_ACTION_DELIVERED}},
     .n = 2, .want = {KIM, ATTRIBUTION_TOKEN, VALID, true, true, .counts_not = true}},
    {"a relayed group", .to = "{b:" KIM "}",
     .groups = {{.final = KIM, .action = REPORT_ACTION_RELAYED}}, .n = 1,
     .want = {KIM, ATTRIBUTION_TOKEN, VALID, .counts_not = true}},
    {"an expanded group", .to = PLAIN,
     .groups = {{.final = KIM, .action = REPORT_ACTION_EXPANDED},
                {.final = LEE, .action = REPORT_ACTION_FAILED}},
     .n = 2, .i = 1,
     .want = {LEE, ATTRIBUTION_FINAL, .forwarded = true, .medium = true, .counts_not = true}},
    {"a delayed group", .to = "{b:" KIM "}",
     .groups = {{.final = KIM, .action = REPORT_ACTION_DELAYED}}, .n = 1,
     .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"a real sender's bounce with a token", .to = "{b:" KIM "}", FINAL_KIM, .real_sender = true,
     .want = {KIM, ATTRIBUTION_TOKEN, VALID, .medium = true}},
    {"a real sender's bounce with an opaque token", .to = "{b#" ID "}", .real_sender = true,
     .want = {NULL, ATTRIBUTION_TOKEN, ATTRIBUTION_WAITING, .medium = true, .token_id = ID}},
    {"a real sender's bounce with a token inside", .to = PLAIN, FINAL_KIM,
     .return_path = "{b:" KIM "}", .real_sender = true,
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID, .medium = true}},
    {"a real sender's bounce without a token", .to = VERP, FINAL_KIM, .real_sender = true,
     .want = {KIM, ATTRIBUTION_VERP, .medium = true, .counts_not = true}},
    {"a real sender's bounce with a forged token", .to = "{b!:" KIM "}", .real_sender = true,
     .want = {KIM, ATTRIBUTION_TOKEN, ATTRIBUTION_FORGED, .medium = true, .counts_not = true}},
    {"a real sender's delay", .kind = REPORT_DELAYED, .to = PLAIN, FINAL_KIM, .real_sender = true,
     .want = {KIM, ATTRIBUTION_FINAL, .medium = true, .counts_not = true}},
    {"complaints have real senders", .kind = REPORT_COMPLAINT, .to = FBL,
     .return_path = "{b:" KIM "}", .real_sender = true,
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"and so have those without a token", .kind = REPORT_COMPLAINT, .to = FBL,
     .groups = {{.original = KIM}}, .n = 1, .real_sender = true,
     .want = {KIM, ATTRIBUTION_ORIGINAL}},
    {"unsubscribes have real senders", .kind = REPORT_UNSUBSCRIBE, .to = "{u:" KIM "}",
     .real_sender = true, .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
};

static const struct situation unsubscribing[] = {
    {"by the address", .kind = REPORT_UNSUBSCRIBE, .to = "{u:" KIM "}", .subject = "unsubscribe",
     .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"by an opaque address", .kind = REPORT_UNSUBSCRIBE, .to = "{u#" ID "}",
     .want = {NULL, ATTRIBUTION_TOKEN, ATTRIBUTION_WAITING, .token_id = ID}},
    {"by the Subject", .kind = REPORT_UNSUBSCRIBE, .to = "unsubscribe@" DOMAIN,
     .subject = "unsubscribe {u:" KIM "}", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"by the Subject's local part", .kind = REPORT_UNSUBSCRIBE, .to = "unsubscribe@" DOMAIN,
     .subject = "Re: unsubscribe:{u~:" KIM "}", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"the address before the Subject", .kind = REPORT_UNSUBSCRIBE, .to = "{u:" KIM "}",
     .subject = "unsubscribe {u:" LEE "}", .want = {KIM, ATTRIBUTION_TOKEN, VALID}},
    {"a Subject before VERP", .kind = REPORT_UNSUBSCRIBE, .to = "news+lee=y.example@" DOMAIN,
     .subject = "{u~:" KIM "}", .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, VALID}},
    {"a Subject with another purpose", .kind = REPORT_UNSUBSCRIBE, .to = "unsubscribe@" DOMAIN,
     .subject = "unsubscribe {b:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_WRONG_PURPOSE}},
    {"a forged Subject", .kind = REPORT_UNSUBSCRIBE, .to = "unsubscribe@" DOMAIN,
     .subject = "unsubscribe {u!:" KIM "}",
     .want = {KIM, ATTRIBUTION_RETURNED_TOKEN, ATTRIBUTION_FORGED}},
    {"a quoted message's token says only that it was sent", .kind = REPORT_UNSUBSCRIBE,
     .to = "unsubscribe@" DOMAIN, .return_path = "{u:" KIM "}", .want = {NULL}},
    {"a Subject is no bounce's token", .to = PLAIN, .subject = "{b:" KIM "}", .want = {NULL}},
    {"VERP", .kind = REPORT_UNSUBSCRIBE, .to = VERP, .want = {KIM, ATTRIBUTION_VERP}},
};

static void check_str(struct str got, const char *want, const char *name)
{
    if (!want ? got.n > 0 : !str_eq(got, str_c(want)))
        fail_msg("%s: got \"%.*s\", want \"%s\"", name, STR_ARG(got), want ? want : "(absent)");
}

/* Tokens are made in texts; what is tested gets a. */
static int attribute_situation(const struct situation *s, struct arena *texts, struct arena *a,
                               struct attribution *ret)
{
    struct report_recipient groups[3] = {0};
    for (size_t i = 0; i < s->n; i++)
        groups[i] = (struct report_recipient){.original_recipient = str_c(s->groups[i].original),
                                              .final_recipient = str_c(s->groups[i].final),
                                              .action = s->groups[i].action,
                                              .guessed = s->groups[i].guessed};
    struct report_field kept = {STR("X-Token"), keys_expand(&keys, texts, s->header)};
    struct report report = {
        .kind = s->kind,
        .recipients = groups,
        .recipients_n = s->n,
        .recipients_cut = s->cut,
        .envelope_id = keys_expand(&keys, texts, s->envelope_id),
        .subject = keys_expand(&keys, texts, s->subject),
        .original = {.to = STR("to@header.example"), /* never looked at: forwarders rewrite it */
                     .return_path = keys_expand(&keys, texts, s->return_path),
                     .mail_from = keys_expand(&keys, texts, s->mail_from),
                     .message_id = keys_expand(&keys, texts, s->message_id),
                     .list_unsubscribe = keys_expand(&keys, texts, s->list_unsubscribe),
                     .cfbl_address = keys_expand(&keys, texts, s->cfbl_address),
                     .cfbl_feedback_id = keys_expand(&keys, texts, s->cfbl_feedback_id),
                     .feedback_id = keys_expand(&keys, texts, s->feedback_id),
                     .kept = &kept,
                     .kept_n = s->header ? 1 : 0},
    };
    struct returnpath envelope;
    REQUIRE(returnpath_read(keys.reader, texts, keys_expand(&keys, texts, s->to), TODAY,
                            &envelope) == 0);
    struct attribute_message m;
    int rc = attribute_message_open(keys.reader, a, &envelope, &report, s->real_sender, TODAY, &m);
    return rc < 0 ? rc : attribute_recipient(&m, a, s->kind, s->i, ret);
}

static void check_situation(const struct situation *s)
{
    struct arena texts = arena_make(1 << 20), a = arena_make(1 << 20);
    const struct want *want = &s->want;
    struct attribution got;
    assert_int_equal(attribute_situation(s, &texts, &a, &got), 0);
    check_str(got.address, want->address, s->name);
    check_str(got.token_id, want->token_id, s->name);
    check_str(got.tenant, want->tenant ? want->tenant : "t1", s->name);
    check_str(got.stream, want->stream ? want->stream : "s1", s->name);
    bool proven = want->verification == VALID || want->verification == ATTRIBUTION_WAITING;
    bool address = want->address && strchr(want->address, '@');
    if (got.source != want->source || got.verification != want->verification ||
        got.verified != (want->verification == VALID) || got.forwarded != want->forwarded ||
        got.medium != want->medium || got.counts == want->counts_not ||
        (got.token.n > 0) != proven || (got.day > 0) != proven || (got.key.n > 0) != address)
        fail_msg("%s: source %s verification %s forwarded %d medium %d counts %d token %zu key %zu",
                 s->name, attribution_source_name(got.source),
                 attribution_verification_name(got.verification), got.forwarded, got.medium,
                 got.counts, got.token.n, got.key.n);
    arena_free(&a);
    arena_free(&texts);
}

#define COUNT(t) (sizeof(t) / sizeof((t)[0]))
#define TABLE_TEST(table)                         \
    static void test_##table(void **state)        \
    {                                             \
        (void)state;                              \
        for (size_t i = 0; i < COUNT(table); i++) \
            check_situation(&(table)[i]);         \
    }
TABLE_TEST(order)
TABLE_TEST(rejected)
TABLE_TEST(forwarding)
TABLE_TEST(counting)
TABLE_TEST(unsubscribing)

static const char *const kind_names[] = {
#define X(id, name, meaning) [id] = (name),
    REPORT_KINDS(X)
#undef X
};

/* Every kind of mail to every kind of address. */
static void test_purposes(void **state)
{
    (void)state;
    static const char fits[REPORT_KIND_COUNT] = {
        [REPORT_BOUNCE] = 'b',     [REPORT_COMPLAINT] = 'c', [REPORT_UNSUBSCRIBE] = 'u',
        [REPORT_AUTO_REPLY] = 'b', [REPORT_RECEIPT] = 'b',   [REPORT_DELAYED] = 'b',
        [REPORT_DELIVERED] = 'b',  [REPORT_NOT_SPAM] = 'c',  [REPORT_AUTH_REPORT] = 'b',
        [REPORT_AGGREGATE] = 'b',  [REPORT_OTHER] = 'b',
    };
    static const char *const to[] = {"{b:" KIM "}", "{c:" KIM "}", "{u:" KIM "}"};
    for (int kind = 0; kind < REPORT_KIND_COUNT; kind++)
        for (size_t p = 0; p < COUNT(to); p++) {
            bool ok = to[p][1] == fits[kind];
            check_situation(&(struct situation){
                kind_names[kind], .kind = (enum report_kind)kind, .to = to[p],
                .want = {KIM, ATTRIBUTION_TOKEN, ok ? VALID : ATTRIBUTION_WRONG_PURPOSE}});
            /* Inside, any purpose proves that the message was sent; not that one wants out. */
            bool out = kind == REPORT_UNSUBSCRIBE;
            bool weak = fits[kind] == 'b' && !ok;
            check_situation(&(struct situation){
                kind_names[kind], .kind = (enum report_kind)kind, .to = PLAIN, .return_path = to[p],
                .want = {out ? NULL : KIM, out ? ATTRIBUTION_NONE : ATTRIBUTION_RETURNED_TOKEN,
                         out ? ATTRIBUTION_UNSIGNED : VALID, .medium = weak}});
        }
}

/* Whatever is written to an address made for unsubscribing unsubscribes; nothing else changes. */
static void test_kind(void **state)
{
    (void)state;
    static const struct {
        const char *to, *subject;
        enum report_kind kind, want;
    } t[] = {
        {"{u:" KIM "}", "", REPORT_OTHER, REPORT_UNSUBSCRIBE},
        {"{u#" ID "}", "hello", REPORT_OTHER, REPORT_UNSUBSCRIBE},
        {"{u!:" KIM "}", "", REPORT_OTHER, REPORT_OTHER},
        {"{u-:" KIM "}", "", REPORT_OTHER, REPORT_OTHER},
        {"{b:" KIM "}", "", REPORT_OTHER, REPORT_OTHER},
        {"{c:" KIM "}", "", REPORT_OTHER, REPORT_OTHER},
        {"{u:" KIM "}", "", REPORT_AUTO_REPLY, REPORT_AUTO_REPLY},
        {"{u:" KIM "}", "", REPORT_BOUNCE, REPORT_BOUNCE},
        {PLAIN, "{u~:" KIM "}", REPORT_OTHER, REPORT_UNSUBSCRIBE},
        {PLAIN, "{b~:" KIM "}", REPORT_OTHER, REPORT_OTHER},
        {PLAIN, "hello", REPORT_OTHER, REPORT_OTHER},
    };
    for (size_t i = 0; i < COUNT(t); i++) {
        struct arena a = arena_make(1 << 20);
        struct report report = {.kind = t[i].kind, .subject = keys_expand(&keys, &a, t[i].subject)};
        struct returnpath envelope;
        struct attribute_message m;
        assert_int_equal(
            returnpath_read(keys.reader, &a, keys_expand(&keys, &a, t[i].to), TODAY, &envelope), 0);
        assert_int_equal(
            attribute_message_open(keys.reader, &a, &envelope, &report, true, TODAY, &m), 0);
        if (attribute_kind(&m, t[i].kind) != t[i].want)
            fail_msg("%s \"%s\": %s", t[i].to, t[i].subject,
                     kind_names[attribute_kind(&m, t[i].kind)]);
        arena_free(&a);
    }
}

/* The day of receipt decides, not today's: a token is good for its lifetime and a day before. */
static void test_days(void **state)
{
    (void)state;
    static const struct {
        char purpose;
        int age;
        enum attribution_verification want;
    } t[] = {
        {'b', -2, ATTRIBUTION_EARLY},
        {'b', -1, VALID},
        {'b', 0, VALID},
        {'b', 30, VALID},
        {'b', 31, ATTRIBUTION_EXPIRED},
        {'c', 31, VALID},
        {'u', 400, VALID},
        {'u', 401, ATTRIBUTION_EXPIRED},
    };
    for (size_t i = 0; i < COUNT(t); i++) {
        struct arena a = arena_make(1 << 20);
        char spec[] = "{b:" KIM "}";
        spec[1] = t[i].purpose;
        struct report report = {.kind = REPORT_COMPLAINT,
                                .original = {.message_id = keys_expand(&keys, &a, spec)}};
        struct returnpath envelope;
        struct attribute_message m;
        struct attribution got;
        uint32_t day = (uint32_t)(TODAY - 10 + t[i].age);
        assert_int_equal(returnpath_read(keys.reader, &a, STR(FBL), day, &envelope), 0);
        assert_int_equal(attribute_message_open(keys.reader, &a, &envelope, &report, true, day, &m),
                         0);
        assert_int_equal(attribute_recipient(&m, &a, REPORT_COMPLAINT, 0, &got), 0);
        if (got.verification != t[i].want)
            fail_msg("%c, %d days: %s", t[i].purpose, t[i].age,
                     attribution_verification_name(got.verification));
        arena_free(&a);
    }
}

/* What a signature on the report covers: the address must stand in it. */
static void test_in_report(void **state)
{
    (void)state;
    static const struct {
        const char *to, *original, *return_path;
        bool want;
    } t[] = {
        {FBL, KIM, NULL, true},   {FBL, NULL, VERP, true}, {VERP, NULL, NULL, false},
        {VERP, LEE, NULL, false}, {VERP, KIM, NULL, true}, {FBL, NULL, NULL, false},
    };
    for (size_t i = 0; i < COUNT(t); i++) {
        struct arena texts = arena_make(1 << 20), a = arena_make(1 << 20);
        struct situation s = {.kind = REPORT_COMPLAINT,
                              .to = t[i].to,
                              .groups = {{.original = t[i].original}},
                              .n = 1,
                              .return_path = t[i].return_path};
        struct attribution got;
        assert_int_equal(attribute_situation(&s, &texts, &a, &got), 0);
        if (got.in_report != t[i].want)
            fail_msg("%s: in_report %d", t[i].to, got.in_report);
        arena_free(&texts);
        arena_free(&a);
    }
}

/* However many words a header has, a bounded number is read. */
static void test_bounded(void **state)
{
    (void)state;
    struct arena texts = arena_make(16 << 20), a = arena_make(1 << 20);
    struct str forged = keys_expand(&keys, &texts, "{b!:" KIM "} ");
    struct str valid = keys_expand(&keys, &texts, "{b:" KIM "} ");
    char *many = arena_alloc(&texts, forged.n * 2000 + valid.n);
    assert_non_null(many);
    memcpy(many + forged.n * 2000, valid.p, valid.n);
    for (size_t i = 0; i < 2000; i++)
        memcpy(many + i * forged.n, forged.p, forged.n);
    struct report_field kept = {STR("X-Token"), str_of(many, forged.n * 2000 + valid.n)};
    struct report report = {.kind = REPORT_COMPLAINT, .original = {.kept = &kept, .kept_n = 1}};
    struct returnpath envelope;
    struct attribute_message m;
    assert_int_equal(returnpath_read(keys.reader, &texts, STR(FBL), TODAY, &envelope), 0);
    assert_int_equal(attribute_message_open(keys.reader, &a, &envelope, &report, true, TODAY, &m),
                     0);
    assert_int_equal(m.inside.returned.says.proof, RETURNPATH_FORGED);
    arena_free(&a);
    arena_free(&texts);
}

/* A journal of version 1 knows no tokens, and a reader without keys neither. */
static void test_without_keys(void **state)
{
    (void)state;
    struct arena texts = arena_make(1 << 20), a = arena_make(1 << 20);
    struct report report = {.kind = REPORT_COMPLAINT,
                            .original = {.message_id = keys_expand(&keys, &texts, "{b:" KIM "}")}};
    struct returnpath envelope = {.recipient = STR(LEE), .source = RETURNPATH_SOURCE_VERP};
    struct attribute_message m;
    struct attribution got;
    assert_int_equal(attribute_message_open(NULL, &a, &envelope, &report, true, TODAY, &m), 0);
    assert_int_equal(attribute_recipient(&m, &a, REPORT_COMPLAINT, 0, &got), 0);
    assert_int_equal(got.source, ATTRIBUTION_VERP);
    assert_int_equal(got.verification, ATTRIBUTION_UNSIGNED);
    assert_int_equal(got.tenant.n, 0);
    /* A number that this version does not know is nothing to believe. */
    envelope.proof = (enum returnpath_proof)200;
    assert_int_equal(attribute_message_open(NULL, &a, &envelope, &report, true, TODAY, &m), 0);
    assert_int_equal(attribute_recipient(&m, &a, REPORT_BOUNCE, 0, &got), 0);
    assert_int_equal(got.verification, ATTRIBUTION_FORGED);
    arena_free(&a);
    arena_free(&texts);
}

static void test_memory_ends(void **state)
{
    (void)state;
    const struct {
        const struct situation *list;
        size_t n;
    } tables[] = {{order, COUNT(order)}, {unsubscribing, COUNT(unsubscribing)}};
    for (size_t t = 0; t < COUNT(tables); t++)
        for (size_t k = 0; k < tables[t].n; k++)
            for (uint64_t n = 0;; n++) {
                struct arena texts = arena_make(1 << 20), a = arena_make(1 << 20);
                struct attribution got = {.source = ATTRIBUTION_SOURCE_COUNT};
                arena_fail_at(&a, n);
                int rc = attribute_situation(&tables[t].list[k], &texts, &a, &got);
                bool failed = arena_failed(&a);
                arena_free(&a);
                arena_free(&texts);
                if (rc != (failed ? -ENOMEM : 0))
                    fail_msg("%s: %d at allocation %u", tables[t].list[k].name, rc, (unsigned)n);
                if (!failed)
                    break;
                assert_int_equal(got.source, ATTRIBUTION_SOURCE_COUNT); /* untouched */
                assert_true(n < 200);
            }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(attribution_source_name(ATTRIBUTION_VERP), "verp");
    assert_string_equal(attribution_source_name(ATTRIBUTION_RETURNED_TOKEN), "returned_token");
    assert_string_equal(attribution_source_name(ATTRIBUTION_SOURCE_COUNT), "");
    assert_string_equal(attribution_verification_name(VALID), "token");
    assert_string_equal(attribution_verification_name(ATTRIBUTION_WRONG_PURPOSE), "wrong_purpose");
    assert_string_equal(attribution_verification_name(ATTRIBUTION_VERIFICATION_COUNT), "");
}

static int keys_setup(void **state)
{
    (void)state;
    keys = keys_make();
    return 0;
}

static int keys_teardown(void **state)
{
    (void)state;
    keys_free(&keys);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),         cmocka_unit_test(test_rejected),
        cmocka_unit_test(test_forwarding),    cmocka_unit_test(test_counting),
        cmocka_unit_test(test_unsubscribing), cmocka_unit_test(test_purposes),
        cmocka_unit_test(test_kind),          cmocka_unit_test(test_days),
        cmocka_unit_test(test_in_report),     cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_without_keys),  cmocka_unit_test(test_memory_ends),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, keys_setup, keys_teardown);
}
