/* zone.h - the time zone in which a log was written. */
#ifndef APP_ZONE_H
#define APP_ZONE_H

#include "base/err.h"
#include "base/str.h"

/* "UTC" (also when absent), an offset such as +02:00, or a name that the system's database of time
 * zones knows. Becomes the process's; nothing of ours writes local times. -EINVAL: none of these.
 */
int zone_set(struct str name, struct err *e);

/* A local time of that zone, given as if it were UTC, as UTC. Of an hour that a clock put back
 * shows twice, the first. */
int64_t zone_utc(int64_t local);

#endif
