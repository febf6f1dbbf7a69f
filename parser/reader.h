/* reader.h - what the readers of one message share: its parts, and the report that grows. */
#ifndef PARSER_READER_H
#define PARSER_READER_H

#include "parser/mime.h"

struct reader {
    struct arena *a; /* for what the report keeps; the rest goes to mime->scratch */
    const struct report_limits *limits;
    struct mime *mime;
    struct report *report;
    size_t recipients_room;
    struct str coded; /* the notice's first words with a code in them, once coded_known */
    bool coded_known;
    struct str charset; /* of the notice; reports without one of their own use it */
};

/* A new recipient at the end of the report's list; NULL when there are as many as the limit allows
 * (recipients_cut is set) or memory ended (the arena says so). */
struct report_recipient *reader_recipient_add(struct reader *r);

/* The recipient with that address (final or original), or NULL. */
struct report_recipient *reader_recipient_find(const struct reader *r, struct str address);

/* One bounded line of the message's words, in the report's arena; absent stays absent, and what is
 * empty becomes so. */
struct str reader_text(struct reader *r, struct str raw);

/* A field's host: "dns; mx.example.net (...)" -> "mx.example.net". */
struct str reader_host(struct reader *r, struct str value);

/* The notice for people as UTF-8 text, of at most max bytes: the first text part outside any
 * returned message; HTML without its tags when there is no plain one. Absent when there is none.
 * *ret_part (may be NULL) is its index. */
struct str reader_notice(struct reader *r, size_t max, size_t *ret_part);

/* The readers. Each gives true when it understood the message and has filled the report. */
bool dsn_read(struct reader *r);
/* The same of a report that lost its structure, or one inside a message that was passed on: only
 * for what is known to be a notice. */
bool dsn_read_text(struct reader *r, struct str text);
bool dsn_read_nested(struct reader *r);
bool arf_read(struct reader *r);
/* Complaints from before RFC 5965: a notice with the message, no machine-readable part. */
bool complaint_read(struct reader *r);
bool freeform_read(struct reader *r);
bool ses_read(struct reader *r);
/* A notice that a person passed on, whole and quoted or attached. */
bool forward_read(struct reader *r);

/* Fills report->original from the returned message or its headers. */
void original_read(struct reader *r);
/* The one addressee of the returned message, by its newest Received: or its To: alone; absent when
 * there are several or it came by a list. In report's arena. */
struct str original_only_recipient(struct reader *r);
/* Index in text of the line that announces a returned message which the notice quotes, and of that
 * message's first line; text.n when there is none. ret_header may be NULL. */
size_t original_marker(struct str text, size_t *ret_header);

/* The reason that a notice gives for one address: from the address on to the next paragraph's end.
 * Absent when the address does not stand there. */
struct str freeform_reason(struct str notice, struct str address);

/* The first paragraph of the notice with a reply or status code in it; absent when there is none.
 */
struct str freeform_coded(struct str notice);

/* The one address that the notice is about; absent when there is none or it could be several. */
struct str freeform_only_recipient(struct reader *r, struct str notice);

/* The command that the remote reply answered, from the recipient's words and the notice (may be
 * absent). */
void command_read(const struct reader *r, struct report_recipient *to, struct str notice);

/* What the top headers alone say: REPORT_OTHER when nothing. */
enum report_kind kind_by_headers(const struct reader *r);
/* It went to an address that exists to unsubscribe by (RFC 2369): whatever a person wrote there. */
bool kind_is_unsubscribe_address(const struct reader *r);

#endif
