/* counters.h - the receiver's counters in SPOOL/counters, mapped shared: they outlive its process,
 * and `status` reads them without asking anybody. */
#ifndef APP_COUNTERS_H
#define APP_COUNTERS_H

#include "base/err.h"
#include "receiver/receiver.h"

/* For the receiver: what is "now" begins at 0, the rest goes on from where it was. Never unmapped.
 */
int counters_open(const char *spool, struct receiver_counters **ret, struct err *e);

/* Calls each with name, meaning and value. -ENOENT: no receiver has run on this spool. */
int counters_read(const char *spool,
                  void (*each)(void *ctx, const char *name, const char *meaning, uint64_t value),
                  void *ctx, struct err *e);

#endif
