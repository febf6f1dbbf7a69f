/* time_text.h - times as other systems write them. */
#ifndef APP_TIME_TEXT_H
#define APP_TIME_TEXT_H

#include "base/clock.h"

/* Seconds or milliseconds since the epoch ("1700000000", "1700000000.5"), RFC 3339 with a space for
 * the T, without seconds, or without zone (then UTC), a bare day, and RFC 5322 with a numeric zone,
 * UTC or GMT. False (untouched): none of these, or before 1970 or behind 9999. */
bool time_text_read(struct str text, int64_t *ret);

#endif
