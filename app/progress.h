/* progress.h - how far a long command is, on standard error when that is a terminal. */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "messages" */
    int64_t started, drawn;
    bool on;
};

struct progress progress_start(const char *what, int64_t now);
/* total 0: not known. Draws at most ten times a second; now is clock_monotonic(). */
void progress_step(struct progress *p, uint64_t done, uint64_t total, int64_t now);
/* Takes the line away, so that what follows starts at the left. */
void progress_end(struct progress *p);

#endif
