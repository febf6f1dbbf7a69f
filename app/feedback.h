/* feedback.h - was a complaint signed by a listed feedback source? DKIM, with keys from the DNS. */
#ifndef APP_FEEDBACK_H
#define APP_FEEDBACK_H

#include "app/config.h"

struct feedback;

/* In the process that asks, behind any fork: the resolver has a thread of its own. *ret is NULL
 * when no source is listed. c must outlive it. -EINVAL, -EIO, -ENOMEM. */
int feedback_open(const struct config *c, struct feedback **ret, struct err *e);
void feedback_free(struct feedback *f);

/* A reading_signed_fn, its ctx a struct feedback: waits for the DNS, feedback.timeout for each of
 * DKIM_SIGNATURES_MAX signatures at most. What can't be looked up is told in the log and is not
 * signed. */
bool feedback_is_signed(void *ctx, struct arena *a, struct str message, struct str from,
                        int64_t received_at);

#endif
