#include "spool/record.h"

#include "base/require.h"

#include <errno.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Payload:
 *   0  id 16, received_at i64, size u64, body length u32, recipients u16, flags u8, zero u8
 *  40  client address, HELO, protocol, TLS, MAIL FROM: each u16 length and bytes
 *   .  a recipient: kind u8, source u8, verified u8, proof u8, day u32, then address, domain,
 *      tenant, stream, recipient, token, token id, campaign, message id as texts
 *   .  body, to the end
 * Version 1 had a zero for proof, no day, and no text behind the recipient. */
static const char magic[4] = {'\x1c', 'B', 'M', 'r'};

enum {
    FIXED = 40,
    FLAG_TRUNCATED = 1,
    TEXT_MAX = UINT16_MAX,
    RECIPIENT_TEXTS = 9,
    RECIPIENT_TEXTS_1 = 5, /* of version 1 */
};

static void put(char *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (char)(value >> (8 * i));
}

static uint64_t get(const char *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)(uint8_t)p[i] << (8 * i);
    return value;
}

uint64_t record_checksum(uint64_t seed, struct str first, struct str second)
{
    if (second.n == 0)
        return XXH3_64bits_withSeed(first.p ? first.p : "", first.n, seed);
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset_withSeed(&state, seed);
    if (first.n)
        XXH3_64bits_update(&state, first.p, first.n);
    XXH3_64bits_update(&state, second.p, second.n);
    return XXH3_64bits_digest(&state);
}

size_t record_frame_bytes(size_t payload)
{
    return (RECORD_HEAD + payload + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
}

static int put_number(struct buf *to, uint64_t value, size_t bytes)
{
    char text[8];
    put(text, value, bytes);
    return buf_add(to, str_of(text, bytes));
}

static int put_text(struct buf *to, struct str text)
{
    if (text.n > TEXT_MAX)
        return -EMSGSIZE;
    int rc = put_number(to, text.n, 2);
    return rc < 0 || text.n == 0 ? rc : buf_add(to, text);
}

static int put_texts(struct buf *to, const struct str *texts, size_t n)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = put_text(to, texts[i]);
    return rc;
}

static int put_recipient(struct buf *to, const struct spool_recipient *r)
{
    char facts[8] = {(char)r->kind, (char)r->source, (char)r->verified, (char)r->proof};
    struct str texts[RECIPIENT_TEXTS] = {r->address,  r->domain,    r->tenant,
                                         r->stream,   r->recipient, r->token,
                                         r->token_id, r->campaign,  r->message_id};
    put(facts + 4, r->day, 4);
    int rc = buf_add(to, str_of(facts, sizeof(facts)));
    return rc < 0 ? rc : put_texts(to, texts, RECIPIENT_TEXTS);
}

int record_encode(struct buf *to, const struct spool_envelope *envelope, size_t body,
                  bool truncated)
{
    REQUIRE(envelope->recipients_n >= 1 && envelope->recipients_n <= SPOOL_RECIPIENTS_MAX);
    REQUIRE(id_ordinal(envelope->id) == 0);
    if (body > SPOOL_RECORD_MAX)
        return -EMSGSIZE;
    char fixed[FIXED];
    memcpy(fixed, envelope->id.b, 16);
    put(fixed + 16, (uint64_t)envelope->received_at, 8);
    put(fixed + 24, envelope->size, 8);
    put(fixed + 32, body, 4);
    put(fixed + 36, envelope->recipients_n, 2);
    put(fixed + 38, truncated ? FLAG_TRUNCATED : 0, 1);
    put(fixed + 39, 0, 1);
    struct str texts[] = {envelope->client_address, envelope->helo, envelope->protocol,
                          envelope->tls, envelope->mail_from};
    int rc = buf_add(to, str_of(fixed, sizeof(fixed)));
    if (rc == 0)
        rc = put_texts(to, texts, sizeof(texts) / sizeof(*texts));
    for (size_t i = 0; rc == 0 && i < envelope->recipients_n; i++)
        rc = put_recipient(to, &envelope->recipients[i]);
    if (rc == 0 && to->n > RECORD_ENVELOPE_MAX)
        rc = -EMSGSIZE;
    return rc == -ENOBUFS ? -EMSGSIZE : rc;
}

void record_head_put(char to[RECORD_HEAD], const struct record_head *head)
{
    memcpy(to, magic, sizeof(magic));
    put(to + 4, head->payload, 4);
    put(to + 8, head->checksum, 8);
    put(to + 16, 0, 8);
}

static uint64_t head_checksum(const char head[RECORD_HEAD], uint64_t seed, uint64_t offset)
{
    char covered[24];
    memcpy(covered, head, 16);
    put(covered + 16, offset, 8);
    return XXH3_64bits_withSeed(covered, sizeof(covered), seed);
}

void record_head_seal(char head[RECORD_HEAD], uint64_t seed, uint64_t offset)
{
    put(head + 16, head_checksum(head, seed, offset), 8);
}

bool record_magic_at(const char p[4])
{
    return memcmp(p, magic, sizeof(magic)) == 0;
}

bool record_head_get(const char p[RECORD_HEAD], uint64_t seed, uint64_t offset,
                     struct record_head *ret)
{
    if (!record_magic_at(p) || get(p + 16, 8) != head_checksum(p, seed, offset))
        return false;
    uint64_t payload = get(p + 4, 4);
    if (payload > SPOOL_RECORD_MAX)
        return false;
    *ret = (struct record_head){.payload = (uint32_t)payload, .checksum = get(p + 8, 8)};
    return true;
}

/* ---- decoding ---- */

/* Cuts n bytes off the front of *rest; false when it has fewer. */
static bool take(struct str *rest, size_t n, struct str *ret)
{
    if (rest->n < n)
        return false;
    *ret = str_of(rest->p, n);
    *rest = str_of(rest->p + n, rest->n - n);
    return true;
}

static bool take_texts(struct str *rest, struct str *const texts[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str length;
        if (!take(rest, 2, &length) || !take(rest, get(length.p, 2), texts[i]))
            return false;
    }
    return true;
}

static bool take_recipient(struct str *rest, unsigned version, struct spool_recipient *r)
{
    struct str facts, day = {0};
    if (!take(rest, 4, &facts) || (uint8_t)facts.p[2] > 1 || (version == 1 && facts.p[3] != 0))
        return false;
    if (version > 1 && !take(rest, 4, &day))
        return false;
    r->kind = (uint8_t)facts.p[0];
    r->source = (uint8_t)facts.p[1];
    r->verified = facts.p[2] == 1;
    r->proof = (uint8_t)facts.p[3];
    r->day = (uint32_t)get(day.p, day.n);
    struct str *const texts[RECIPIENT_TEXTS] = {&r->address,  &r->domain,    &r->tenant,
                                                &r->stream,   &r->recipient, &r->token,
                                                &r->token_id, &r->campaign,  &r->message_id};
    return take_texts(rest, texts, version == 1 ? RECIPIENT_TEXTS_1 : RECIPIENT_TEXTS);
}

int record_decode(struct arena *a, unsigned version, struct str payload, struct spool_record *ret)
{
    REQUIRE(version >= 1 && version <= RECORD_VERSION);
    struct str rest = payload, fixed;
    if (!take(&rest, FIXED, &fixed))
        return -EBADMSG;
    struct spool_envelope envelope = {0};
    memcpy(envelope.id.b, fixed.p, 16);
    envelope.received_at = (int64_t)get(fixed.p + 16, 8);
    envelope.size = get(fixed.p + 24, 8);
    uint64_t body = get(fixed.p + 32, 4);
    envelope.recipients_n = get(fixed.p + 36, 2);
    uint8_t flags = (uint8_t)fixed.p[38];
    if (id_ordinal(envelope.id) != 0 || envelope.recipients_n < 1 ||
        envelope.recipients_n > SPOOL_RECIPIENTS_MAX || flags > FLAG_TRUNCATED || fixed.p[39] != 0)
        return -EBADMSG;

    struct str *const texts[] = {&envelope.client_address, &envelope.helo, &envelope.protocol,
                                 &envelope.tls, &envelope.mail_from};
    if (!take_texts(&rest, texts, sizeof(texts) / sizeof(*texts)))
        return -EBADMSG;
    struct spool_recipient *recipients =
        ARENA_ARRAY(a, envelope.recipients_n, struct spool_recipient);
    if (!recipients)
        return -ENOMEM;
    for (size_t i = 0; i < envelope.recipients_n; i++)
        if (!take_recipient(&rest, version, &recipients[i]))
            return -EBADMSG;
    if (rest.n != body)
        return -EBADMSG;
    envelope.recipients = recipients;
    ret->envelope = envelope;
    ret->body = rest;
    ret->truncated = flags & FLAG_TRUNCATED;
    return 0;
}
