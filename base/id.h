/* id.h - ids that any host makes without asking another: UUID version 7 (RFC 9562 section 5.7).
 *
 * The last 16 bits are the ordinal: 0 for a message, 1.. for the events it gave, so that an event's
 * id follows from its message's and is the same whenever the message is read again. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/str.h"

struct id {
    uint8_t b[16];
};

enum { ID_TEXT = 37, ID_ORDINAL_MAX = 65535 };

/* A new id for time (microseconds since the epoch) with ordinal 0. Never fails: randomness comes
 * from the kernel, which blocks only before it is seeded at boot. Thread-safe. */
struct id id_make(int64_t time);

/* The id of what did not come through a journal: always the same for one time and seed, which is a
 * digest of all that makes it what it is. */
struct id id_derive(int64_t time, const uint8_t seed[8]);

/* A random id without a time (version 4), for a journal. */
struct id id_random(void);

struct id id_with_ordinal(struct id message, unsigned ordinal);
unsigned id_ordinal(struct id id);

bool id_eq(struct id a, struct id b);

/* 8-4-4-4-12 lower-case hex. */
const char *id_format(struct id id, char text[ID_TEXT]);
/* The same, any case. False (untouched) on anything else. */
bool id_parse(struct str text, struct id *ret);

#endif
