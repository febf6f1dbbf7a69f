/* privileges.h - from root to receiver.user, for good. */
#ifndef APP_PRIVILEGES_H
#define APP_PRIVILEGES_H

#include "app/config.h"

#include <sys/types.h>

struct privileges {
    const char *user; /* NULL: we stay who we are */
    uid_t uid;
    gid_t gid;
};

/* Whom this process has to become. Nobody when it does not run as root (with a warning when the
 * configuration names another user than ours), or none is named. -ENOENT: no such user. */
int privileges_find(const struct config *c, struct privileges *ret, struct err *e);

/* As root: makes the spool directory for the user, or gives it one that is empty and root's. */
int privileges_spool(const struct privileges *p, const char *directory, struct err *e);

/* Becomes the user (with the groups that the system gives it), or nobody else; in each case no
 * capability is left and none can come back (PR_SET_NO_NEW_PRIVS). All that was to be done with
 * privileges has been done. Looks whether it holds: -EPERM when root could be had again. Threads
 * there must be none. */
int privileges_drop(const struct privileges *p, struct err *e);

/* Behind it: can a reload read the configuration and the keys of return paths? Says what to do. */
int privileges_check_files(const struct privileges *p, const struct config *c, struct err *e);
/* And can the spool be written? */
int privileges_check(const struct privileges *p, const struct config *c, struct err *e);

#endif
