/* transcript.h - a written SMTP session, and the playing of its bytes against the session machine.
 *
 *   # ...                 a comment; empty lines mean nothing
 *   C: bytes              the client sends bytes and <CR><LF>
 *   C+ bytes              ... without <CR><LF>
 *   C*300: bytes          ... 300 times (also C*300+)
 *   S: reply              the next reply line begins so (S*300: 300 times)
 *   @limit NAME NUMBER    message_bytes, keep_bytes, recipients, null_sender_recipients,
 *                         bad_commands, unknown_recipients; before the first C
 *   @bare-newlines        a <CR> or <LF> alone is accepted in content
 *   @refuse-recipients NUMBER  all but that many recipients are refused: too many in this minute
 *   @xclient              the peer may use XCLIENT
 *   @helo NAME            of the last message
 *   @client ADDRESS       what XCLIENT said last
 *   T:                    the TLS handshake that STARTTLS asked for is done here
 *   @starttls             it is offered
 *   @implicit-tls         TLS from the first byte on
 *   @tls-require          no mail without TLS
 *   @in-clear             what it says of STARTTLS is not so inside TLS
 *   @protocol WORD        of the last message: SMTP, ESMTP, ESMTPS ...
 *   @store NUMBER...      what storing says, message by message (-28 is -ENOSPC); then 0
 *   @room NUMBER          MAIL that announces more octets than this is refused: no room
 *   @stored NUMBER        that many messages were given to be stored; must stand in each file
 *   @from ADDRESS         reverse-path of the last one ("<>": null)
 *   @to ADDRESS...        recipients of the last one
 *   @says WORDS...        what their addresses say: proof/recipient/token id/day/stream
 *   @size NUMBER          its size
 *   @truncated            only its front was kept
 *   @body bytes           its content
 *   @closed               the session closed the connection
 *
 * Escapes in bytes: \r \n \t \0 \\ \xHH. What is wrong is said on stderr, and ends the program. */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include "base/buf.h"
#include "receiver/session.h"

enum { BYTES_MAX = 1 << 20, STEPS_MAX = 4096, STORES_MAX = 16 };

struct transcript_step {
    bool is_client;
    size_t from, to; /* in client or expected */
};

struct transcript {
    struct smtp_config config;
    struct buf text;             /* what the file says; strings below are parts of it */
    struct buf client, expected; /* expected: lines ended by \n */
    struct transcript_step steps[STEPS_MAX];
    size_t steps_n;
    int64_t stores[STORES_MAX];
    size_t stores_n;
    bool truncated, closed, implicit, in_clear;
    int64_t room;
    size_t secured_at;                /* in client; SIZE_MAX: never */
    int64_t stored, size, recipients; /* -1: not said */
    struct str from, to, says, body, protocol, helo, named;
    struct buf body_bytes;
    struct arena scratch;
    struct returnpath_reader *reader;
};

/* What a session did. */
struct outcome {
    struct buf replies; /* lines ended by \r\n */
    struct buf body, last;
    struct buf envelope; /* from, then recipients, each with a space behind it */
    struct buf says;     /* of each recipient, with a space behind it */
    int64_t stored;
    uint64_t size;
    bool truncated, closed, secured;
    int64_t recipients; /* that were asked for */
    char protocol[16], client[64], helo[256];
};

struct transcript *transcript_read(const char *path);
void transcript_free(struct transcript *t);

/* A session whose greeting was pulled. */
struct smtp_session *transcript_start(const struct transcript *t, bool tls, struct outcome *o);
void outcome_free(struct outcome *o);

/* Does what the session says until all bytes are used. */
void transcript_feed(const struct transcript *t, struct smtp_session *s, struct str bytes,
                     struct outcome *o);

/* The reply lines up to expected_n of t->expected are those of got, and no more are there. */
void transcript_compare_replies(const struct transcript *t, size_t expected_n,
                                const struct buf *got, const char *how);
/* All that the transcript says. inside_tls: where it speaks of a session in clear. */
void transcript_compare(const struct transcript *t, const struct outcome *o, bool inside_tls,
                        const char *how);

#endif
