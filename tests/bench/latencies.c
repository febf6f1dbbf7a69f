#include "latencies.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 8000000 };
static uint32_t *all; /* touched as it fills */
static size_t n;

uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void latencies_add(uint64_t us)
{
    if (!all)
        all = malloc(MOST * sizeof *all);
    if (all && n < MOST)
        all[n++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void latencies_sort(void)
{
    if (n > 0)
        qsort(all, n, sizeof *all, by_value);
}

double latencies_percentile(double p)
{
    return n == 0 ? 0 : all[(size_t)(p * (double)(n - 1))] / 1000.0;
}

void latencies_free(void)
{
    free(all);
}
