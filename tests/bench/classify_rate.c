/* classify_rate - bench_classify_rate TEXTS [SECONDS]: verdicts a second on a file of SMTP replies,
 * one a line, or on the examples of a rule file (shipped.rules), time to load the rules, and
 * memory. */
#include "classify/classify.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { LINES_MAX = 100000, LINE_MAX_BYTES = 8192 };

static size_t read_lines(const char *path, struct arena *a, struct str *lines)
{
    char line[LINE_MAX_BYTES];
    size_t n = 0;
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        return 0;
    }
    while (n < LINES_MAX && fgets(line, sizeof(line), f)) {
        struct str s = str_trim(str_c(line));
        if (str_iends(str_c(path), STR(".rules"))) {
            if (!str_starts(s, STR("example ")))
                continue;
            s = str_from(s, 8);
        }
        if (s.n > 0 && !str_is_absent(lines[n] = arena_str(a, s)))
            n++;
    }
    fclose(f);
    return n;
}

int main(int argc, char **argv)
{
    static struct str lines[LINES_MAX];
    struct arena a = arena_make(256 << 20);
    size_t n = argc >= 2 ? read_lines(argv[1], &a, lines) : 0;
    uint32_t seconds = 3;
    if (n == 0 || (argc > 2 && !str_to_u32(str_c(argv[2]), &seconds))) {
        fprintf(stderr, "usage: bench_classify_rate TEXTS [SECONDS]\n");
        return 2;
    }
    struct classifier *c;
    struct err e;
    int64_t start = clock_monotonic();
    if (classifier_load(NULL, 0, &c, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    double load_ms = (double)(clock_monotonic() - start) / 1e3;
    uint64_t verdicts = 0, hard = 0, bytes = 0;
    start = clock_monotonic();
    int64_t took;
    do {
        for (size_t i = 0; i < n; i++) {
            struct report_recipient rcpt;
            struct verdict v = classify_reply(c, lines[i], (struct str){NULL, 0}, &rcpt);
            hard += v.class == CLASS_HARD;
            bytes += lines[i].n;
        }
        verdicts += n;
        took = clock_monotonic() - start;
    } while (took < (int64_t)seconds * CLOCK_SECOND);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("load %.1f ms · %zu texts of %.0f bytes · %.0f verdicts/s (%.1f us each, %.0f%% hard) · "
           "peak %ld KiB\n",
           load_ms, n, (double)bytes / (double)verdicts, (double)verdicts * 1e6 / (double)took,
           (double)took / (double)verdicts, 100.0 * (double)hard / (double)verdicts,
           usage.ru_maxrss);
    classifier_free(c);
    arena_free(&a);
    return 0;
}
