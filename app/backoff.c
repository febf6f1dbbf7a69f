#include "app/backoff.h"

#include "base/clock.h"

#include <sys/random.h>

int64_t backoff_pause(const struct config *c, unsigned failures)
{
    int64_t pause = c->database.retry_min;
    for (unsigned i = 0; i < failures && pause < c->database.retry_max; i++)
        pause *= 2;
    if (pause > c->database.retry_max)
        pause = c->database.retry_max;
    uint32_t dice = 0;
    if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) != sizeof(dice))
        dice = (uint32_t)clock_monotonic();
    return pause / 2 + (int64_t)((double)pause / 2 * ((double)dice / UINT32_MAX));
}
