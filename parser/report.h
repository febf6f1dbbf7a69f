/* report.h - what a message reports, without an opinion.
 *
 * report_read turns the bytes of one message into a struct report: which kind of message it is,
 * which recipients it speaks of and in which words, and what it shows of the message it is about.
 * It never fails on what a message holds: what can't be read is of kind "other".
 * RFC 6522, 3464 (DSN), 5965 (ARF), 6533 (internationalised DSN), 8098 (MDN), 3834 (auto-replies).
 */
#ifndef PARSER_REPORT_H
#define PARSER_REPORT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/smtp_command.h"

/* Names are those of JSON, SQL and docs. */
#define REPORT_KINDS(X)                                                                  \
    X(REPORT_BOUNCE, "bounce", "a recipient did not get the message")                    \
    X(REPORT_COMPLAINT, "complaint", "a recipient called the message spam (RFC 5965)")   \
    X(REPORT_UNSUBSCRIBE, "unsubscribe", "a recipient asked to be taken off (RFC 2369)") \
    X(REPORT_AUTO_REPLY, "auto_reply", "a responder answered (RFC 3834)")                \
    X(REPORT_RECEIPT, "receipt", "a disposition notification (RFC 8098)")                \
    X(REPORT_DELAYED, "delayed", "not delivered yet, still being tried")                 \
    X(REPORT_DELIVERED, "delivered", "delivered, relayed or expanded")                   \
    X(REPORT_NOT_SPAM, "not_spam", "a recipient took a complaint back (RFC 6430)")       \
    X(REPORT_AUTH_REPORT, "auth_report", "an authentication failure report (RFC 6591)")  \
    X(REPORT_AGGREGATE, "aggregate_report", "a DMARC or TLS aggregate (RFC 7489, 8460)") \
    X(REPORT_OTHER, "other", "anything else; kept, for a person to read")

enum report_kind {
#define X(id, name, meaning) id,
    REPORT_KINDS(X)
#undef X
        REPORT_KIND_COUNT
};
const char *report_kind_name(enum report_kind kind);

/* RFC 3464 section 2.3.3. */
#define REPORT_ACTIONS(X)                   \
    X(REPORT_ACTION_NONE, "")               \
    X(REPORT_ACTION_FAILED, "failed")       \
    X(REPORT_ACTION_DELAYED, "delayed")     \
    X(REPORT_ACTION_DELIVERED, "delivered") \
    X(REPORT_ACTION_RELAYED, "relayed")     \
    X(REPORT_ACTION_EXPANDED, "expanded")

enum report_action {
#define X(id, name) id,
    REPORT_ACTIONS(X)
#undef X
        REPORT_ACTION_COUNT
};
/* "" for REPORT_ACTION_NONE. */
const char *report_action_name(enum report_action action);

/* All strings are valid UTF-8 without NUL and CR; absent when the message does not say. A bounce
 * or delay has at least one recipient: one without addresses when the message names nobody
 * and nothing else tells (the returned message's only addressee becomes original_recipient, and
 * guessed says so). */
struct report_recipient {
    struct str original_recipient; /* address only: type cut off, xtext decoded */
    struct str final_recipient;
    bool guessed; /* no reporter names it, only the returned message does: whose it is, it can't say
                   */
    enum report_action action;
    struct str status;   /* "5.1.1" (RFC 3463): the remote words' own, else the Status field's */
    uint16_t reply_code; /* 421, 550 ...; 0: none seen */
    enum smtp_command command; /* that the remote reply answered, where the reporter tells it */
    struct str diagnostic;     /* the remote words: Diagnostic-Code without its type, unfolded */
    struct str remote_mta;
    struct str last_attempt; /* Last-Attempt-Date, as it stands */
    struct str retry_until;  /* Will-Retry-Until, as it stands */
    struct str final_log_id;
};

/* A header field of the returned message that was asked for by name. */
struct report_field {
    struct str name; /* as it was asked for */
    struct str value;
};
/* How many such fields are kept of one message. */
enum { REPORT_KEPT_MAX = 32 };

/* What a returned message or its headers say. */
struct report_original {
    struct str message_id; /* without <> */
    struct str from;       /* address only */
    struct str to;         /* address only, of the first To: never proof of the recipient */
    struct str mail_from;  /* Original-Mail-From of a feedback report */
    struct str return_path;
    struct str date;
    uint64_t subject_hash; /* hash_fnv1a of the Subject in UTF-8; 0: it has none */
    struct str feedback_id;
    struct str list_id;
    struct str list_unsubscribe;
    unsigned hops;                   /* Received fields */
    struct str cfbl_address;         /* RFC 9477: address only */
    struct str cfbl_feedback_id;     /* RFC 9477 */
    struct str dkim_domain;          /* d= of the first DKIM-Signature, lower-case; not verified */
    const struct report_field *kept; /* what limits->keep names, in the order it stands there */
    size_t kept_n;
};

struct report {
    enum report_kind kind;
    const char *reader; /* which reader understood it: "dsn", "arf", ...; static */
    struct report_recipient *recipients;
    size_t recipients_n;
    bool recipients_cut; /* the message named more than limits->recipients */
    struct str reporting_mta;
    struct str arrival_date;
    struct str envelope_id;
    struct str feedback_type; /* lower-case: "abuse" */
    struct str user_agent;
    struct str source_ip;
    struct str subject;
    struct str from; /* address only */
    struct report_original original;
};

struct report_limits {
    size_t recipients; /* more are dropped, recipients_cut is set */
    size_t depth;      /* of nested parts */
    size_t parts;
    size_t headers;         /* in the whole message */
    size_t header_bytes;    /* of one header field */
    size_t text_bytes;      /* of one diagnostic or other text kept */
    const struct str *keep; /* names of the returned message's header fields to keep as well */
    size_t keep_n;
};
/* 1000 recipients, depth 20, 1000 parts, 10,000 header fields, 256 KiB a field, 8 KiB a text; no
 * further header field is kept. */
extern const struct report_limits report_limits_default;

/* Call once in a process before the first report_read, before threads are started. */
void report_init(void);

/* Reads message (CRLF, LF or CR line ends). 0 and *ret, which lives in a; -ENOMEM when the arena
 * is full. A message over a limit, or that can't be parsed, gives kind other. Not thread-safe
 * (GMime): processes, not threads. */
int report_read(struct arena *a, struct str message, const struct report_limits *limits,
                struct report **ret, struct err *e);

#endif
