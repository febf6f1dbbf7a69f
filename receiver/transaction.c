/* transaction.c - MAIL and RCPT: the sender and the recipients of a message, and what the caller
 * may refuse of them. */
#include "base/require.h"
#include "receiver/address.h"
#include "receiver/parameters.h"
#include "receiver/session_state.h"

#include <errno.h>
#include <stdlib.h>

/* ---- what the caller may refuse ---- */

void smtp_ask(struct smtp_session *s, enum smtp_asked what, enum reply answer)
{
    s->asked = what;
    s->answer = answer;
}

/* The last one, since the caller did not want it. */
static void recipient_drop(struct smtp_session *s)
{
    s->recipients_n--;
    s->text.n = s->recipients[s->recipients_n].at;
    s->rcpt_refused = true;
}

void smtp_answer(struct smtp_session *s)
{
    enum smtp_asked asked = s->asked;
    bool good = reply_code(s->answer) < 400;
    s->asked = ASKED_NOTHING;
    if (asked == ASKED_MAIL && good)
        s->state = SMTP_MAIL;
    else if (asked == ASKED_MAIL)
        smtp_transaction_reset(s);
    else if (asked == ASKED_RCPT && good)
        s->state = SMTP_RCPT;
    else if (asked == ASKED_RCPT)
        recipient_drop(s);
    smtp_reply(s, s->answer);
}

/* ---- MAIL, RCPT ---- */

enum reply smtp_out_of_order(const struct smtp_session *s)
{
    switch (s->state) {
    case SMTP_START:
        return REPLY_HELO_FIRST;
    case SMTP_READY:
        return REPLY_MAIL_FIRST;
    case SMTP_CHUNKS:
        return REPLY_CHUNK_BEGUN;
    case SMTP_FAILED:
        return REPLY_CHUNK_FAILED;
    default:
        return s->rcpt_refused ? REPLY_RCPT_NONE : REPLY_RCPT_FIRST;
    }
}

/* Cuts "FROM:" or "TO:" off. */
static bool cut_word(struct str *argument, struct str word)
{
    if (!str_istarts(*argument, word))
        return false;
    *argument = str_from(*argument, word.n);
    return true;
}

static enum reply path_reply(int rc, enum reply not_a_path, enum reply not_an_address)
{
    if (rc == -ENOMEM)
        return REPLY_LOCAL_ERROR;
    return rc == -EINVAL ? not_a_path : not_an_address;
}

void smtp_mail(struct smtp_session *s, struct str argument)
{
    struct str path;
    if (s->state != SMTP_READY) {
        smtp_reply(s, REPLY_MAIL_NESTED);
        return;
    }
    if (s->config->tls_require && !s->tls) {
        smtp_reply(s, REPLY_TLS_FIRST);
        return;
    }
    if (!cut_word(&argument, STR("FROM:"))) {
        smtp_reply(s, REPLY_MAIL_SYNTAX);
        return;
    }
    arena_reset(s->config->scratch);
    int rc = smtp_path_read(s->config->scratch, &argument, SMTP_PATH_REVERSE, &path);
    if (rc < 0) {
        smtp_reply(s, path_reply(rc, REPLY_MAIL_SYNTAX, REPLY_MAIL_ADDRESS));
        return;
    }
    struct smtp_parameters said;
    enum reply answer = smtp_parameters_read(argument, s->esmtp, s->config->message_bytes, &said);
    if (answer == REPLY_MAIL_OK && !said.utf8 && !smtp_path_is_ascii(path))
        answer = REPLY_ADDRESS_NOT_ASCII;
    if (answer != REPLY_MAIL_OK) {
        smtp_reply(s, answer);
        return;
    }
    REQUIRE(path.n <= SMTP_PATH_MAX);
    s->mail_from_n = (uint8_t)path.n;
    if (path.n > 0)
        memcpy(s->mail_from, path.p, path.n);
    s->utf8 = said.utf8;
    smtp_ask(s, ASKED_MAIL, REPLY_MAIL_OK);
    smtp_push(s, SMTP_EV_MAIL);
    s->queue[s->queue_n - 1].size = said.size;
}

static bool recipient_is_known(const struct smtp_session *s, struct str address)
{
    for (uint32_t i = 0; i < s->recipients_n; i++)
        if (str_eq(str_sub(buf_str(&s->text), s->recipients[i].at,
                           s->recipients[i].at + (size_t)s->recipients[i].n[SMTP_TEXT_ADDRESS]),
                   address))
            return true;
    return false;
}

static int recipient_add(struct smtp_session *s, struct str address, const struct returnpath *found)
{
    if (s->recipients_n == s->recipients_room) {
        uint32_t room = s->recipients_room ? 2 * s->recipients_room : 2;
        struct smtp_recipient *grown = reallocarray(s->recipients, room, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        s->recipients = grown;
        s->recipients_room = room;
    }
    const struct str texts[SMTP_TEXTS] = {
        [SMTP_TEXT_ADDRESS] = address,          [SMTP_TEXT_RECIPIENT] = found->recipient,
        [SMTP_TEXT_TOKEN] = found->token,       [SMTP_TEXT_TOKEN_ID] = found->token_id,
        [SMTP_TEXT_TENANT] = found->tenant,     [SMTP_TEXT_STREAM] = found->stream,
        [SMTP_TEXT_CAMPAIGN] = found->campaign, [SMTP_TEXT_MESSAGE_ID] = found->message_id,
    };
    struct smtp_recipient to = {
        .domain = found->domain,
        .at = (uint32_t)s->text.n,
        .day = found->day,
        .kind = (uint8_t)found->kind,
        .source = (uint8_t)found->source,
        .proof = (uint8_t)found->proof,
        .verified = found->verified,
    };
    size_t all = 0;
    for (size_t i = 0; i < SMTP_TEXTS; i++)
        all += texts[i].n;
    int rc = buf_reserve(&s->text, all);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < SMTP_TEXTS; i++) {
        to.n[i] = (uint16_t)texts[i].n;
        rc = buf_add(&s->text, texts[i]);
        REQUIRE(rc == 0); /* reserved above */
    }
    s->recipients[s->recipients_n++] = to;
    return 0;
}

static enum reply rcpt(struct smtp_session *s, struct str address)
{
    struct returnpath found;
    arena_reset(s->config->scratch);
    int rc =
        returnpath_read(s->config->reader, s->config->scratch, address, s->config->today, &found);
    if (rc == -EHOSTUNREACH)
        return REPLY_RELAY_DENIED;
    if (rc == -ENOENT)
        return REPLY_RCPT_UNKNOWN;
    if (rc == -EKEYREJECTED)
        return REPLY_RCPT_TOKEN;
    if (rc == -EINVAL)
        return REPLY_RCPT_ADDRESS;
    /* The same one twice is one recipient: it must not make two events. */
    if (rc == 0 && recipient_is_known(s, address))
        return REPLY_RCPT_OK;
    if (rc == 0 && s->recipients_n >= s->config->recipients)
        return REPLY_RCPT_MANY;
    uint32_t of_null = s->config->null_sender_recipients;
    if (rc == 0 && s->mail_from_n == 0 && of_null > 0 && s->recipients_n >= of_null)
        return REPLY_RCPT_MANY_NULL;
    if (rc < 0 || recipient_add(s, address, &found) < 0)
        return REPLY_LOCAL_ERROR;
    return REPLY_RCPT_OK;
}

void smtp_rcpt(struct smtp_session *s, struct str argument)
{
    struct str path, keyword, value;
    if (s->state != SMTP_MAIL && s->state != SMTP_RCPT) {
        smtp_reply(s, smtp_out_of_order(s));
        return;
    }
    if (!cut_word(&argument, STR("TO:"))) {
        smtp_reply(s, REPLY_RCPT_SYNTAX);
        return;
    }
    enum reply answer;
    uint32_t before = s->recipients_n;
    arena_reset(s->config->scratch);
    int rc = smtp_path_read(s->config->scratch, &argument, SMTP_PATH_FORWARD, &path);
    if (rc < 0)
        answer = path_reply(rc, REPLY_RCPT_SYNTAX, REPLY_RCPT_ADDRESS);
    else if (!s->utf8 && !smtp_path_is_ascii(path))
        answer = REPLY_ADDRESS_NOT_ASCII;
    else if ((rc = smtp_parameter_read(&argument, &keyword, &value)) != 0)
        answer = rc < 0 ? REPLY_PARAMETER_SYNTAX : REPLY_PARAMETER_UNKNOWN;
    else
        answer = rcpt(s, path);
    if (answer == REPLY_RCPT_OK && s->recipients_n > before) {
        smtp_ask(s, ASKED_RCPT, answer);
        smtp_push(s, SMTP_EV_RCPT);
        return;
    }
    if (answer == REPLY_RCPT_OK)
        s->state = SMTP_RCPT;
    else
        s->rcpt_refused = true;
    if ((answer == REPLY_RELAY_DENIED || answer == REPLY_RCPT_UNKNOWN ||
         answer == REPLY_RCPT_TOKEN) &&
        s->config->unknown_recipients > 0 && s->unknown++ >= s->config->unknown_recipients)
        answer = REPLY_UNKNOWN_MANY;
    smtp_reply(s, answer);
}
