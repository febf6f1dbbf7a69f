#include "app/inherit.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int inherit_sockets(struct inherited *ret, struct err *e)
{
    struct str pid = str_c(getenv("LISTEN_PID")), fds = str_c(getenv("LISTEN_FDS"));
    uint32_t whose, n;
    int rc = 0;
    ret->n = 0;
    if (pid.n == 0 || fds.n == 0 || !str_to_u32(pid, &whose) || whose != (uint32_t)getpid()) {
        n = 0; /* meant for another process */
    } else if (!str_to_u32(fds, &n) || n > INHERIT_MAX) {
        return err_set(e, -EINVAL, "LISTEN_FDS=%.20s: expected a number up to %d", fds.p,
                       INHERIT_MAX);
    }
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        ret->fds[i] = INHERIT_FIRST + (int)i;
        if (fcntl(ret->fds[i], F_SETFD, FD_CLOEXEC) < 0)
            rc = err_sys(e, -errno, "LISTEN_FDS=%u: descriptor %d", n, ret->fds[i]);
        ret->n++;
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return rc;
}

void inherit_pass(size_t n)
{
    char text[24];
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        fcntl(INHERIT_FIRST + (int)i, F_SETFD, 0);
    snprintf(text, sizeof(text), "%zu", n);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof(text), "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
}
