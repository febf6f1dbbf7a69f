/* test_report.c - reads every NAME.eml of a folder and compares its report with NAME.report.json;
 * the same must come of its CRLF and CR variants, of one with trailing bytes cut off it must come
 * without a crash, and of one whose memory ends at any point, -ENOMEM.
 * Usage: golden_report FOLDER [--write]   (--write makes the expected files anew; read the diff) */
#include "tests/support/report_json.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

static int failures;

static void fail(const char *name, const char *what)
{
    fprintf(stderr, "%s: %s\n", name, what);
    failures++;
}

/* The file as an exact allocation; absent when it can't be read. */
static struct str file_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return (struct str){NULL, 0};
    char *p = malloc(1 << 20);
    size_t n = p ? fread(p, 1, 1 << 20, f) : 0;
    fclose(f);
    char *exact = p ? realloc(p, n ? n : 1) : NULL;
    return str_of(exact, exact ? n : 0);
}

static void str_free(struct str s)
{
    free((void *)(uintptr_t)s.p);
}

/* The message with other line ends. */
static struct str with_ends(struct str message, const char *end)
{
    char *p = malloc(message.n * 2 + 1);
    size_t n = 0;
    for (size_t i = 0; p && i < message.n; i++)
        if (message.p[i] == '\n')
            for (const char *e = end; *e; e++)
                p[n++] = *e;
        else
            p[n++] = message.p[i];
    char *exact = p ? realloc(p, n ? n : 1) : NULL;
    return str_of(exact, exact ? n : 0);
}

/* The report as JSON; absent when report_read failed. */
static struct str json_of(struct str message, struct arena *a)
{
    struct report *r;
    struct err e;
    char *text = NULL;
    size_t n = 0;
    if (report_read(a, message, &report_limits_default, &r, &e) < 0)
        return (struct str){NULL, 0};
    FILE *f = open_memstream(&text, &n);
    if (!f)
        abort();
    report_json(f, NULL, r, true);
    fclose(f);
    return str_of(text, n);
}

static void check_variant(const char *name, struct str message, const char *end,
                          struct str expected, const char *what)
{
    struct arena a = arena_make((size_t)16 << 20);
    struct str variant = with_ends(message, end), json = json_of(variant, &a);
    if (!str_eq(json, expected)) {
        fail(name, what);
        fprintf(stderr, "expected %.*s\ngot %.*s\n", STR_ARG(expected), STR_ARG(json));
    }
    str_free(json);
    str_free(variant);
    arena_free(&a);
}

static void check_cut(struct str message)
{
    for (size_t n = 0; n < message.n; n += 97) {
        struct arena a = arena_make((size_t)16 << 20);
        char *cut = malloc(n ? n : 1);
        if (!cut)
            abort();
        memcpy(cut, message.p, n);
        str_free(json_of(str_of(cut, n), &a));
        free(cut);
        arena_free(&a);
    }
}

static void check_memory(const char *name, struct str message)
{
    for (uint64_t n = 0; n < 100000; n++) {
        struct arena a = arena_make((size_t)16 << 20);
        struct report *r = NULL;
        struct err e = {0};
        arena_fail_at(&a, n);
        int rc = report_read(&a, message, &report_limits_default, &r, &e);
        arena_free(&a);
        if (rc == 0)
            return;
        if (rc != -ENOMEM || r || e.code != -ENOMEM) {
            fail(name, "not -ENOMEM when memory ends");
            return;
        }
    }
    fail(name, "memory never suffices");
}

static void check(const char *folder, const char *file, bool write)
{
    char path[4096], want_path[4096];
    int stem = (int)(strlen(file) - strlen(".eml"));
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    snprintf(want_path, sizeof(want_path), "%s/%.*s.report.json", folder, stem, file);
    struct str message = file_read(path);
    if (write) {
        struct arena a = arena_make((size_t)16 << 20);
        struct str json = json_of(message, &a);
        FILE *f = fopen(want_path, "wb");
        if (!f || fwrite(json.p, 1, json.n, f) != json.n || fclose(f) != 0)
            fail(file, "can't write");
        str_free(json);
        arena_free(&a);
    }
    struct str expected = file_read(want_path);
    if (str_is_absent(expected))
        fail(file, "no expected report");
    check_variant(file, message, "\n", expected, "LF: another report");
    check_variant(file, message, "\r\n", expected, "CRLF: another report");
    check_variant(file, message, "\r", expected, "CR: another report");
    check_cut(message);
    check_memory(file, message);
    str_free(expected);
    str_free(message);
}

int main(int argc, char **argv)
{
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s FOLDER [--write]\n", argv[0]);
        return 2;
    }
    report_init();
    size_t n = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (str_iends(str_c(e->d_name), STR(".eml"))) {
            check(argv[1], e->d_name, argc > 2 && strcmp(argv[2], "--write") == 0);
            n++;
        }
    closedir(dir);
    printf("%zu messages, %d failures\n", n, failures);
    return failures > 0 || n < 30 ? 1 : 0;
}
