/* backoff.h - how long to leave a server alone that was away. */
#ifndef APP_BACKOFF_H
#define APP_BACKOFF_H

#include "app/config.h"

/* The pause in microseconds after so many failures before: doubling from database.retry_min to
 * retry_max, of which a random part between half and all. Those who lost the server together must
 * not come back together. */
int64_t backoff_pause(const struct config *c, unsigned failures);

#endif
