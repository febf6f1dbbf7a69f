/* clock.h - times as microseconds since 1970-01-01 UTC, passed in as arguments.
 * Only app/, resolver/ and the event loop read a clock; everything else is told what time it is. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/str.h"

#define CLOCK_SECOND INT64_C(1000000)
#define CLOCK_DAY    (86400 * CLOCK_SECOND)
/* Times outside [0001-01-01, 9999-12-31] are not formatted and not accepted. */
#define CLOCK_UNKNOWN INT64_MIN

int64_t clock_now(void);       /* wall clock, microseconds since the epoch */
int64_t clock_monotonic(void); /* for intervals: microseconds since some start */

enum { CLOCK_TEXT = 40 }; /* bytes that any of the texts below fits, NUL included */

/* "2026-01-31T08:09:10.123456Z"; the empty string for a time out of range. */
const char *clock_format_rfc3339(int64_t time, char text[CLOCK_TEXT]);
/* "Sat, 31 Jan 2026 08:09:10 +0000" (RFC 5322 section 3.3). */
const char *clock_format_rfc5322(int64_t time, char text[CLOCK_TEXT]);

/* Days since 1970-01-01 of a proleptic Gregorian date; month 1-12, day 1-31. */
int64_t clock_days(int year, int month, int day);

/* "2026-01-31" as days since 1970-01-01; false (untouched) when it is no date from then to 9999. */
bool clock_day_read(struct str text, uint32_t *ret);
/* The other way; the empty string behind 9999-12-31. */
const char *clock_format_day(uint32_t day, char text[CLOCK_TEXT]);

#endif
