/* command.c - what each SMTP command does to a session. One table says where it is allowed. */
#include "base/require.h"
#include "receiver/parameters.h"
#include "receiver/session_state.h"
#include "receiver/xclient.h"

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

/* ---- DATA, BDAT ---- */

static void cmd_data(struct smtp_session *s, struct str argument)
{
    (void)argument;
    if (s->state != SMTP_RCPT) {
        enum reply why = smtp_out_of_order(s);
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
                                 : smtp_out_of_order(s));
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
    smtp_ask(s, ASKED_XCLIENT, REPLY_GREETING);
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
    {STR_INIT("RCPT"), smtp_rcpt, IN_GREETED, ARG_ANY},
    {STR_INIT("MAIL"), smtp_mail, IN_GREETED, ARG_ANY},
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
    {STR_INIT("XCLIENT"), cmd_xclient, IN_ANY, ARG_ANY},
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
