/* command.c - what each SMTP command does to a session. One table says where it is allowed. */
#include "base/require.h"
#include "receiver/address.h"
#include "receiver/session_state.h"
#include "receiver/xclient.h"

#include <errno.h>
#include <stdlib.h>

#define IN(state)  (1u << SMTP_##state)
#define IN_ANY     (IN(START) | IN(READY) | IN(MAIL) | IN(RCPT))
#define IN_GREETED (IN(READY) | IN(MAIL) | IN(RCPT))

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
    s->state = SMTP_READY;
    smtp_transaction_reset(s);
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

/* ---- what the caller may refuse ---- */

static void ask(struct smtp_session *s, enum smtp_asked what, enum reply answer)
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

void smtp_command_answer(struct smtp_session *s)
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

static enum reply mail_parameters(const struct smtp_config *config, struct str rest)
{
    struct str keyword, value;
    bool size = false, body = false;
    int rc;
    while ((rc = smtp_parameter_read(&rest, &keyword, &value)) > 0) {
        bool is_size = str_ieq(keyword, STR("SIZE")), is_body = str_ieq(keyword, STR("BODY"));
        if (!is_size && !is_body)
            return REPLY_PARAMETER_UNKNOWN;
        if (is_size ? size : body)
            return REPLY_PARAMETER_SYNTAX;
        size |= is_size;
        body |= is_body;
        uint64_t octets;
        if (is_size && (value.n > 20 || !str_to_u64(value, &octets)))
            return REPLY_PARAMETER_SYNTAX;
        if (is_size && config->message_bytes > 0 && octets > config->message_bytes)
            return REPLY_TOO_BIG;
        if (is_body && !str_ieq(value, STR("7BIT")) && !str_ieq(value, STR("8BITMIME")))
            return REPLY_BODY_OTHER;
    }
    return rc < 0 ? REPLY_PARAMETER_SYNTAX : REPLY_MAIL_OK;
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
    if (rc == -EILSEQ)
        return REPLY_ADDRESS_NOT_ASCII;
    return rc == -EINVAL ? not_a_path : not_an_address;
}

static void cmd_mail(struct smtp_session *s, struct str argument)
{
    struct str path;
    if (s->state == SMTP_MAIL || s->state == SMTP_RCPT) {
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
    int rc = smtp_path_read(&argument, SMTP_PATH_REVERSE, &path);
    if (rc < 0) {
        smtp_reply(s, path_reply(rc, REPLY_MAIL_SYNTAX, REPLY_MAIL_ADDRESS));
        return;
    }
    enum reply answer = mail_parameters(s->config, argument);
    if (answer != REPLY_MAIL_OK) {
        smtp_reply(s, answer);
        return;
    }
    REQUIRE(path.n <= SMTP_PATH_MAX);
    s->mail_from_n = (uint8_t)path.n;
    if (path.n > 0)
        memcpy(s->mail_from, path.p, path.n);
    ask(s, ASKED_MAIL, REPLY_MAIL_OK);
    smtp_push(s, SMTP_EV_MAIL);
}

static bool recipient_is_known(const struct smtp_session *s, struct str address)
{
    for (uint32_t i = 0; i < s->recipients_n; i++)
        if (str_eq(str_sub(buf_str(&s->text), s->recipients[i].at,
                           s->recipients[i].at + (size_t)s->recipients[i].address_n),
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
    int rc = buf_reserve(&s->text, address.n + found->recipient.n);
    if (rc < 0)
        return rc;
    s->recipients[s->recipients_n++] = (struct smtp_recipient){
        .domain = found->domain,
        .at = (uint32_t)s->text.n,
        .address_n = (uint16_t)address.n,
        .recipient_n = (uint16_t)found->recipient.n,
        .kind = (uint8_t)found->kind,
        .source = (uint8_t)found->source,
        .verified = found->verified,
    };
    rc = buf_add(&s->text, address);
    if (rc == 0)
        rc = buf_add(&s->text, found->recipient);
    REQUIRE(rc == 0); /* reserved above */
    return 0;
}

static enum reply rcpt(struct smtp_session *s, struct str address)
{
    struct returnpath found;
    arena_reset(s->config->scratch);
    int rc = returnpath_read(s->config->domains, s->config->scratch, address, &found);
    if (rc == -EHOSTUNREACH)
        return REPLY_RELAY_DENIED;
    if (rc == -ENOENT)
        return REPLY_RCPT_UNKNOWN;
    if (rc == -EINVAL)
        return REPLY_RCPT_ADDRESS;
    /* The same one twice is one recipient: it must not make two events. */
    if (rc == 0 && recipient_is_known(s, address))
        return REPLY_RCPT_OK;
    if (rc == 0 && s->recipients_n >= s->config->recipients)
        return REPLY_RCPT_MANY;
    if (rc < 0 || recipient_add(s, address, &found) < 0)
        return REPLY_LOCAL_ERROR;
    return REPLY_RCPT_OK;
}

static void cmd_rcpt(struct smtp_session *s, struct str argument)
{
    struct str path, keyword, value;
    if (s->state == SMTP_READY) {
        smtp_reply(s, REPLY_MAIL_FIRST);
        return;
    }
    if (!cut_word(&argument, STR("TO:"))) {
        smtp_reply(s, REPLY_RCPT_SYNTAX);
        return;
    }
    enum reply answer;
    uint32_t before = s->recipients_n;
    int rc = smtp_path_read(&argument, SMTP_PATH_FORWARD, &path);
    if (rc < 0)
        answer = path_reply(rc, REPLY_RCPT_SYNTAX, REPLY_RCPT_ADDRESS);
    else if ((rc = smtp_parameter_read(&argument, &keyword, &value)) != 0)
        answer = rc < 0 ? REPLY_PARAMETER_SYNTAX : REPLY_PARAMETER_UNKNOWN;
    else
        answer = rcpt(s, path);
    if (answer == REPLY_RCPT_OK && s->recipients_n > before) {
        ask(s, ASKED_RCPT, answer);
        smtp_push(s, SMTP_EV_RCPT);
        return;
    }
    if (answer == REPLY_RCPT_OK)
        s->state = SMTP_RCPT;
    else
        s->rcpt_refused = true;
    if ((answer == REPLY_RELAY_DENIED || answer == REPLY_RCPT_UNKNOWN) &&
        s->config->unknown_recipients > 0 && s->unknown++ >= s->config->unknown_recipients)
        answer = REPLY_UNKNOWN_MANY;
    smtp_reply(s, answer);
}

/* ---- the rest ---- */

static void cmd_data(struct smtp_session *s, struct str argument)
{
    (void)argument;
    if (s->state != SMTP_RCPT) {
        smtp_reply(s, s->state == SMTP_READY ? REPLY_MAIL_FIRST
                      : s->rcpt_refused      ? REPLY_RCPT_NONE
                                             : REPLY_RCPT_FIRST);
        return;
    }
    s->state = SMTP_DATA;
    smtp_data_begin(&s->data);
    s->hops = (struct hops){0};
    s->refused = s->truncated = false;
    s->size = s->kept = 0;
    smtp_push(s, SMTP_EV_DATA);
    smtp_reply(s, REPLY_DATA_GO);
}

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

/* The session begins anew, as if its client had connected just now; TLS stays on. */
static void cmd_xclient(struct smtp_session *s, struct str argument)
{
    struct xclient x;
    if (!s->config->xclient || (s->state != SMTP_START && s->state != SMTP_READY)) {
        smtp_reply(s, s->config->xclient ? REPLY_XCLIENT_LATE : REPLY_XCLIENT_DENIED);
        return;
    }
    if (xclient_read(argument, &x) < 0) {
        smtp_reply(s, REPLY_XCLIENT_SYNTAX);
        return;
    }
    smtp_transaction_reset(s);
    s->state = x.has_helo ? SMTP_READY : SMTP_START;
    s->esmtp = x.has_helo && !x.smtp;
    s->helo_n = x.helo_n;
    memcpy(s->helo, x.helo, x.helo_n);
    s->bad = s->unknown = 0;
    ask(s, ASKED_XCLIENT, REPLY_GREETING);
    smtp_push(s, SMTP_EV_XCLIENT);
    /* wire is free: the greeting is written to it behind this event. */
    size_t n = strlen(x.address);
    memcpy(s->wire, x.address, n);
    s->queue[s->queue_n - 1].bytes = str_of(s->wire, n);
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
    {STR_INIT("EHLO"), cmd_ehlo, IN_ANY, ARG_ANY},
    {STR_INIT("HELO"), cmd_helo, IN_ANY, ARG_ANY},
    {STR_INIT("STARTTLS"), cmd_starttls, IN_ANY, ARG_NONE},
    {STR_INIT("QUIT"), cmd_quit, IN_ANY, ARG_NONE},
    {STR_INIT("RSET"), cmd_rset, IN_ANY, ARG_NONE},
    {STR_INIT("NOOP"), cmd_noop, IN_ANY, ARG_ANY},
    {STR_INIT("VRFY"), cmd_vrfy, IN_ANY, ARG_SOME},
    {STR_INIT("HELP"), cmd_help, IN_ANY, ARG_ANY},
    {STR_INIT("XCLIENT"), cmd_xclient, IN_ANY, ARG_ANY},
    {STR_INIT("EXPN"), cmd_not_implemented, IN_ANY, ARG_ANY},
    {STR_INIT("BDAT"), cmd_not_implemented, IN_ANY, ARG_ANY},
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
