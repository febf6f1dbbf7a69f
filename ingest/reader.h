/* reader.h - private to ingest/: what each format does, and what they share. */
#ifndef INGEST_READER_H
#define INGEST_READER_H

#include "ingest/ingest.h"

struct ingest_ops {
    /* NULL: memory ended. */
    void *(*make)(const struct ingest_clock *clock);
    void (*free)(void *state);
    int (*read)(void *state, struct arena *a, struct str line, struct ingest_records *ret,
                struct err *e);
};
extern const struct ingest_ops ingest_postfix, ingest_kumomta, ingest_powermta;

/* s as text: bytes outside UTF-8 become '?', control characters a space. Absent stays absent. */
struct str ingest_text(struct arena *a, struct str s);

/* Reply and enhanced code at the front of a remote reply ("550-5.1.1 ..."); what is not there is
 * left as it is. */
void ingest_codes(struct str reply, uint16_t *code, struct str *status);

/* "Nov 24 01:02:03" (rest keeps what follows) as the clock tells its year. *month is that of the
 * line before, 0 at first; *year what was chosen for it. False: it is none. */
struct ingest_years {
    const struct ingest_clock *clock;
    int year, month;
};
bool ingest_time_syslog(struct ingest_years *y, struct str *rest, int64_t *ret);
/* "2026-11-24T01:02:03.456789+01:00", also with a space for the T, or without a zone: the clock's.
 */
bool ingest_time_iso(const struct ingest_clock *clock, struct str *rest, int64_t *ret);

#endif
