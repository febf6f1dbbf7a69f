/* decimal.h - private to db/: PostgreSQL's numeric, binary, as text. */
#ifndef DB_DECIMAL_H
#define DB_DECIMAL_H

#include "base/arena.h"

/* "-12.340": with as many digits behind the point as the value has. Absent: v is none, is longer
 * than 200 digits, or memory ended. "NaN", "Infinity", "-Infinity".
 * (src/backend/utils/adt/numeric.c, numeric_send: int16 ndigits, weight, sign, dscale, then ndigits
 * of base 10000.) */
struct str decimal_text(struct arena *a, struct str v);

#endif
