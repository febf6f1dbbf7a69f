/* outbox_file.h - a message in a file of the outbox. Private to deliver/.
 *
 *   bouncemx mail 1
 *   domain: bounces.example.com
 *   to: postmaster@bounces.example.com
 *   from:
 *   received: 1770026400000000
 *   size: 5000
 *   truncated: 0
 *   (an empty line, then the message) */
#ifndef DELIVER_OUTBOX_FILE_H
#define DELIVER_OUTBOX_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "deliver/mail.h"

enum { OUTBOX_FACTS_MAX = 4096 };

/* What stands before the message. -EINVAL: a fact that holds a line end; -ENOMEM, -ENOBUFS. */
int outbox_file_facts(const struct mail *m, struct buf *b, struct err *e);

/* Fills all of *ret but its name; it refers to file. -EBADMSG. */
int outbox_file_read(struct str file, struct mail *ret, struct err *e);

#endif
