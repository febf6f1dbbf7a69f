/* session_state.h - the fields of a session, for session.c and command.c only. */
#ifndef RECEIVER_SESSION_STATE_H
#define RECEIVER_SESSION_STATE_H

#include "base/buf.h"
#include "receiver/data.h"
#include "receiver/hops.h"
#include "receiver/session.h"

enum smtp_state {
    SMTP_START, /* no EHLO yet */
    SMTP_READY,
    SMTP_MAIL, /* a sender, no recipient yet */
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_WAIT,
    SMTP_TLS, /* the handshake; no input counts */
    SMTP_CLOSED,
};

enum {
    /* RFC 5321 section 4.5.3.1.4 says 512, extensions may add to it; with <CR><LF>. */
    SMTP_LINE_MAX = 2048,
    /* A line this long is no mistake any more. */
    SMTP_SKIP_MAX = 64 * 1024,
    SMTP_HELO_MAX = 255,
    SMTP_PATH_MAX = 254,
    SMTP_QUEUE_MAX = 4,
};

/* What text holds of one recipient, in this order. */
enum smtp_text {
    SMTP_TEXT_ADDRESS,
    SMTP_TEXT_RECIPIENT,
    SMTP_TEXT_TOKEN,
    SMTP_TEXT_TOKEN_ID,
    SMTP_TEXT_TENANT, /* empty: the domain's */
    SMTP_TEXT_STREAM, /* empty: the domain's */
    SMTP_TEXT_CAMPAIGN,
    SMTP_TEXT_MESSAGE_ID,
    SMTP_TEXTS,
};

struct smtp_recipient {
    const struct returnpath_domain *domain;
    uint32_t at; /* in text */
    uint32_t day;
    uint16_t n[SMTP_TEXTS];
    uint8_t kind;
    uint8_t source;
    uint8_t proof;
    bool verified;
};

struct smtp_session {
    const struct smtp_config *config;
    struct str in;

    /* Events that wait to be pulled; the bytes of at most one of them stand in wire. */
    struct smtp_event queue[SMTP_QUEUE_MAX];
    uint8_t queue_at, queue_n;

    enum smtp_state state;
    bool esmtp;
    bool tls;
    bool asked;        /* SMTP_EV_MAIL was given, the reply not */
    bool rcpt_refused; /* in this transaction */
    enum reply mail_answer;
    uint32_t bad;     /* commands answered 500 to 504 */
    uint32_t unknown; /* recipients refused */

    struct buf line; /* the front of a line whose end has not come */
    bool line_cr;    /* the last byte was a <CR> */
    bool line_skip;  /* answered already: forget it up to its end */
    uint32_t line_skipped;

    struct smtp_data data;
    struct hops hops;
    bool refused; /* the content: its end is answered with data_answer */
    enum reply data_answer;
    bool truncated;
    uint64_t size; /* of the content so far */
    uint64_t kept;

    struct smtp_recipient *recipients;
    uint32_t recipients_n, recipients_room;
    struct buf text; /* what recipients point to */

    uint8_t helo_n;
    uint8_t mail_from_n;
    char helo[SMTP_HELO_MAX];
    char mail_from[SMTP_PATH_MAX];
    char wire[REPLY_MAX];
};

/* Queues an event; session.c. */
void smtp_push(struct smtp_session *s, enum smtp_event_kind kind);
void smtp_reply(struct smtp_session *s, enum reply r);
/* Ends the transaction, keeps EHLO. */
void smtp_transaction_reset(struct smtp_session *s);

/* Carries out one command line (without its end); command.c. */
void smtp_command(struct smtp_session *s, struct str line);
/* The reply that was held back while the caller was asked. */
void smtp_command_mail_answer(struct smtp_session *s);

#endif
