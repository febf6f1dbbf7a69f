/* inherit.h - sockets that were bound for us: the protocol of sd_listen_fds(3), by which systemd
 * and other supervisors hand them over. */
#ifndef APP_INHERIT_H
#define APP_INHERIT_H

#include "base/err.h"

#include <stddef.h>

enum { INHERIT_FIRST = 3, INHERIT_MAX = 64 };

struct inherited {
    int fds[INHERIT_MAX]; /* INHERIT_FIRST and up */
    size_t n;
};

/* Takes what LISTEN_PID and LISTEN_FDS name, and takes both out of the environment. None is no
 * mistake. -EINVAL, -EBADF: the environment says what is not so. */
int inherit_sockets(struct inherited *ret, struct err *e);

/* In a child, before exec: hands the first n on. */
void inherit_pass(size_t n);

#endif
