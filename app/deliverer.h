/* deliverer.h - takes mail for people out of the outbox: into a Maildir, or to a relay. */
#ifndef APP_DELIVERER_H
#define APP_DELIVERER_H

#include "app/config.h"

/* The whole life of the one process that delivers, so that a relay that hangs holds up no worker.
 * Exit code. */
int deliverer_run(const struct config *c);

#endif
