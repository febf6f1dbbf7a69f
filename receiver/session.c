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
    buf_init(&s->text, (size_t)2 * SMTP_PATH_MAX * config->recipients);
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
    if (code >= 500 && code <= 504 && s->config->bad_commands > 0 &&
        s->bad++ >= s->config->bad_commands)
        r = REPLY_BAD_COMMANDS;
    smtp_push(s, SMTP_EV_REPLY);
    struct smtp_event *event = &s->queue[s->queue_n - 1];
    event->reply = r;
    event->bytes = r == REPLY_EHLO_OK
                       ? reply_ehlo(s->config->hostname, s->config->message_bytes,
                                    s->config->starttls && !s->tls, s->config->xclient, s->wire)
                       : reply_wire(r, s->config->hostname, s->wire);
    if (reply_code(r) == 421 || r == REPLY_QUIT_OK)
        smtp_push(s, SMTP_EV_CLOSE);
}

void smtp_transaction_reset(struct smtp_session *s)
{
    if (s->state != SMTP_START)
        s->state = SMTP_READY;
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

/* ---- content ---- */

static void data_refuse(struct smtp_session *s, enum reply why)
{
    if (s->refused)
        return;
    s->refused = true;
    s->data_answer = why;
    smtp_push(s, SMTP_EV_DROP);
}

/* True when *ret is an event with bytes. */
static bool data_content(struct smtp_session *s, struct str content, struct smtp_event *ret)
{
    s->size += content.n;
    hops_add(&s->hops, content);
    if (s->data.bare)
        data_refuse(s, REPLY_DATA_BARE);
    else if (hops_is_loop(&s->hops))
        data_refuse(s, REPLY_LOOP);
    else if (s->config->message_bytes > 0 && s->size > s->config->message_bytes)
        data_refuse(s, REPLY_TOO_BIG);
    if (s->refused)
        return false;
    uint64_t room = s->config->keep_bytes - s->kept;
    if (content.n > room) {
        s->truncated = true;
        content = str_sub(content, 0, (size_t)room);
    }
    s->kept += content.n;
    *ret = (struct smtp_event){.kind = SMTP_EV_BODY, .bytes = content};
    return content.n > 0;
}

static void data_end(struct smtp_session *s)
{
    if (!s->refused) {
        s->state = SMTP_WAIT;
        smtp_push(s, SMTP_EV_END);
        return;
    }
    smtp_transaction_reset(s);
    /* Whichever was seen first depends on how the bytes were cut; the reply must not. */
    smtp_reply(s, s->data.bare             ? REPLY_DATA_BARE
                  : hops_is_loop(&s->hops) ? REPLY_LOOP
                                           : s->data_answer);
    s->queue[s->queue_n - 1].after_data = true;
}

static bool data_step(struct smtp_session *s, struct smtp_event *ret)
{
    struct str content;
    switch (smtp_data_next(&s->data, &s->in, &content)) {
    case SMTP_DATA_CONTENT:
        return data_content(s, content, ret);
    case SMTP_DATA_END:
        data_end(s);
        return false;
    case SMTP_DATA_MORE:
        break;
    }
    return false;
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
            smtp_command_answer(s);
        else if (s->state == SMTP_WAIT || s->state == SMTP_CLOSED || s->in.n == 0)
            return false;
        else if (s->state != SMTP_DATA)
            line_step(s);
        else if (data_step(s, ret))
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
        break;
    }
    return SMTP_PHASE_COMMAND;
}

void smtp_session_refuse(struct smtp_session *s, enum reply why)
{
    REQUIRE(s->asked != ASKED_NOTHING);
    s->answer = why;
}

void smtp_session_refuse_data(struct smtp_session *s, enum reply why)
{
    REQUIRE(s->state == SMTP_DATA);
    data_refuse(s, why);
}

static struct spool_recipient recipient_out(const struct smtp_session *s,
                                            const struct smtp_recipient *r)
{
    struct str text = buf_str(&s->text);
    size_t at = r->at + (size_t)r->address_n;
    return (struct spool_recipient){
        .address = str_sub(text, r->at, at),
        .domain = r->domain->name,
        .tenant = r->domain->tenant,
        .stream = r->domain->stream,
        .recipient = str_sub(text, at, at + r->recipient_n),
        .kind = r->kind,
        .source = r->source,
        .verified = r->verified,
    };
}

void smtp_session_envelope(const struct smtp_session *s,
                           struct spool_recipient list[SPOOL_RECIPIENTS_MAX],
                           struct spool_envelope *ret)
{
    REQUIRE(s->state == SMTP_DATA || s->state == SMTP_WAIT);
    for (uint32_t i = 0; i < s->recipients_n; i++)
        list[i] = recipient_out(s, &s->recipients[i]);
    *ret = (struct spool_envelope){
        .helo = str_of(s->helo, s->helo_n),
        .protocol = !s->esmtp ? STR("SMTP")
                    : s->tls  ? STR("ESMTPS")
                              : STR("ESMTP"),
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
