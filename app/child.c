#include "app/child.h"

#include "app/inherit.h"
#include "base/clock.h"
#include "base/require.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGV_MAX = CHILD_ARGS_MAX + 4 };

/* In the child. */
static void leave_parent(const struct child *c, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* What a terminal sends (Ctrl-C) is for the parent, who stops its children in order. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, c->death_signal);
    if (getppid() != parent) /* it died before we asked to be told */
        _exit(1);
}

_Noreturn static void become(const struct child *c, int ready)
{
    char number[16];
    const char *argv[ARGV_MAX] = {"bouncemx"};
    size_t n = 1;
    for (size_t i = 0; i < CHILD_ARGS_MAX && c->args[i]; i++)
        argv[n++] = c->args[i];
    if (ready >= 0) {
        snprintf(number, sizeof(number), "%d", ready);
        argv[n++] = "--ready-fd";
        argv[n++] = number;
        fcntl(ready, F_SETFD, 0);
        unsetenv("NOTIFY_SOCKET"); /* systemd hears it from us */
    }
    inherit_pass(c->sockets_n);
    execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
    _exit(126);
}

int child_start(struct child *c, int64_t now, struct err *e)
{
    int ends[2] = {-1, -1};
    if (c->ready_pipe && pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(e, -errno, "pipe for %s", c->name);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        leave_parent(c, parent);
        if (c->run)
            exit(c->run(c->ctx));
        become(c, ends[1]);
    }
    int rc = pid < 0 ? -errno : 0;
    if (ends[1] >= 0)
        close(ends[1]);
    if (rc < 0) {
        if (ends[0] >= 0)
            close(ends[0]);
        return err_sys(e, rc, "start of %s", c->name);
    }
    c->ready = ends[0];
    c->pid = pid;
    c->started = now;
    return 0;
}

void child_ended(struct child *c, int64_t now)
{
    static const int64_t most = CLOCK_SECOND;
    if (c->ready >= 0)
        close(c->ready);
    c->ready = -1;
    c->pid = 0;
    if (now - c->started > 10 * CLOCK_SECOND)
        c->failures = 0;
    int64_t pause = c->failures < 8 ? (CLOCK_SECOND / 20) << c->failures : most;
    c->restart_at = now + (c->failures == 0 ? 0 : pause < most ? pause : most);
    c->failures++;
}

bool child_becomes_ready(struct child *c)
{
    char byte;
    if (c->ready < 0 || read(c->ready, &byte, 1) != 1)
        return false;
    close(c->ready);
    c->ready = -1;
    c->was_ready = true;
    return true;
}

pid_t child_reap(int *ret_status)
{
    pid_t pid;
    do
        pid = waitpid(-1, ret_status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    return pid > 0 ? pid : 0;
}

const char *child_status(int status, char text[64])
{
    if (WIFSIGNALED(status))
        snprintf(text, 64, "signal %d (%s)", WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
    else
        snprintf(text, 64, "exit %d", WEXITSTATUS(status));
    return text;
}
