/* keep.h - what one process of the whole installation does for the database: numbering the feed,
 * dropping what is old. Errors are those of db.h; each call is one short transaction. */
#ifndef DB_KEEP_H
#define DB_KEEP_H

#include "db/db.h"

/* Makes this connection the keeper until it ends; *ret false: another one is. The server ends a
 * keeper's session that is silent for idle microseconds, so that one that hangs, or whose host is
 * gone, has a successor. */
int db_become_keeper(struct db *db, struct str node, int64_t now, int64_t idle, bool *ret,
                     struct err *e);

/* One round: begins a new epoch (*ret_epoch; else 0) when the database was promoted, restored or
 * moved, else numbers at most limit committed changes. *ret == limit: there may be more. */
int db_feed_round(struct db *db, uint64_t limit, size_t *ret, unsigned *ret_epoch, struct err *e);

/* How long what is kept, in microseconds; 0: for ever. */
struct db_retention {
    int64_t evidence, events, feed;
};
/* Drops a part of what is older; 0 in *ret: nothing (more) that can be dropped now. */
int db_forget_old(struct db *db, int64_t now, const struct db_retention *keep, size_t *ret,
                  struct err *e);
/* Likewise of tokens, contents and strikes that can't count any more; all at once. */
int db_forget_used(struct db *db, int64_t now, size_t *ret, struct err *e);

/* Takes a part of the suppressions whose time is over off the list; 0 in *ret: none is left. */
int db_expire(struct db *db, int64_t now, size_t *ret, struct err *e);
/* Judges the circuit breaker by what was committed since the last time; *ret is how many hours
 * opened and how many rows of the list wait, hold again or went. */
int db_breaker_judge(struct db *db, int64_t now, size_t *ret, struct err *e);

/* Notes for `status` that a task was done, or why not (failure absent: it was). */
int db_maintained(struct db *db, const char *task, struct str node, int64_t now, size_t did,
                  struct str failure, struct err *e);

/* ---- following the feed ---- */

/* From now on db_wait hears that there are new numbers. -EAGAIN also of a standby, which has no
 * such bell: ask now and then. */
int db_listen(struct db *db, struct err *e);
/* Returns when it rang, after timeout_ms, when readable can be read, or when the reader of gone
 * went away (-1: none). -EAGAIN: the connection is gone. */
int db_wait(struct db *db, int timeout_ms, int readable, int gone, struct err *e);

#endif
