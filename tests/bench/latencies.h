/* latencies.h - times that a load program has waited. One thread. */
#ifndef BENCH_LATENCIES_H
#define BENCH_LATENCIES_H

#include <stdint.h>

uint64_t now_us(void);

/* Keeps microseconds; the first eight million of them. */
void latencies_add(uint64_t us);
/* Once, when all are there. */
void latencies_sort(void);
/* Milliseconds; p from 0 to 1. 0 when there are none. */
double latencies_percentile(double p);
void latencies_free(void);

#endif
