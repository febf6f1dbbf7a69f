#include "app/service.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int service_signals(struct err *e)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    int rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (rc != 0)
        return err_sys(e, -rc, "signal mask");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? err_sys(e, -errno, "signalfd") : fd;
}

unsigned service_wait(int signals, int64_t timeout)
{
    struct pollfd p = {.fd = signals, .events = POLLIN};
    struct timespec ts = {timeout / CLOCK_SECOND, timeout % CLOCK_SECOND * 1000};
    if (ppoll(&p, 1, timeout < 0 ? NULL : &ts, NULL) <= 0)
        return 0;
    struct signalfd_siginfo info;
    unsigned told = 0;
    while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        told |= info.ssi_signo == SIGCHLD  ? SERVICE_CHILD
                : info.ssi_signo == SIGHUP ? SERVICE_RELOAD
                                           : SERVICE_STOP;
    return told;
}

/* The protocol of sd_notify(3): one datagram to the socket that the environment names. */
static void notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || !*path || strlen(path) >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, strlen(path));
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (to.sun_path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, n) < 0)
        log_warn("notify_failed", KV("socket", path), KV("why", strerrordesc_np(errno)));
    close(fd);
}

void service_reloading(void)
{
    char state[64];
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_monotonic());
    notify_systemd(state);
}

void service_reloaded(void)
{
    notify_systemd("READY=1");
}

void service_stopping(void)
{
    notify_systemd("STOPPING=1");
}

void service_ready(const struct command_line *l)
{
    uint32_t fd;
    const char *text = command_value(l, "--ready-fd");
    if (!text) {
        notify_systemd("READY=1");
    } else if (str_to_u32(str_c(text), &fd) && fd > STDERR_FILENO && fd < 1024) {
        ssize_t told = write((int)fd, "1", 1);
        (void)told; /* a supervisor that is gone has sent its signal already */
        close((int)fd);
    }
}

static int lock_open(const char *spool, int flags, int *ret_fd, struct err *e)
{
    char path[4200];
    if (snprintf(path, sizeof(path), "%s/receiver.lock", spool) >= (int)sizeof(path))
        return err_sys(e, -ENAMETOOLONG, "%.100s", spool);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, -errno, "%s", path);
    *ret_fd = fd;
    return 0;
}

static int in_use(const char *spool, pid_t holder, struct err *e)
{
    return err_set(e, -EBUSY, "spool %s is in use by another receiver (process %d)", spool,
                   (int)holder);
}

int service_look_receiver(const char *spool, struct err *e)
{
    pid_t holder = 0;
    /* What can't be looked at now is told by the one who takes the lock. */
    if (service_receiver(spool, &holder, NULL) < 0 || holder <= 0)
        return 0;
    return in_use(spool, holder, e);
}

int service_lock_receiver(const char *spool, struct err *e)
{
    int fd;
    int rc = lock_open(spool, O_RDWR | O_CREAT, &fd, e);
    if (rc < 0)
        return rc;
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &l) == 0)
        return 0; /* fd stays open: closing it would give the lock up */
    rc = -errno;
    close(fd);
    pid_t holder;
    if (rc != -EACCES && rc != -EAGAIN)
        return err_sys(e, rc, "lock of %s", spool);
    if (service_receiver(spool, &holder, NULL) < 0)
        holder = 0;
    return in_use(spool, holder, e);
}

int service_receiver(const char *spool, pid_t *ret, struct err *e)
{
    int fd;
    struct err lock_error = {0};
    int rc = lock_open(spool, O_RDONLY, &fd, &lock_error);
    if (rc == -ENOENT) {
        *ret = 0;
        return 0;
    }
    if (rc < 0)
        return err_set(e, rc, "%s", lock_error.text);
    /* The kernel knows who holds it: no pid in a file that may be that of another process now. */
    struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    rc = fcntl(fd, F_GETLK, &l) < 0 ? err_sys(e, -errno, "lock of %s", spool) : 0;
    close(fd);
    if (rc == 0)
        *ret = l.l_type == F_UNLCK ? 0 : l.l_pid;
    return rc;
}
