/* session_state.h - the fields of a session, and what its files do for each other; for them only.
 *
 *   session.c      bytes in, events out; command lines put together; what the owner may call
 *   command.c      what each command does
 *   transaction.c  MAIL and RCPT, and what the caller may refuse of them
 *   content.c      the content of a message, behind DATA or in the chunks of BDAT */
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
    SMTP_CHUNK,  /* the octets of a chunk */
    SMTP_CHUNKS, /* behind a chunk that was not the last */
    SMTP_FAILED, /* a chunk was refused: RSET or EHLO */
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
    /* A chunk that would only be dropped is not even read when it is so many times as long as a
     * message may be, or longer than this. */
    SMTP_CHUNK_TIMES = 4,
    SMTP_CHUNK_DROP_MAX = 1 << 30,
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

/* The chunk whose octets come. */
struct smtp_chunk {
    uint64_t left;
    bool last;
    bool counted;         /* the answer is that of a message */
    enum reply answer;    /* other than REPLY_CHUNK_OK: it is dropped and answered so */
    enum smtp_state then; /* ... and the session is in this state */
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
    bool utf8;         /* MAIL came with SMTPUTF8 */
    bool rcpt_refused; /* in this transaction */
    enum smtp_asked asked;
    enum reply answer; /* to what was asked */
    uint32_t bad;      /* commands answered 500 to 504 */
    uint32_t unknown;  /* recipients refused */

    struct buf line; /* the front of a line whose end has not come */
    bool line_cr;    /* the last byte was a <CR> */
    bool line_skip;  /* answered already: forget it up to its end */
    uint32_t line_skipped;

    struct smtp_chunk chunk;
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

/* SMTP_EV_DATA: content of a message begins. */
void smtp_content_begin(struct smtp_session *s);
/* It will be refused with why. */
void smtp_content_refuse(struct smtp_session *s, enum reply why);
/* Takes octets of SMTP_DATA or SMTP_CHUNK, or the end of a chunk; true when *ret is an event with
 * bytes. */
bool smtp_content_step(struct smtp_session *s, struct smtp_event *ret);
/* So many octets follow. answer: REPLY_CHUNK_OK when they belong to the message, else they are
 * dropped and answered so (RFC 3030 section 2). */
void smtp_chunk_begin(struct smtp_session *s, uint64_t octets, bool last, enum reply answer);

static inline bool smtp_chunk_is_whole(const struct smtp_session *s)
{
    return s->state == SMTP_CHUNK && s->chunk.left == 0;
}

/* Carries out one command line (without its end); command.c. */
void smtp_command(struct smtp_session *s, struct str line);

/* MAIL, RCPT; transaction.c. */
void smtp_mail(struct smtp_session *s, struct str argument);
void smtp_rcpt(struct smtp_session *s, struct str argument);
/* Why RCPT, DATA or BDAT can't come now. */
enum reply smtp_out_of_order(const struct smtp_session *s);
/* Holds answer back until the caller was asked. */
void smtp_ask(struct smtp_session *s, enum smtp_asked what, enum reply answer);
/* The reply that was held back. */
void smtp_answer(struct smtp_session *s);

#endif
