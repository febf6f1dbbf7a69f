/* session.h - one SMTP session as a pure machine: bytes pushed in, events pulled out.
 *
 * No socket, no clock. The caller feeds what it read, pulls events until there are none, and does
 * what they say, in order:
 *
 *   smtp_session_feed(s, bytes);
 *   while (smtp_session_next(s, &event))
 *       ... apply event ...
 *   keep(smtp_session_rest(s));     what the session did not take: it waits for smtp_session_done
 *
 * The same bytes give the same replies and messages however they are cut. RFC 5321, 2920, 1870,
 * 6152, 2034, 3030, 3207, 6531, 9422. */
#ifndef RECEIVER_SESSION_H
#define RECEIVER_SESSION_H

#include "base/arena.h"
#include "receiver/reply.h"
#include "returnpath/returnpath.h"
#include "spool/spool.h"

struct smtp_session;

/* Shared by the sessions of one thread. */
struct smtp_config {
    struct returnpath_reader *reader;
    uint32_t today;                  /* days since 1970-01-01; the owner keeps it */
    struct str hostname;             /* in greeting and EHLO; at most 253 octets */
    uint64_t message_bytes;          /* 0 = no limit */
    uint64_t keep_bytes;             /* content behind this is counted, not delivered */
    uint32_t recipients;             /* 1 ... SPOOL_RECIPIENTS_MAX */
    uint32_t bad_commands;           /* 0 = no limit */
    uint32_t unknown_recipients;     /* 0 = no limit */
    uint32_t null_sender_recipients; /* of a message without a sender; 0 = as recipients */
    bool bare_newlines;              /* a <CR> or <LF> alone in content is content; else refused */
    bool starttls;                   /* offered until it was used */
    bool tls_require;                /* no sender is accepted without TLS */
    bool xclient;                    /* the peer may say whom it speaks for */
    struct arena *scratch;           /* reset by each use */
};

enum smtp_event_kind {
    SMTP_EV_REPLY,    /* send wire */
    SMTP_EV_MAIL,     /* a sender will be accepted, unless smtp_session_refuse is called now */
    SMTP_EV_RCPT,     /* a recipient likewise; not one that was given before */
    SMTP_EV_XCLIENT,  /* the session begins anew for another client, likewise; bytes: its address,
                       * empty when the peer does not know it */
    SMTP_EV_DATA,     /* content begins: a new, empty body */
    SMTP_EV_BODY,     /* add bytes to the body; they are a part of what was fed */
    SMTP_EV_DROP,     /* forget the body: the message is or will be refused, or was given up */
    SMTP_EV_END,      /* the message is whole: make it durable, then call smtp_session_done */
    SMTP_EV_STARTTLS, /* the handshake begins behind the reply before it: see smtp_session_secured
                       */
    SMTP_EV_CLOSE,    /* close the connection once replies are sent; no event follows */
};

struct smtp_event {
    enum smtp_event_kind kind;
    enum reply reply; /* SMTP_EV_REPLY: which it is */
    bool after_data;  /* SMTP_EV_REPLY: it answers a whole message */
    uint64_t size;    /* SMTP_EV_MAIL: octets that SIZE announced; 0: it did not */
    struct str bytes; /* SMTP_EV_REPLY: the wire; SMTP_EV_BODY: content; SMTP_EV_XCLIENT: see there.
                       * Until the next call */
};

enum smtp_phase {
    SMTP_PHASE_COMMAND, /* between commands */
    SMTP_PHASE_DATA,    /* inside a message's content, or a chunk that is dropped */
    SMTP_PHASE_WAIT,    /* SMTP_EV_END was given, smtp_session_done not yet called */
    SMTP_PHASE_TLS,     /* SMTP_EV_STARTTLS was given, smtp_session_secured not yet called */
    SMTP_PHASE_CLOSED,
};

/* The first event is the greeting. NULL: no memory. */
struct smtp_session *smtp_session_new(const struct smtp_config *config);
void smtp_session_free(struct smtp_session *s);

/* bytes stay valid until the events are pulled; nothing of an earlier feed may be left. */
void smtp_session_feed(struct smtp_session *s, struct str bytes);
bool smtp_session_next(struct smtp_session *s, struct smtp_event *ret);
/* Takes back what was fed and not used; to be fed again later. */
struct str smtp_session_rest(struct smtp_session *s);

enum smtp_phase smtp_session_phase(const struct smtp_session *s);

/* After SMTP_EV_MAIL, SMTP_EV_RCPT or SMTP_EV_XCLIENT, before the next call: it is answered with
 * why instead. */
void smtp_session_refuse(struct smtp_session *s, enum reply why);

/* No more content of the message in hand is delivered, its end is answered with why. Without one
 * nothing happens. */
void smtp_session_refuse_data(struct smtp_session *s, enum reply why);
/* From SMTP_EV_DATA on until the end of the content, also between the chunks of one message. */
bool smtp_session_has_message(const struct smtp_session *s);
/* It may be added to: it is not refused, and not longer than is kept. */
bool smtp_session_body_grows(const struct smtp_session *s);

/* The message of SMTP_EV_END: envelope with all strings, its recipients in list. id, received_at,
 * client_address and tls are left to the caller. Valid until smtp_session_done. */
void smtp_session_envelope(const struct smtp_session *s,
                           struct spool_recipient list[SPOOL_RECIPIENTS_MAX],
                           struct spool_envelope *ret);
/* Content went on behind keep_bytes. */
bool smtp_session_truncated(const struct smtp_session *s);

/* The handshake is done: what is fed from now on came encrypted. Either behind SMTP_EV_STARTTLS,
 * and all that the client said before is forgotten (RFC 3207 section 4.2), or before anything was
 * fed (implicit TLS). What is fed between SMTP_EV_STARTTLS and this call is thrown away: it came in
 * clear, perhaps from somebody else. */
void smtp_session_secured(struct smtp_session *s);

/* result: of spool_append or its done(). 0: "250 2.0.0 <id>". */
void smtp_session_done(struct smtp_session *s, int result, struct str id);

/* Ends the session from our side: why (a 421), then SMTP_EV_CLOSE. Not while a message waits. */
void smtp_session_end(struct smtp_session *s, enum reply why);

#endif
