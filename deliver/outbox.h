/* outbox.h - what is on its way to people, and what has gone.
 *
 *   DIRECTORY/lock               locked by the one process that delivers
 *   DIRECTORY/tmp/               being written
 *   DIRECTORY/new/DOMAIN/NAME    to be delivered: facts, an empty line, the message. Its mtime is
 *                                the time (wall clock) before which it is not tried again
 *   DIRECTORY/done/NAME          delivered; empty. Kept so that a message whose record is read
 * again is not delivered again DIRECTORY/bad/NAME           a file in new/ that can't be read
 *
 * Many processes put, one delivers. What outbox_put returned 0 for survives a crash of the machine.
 */
#ifndef DELIVER_OUTBOX_H
#define DELIVER_OUTBOX_H

#include "base/arena.h"
#include "deliver/mail.h"
#include "deliver/place.h"

struct outbox;

/* Makes the directories. io: NULL is the system's. -ENOMEM, -errno. */
int outbox_open(const char *directory, const struct place_io *io, struct outbox **ret,
                struct err *e);
void outbox_free(struct outbox *o); /* gives up the lock */

/* Durably; nothing when it is there, or was delivered, already. max_octets: what may wait (counted
 * anew every 10 s); 0 = no limit, over it -EDQUOT. now: any steady clock in microseconds.
 * -EINVAL: an address that holds a line end. */
int outbox_put(struct outbox *o, const struct mail *m, uint64_t max_octets, int64_t now,
               struct err *e);

/* ---- the one that delivers ---- */

/* -EBUSY: another process delivers. */
int outbox_lock(struct outbox *o, struct err *e);

/* Domains for which something waits; NUL-terminated, in a. */
int outbox_domains(const struct outbox *o, struct arena *a, const char ***ret, size_t *ret_n,
                   struct err *e);

struct outbox_entry {
    const char *name;
    int64_t next; /* not to be tried before, microseconds since the epoch */
};

/* What waits for a domain, oldest first. */
int outbox_list(const struct outbox *o, const char *domain, struct arena *a,
                struct outbox_entry **ret, size_t *ret_n, struct err *e);

/* The message, in a. -EBADMSG: no message of ours; -ENOMEM, -EIO. */
int outbox_read(const struct outbox *o, const char *domain, const char *name, struct arena *a,
                struct mail *ret, struct err *e);

/* It was delivered. */
int outbox_done(const struct outbox *o, const char *domain, const char *name, struct err *e);
/* It is not to be tried before next. */
int outbox_later(const struct outbox *o, const char *domain, const char *name, int64_t next,
                 struct err *e);
/* It can't be read: kept in bad/. */
int outbox_bad(const struct outbox *o, const char *domain, const char *name, struct err *e);

/* Forgets what was delivered before that time (microseconds since the epoch), and what killed
 * processes left in tmp/ before it. */
void outbox_prune(const struct outbox *o, int64_t before);

/* ---- for people ---- */

/* The last failure, for `status`: one line, "" when all is well again. */
int outbox_tell(const struct outbox *o, const char *text, struct err *e);

struct outbox_stats {
    uint64_t waiting, octets, bad;
    int64_t oldest;    /* when the oldest that waits was received, microseconds; 0: nothing waits */
    char failure[512]; /* what outbox_tell said last */
};
/* Of a directory that need not be there; makes nothing. */
int outbox_stats(const char *directory, struct outbox_stats *ret, struct err *e);

#endif
