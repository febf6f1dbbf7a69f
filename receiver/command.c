/* command.c - what each SMTP command does to a session. One table says where it is allowed. */
#include "base/require.h"
#include "receiver/address.h"
#include "receiver/parameters.h"
#include "receiver/session_state.h"

#include <errno.h>
#include <stdlib.h>

#define IN(state)  (1u << SMTP_##state)
#define IN_GREETED (IN(READY) | IN(MAIL) | IN(RCPT) | IN(CHUNKS) | IN(FAILED))
#define IN_ANY     (IN(START) | IN_GREETED)

enum argument { ARG_ANY, ARG_NONE, ARG_SOME };

struct command {
    struct str name;
    void (*run)(struct smtp_session *s, struct str argument);
    unsigned states;
    enum argument argument;
};

/* ---- EHLO, HELO ---- */

/* Kept to what can stand in a Received: line and a log; else as lenient as the world is. */
static bool helo_is_valid(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    return s.n > 0 && s.n <= SMTP_HELO_MAX;
}

static void hello(struct smtp_session *s, struct str argument, bool esmtp)
{
    argument = str_trim(argument);
    if (!helo_is_valid(argument)) {
        smtp_reply(s, REPLY_HELO_SYNTAX);
        return;
    }
    /* RFC 5321 section 4.1.4: a second EHLO also forgets the transaction. */
    smtp_transaction_reset(s);
    s->state = SMTP_READY;
    s->esmtp = esmtp;
    s->helo_n = (uint8_t)argument.n;
    memcpy(s->helo, argument.p, argument.n);
    smtp_reply(s, esmtp ? REPLY_EHLO_OK : REPLY_HELO_OK);
}

static void cmd_ehlo(struct smtp_session *s, struct str argument)
{
    hello(s, argument, true);
}

static void cmd_helo(struct smtp_session *s, struct str argument)
{
    hello(s, argument, false);
}

/* ---- MAIL, RCPT ---- */

/* Why RCPT, DATA or BDAT can't come now. */
static enum reply out_of_order(const struct smtp_session *s)
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

static void cmd_mail(struct smtp_session *s, struct str argument)
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
    s->asked = true;
    s->mail_answer = REPLY_MAIL_OK;
    smtp_push(s, SMTP_EV_MAIL);
    s->queue[s->queue_n - 1].size = said.size;
}

void smtp_command_mail_answer(struct smtp_session *s)
{
    s->asked = false;
    if (s->mail_answer == REPLY_MAIL_OK)
        s->state = SMTP_MAIL;
    else
        smtp_transaction_reset(s);
    smtp_reply(s, s->mail_answer);
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

static void cmd_rcpt(struct smtp_session *s, struct str argument)
{
    struct str path, keyword, value;
    if (s->state != SMTP_MAIL && s->state != SMTP_RCPT) {
        smtp_reply(s, out_of_order(s));
        return;
    }
    if (!cut_word(&argument, STR("TO:"))) {
        smtp_reply(s, REPLY_RCPT_SYNTAX);
        return;
    }
    enum reply answer;
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

/* ---- DATA, BDAT ---- */

static void cmd_data(struct smtp_session *s, struct str argument)
{
    (void)argument;
    if (s->state != SMTP_RCPT) {
        enum reply why = out_of_order(s);
        /* RFC 3030 section 2: from here only RSET leads out. */
        if (s->state == SMTP_CHUNKS) {
            s->state = SMTP_FAILED;
            smtp_push(s, SMTP_EV_DROP);
        }
        smtp_reply(s, why);
        return;
    }
    s->state = SMTP_DATA;
    smtp_content_begin(s);
    smtp_reply(s, REPLY_DATA_GO);
}

/* Where the size is known the octets that follow are never read as commands, whatever is wrong. */
static void cmd_bdat(struct smtp_session *s, struct str argument)
{
    uint64_t octets;
    bool last;
    int rc = smtp_chunk_read(argument, &octets, &last);
    if (rc < 0) {
        /* A message of which a chunk is missing must not be ended by those that follow. */
        if (s->state == SMTP_CHUNKS)
            smtp_push(s, SMTP_EV_DROP);
        if (s->state != SMTP_START && s->state != SMTP_READY)
            s->state = SMTP_FAILED;
        smtp_reply(s, REPLY_CHUNK_SYNTAX);
        return;
    }
    bool good = s->esmtp && (s->state == SMTP_RCPT || s->state == SMTP_CHUNKS);
    smtp_chunk_begin(s, octets, last,
                     rc > 0      ? REPLY_CHUNK_SYNTAX
                     : good      ? REPLY_CHUNK_OK
                     : !s->esmtp ? REPLY_HELO_FIRST
                                 : out_of_order(s));
}

/* ---- the rest ---- */

/* RFC 3207: nothing that was said in clear counts behind it. What came behind the command came in
 * clear too: it is thrown away here, and what is fed before smtp_session_secured is as well. */
static void cmd_starttls(struct smtp_session *s, struct str argument)
{
    (void)argument;
    if (s->tls || !s->config->starttls) {
        smtp_reply(s, s->tls ? REPLY_TLS_ON : REPLY_NOT_IMPLEMENTED);
        return;
    }
    if (s->state == SMTP_START) {
        smtp_reply(s, REPLY_HELO_FIRST);
        return;
    }
    smtp_transaction_reset(s);
    s->esmtp = false;
    s->helo_n = 0;
    s->in = (struct str){0};
    s->state = SMTP_TLS;
    smtp_reply(s, REPLY_TLS_GO);
    smtp_push(s, SMTP_EV_STARTTLS);
}

static void cmd_rset(struct smtp_session *s, struct str argument)
{
    (void)argument;
    smtp_transaction_reset(s);
    smtp_reply(s, REPLY_RSET_OK);
}

static void cmd_noop(struct smtp_session *s, struct str argument)
{
    (void)argument;
    smtp_reply(s, REPLY_NOOP_OK);
}

static void cmd_vrfy(struct smtp_session *s, struct str argument)
{
    (void)argument;
    smtp_reply(s, REPLY_VRFY_NO);
}

static void cmd_help(struct smtp_session *s, struct str argument)
{
    (void)argument;
    smtp_reply(s, REPLY_HELP_TEXT);
}

static void cmd_quit(struct smtp_session *s, struct str argument)
{
    (void)argument;
    smtp_reply(s, REPLY_QUIT_OK);
}

static void cmd_not_implemented(struct smtp_session *s, struct str argument)
{
    (void)argument;
    smtp_reply(s, REPLY_NOT_IMPLEMENTED);
}

/* Most frequent first. A state that is not allowed means that EHLO is missing; finer sequence
 * rules have replies of their own. */
static const struct command commands[] = {
    {STR_INIT("RCPT"), cmd_rcpt, IN_GREETED, ARG_ANY},
    {STR_INIT("MAIL"), cmd_mail, IN_GREETED, ARG_ANY},
    {STR_INIT("DATA"), cmd_data, IN_GREETED, ARG_NONE},
    {STR_INIT("BDAT"), cmd_bdat, IN_ANY, ARG_ANY},
    {STR_INIT("EHLO"), cmd_ehlo, IN_ANY, ARG_ANY},
    {STR_INIT("HELO"), cmd_helo, IN_ANY, ARG_ANY},
    {STR_INIT("STARTTLS"), cmd_starttls, IN_ANY, ARG_NONE},
    {STR_INIT("QUIT"), cmd_quit, IN_ANY, ARG_NONE},
    {STR_INIT("RSET"), cmd_rset, IN_ANY, ARG_NONE},
    {STR_INIT("NOOP"), cmd_noop, IN_ANY, ARG_ANY},
    {STR_INIT("VRFY"), cmd_vrfy, IN_ANY, ARG_SOME},
    {STR_INIT("HELP"), cmd_help, IN_ANY, ARG_ANY},
    {STR_INIT("EXPN"), cmd_not_implemented, IN_ANY, ARG_ANY},
    {STR_INIT("AUTH"), cmd_not_implemented, IN_ANY, ARG_ANY},
    {STR_INIT("ETRN"), cmd_not_implemented, IN_ANY, ARG_ANY},
    {STR_INIT("TURN"), cmd_not_implemented, IN_ANY, ARG_ANY},
    {STR_INIT("SEND"), cmd_not_implemented, IN_ANY, ARG_ANY},
    {STR_INIT("SOML"), cmd_not_implemented, IN_ANY, ARG_ANY},
    {STR_INIT("SAML"), cmd_not_implemented, IN_ANY, ARG_ANY},
};

static const struct command *command_find(struct str name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (str_ieq(name, commands[i].name))
            return &commands[i];
    return NULL;
}

static bool has_control(struct str line)
{
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] < 0x20 ? line.p[i] != '\t' : line.p[i] == 0x7f)
            return true;
    return false;
}

void smtp_command(struct smtp_session *s, struct str line)
{
    if (has_control(line)) {
        smtp_reply(s, REPLY_LINE_CONTROL);
        return;
    }
    struct str argument = line;
    const struct command *c = command_find(str_trim(str_cut(&argument, ' ')));
    bool empty = str_trim(argument).n == 0;
    if (!c)
        smtp_reply(s, REPLY_UNKNOWN_COMMAND);
    else if (c->argument == ARG_NONE && !empty)
        smtp_reply(s, REPLY_ARGUMENT_EXTRA);
    else if (c->argument == ARG_SOME && empty)
        smtp_reply(s, REPLY_ARGUMENT_NEEDED);
    else if (!(c->states & 1u << s->state))
        smtp_reply(s, REPLY_HELO_FIRST);
    else
        c->run(s, argument);
}
