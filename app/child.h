/* child.h - processes of ours: started from our own program, watched, started again. */
#ifndef APP_CHILD_H
#define APP_CHILD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_ARGS_MAX = 12 };

struct child {
    const char *name;                 /* "receive", "worker 1" */
    const char *args[CHILD_ARGS_MAX]; /* behind the program's name; NULL ends them */
    int (*run)(void *ctx);            /* instead of args: the child stays a copy of us; exit code */
    void *ctx;
    int death_signal; /* what it gets when we die */
    bool ready_pipe;  /* give it --ready-fd */
    size_t sockets_n; /* so many inherited sockets go on to it: inherit.h */

    pid_t pid;          /* 0: not running */
    int ready;          /* our end of its pipe; -1: none, or it told already */
    bool was_ready;     /* in any of its lives */
    int64_t started;    /* CLOCK_MONOTONIC microseconds */
    int64_t restart_at; /* when it is not running; INT64_MAX: never */
    unsigned failures;  /* ends in a row, each soon after its start */
};

/* Starts /proc/self/exe, so that all roles are of one version while a package is replaced; or a
 * copy of this process, which must have no other threads. */
int child_start(struct child *c, int64_t now, struct err *e);

/* It ended: sets when to start it again (at once, then later and later up to 1 s; a life of 10 s
 * makes up for all failures). */
void child_ended(struct child *c, int64_t now);

/* True once, when it said that it is ready. */
bool child_becomes_ready(struct child *c);

/* Collects one dead child of any kind: its pid, 0 when there is none. */
pid_t child_reap(int *ret_status);

/* "exit 1", "signal 9 (Killed)". */
const char *child_status(int status, char text[64]);

#endif
