/* feedback.h - which feedback reports a listed source signed: the verifier, and its keys from DNS.
 *
 * One report waits feedback.timeout at most for all its keys. A key that can't be looked up leaves
 * the report unverified for good: it is logged as feedback_undecided, its events stand in the
 * database, and suppress nobody. */
#ifndef APP_FEEDBACK_H
#define APP_FEEDBACK_H

#include "app/config.h"

struct feedback;

/* *ret is NULL when no source is listed. Starts a thread (see resolver.h). -EINVAL, -EIO, -ENOMEM.
 */
int feedback_open(const struct config *c, struct feedback **ret, struct err *e);
void feedback_free(struct feedback *f);

/* Of type reading_signed_fn; ctx is the struct feedback. */
bool feedback_is_signed(void *ctx, struct arena *a, struct str message, struct str from,
                        int64_t received_at);

#endif
