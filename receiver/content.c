/* content.c - the content of a message: behind DATA up to its end, or in the chunks of BDAT. */
#include "receiver/session_state.h"

void smtp_content_begin(struct smtp_session *s)
{
    smtp_data_begin(&s->data);
    s->hops = (struct hops){0};
    s->refused = s->truncated = false;
    s->size = s->kept = 0;
    smtp_push(s, SMTP_EV_DATA);
}

void smtp_content_refuse(struct smtp_session *s, enum reply why)
{
    if (s->refused)
        return;
    s->refused = true;
    s->data_answer = why;
    smtp_push(s, SMTP_EV_DROP);
}

static bool is_bare(const struct smtp_session *s)
{
    return s->data.bare && !s->config->bare_newlines;
}

static bool add(struct smtp_session *s, struct str content, struct smtp_event *ret)
{
    s->size += content.n;
    hops_add(&s->hops, content);
    if (is_bare(s))
        smtp_content_refuse(s, REPLY_DATA_BARE);
    else if (hops_is_loop(&s->hops))
        smtp_content_refuse(s, REPLY_LOOP);
    else if (s->config->message_bytes > 0 && s->size > s->config->message_bytes)
        smtp_content_refuse(s, REPLY_TOO_BIG);
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

/* The message is whole. */
static void end(struct smtp_session *s)
{
    s->state = SMTP_WAIT;
    smtp_push(s, SMTP_EV_END);
}

/* What refuses the message. Whichever was seen first depends on how the bytes were cut; the reply
 * must not. */
static enum reply why_refused(const struct smtp_session *s)
{
    return is_bare(s) ? REPLY_DATA_BARE : hops_is_loop(&s->hops) ? REPLY_LOOP : s->data_answer;
}

static void reply_to_message(struct smtp_session *s, enum reply r)
{
    smtp_reply(s, r);
    s->queue[s->queue_n - 1].after_data = true;
}

/* ---- DATA ---- */

static bool data_step(struct smtp_session *s, struct smtp_event *ret)
{
    struct str content;
    switch (smtp_data_next(&s->data, &s->in, &content)) {
    case SMTP_DATA_CONTENT:
        return add(s, content, ret);
    case SMTP_DATA_END:
        if (!s->refused) {
            end(s);
        } else {
            smtp_transaction_reset(s);
            reply_to_message(s, why_refused(s));
        }
        break;
    case SMTP_DATA_MORE:
        break;
    }
    return false;
}

/* ---- BDAT ---- */

static void chunk_dropped(struct smtp_session *s)
{
    s->state = s->chunk.then;
    if (s->state == SMTP_READY)
        smtp_transaction_reset(s);
    if (s->chunk.counted)
        reply_to_message(s, s->chunk.answer);
    else
        smtp_reply(s, s->chunk.answer);
}

static void chunk_end(struct smtp_session *s)
{
    if (s->chunk.answer != REPLY_CHUNK_OK) {
        chunk_dropped(s);
        return;
    }
    if (s->chunk.last && smtp_chunk_is_open(&s->data)) {
        s->data.bare = true;
        if (is_bare(s))
            smtp_content_refuse(s, REPLY_DATA_BARE);
    }
    if (s->refused) {
        enum reply why = why_refused(s);
        s->state = SMTP_FAILED;
        if (s->chunk.last)
            smtp_transaction_reset(s);
        reply_to_message(s, why);
    } else if (s->chunk.last) {
        end(s);
    } else {
        s->state = SMTP_CHUNKS;
        smtp_reply(s, REPLY_CHUNK_OK);
    }
}

static bool chunk_step(struct smtp_session *s, struct smtp_event *ret)
{
    if (smtp_chunk_is_whole(s)) {
        chunk_end(s);
        return false;
    }
    size_t n = s->in.n < s->chunk.left ? s->in.n : (size_t)s->chunk.left;
    struct str content = str_sub(s->in, 0, n);
    bool given = false;
    s->in = str_from(s->in, n);
    s->chunk.left -= n;
    if (s->chunk.answer == REPLY_CHUNK_OK) {
        smtp_chunk_add(&s->data, content);
        given = add(s, content, ret);
    }
    return given;
}

/* More than the message may have. */
static bool is_too_big(const struct smtp_session *s, uint64_t octets)
{
    uint64_t before = s->state == SMTP_CHUNKS ? s->size : 0, limit = s->config->message_bytes;
    return octets > UINT64_MAX - before || (limit > 0 && before + octets > limit);
}

/* Not worth to be read only to be dropped. */
static bool is_absurd(const struct smtp_session *s, uint64_t octets)
{
    uint64_t limit = s->config->message_bytes;
    return octets > SMTP_CHUNK_DROP_MAX || (limit > 0 && octets / SMTP_CHUNK_TIMES > limit);
}

void smtp_chunk_begin(struct smtp_session *s, uint64_t octets, bool last, enum reply answer)
{
    enum smtp_state before = s->state;
    bool too_big = answer == REPLY_CHUNK_OK && is_too_big(s, octets);
    if (too_big)
        answer = REPLY_TOO_BIG;
    if (answer != REPLY_CHUNK_OK && is_absurd(s, octets)) {
        smtp_reply(s, REPLY_CHUNK_HUGE);
        return;
    }
    s->chunk = (struct smtp_chunk){
        .left = octets,
        .last = last,
        .counted = too_big,
        .answer = answer,
        /* A message of which a chunk is missing must not be ended by those that follow. */
        .then = before == SMTP_START || before == SMTP_READY ? before
                : too_big && last                            ? SMTP_READY
                                                             : SMTP_FAILED,
    };
    s->state = SMTP_CHUNK;
    if (answer != REPLY_CHUNK_OK && before == SMTP_CHUNKS)
        smtp_push(s, SMTP_EV_DROP);
    else if (answer == REPLY_CHUNK_OK && before == SMTP_RCPT)
        smtp_content_begin(s);
}

bool smtp_content_step(struct smtp_session *s, struct smtp_event *ret)
{
    return s->state == SMTP_DATA ? data_step(s, ret) : chunk_step(s, ret);
}
