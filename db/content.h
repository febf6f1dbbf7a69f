/* content.h - private to db/: what a report without a token is known by when it comes again. */
#ifndef DB_CONTENT_H
#define DB_CONTENT_H

#include "base/str.h"

enum { CONTENT_HASH = 32 };

/* SHA-256 of a message's body: what stands behind the first empty line, since the header changes on
 * every way. False when the library fails. */
bool content_hash(struct str message, uint8_t ret[CONTENT_HASH]);

/* SHA-256 over that, and about whom and for whom it is: one report may speak of several. */
bool content_of_event(const uint8_t body[CONTENT_HASH], struct str tenant, struct str stream,
                      struct str key, uint8_t ret[CONTENT_HASH]);

/* SHA-256 of all that can be read from fd, from its begin, and of more. -EIO and the like. */
int content_of_file(int fd, struct str more, uint8_t ret[CONTENT_HASH]);

#endif
