/* report_dump.c - prints the report of each file as one JSON line, for scoring.
 * Usage: report_dump [--slow MS] PATH...  (files, or directories of files) */
#include "tests/support/report_json.h"

#include "base/clock.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

static int64_t slow = INT64_MAX;

static struct str read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    /* One byte at least, and exact: a sanitizer sees a read behind the end. */
    char *p = malloc(n > 0 ? (size_t)n : 1);
    if (n < 0 || !p || fread(p, 1, (size_t)n, f) != (size_t)n)
        exit(1);
    fclose(f);
    return str_of(p, (size_t)n);
}

static void dump(const char *path, const char *name)
{
    struct arena a = arena_make((size_t)64 << 20);
    struct report *r;
    struct err e;
    struct str message = read_file(path);
    int64_t start = clock_monotonic();
    if (report_read(&a, message, &report_limits_default, &r, &e) < 0) {
        fprintf(stderr, "%s: %s\n", path, e.text);
        exit(1);
    }
    int64_t took = clock_monotonic() - start;
    if (took > slow)
        fprintf(stderr, "%s: %lld us\n", path, (long long)took);
    report_json(stdout, name, r, false);
    arena_free(&a);
    free((void *)(uintptr_t)message.p);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dump_folder(const char *path)
{
    DIR *dir = opendir(path);
    char **names = NULL;
    size_t n = 0;
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        names = realloc(names, (n + 1) * sizeof(*names));
        if (!names || !(names[n++] = strdup(e->d_name)))
            exit(1);
    }
    if (dir)
        closedir(dir);
    if (n > 0)
        qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, names[i]);
        dump(file, names[i]);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    int i = 1;
    if (argc > 2 && strcmp(argv[1], "--slow") == 0) {
        slow = strtoll(argv[2], NULL, 10) * 1000;
        i = 3;
    }
    report_init();
    for (; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            dump_folder(argv[i]);
        else
            dump(argv[i], argv[i]);
    }
    return 0;
}
