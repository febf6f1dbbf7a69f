/* service.h - what every long-running role does alike: signals as a descriptor, readiness, one
 * owner of a spool's receiving side. */
#ifndef APP_SERVICE_H
#define APP_SERVICE_H

#include "app/command.h"

#include <sys/types.h>

/* Blocks SIGTERM, SIGINT, SIGCHLD and SIGHUP in this and later threads and returns a descriptor
 * that tells them (signalfd). -errno. */
int service_signals(struct err *e);
/* The signals told within timeout microseconds (negative: for ever) as bits, 0 when none was. */
enum { SERVICE_STOP = 1, SERVICE_CHILD = 2, SERVICE_RELOAD = 4 /* SIGHUP */ };
/* A further signal means "at once" only so long after the first: systemd and a terminal send theirs
 * to all processes, and then comes the supervisor's. */
enum { SERVICE_SAME_WISH = 500000 };
unsigned service_wait(int signals, int64_t timeout);

/* Tells whoever started this role that it serves: the descriptor of --ready-fd, and systemd. */
void service_ready(const struct command_line *l);

/* Around a reload, and at the begin of the end: systemd hears it. */
void service_reloading(void);
void service_reloaded(void);
void service_stopping(void);

/* -EBUSY when another process holds the lock; takes nothing. */
int service_look_receiver(const char *spool, struct err *e);
/* Takes SPOOL/receiver.lock for the life of the process. -EBUSY with the holder's pid in *e. */
int service_lock_receiver(const char *spool, struct err *e);
/* Who holds it; 0 nobody. -errno. */
int service_receiver(const char *spool, pid_t *ret, struct err *e);

/* Exit code of `migrate --check --from-serve` when the server answers, but its schema does not go
 * with this program. */
enum { EXIT_SCHEMA = 3 };

#define OPTION_READY            \
    {                           \
        "--ready-fd", "N", NULL \
    }

/* The roles, see their --help. */
int receive_run(const struct command_line *l);
int process_run(const struct command_line *l);
int serve_run(const struct command_line *l);
int drain_run(const struct command_line *l);
int maintain_run(const struct command_line *l);

#endif
