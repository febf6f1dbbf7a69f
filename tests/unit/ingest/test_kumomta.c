#include "support.h"

#define TAIL "\"timestamp\":1764000000.5,\"sender\":\"s@x.example\",\"id\":\"abc\",\"nodeid\":\"n\""
#define PEER "\"peer_address\":{\"name\":\"mx.b.example.\",\"addr\":\"192.0.2.1\"}"

static const struct {
    struct str line;
    enum ingest_kind kind;
    const char *text, *status, *host, *message_id, *campaign, *tenant;
    unsigned reply;
} t[] = {
    {STR_INIT("{\"type\":\"Bounce\",\"recipient\":\"a@b.example\"," TAIL "," PEER
              ",\"response\":{\"code\":550,\"enhanced_code\":{\"class\":5,\"subject\":1,"
              "\"detail\":1},\"content\":\"no\\nsuch user\",\"command\":\"RCPT\"},"
              "\"headers\":{\"message-id\":\" <m@x> \"},\"meta\":{\"campaign\":\"c\","
              "\"tenant\":\"t\"}}"),
     INGEST_BOUNCED, "550 5.1.1 no such user", "5.1.1", "mx.b.example", "m@x", "c", "t", 550},
    {STR_INIT("{\"type\":\"Delivery\",\"recipient\":[\"a@b.example\"]," TAIL
              ",\"response\":{\"code\":250,\"enhanced_code\":null,\"content\":\"\"},"
              "\"headers\":{\"Message-ID\":[\"<l@x>\",\"<o@x>\"]},\"meta\":{\"campaign\":7}}"),
     INGEST_SENT, "250 ", NULL, NULL, "l@x", NULL, NULL, 250},
    {STR_INIT("{\"type\":\"TransientFailure\",\"recipient\":\"a@b.example\"," TAIL
              ",\"response\":{\"code\":99999,\"content\":\"KumoMTA internal: x\","
              "\"enhanced_code\":{\"class\":5000,\"subject\":1,\"detail\":1}},"
              "\"peer_address\":null}"),
     INGEST_DEFERRED, "KumoMTA internal: x", NULL, NULL, NULL, NULL, NULL, 0},
};

static void test_lines(void **state)
{
    (void)state;
    struct fed f;
    feed_open(&f, INGEST_KUMOMTA);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct ingest_record r = feed_one(&f, t[i].line);
        assert_int_equal(r.kind, t[i].kind);
        assert_int_equal(r.time, INT64_C(1764000000500000));
        check_text(r.recipient, "a@b.example", "recipient");
        check_text(r.text, t[i].text, "text");
        check_text(r.status, t[i].status, "status");
        check_text(r.remote_host, t[i].host, "host");
        check_text(r.message_id, t[i].message_id, "message-id");
        check_text(r.campaign, t[i].campaign, "campaign");
        check_text(r.tenant, t[i].tenant, "tenant");
        check_text(r.evidence, t[i].line.p, "evidence");
        assert_int_equal(r.reply_code, t[i].reply);
    }
    feed_close(&f);
}

/* Expired: by what was said last of this recipient, and of no other. */
static void test_expired(void **state)
{
    (void)state;
    struct fed f;
    feed_open(&f, INGEST_KUMOMTA);
    static const char later[] = "{\"type\":\"TransientFailure\",\"recipient\":\"%s\"," TAIL
                                ",\"response\":{\"code\":451,\"content\":\"%s\"}}";
    static const char over[] = "{\"type\":\"Expiration\",\"recipient\":\"%s\"," TAIL
                               ",\"response\":{\"code\":551,\"content\":\"over\"}}";
    static const char *const said[][2] = {{"a@b", "one"}, {"a@b", "two"}, {"c@b", "three"}};
    char line[400];
    for (size_t i = 0; i < 3; i++) {
        snprintf(line, sizeof(line), later, said[i][0], said[i][1]);
        feed_one(&f, str_c(line));
    }
    snprintf(line, sizeof(line), over, "a@b");
    struct ingest_record r = feed_one(&f, str_c(line));
    assert_int_equal(r.kind, INGEST_EXPIRED);
    check_text(r.text, "451 two", "text");
    assert_int_equal(r.reply_code, 451);
    snprintf(line, sizeof(line), over, "d@b");
    check_text(feed_one(&f, str_c(line)).text, "551 over", "text");
    feed_close(&f);
}

static void test_others(void **state)
{
    (void)state;
    static const struct {
        struct str line;
        int rc;
        size_t n;
    } o[] = {
        {STR_INIT("{\"type\":\"OOB\",\"recipient\":5}"), 0, 0},
        {STR_INIT("{\"type\":\"Feedback\"}"), 0, 0},
        {STR_INIT("{\"type\":\"Reception\"}"), 0, 0},
        {STR_INIT("{\"type\":\"AdminBounce\"}"), 0, 0},
        {STR_INIT("{\"type\":\"Bounce\"," TAIL "}"), -EINVAL, 0},
        {STR_INIT("{\"type\":\"Bounce\"," TAIL ",\"recipient\":[]}"), 0, 0},
        {STR_INIT("{\"type\":\"Bounce\"," TAIL ",\"recipient\":[\"a@b\",null]}"), -EINVAL, 0},
        {STR_INIT("{\"type\":\"Bounce\"," TAIL ",\"recipient\":[\"a@b\",\"c@d\"]}"), 0, 2},
        {STR_INIT("{\"type\":\"Bounce\",\"recipient\":\"a@b\"}"), -EINVAL, 0},
        {STR_INIT("{\"type\":\"Bounce\",\"recipient\":\"a@b\",\"timestamp\":1e300}"), -EINVAL, 0},
        {STR_INIT("{\"type\":\"Bounce\",\"recipient\":\"a@b\",\"timestamp\":-1}"), -EINVAL, 0},
        {STR_INIT("{\"type\":\"Bounce\",\"recipient\":\"a@b\",\"timestamp\":"
                  "\"2026-02-03T04:05:06Z\"}"),
         0, 1},
        {STR_INIT("{\"type\":\"Boom\"}"), -EINVAL, 0},
        {STR_INIT("{}"), -EINVAL, 0},
        {STR_INIT("[]"), -EINVAL, 0},
        {STR_INIT("{\"type\":\"Bounce\"} x"), -EINVAL, 0},
        {STR_INIT("{\"type\":\"Bo\\u0000unce\"}"), -EINVAL, 0},
        {STR_INIT("{\"type\":\"\xff\"}"), -EINVAL, 0},
    };
    struct fed f;
    feed_open(&f, INGEST_KUMOMTA);
    for (size_t i = 0; i < sizeof(o) / sizeof(o[0]); i++) {
        struct ingest_records got;
        int rc = feed_line(&f, o[i].line, &got);
        if (rc != o[i].rc || got.n != o[i].n)
            fail_msg("%s: %d, %zu records", o[i].line.p, rc, got.n);
    }
    feed_close(&f);
}

static void test_memory(void **state)
{
    (void)state;
    struct str lines[3];
    for (size_t i = 0; i < 3; i++)
        lines[i] = t[i].line;
    check_memory(INGEST_KUMOMTA, lines, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
