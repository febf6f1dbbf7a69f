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

/* What the caller was told and may still refuse; the reply is held back. */
enum smtp_asked { ASKED_NOTHING, ASKED_MAIL, ASKED_RCPT, ASKED_XCLIENT };

enum {
    /* RFC 5321 section 4.5.3.1.4 says 512, extensions may add to it; with <CR><LF>. */
    SMTP_LINE_MAX = 2048,
    /* A line this long is no mistake any more. */
    SMTP_SKIP_MAX = 64 * 1024,
    SMTP_HELO_MAX = 255,
    SMTP_PATH_MAX = 254,
    SMTP_QUEUE_MAX = 4,
};

/* Strings stand in text, at .. at + n. */
struct smtp_recipient {
    const struct returnpath_domain *domain;
    uint32_t at;
    uint16_t address_n;
    uint16_t recipient_n; /* behind the address */
    uint8_t kind;
    uint8_t source;
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
    bool rcpt_refused; /* in this transaction */
    enum smtp_asked asked;
    enum reply answer; /* to what was asked */
    uint32_t bad;      /* commands answered 500 to 504 */
    uint32_t unknown;  /* recipients refused */

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
void smtp_command_answer(struct smtp_session *s);

#endif
