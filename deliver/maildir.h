/* maildir.h - a message into a Maildir: DIRECTORY/tmp, synced, then DIRECTORY/new, synced. */
#ifndef DELIVER_MAILDIR_H
#define DELIVER_MAILDIR_H

#include "deliver/mail.h"
#include "deliver/place.h"

/* Makes the Maildir (0700) when it is missing; its parent must be there. Delivers with Return-Path,
 * Delivered-To and X-Bouncemx-Message in front (and X-Bouncemx-Truncated, where it applies), line
 * ends LF, mode 0600. The file's name follows from the mail's, so that a message that already lies
 * in new/ or cur/, read or not, is not delivered again. max_octets: what new/ and cur/ may hold
 * together; 0 = no limit, over it -EDQUOT. -ENOMEM, or as the disk says. */
int maildir_deliver(const struct place_io *io, const char *directory, const char *node,
                    uint64_t max_octets, const struct mail *m, struct err *e);

/* Messages in new/ and cur/; 0 when there is no such Maildir. -errno. */
int maildir_size(const char *directory, uint64_t *ret_messages, uint64_t *ret_octets,
                 struct err *e);

#endif
