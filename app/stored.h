/* stored.h - messages that stand in the database, as the journal records they once were. */
#ifndef APP_STORED_H
#define APP_STORED_H

#include "app/answer.h"
#include "app/reading_open.h"

/* The record of a row with the columns id, received_at, client_address, helo, protocol, tls,
 * mail_from, rcpt_to (a line each), size, truncated and raw. Lives as long as a's table and arena.
 * -EPROTO, -ENOMEM. */
int stored_record(const struct answer *a, size_t row, struct returnpath_reader *reader,
                  struct arena *arena, struct spool_record *ret, struct err *e);

#endif
