/* Frames and envelopes: what goes in comes out, anything else is refused. */
#include "fixture.h"

#include "spool/record.h"

static struct str texts_of(size_t n)
{
    static char bytes[70000];
    memset(bytes, 'a', sizeof(bytes));
    return str_of(bytes, n);
}

static void envelope_eq(const struct spool_envelope *a, const struct spool_envelope *b)
{
    assert_true(id_eq(a->id, b->id));
    assert_true(a->received_at == b->received_at);
    assert_true(a->size == b->size);
    assert_true(str_eq(a->client_address, b->client_address));
    assert_true(str_eq(a->helo, b->helo));
    assert_true(str_eq(a->protocol, b->protocol));
    assert_true(str_eq(a->tls, b->tls));
    assert_true(str_eq(a->mail_from, b->mail_from));
    assert_int_equal(a->recipients_n, b->recipients_n);
    for (size_t i = 0; i < a->recipients_n; i++) {
        const struct spool_recipient *x = &a->recipients[i], *y = &b->recipients[i];
        assert_true(str_eq(x->address, y->address) && str_eq(x->domain, y->domain));
        assert_true(str_eq(x->tenant, y->tenant) && str_eq(x->stream, y->stream));
        assert_true(str_eq(x->recipient, y->recipient));
        assert_true(str_eq(x->token, y->token) && str_eq(x->token_id, y->token_id));
        assert_true(str_eq(x->campaign, y->campaign) && str_eq(x->message_id, y->message_id));
        assert_true(x->proof == y->proof && x->day == y->day);
        assert_true(x->kind == y->kind && x->source == y->source && x->verified == y->verified);
    }
}

static void round_trips(void **state)
{
    (void)state;
    static struct spool_recipient many[SPOOL_RECIPIENTS_MAX];
    for (size_t i = 0; i < SPOOL_RECIPIENTS_MAX; i++)
        many[i] = (struct spool_recipient){
            .address = texts_of(i % 321),
            .domain = texts_of(i % 7),
            .recipient = texts_of(i % 3 ? i % 254 : 0),
            .token = texts_of(i % 5 ? i % 300 : 0),
            .token_id = texts_of(i % 4 ? 0 : i % 27),
            .campaign = texts_of(i % 11),
            .message_id = texts_of(i % 13),
            .proof = (uint8_t)(i % 7),
            .day = (uint32_t)i * 4294967,
            .kind = (uint8_t)i,
            .source = (uint8_t)(i >> 8),
            .verified = i % 2,
        };
    static const struct {
        int64_t received_at;
        uint64_t size;
        size_t helo, recipients, body;
        bool truncated;
    } t[] = {
        {0, 0, 0, 1, 0, false},
        {-1, UINT64_MAX, 1, 2, 1, true},
        {INT64_MAX, 1, 255, 10, 7, false},
        {INT64_MIN, 65536, 65535, 1, 65000, true},
        {1700000000000000, 4096, 17, SPOOL_RECIPIENTS_MAX, 4096, false},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
        struct spool_envelope envelope = envelope_make(5);
        envelope.received_at = t[i].received_at;
        envelope.size = t[i].size;
        envelope.helo = texts_of(t[i].helo);
        envelope.recipients = many;
        envelope.recipients_n = t[i].recipients;
        struct str body = texts_of(t[i].body);
        struct buf b;
        buf_init(&b, 4 << 20);
        assert_int_equal(record_encode(&b, &envelope, body.n, t[i].truncated), 0);
        assert_int_equal(buf_add(&b, body), 0);
        struct arena a = arena_make(1 << 20);
        struct spool_record record;
        assert_int_equal(record_decode(&a, RECORD_VERSION, buf_str(&b), &record), 0);
        envelope_eq(&record.envelope, &envelope);
        assert_true(str_eq(record.body, body));
        assert_int_equal(record.truncated, t[i].truncated);
        arena_free(&a);
        buf_free(&b);
    }
}

static void too_much_is_refused(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4 << 20);
    struct spool_envelope envelope = envelope_make(5);
    envelope.helo = texts_of(65536);
    assert_int_equal(record_encode(&b, &envelope, 0, false), -EMSGSIZE);
    buf_clear(&b);
    static struct spool_recipient many[SPOOL_RECIPIENTS_MAX];
    for (size_t i = 0; i < SPOOL_RECIPIENTS_MAX; i++)
        many[i].address = texts_of(3000);
    envelope = envelope_make(5);
    envelope.recipients = many;
    envelope.recipients_n = SPOOL_RECIPIENTS_MAX;
    assert_int_equal(record_encode(&b, &envelope, 0, false), -EMSGSIZE);
    buf_clear(&b);
    envelope = envelope_make(5);
    assert_int_equal(record_encode(&b, &envelope, (size_t)SPOOL_RECORD_MAX + 1, false), -EMSGSIZE);
    buf_free(&b);
}

/* A whole frame in b: head, payload, padding. */
static void frame_make(struct buf *b, uint64_t seed, uint64_t offset)
{
    struct spool_envelope envelope = envelope_make(9);
    struct buf payload;
    buf_init(&payload, 1 << 20);
    assert_int_equal(record_encode(&payload, &envelope, 11, false), 0);
    assert_int_equal(buf_add(&payload, STR("hello body\n")), 0);
    struct record_head head = {
        .payload = (uint32_t)payload.n,
        .checksum = record_checksum(seed, buf_str(&payload), STR("")),
    };
    char bytes[RECORD_HEAD];
    record_head_put(bytes, &head);
    record_head_seal(bytes, seed, offset);
    buf_init(b, 1 << 20);
    assert_int_equal(buf_add(b, str_of(bytes, sizeof(bytes))), 0);
    assert_int_equal(buf_add(b, buf_str(&payload)), 0);
    buf_free(&payload);
}

/* What the reader asks of a frame. */
static bool frame_good(struct str frame, uint64_t seed, uint64_t offset)
{
    struct record_head head;
    if (frame.n < RECORD_HEAD || !record_head_get(frame.p, seed, offset, &head) ||
        frame.n != RECORD_HEAD + head.payload)
        return false;
    struct str payload = str_from(frame, RECORD_HEAD);
    return record_checksum(seed, payload, STR("")) == head.checksum;
}

static void every_bit_flip_and_truncation_is_refused(void **state)
{
    (void)state;
    struct buf b;
    frame_make(&b, 77, 4096);
    assert_true(frame_good(buf_str(&b), 77, 4096));
    assert_false(frame_good(buf_str(&b), 78, 4096));
    assert_false(frame_good(buf_str(&b), 0, 4096));
    assert_false(frame_good(buf_str(&b), 77, 4104));
    for (size_t i = 0; i < b.n * 8; i++) {
        b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << i % 8);
        if (frame_good(buf_str(&b), 77, 4096))
            fail_msg("bit %zu of byte %zu", i % 8, i / 8);
        b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << i % 8);
    }
    for (size_t n = 0; n < b.n; n++)
        assert_false(frame_good(str_sub(buf_str(&b), 0, n), 77, 4096));

    /* The payload without its checksum: cut anywhere, it is no payload. */
    struct str payload = str_from(buf_str(&b), RECORD_HEAD);
    for (size_t n = 0; n <= payload.n + 1; n++) {
        char *exact = malloc(n ? n : 1); /* so that ASan sees a read behind it */
        assert_non_null(exact);
        memset(exact, 0, n);
        memcpy(exact, payload.p, n < payload.n ? n : payload.n);
        struct arena a = arena_make(1 << 16);
        struct spool_record record;
        int want = n == payload.n ? 0 : -EBADMSG;
        assert_int_equal(record_decode(&a, RECORD_VERSION, str_of(exact, n), &record), want);
        arena_free(&a);
        free(exact);
    }
    buf_free(&b);
}

static void checksum_is_the_same_in_two_pieces(void **state)
{
    (void)state;
    struct str all = texts_of(5000);
    for (size_t cut = 0; cut <= all.n; cut += 61)
        assert_true(record_checksum(3, str_sub(all, 0, cut), str_from(all, cut)) ==
                    record_checksum(3, all, STR("")));
    assert_true(record_checksum(0, STR(""), STR("")) == record_checksum(0, STR(""), STR("")));
    assert_true(record_checksum(3, all, STR("")) != record_checksum(4, all, STR("")));
}

static void fixed_fields_out_of_range(void **state)
{
    (void)state;
    struct buf b;
    frame_make(&b, 1, 4096);
    static const struct {
        size_t at;
        char value;
    } t[] = {
        {15, 1},   /* the id's ordinal */
        {32, 12},  /* the body's length */
        {36, 0},   /* no recipients */
        {37, 4},   /* over 1000 */
        {38, 2},   /* an unknown flag */
        {39, 1},   /* not zero */
        {40, 120}, /* a text longer than the rest */
        {41, 120},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
        char *at = b.p + RECORD_HEAD + t[i].at;
        char was = *at;
        assert_true(was != t[i].value);
        *at = t[i].value;
        struct arena a = arena_make(1 << 20);
        struct spool_record record;
        if (record_decode(&a, RECORD_VERSION, str_from(buf_str(&b), RECORD_HEAD), &record) !=
            -EBADMSG)
            fail_msg("case %zu", i);
        arena_free(&a);
        *at = was;
    }
    buf_free(&b);
}

static void version_1_is_still_read(void **state)
{
    (void)state;
    struct str payload = str_of(version_1, sizeof(version_1) - 1);
    struct arena a = arena_make(1 << 16);
    struct spool_record record;
    assert_int_equal(record_decode(&a, 1, payload, &record), 0);
    assert_true(record.envelope.received_at == 7);
    assert_true(str_eq(record.envelope.protocol, STR("SMTP")));
    assert_true(str_eq(record.body, STR("hello")));
    assert_int_equal(record.envelope.recipients_n, 2);
    const struct spool_recipient *first = &record.envelope.recipients[0], *second = first + 1;
    assert_true(str_eq(first->address, STR("a@d")) && str_eq(first->domain, STR("d")));
    assert_true(str_eq(first->tenant, STR("t")) && str_eq(first->stream, STR("s")));
    assert_true(str_eq(first->recipient, STR("u@e")));
    assert_true(first->source == 1 && first->verified && second->kind == 1);
    assert_true(str_eq(second->address, STR("p@d")) && second->recipient.n == 0);
    for (const struct spool_recipient *r = first; r <= second; r++) {
        assert_true(r->token.n + r->token_id.n + r->campaign.n + r->message_id.n == 0);
        assert_true(r->proof == 0 && r->day == 0);
    }
    for (size_t n = 0; n < payload.n; n++)
        assert_int_equal(record_decode(&a, 1, str_sub(payload, 0, n), &record), -EBADMSG);
    assert_int_equal(record_decode(&a, 2, payload, &record), -EBADMSG);
    arena_free(&a);
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    struct buf b;
    frame_make(&b, 1, 4096);
    int failures = 0;
    for (uint64_t n = 0;; n++) {
        struct arena a = arena_make(1 << 20);
        arena_fail_at(&a, n);
        struct spool_record record = {.truncated = true};
        int rc = record_decode(&a, RECORD_VERSION, str_from(buf_str(&b), RECORD_HEAD), &record);
        arena_free(&a);
        if (rc == 0)
            break;
        assert_int_equal(rc, -ENOMEM);
        assert_true(record.truncated); /* untouched */
        failures++;
        assert_true(failures < 100);
    }
    assert_true(failures > 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(every_bit_flip_and_truncation_is_refused),
        cmocka_unit_test(checksum_is_the_same_in_two_pieces),
        cmocka_unit_test(fixed_fields_out_of_range),
        cmocka_unit_test(version_1_is_still_read),
        cmocka_unit_test(memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
