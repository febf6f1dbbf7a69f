#include "receiver/session.h"

#include "base/require.h"
#include "receiver/session_state.h"

#include <errno.h>
#include <stdlib.h>

/* A text buffer is kept for the next message up to this size. */
enum { TEXT_KEEP = 512, RECIPIENTS_KEEP = 4 };

struct smtp_session *smtp_session_new(const struct smtp_config *config)
{
    REQUIRE(config->hostname.n > 0 && config->hostname.n <= 253);
    REQUIRE(config->recipients > 0 && config->recipients <= SPOOL_RECIPIENTS_MAX);
    REQUIRE(config->keep_bytes > 0);
    struct smtp_session *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->config = config;
    buf_init(&s->line, SMTP_LINE_MAX);
    buf_init(&s->text, (size_t)SMTP_TEXTS * SMTP_PATH_MAX * config->recipients);
    smtp_reply(s, REPLY_GREETING);
    return s;
}

void smtp_session_free(struct smtp_session *s)
{
    if (!s)
        return;
    buf_free(&s->line);
    buf_free(&s->text);
    free(s->recipients);
    free(s);
}

void smtp_push(struct smtp_session *s, enum smtp_event_kind kind)
{
    REQUIRE(s->queue_n < SMTP_QUEUE_MAX);
    s->queue[s->queue_n++] = (struct smtp_event){.kind = kind};
    if (kind == SMTP_EV_CLOSE)
        s->state = SMTP_CLOSED;
}

void smtp_reply(struct smtp_session *s, enum reply r)
{
    unsigned code = reply_code(r);
    /* Many chunks may be on their way when the first is refused: they are no mistakes. */
    if (code >= 500 && code <= 504 && r != REPLY_CHUNK_FAILED && s->config->bad_commands > 0 &&
        s->bad++ >= s->config->bad_commands)
        r = REPLY_BAD_COMMANDS;
    smtp_push(s, SMTP_EV_REPLY);
    struct smtp_event *event = &s->queue[s->queue_n - 1];
    event->reply = r;
    const struct reply_offer offer = {s->config->message_bytes, s->config->recipients,
                                      s->config->starttls && !s->tls, s->config->xclient};
    event->bytes = r == REPLY_EHLO_OK ? reply_ehlo(s->config->hostname, &offer, s->wire)
                                      : reply_wire(r, s->config->hostname, s->wire);
    if (reply_code(r) == 421 || r == REPLY_QUIT_OK || r == REPLY_CHUNK_HUGE)
        smtp_push(s, SMTP_EV_CLOSE);
}

void smtp_transaction_reset(struct smtp_session *s)
{
    if (s->state == SMTP_CHUNKS)
        smtp_push(s, SMTP_EV_DROP);
    if (s->state != SMTP_START)
        s->state = SMTP_READY;
    s->utf8 = false;
    s->mail_from_n = 0;
    s->rcpt_refused = false;
    s->recipients_n = 0;
    if (s->recipients_room > RECIPIENTS_KEEP) {
        free(s->recipients);
        s->recipients = NULL;
        s->recipients_room = 0;
    }
    if (s->text.room > TEXT_KEEP)
        buf_free(&s->text);
    buf_clear(&s->text);
}

/* ---- command lines ---- */

/* Answers a line before its end has come, and forgets what is left of it. */
static void line_refuse(struct smtp_session *s, enum reply why)
{
    buf_free(&s->line);
    s->line_skip = true;
    s->line_skipped = 0;
    smtp_reply(s, why);
}

/* Looks for the <CR><LF> that ends a line that was answered already. */
static void line_skip(struct smtp_session *s)
{
    size_t i = 0;
    bool ended = false;
    while (i < s->in.n && !ended && s->line_skipped < SMTP_SKIP_MAX) {
        char c = s->in.p[i++];
        ended = c == '\n' && s->line_cr;
        s->line_cr = c == '\r';
        s->line_skipped++;
    }
    s->in = str_from(s->in, i);
    if (ended)
        s->line_skip = false;
    else if (s->line_skipped == SMTP_SKIP_MAX)
        smtp_reply(s, REPLY_LINE_ENDLESS);
}

static void line_done(struct smtp_session *s, struct str here)
{
    struct str line = here;
    if (s->line.n > 0) {
        if (buf_add(&s->line, here) < 0) {
            smtp_reply(s, REPLY_MEMORY_NONE);
            return;
        }
        line = buf_str(&s->line);
    }
    smtp_command(s, str_sub(line, 0, line.n - 2));
    if (s->line.room > 0)
        buf_free(&s->line);
}

/* Reads up to the end of one line. A mistake in it is answered where it stands, so that a client
 * that never sends <CR><LF> hears about it. */
static void line_step(struct smtp_session *s)
{
    if (s->line_skip) {
        line_skip(s);
        return;
    }
    size_t room = SMTP_LINE_MAX - s->line.n;
    for (size_t i = 0; i < s->in.n; i++) {
        char c = s->in.p[i];
        bool ends = c == '\n' && s->line_cr;
        bool bare = c == '\n' ? !s->line_cr : s->line_cr;
        s->line_cr = c == '\r';
        if (!ends && !bare && i + 1 < room)
            continue;
        struct str here = str_sub(s->in, 0, i + 1);
        s->in = str_from(s->in, i + 1);
        if (ends)
            line_done(s, here);
        else
            line_refuse(s, bare ? REPLY_LINE_BARE : REPLY_LINE_LONG);
        return;
    }
    if (buf_add(&s->line, s->in) < 0)
        smtp_reply(s, REPLY_MEMORY_NONE);
    s->in = (struct str){0};
}

/* ---- the outside ---- */

void smtp_session_feed(struct smtp_session *s, struct str bytes)
{
    REQUIRE(s->in.n == 0);
    s->in = bytes;
}

bool smtp_session_next(struct smtp_session *s, struct smtp_event *ret)
{
    for (;;) {
        if (s->queue_at < s->queue_n) {
            *ret = s->queue[s->queue_at++];
            return true;
        }
        s->queue_at = s->queue_n = 0;
        if (s->state == SMTP_TLS)
            s->in = (struct str){0};
        if (s->asked)
            smtp_answer(s);
        else if (s->state == SMTP_WAIT || s->state == SMTP_CLOSED ||
                 (s->in.n == 0 && !smtp_chunk_is_whole(s)))
            return false;
        else if (s->state != SMTP_DATA && s->state != SMTP_CHUNK)
            line_step(s);
        else if (smtp_content_step(s, ret))
            return true;
    }
}

struct str smtp_session_rest(struct smtp_session *s)
{
    struct str rest = s->in;
    s->in = (struct str){0};
    return rest;
}

enum smtp_phase smtp_session_phase(const struct smtp_session *s)
{
    switch (s->state) {
    case SMTP_DATA:
    case SMTP_CHUNK:
        return SMTP_PHASE_DATA;
    case SMTP_WAIT:
        return SMTP_PHASE_WAIT;
    case SMTP_TLS:
        return SMTP_PHASE_TLS;
    case SMTP_CLOSED:
        return SMTP_PHASE_CLOSED;
    case SMTP_START:
    case SMTP_READY:
    case SMTP_MAIL:
    case SMTP_RCPT:
    case SMTP_CHUNKS:
    case SMTP_FAILED:
        break;
    }
    return SMTP_PHASE_COMMAND;
}

void smtp_session_refuse(struct smtp_session *s, enum reply why)
{
    REQUIRE(s->asked != ASKED_NOTHING);
    s->answer = why;
}

bool smtp_session_has_message(const struct smtp_session *s)
{
    return s->state == SMTP_DATA || s->state == SMTP_CHUNKS ||
           (s->state == SMTP_CHUNK && s->chunk.answer == REPLY_CHUNK_OK);
}

void smtp_session_refuse_data(struct smtp_session *s, enum reply why)
{
    if (smtp_session_has_message(s))
        smtp_content_refuse(s, why);
}

bool smtp_session_body_grows(const struct smtp_session *s)
{
    return smtp_session_has_message(s) && !s->refused && !s->truncated;
}

static struct spool_recipient recipient_out(const struct smtp_session *s,
                                            const struct smtp_recipient *r)
{
    struct str rest = str_from(buf_str(&s->text), r->at), text[SMTP_TEXTS];
    for (size_t i = 0; i < SMTP_TEXTS; i++) {
        text[i] = str_sub(rest, 0, r->n[i]);
        rest = str_from(rest, r->n[i]);
    }
    struct str tenant = text[SMTP_TEXT_TENANT], stream = text[SMTP_TEXT_STREAM];
    return (struct spool_recipient){
        .address = text[SMTP_TEXT_ADDRESS],
        .domain = r->domain->name,
        .tenant = tenant.n > 0 ? tenant : r->domain->tenant,
        .stream = stream.n > 0 ? stream : r->domain->stream,
        .recipient = text[SMTP_TEXT_RECIPIENT],
        .token = text[SMTP_TEXT_TOKEN],
        .token_id = text[SMTP_TEXT_TOKEN_ID],
        .campaign = text[SMTP_TEXT_CAMPAIGN],
        .message_id = text[SMTP_TEXT_MESSAGE_ID],
        .kind = r->kind,
        .source = r->source,
        .proof = r->proof,
        .verified = r->verified,
        .day = r->day,
    };
}

/* RFC 3848, RFC 6531 section 4.3. */
static struct str protocol(const struct smtp_session *s)
{
    if (!s->esmtp)
        return STR("SMTP");
    if (s->utf8)
        return s->tls ? STR("UTF8SMTPS") : STR("UTF8SMTP");
    return s->tls ? STR("ESMTPS") : STR("ESMTP");
}

void smtp_session_envelope(const struct smtp_session *s,
                           struct spool_recipient list[SPOOL_RECIPIENTS_MAX],
                           struct spool_envelope *ret)
{
    REQUIRE(smtp_session_has_message(s) || s->state == SMTP_WAIT);
    for (uint32_t i = 0; i < s->recipients_n; i++)
        list[i] = recipient_out(s, &s->recipients[i]);
    *ret = (struct spool_envelope){
        .helo = str_of(s->helo, s->helo_n),
        .protocol = protocol(s),
        .mail_from = str_of(s->mail_from, s->mail_from_n),
        .recipients = list,
        .recipients_n = s->recipients_n,
        .size = s->size,
    };
}

bool smtp_session_truncated(const struct smtp_session *s)
{
    return s->truncated;
}

void smtp_session_done(struct smtp_session *s, int result, struct str id)
{
    REQUIRE(s->state == SMTP_WAIT && s->queue_at == s->queue_n);
    s->queue_at = s->queue_n = 0;
    smtp_transaction_reset(s);
    if (result == 0) {
        smtp_push(s, SMTP_EV_REPLY);
        struct smtp_event *event = &s->queue[0];
        event->reply = REPLY_STORED;
        event->bytes = reply_wire(REPLY_STORED, id, s->wire);
    } else {
        smtp_reply(s, result == -ENOSPC ? REPLY_SPOOL_FULL : REPLY_SPOOL_FAILED);
    }
    s->queue[0].after_data = true;
}

void smtp_session_secured(struct smtp_session *s)
{
    REQUIRE(!s->tls && (s->state == SMTP_TLS || s->state == SMTP_START) && s->in.n == 0);
    s->state = SMTP_START;
    s->tls = true;
}

void smtp_session_end(struct smtp_session *s, enum reply why)
{
    REQUIRE(s->state != SMTP_WAIT && reply_code(why) == 421);
    if (s->state == SMTP_CLOSED)
        return;
    s->in = (struct str){0};
    /* A reply that was not pulled yet may stand in wire. */
    REQUIRE(s->queue_at == s->queue_n);
    s->queue_at = s->queue_n = 0;
    s->asked = ASKED_NOTHING;
    smtp_reply(s, why);
}
