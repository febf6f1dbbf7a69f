#include "app/progress.h"

#include "app/table.h"
#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { BAR = 30 };

struct progress progress_start(const char *what, int64_t now)
{
    return (struct progress){.what = what, .started = now, .on = isatty(STDERR_FILENO) == 1};
}

void progress_step(struct progress *p, uint64_t done, uint64_t total, int64_t now)
{
    if (!p->on || now - p->drawn < CLOCK_SECOND / 10)
        return;
    p->drawn = now;
    double seconds = (double)(now - p->started) / (double)CLOCK_SECOND;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    if (!total) {
        fprintf(stderr, "\r%llu %s, %.0f/s\033[K", (unsigned long long)done, p->what, rate);
        return;
    }
    char bar[BAR + 1];
    uint64_t full = done >= total ? BAR : done * BAR / total;
    for (uint64_t i = 0; i < BAR; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR] = '\0';
    fprintf(stderr, "\r[%s] %llu of %llu %s, %.0f/s\033[K", bar, (unsigned long long)done,
            (unsigned long long)total, p->what, rate);
}

void progress_end(struct progress *p)
{
    if (p->on && p->drawn)
        fputs("\r\033[K", stderr);
    p->on = false;
}
