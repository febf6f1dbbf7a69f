/* notice.h - the words by which mail systems say that mail was not delivered. */
#ifndef PARSER_NOTICE_H
#define PARSER_NOTICE_H

#include "base/str.h"

/* From: "MAILER-DAEMON@...", "Mail Delivery System <...>" and their like. value is the header's. */
bool notice_is_mta(struct str from_value, struct str address);
/* A subject that announces a failed or late delivery. */
bool notice_is_subject(struct str subject);
/* The text says that some message was not delivered. */
bool notice_is_failure(struct str text);
/* ... not yet, and that it is still being tried. */
bool notice_is_delay(struct str subject, struct str text);
/* The line is about whom to ask, not about a recipient. */
bool notice_is_contact(struct str line);
/* Words in front of an address that make it a failed recipient: "Recipient:", "delivered to". */
bool notice_is_recipient_label(struct str before);
/* ... that may do so. */
bool notice_is_label(struct str before);

#endif
