/* attribute.h - envelope + report -> attribution. Pure. */
#ifndef ATTRIBUTE_ATTRIBUTE_H
#define ATTRIBUTE_ATTRIBUTE_H

#include "attribute/attribution.h"
#include "attribute/inside.h"
#include "parser/report.h"
#include "returnpath/returnpath.h"

/* One message under one of its envelope recipients: what all of its groups share. */
struct attribute_message {
    const struct returnpath *envelope; /* as the receiver read it */
    const struct report *report;
    bool real_sender; /* MAIL FROM was not null */
    bool delivered;   /* a group was delivered, relayed or expanded, or groups were cut */
    struct inside inside;
};

/* today: days since 1970-01-01 on which the message was received, so that it is read the same
 * whenever it is read. reader (may be NULL: no token inside is known) is used in this call alone;
 * envelope and report must outlive *ret. 0 or -ENOMEM. */
int attribute_message_open(struct returnpath_reader *reader, struct arena *a,
                           const struct returnpath *envelope, const struct report *report,
                           bool real_sender, uint32_t today, struct attribute_message *ret);

/* What a message of that kind is, given where it was sent to: whatever is written to an address
 * that was made for unsubscribing (RFC 2369), or with such an address as its Subject, unsubscribes.
 */
enum report_kind attribute_kind(const struct attribute_message *m, enum report_kind kind);

/* Whose address recipient number i of the report is, in an event of that kind. i ==
 * report->recipients_n == 0 asks for the message itself (an unsubscribe, a complaint that names
 * nobody). A recipient that was only guessed from the returned message is as good as none. Strings
 * live in a or in what m refers to. 0 or -ENOMEM.
 *
 * A token in RCPT TO must have been made for mail of that kind; inside a complaint or bounce, any
 * of ours proves that its recipient was sent that message. One that is not valid rules too: then
 * nothing verifies, whatever else the message holds. */
int attribute_recipient(const struct attribute_message *m, struct arena *a, enum report_kind kind,
                        size_t i, struct attribution *ret);

#endif
