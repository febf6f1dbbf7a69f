/* stored.h - messages that stand in the database, as the journal records they once were. */
#ifndef APP_STORED_H
#define APP_STORED_H

#include "app/answer.h"
#include "app/reading.h"

/* What reads them: today's configuration, rules and keys. */
struct stored {
    struct reading reading;
    struct feedback *feedback;
};

/* rules: a file or directory in place of those of the configuration; NULL: those. stored_close it
 * also after a failure. */
int stored_open(struct config *c, const char *rules, struct stored *ret, struct err *e);
void stored_close(struct stored *s);

/* The record of a row with the columns id, received_at, client_address, helo, protocol, tls,
 * mail_from, rcpt_to (a line each), size, truncated and raw. Lives as long as a's table and arena.
 * -EPROTO, -ENOMEM. */
int stored_record(const struct answer *a, size_t row, struct returnpath_reader *reader,
                  struct arena *arena, struct spool_record *ret, struct err *e);

#endif
