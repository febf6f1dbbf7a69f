/* An envelope and a report, one field a line; bytes 1 to 9 stand for tokens that are minted here,
 * so that valid ones come about. Whatever is written around them, only they verify, and only for
 * the people whom they were minted for. */
#include "tests/support/attribute_keys.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GROUPS_MAX = 8, TEXT_MAX = 64 << 10 };

static struct keys keys;
static struct str tokens[10];

static void tokens_make(void)
{
    static const char *const specs[] = {
        "{b:kim@x.example}",  "{c:kim@x.example}",  "{u:lee@y.example}",
        "{b!:kim@x.example}", "{b-:kim@x.example}", "{u+:kim@x.example}",
        "{b?:lee@y.example}", "{b#abcdefghijklm}",  "{u~@:kim@x.example}"};
    static struct arena a;
    a = arena_make(1 << 20);
    keys = keys_make();
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
        tokens[i + 1] = keys_expand(&keys, &a, specs[i]);
}

/* The next line with its tokens; absent when it is empty. */
static struct str field(struct str *rest, struct arena *a)
{
    struct str line = str_cut(rest, '\n');
    char *p = line.n ? arena_alloc(a, line.n * 80) : NULL;
    size_t n = 0;
    for (size_t i = 0; p && i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        struct str s = c > 0 && c < 10 ? tokens[c] : str_sub(line, i, i + 1);
        memcpy(p + n, s.p, s.n);
        n += s.n;
    }
    return str_of(p, p ? n : 0);
}

static void check(const struct attribute_message *m, const struct attribution *r)
{
    enum returnpath_proof proof = m->envelope->proof;
    REQUIRE(r->source < ATTRIBUTION_SOURCE_COUNT);
    REQUIRE(r->verification < ATTRIBUTION_VERIFICATION_COUNT);
    REQUIRE(r->verified == (r->verification == ATTRIBUTION_TOKEN_VALID));
    bool waiting = r->verification == ATTRIBUTION_WAITING;
    bool proven = r->verified || waiting;
    REQUIRE((r->address.n == 0) == (waiting || r->source == ATTRIBUTION_NONE));
    REQUIRE((r->token.n > 0) == proven && (r->day > 0) == proven);
    REQUIRE((r->token_id.n > 0) == waiting);
    if (r->verified)
        REQUIRE(str_eq(r->key, STR("kim@x.example")) || str_eq(r->key, STR("lee@y.example")));
    if (proof != RETURNPATH_UNSIGNED && proof != RETURNPATH_VALID)
        REQUIRE(!proven && r->verification != ATTRIBUTION_UNSIGNED);
    REQUIRE(!proven || r->source == ATTRIBUTION_TOKEN || r->source == ATTRIBUTION_RETURNED_TOKEN);
    REQUIRE(r->medium || !r->forwarded);
    REQUIRE(!r->counts || !m->delivered);
    REQUIRE(r->forwarded || m->report->recipients_n < 2);
}

static void attribute(const struct returnpath *envelope, const struct report *report,
                      bool real_sender, size_t memory)
{
    struct arena a = arena_make(memory);
    struct attribute_message m;
    int rc = attribute_message_open(keys.reader, &a, envelope, report, real_sender, TODAY, &m);
    REQUIRE(rc == 0 || (rc == -ENOMEM && arena_failed(&a)));
    size_t each = report->recipients_n ? report->recipients_n : 1;
    for (size_t i = 0; rc == 0 && i < each; i++) {
        struct attribution r;
        rc = attribute_recipient(&m, &a, attribute_kind(&m, report->kind), i, &r);
        REQUIRE(rc == 0 || (rc == -ENOMEM && arena_failed(&a)));
        if (rc == 0)
            check(&m, &r);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!keys.reader)
        tokens_make();
    if (size < 2 || size > TEXT_MAX)
        return 0;
    struct arena texts = arena_make((size_t)64 << 20);
    struct str rest = str_of(data + 2, size - 2);
    struct returnpath envelope;
    struct str to = field(&rest, &texts);
    int rc = returnpath_read(keys.reader, &texts, to, TODAY, &envelope);
    if (rc < 0)
        REQUIRE(returnpath_read(keys.reader, &texts, STR("fbl@" DOMAIN), TODAY, &envelope) == 0);
    struct report_original original = {
        .return_path = field(&rest, &texts),
        .mail_from = field(&rest, &texts),
        .message_id = field(&rest, &texts),
        .list_unsubscribe = field(&rest, &texts),
        .cfbl_address = field(&rest, &texts),
        .cfbl_feedback_id = field(&rest, &texts),
        .feedback_id = field(&rest, &texts),
    };
    struct report_field kept = {STR("X-Token"), field(&rest, &texts)};
    original.kept = &kept;
    original.kept_n = 1;
    struct report report = {.kind = (enum report_kind)(data[0] % REPORT_KIND_COUNT),
                            .original = original,
                            .envelope_id = field(&rest, &texts),
                            .subject = field(&rest, &texts)};
    struct report_recipient groups[GROUPS_MAX] = {0};
    size_t n = 0;
    for (; rest.n > 0 && n < GROUPS_MAX; n++) {
        groups[n].action = (enum report_action)((unsigned char)rest.p[0] % REPORT_ACTION_COUNT);
        groups[n].original_recipient = field(&rest, &texts);
        groups[n].final_recipient = field(&rest, &texts);
    }
    report.recipients = groups;
    report.recipients_n = n;
    REQUIRE(!arena_failed(&texts));
    attribute(&envelope, &report, data[1] & 1, (size_t)64 << 20);
    attribute(&envelope, &report, data[1] & 1, (size_t)4 << 10);
    arena_free(&texts);
    return 0;
}
