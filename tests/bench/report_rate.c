/* report_rate.c - messages a second of processor time of report_read over a folder, beside a bare
 * GMime walk of the same files in the same run, and peak memory. Usage: report_rate FOLDER
 * [ROUNDS]. Files are read into memory first. */
#include "parser/report.h"

#include <dirent.h>
#include <gmime/gmime.h>
#include <sys/resource.h>
#include <time.h>

static struct str *messages;
static size_t messages_n;

static void load(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        perror(folder);
        exit(1);
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[4096];
        gchar *text;
        gsize n;
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || !g_file_get_contents(path, &text, &n, NULL))
            continue;
        messages = g_realloc(messages, (messages_n + 1) * sizeof(*messages));
        messages[messages_n++] = str_of(text, n);
    }
    closedir(dir);
}

static size_t parts;

static void count_part(GMimeObject *parent, GMimeObject *part, gpointer user)
{
    (void)parent, (void)user;
    parts++;
    if (!GMIME_IS_PART(part))
        return;
    /* What any reader must do with a part: get its decoded bytes. */
    GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(part));
    GMimeStream *null = g_mime_stream_null_new();
    if (content)
        g_mime_data_wrapper_write_to_stream(content, null);
    g_object_unref(null);
}

static void walk(struct str message)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(message.p, message.n);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *parsed = g_mime_parser_construct_message(parser, NULL);
    if (parsed) {
        g_mime_message_foreach(parsed, count_part, NULL);
        g_object_unref(parsed);
    }
    g_object_unref(parser);
    g_object_unref(stream);
}

static size_t recipients;

static void read_report(struct arena *a, struct str message)
{
    struct report *r;
    struct err e;
    if (report_read(a, message, &report_limits_default, &r, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    recipients += r->recipients_n;
    arena_reset(a);
}

/* Of the processor's time, in microseconds: both are one thread that waits for nothing, and what
 * else the machine does must not decide which is faster. */
static int64_t cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static double seconds(int64_t from)
{
    return (double)(cpu_time() - from) / 1e6;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER [ROUNDS]\n", argv[0]);
        return 2;
    }
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 5;
    report_init();
    load(argv[1]);
    struct arena a = arena_make((size_t)64 << 20);
    struct rusage use;
    double report_best = 1e9, walk_best = 1e9;
    /* Our peak first: the walk's would hide it. */
    for (size_t i = 0; i < messages_n; i++)
        read_report(&a, messages[i]);
    getrusage(RUSAGE_SELF, &use);
    long peak = use.ru_maxrss;
    for (long k = 0; k < rounds; k++) {
        int64_t start = cpu_time();
        for (size_t i = 0; i < messages_n; i++)
            walk(messages[i]);
        double took = seconds(start);
        walk_best = took < walk_best ? took : walk_best;
        start = cpu_time();
        for (size_t i = 0; i < messages_n; i++)
            read_report(&a, messages[i]);
        took = seconds(start);
        report_best = took < report_best ? took : report_best;
    }
    printf("%zu messages, best of %ld rounds, %zu parts, %zu recipients\n", messages_n, rounds,
           parts, recipients);
    printf("GMime walk   %8.0f messages/s\n", (double)messages_n / walk_best);
    printf("report_read  %8.0f messages/s, %.2f of the walk, peak %ld KiB with all files loaded\n",
           (double)messages_n / report_best, walk_best / report_best, peak);
    arena_free(&a);
    for (size_t i = 0; i < messages_n; i++)
        g_free((char *)(uintptr_t)messages[i].p);
    g_free(messages);
    return 0;
}
