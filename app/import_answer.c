#include "app/import_answer.h"

#include "app/json.h"

#include <errno.h>
#include <unistd.h>

enum { SHOWN_MAX = 20 };

static const struct {
    const char *name, *meaning;
} outcomes[IMPORT_OUTCOMES] = {
    [IMPORT_NEW] = {"new", "not held before"},
    [IMPORT_WIDER] = {"wider", "held before for less: a stream, or one tenant"},
    [IMPORT_LONGER] = {"longer", "stand, and now hold longer"},
    [IMPORT_STRONGER] = {"stronger", "stand, now for a stronger reason"},
    [IMPORT_RELEASED] = {"released", "waited for the circuit breaker, and now hold"},
    [IMPORT_STANDING] = {"standing", "stand already"},
};

int import_answer_open(struct import_answer *a, const char *file, const char *path, struct err *e)
{
    a->file = file;
    a->refused_path = path;
    a->over_bar = !path && isatty(STDERR_FILENO) == 1;
    if (path && !(a->refused_file = fopen(path, "we")))
        return err_sys(e, -errno, "--refused: %s", path);
    return 0;
}

void import_answer_close(struct import_answer *a)
{
    if (a->refused_file)
        fclose(a->refused_file);
    a->refused_file = NULL;
}

void import_refused(struct import_answer *a, uint64_t line, enum import_refusal why,
                    const char *text)
{
    struct err e;
    a->refused[why]++;
    a->refused_n++;
    if (!a->refused_file && a->refused_n > SHOWN_MAX)
        return;
    /* Bytes of the file can't steer a terminal. */
    err_set(&e, -EBADMSG, "%s:%llu: %s", a->file, (unsigned long long)line, text);
    /* On a terminal the progress bar stands on its line. */
    fprintf(a->refused_file ? a->refused_file : stderr, "%s%s\n", a->over_bar ? "\r\033[K" : "",
            e.text);
}

static void print_json(const struct import_answer *a, bool applied, bool whole)
{
    struct json *o = json_new();
    json_text(o, "file", str_c(a->file));
    json_text(o, "format", str_c(a->format));
    json_text(o, "list", str_c(a->list));
    json_bool(o, "applied", applied);
    json_bool(o, "whole", whole);
    json_bool(o, "done_before", a->ended);
    json_int(o, "records", (int64_t)a->records);
    json_int(o, "records_before", (int64_t)a->before);
    for (size_t i = 0; i <= IMPORT_STANDING; i++)
        json_int(o, outcomes[i].name, (int64_t)a->counts.n[i]);
    json_int(o, "refused", (int64_t)a->refused_n);
    struct json *reasons = json_item(json_list(o, "refused_for"));
    for (enum import_refusal r = 0; r < REFUSAL_COUNT; r++)
        json_int(reasons, import_refusal_name(r), (int64_t)a->refused[r]);
    json_print(o, stdout);
}

static void print_text(const struct import_answer *a, bool applied, bool whole)
{
    if (a->format)
        printf("%s: format %s%s%s\n", a->file, a->format, a->list ? ", its list " : "",
               a->list ? a->list : "");
    if (a->ended) {
        printf("All %llu records of it were imported before: nothing was done. --again imports it "
               "anew.\n",
               (unsigned long long)a->before);
        return;
    }
    if (a->before)
        printf("%llu records were imported before; it went on behind them.\n",
               (unsigned long long)a->before);
    printf("%10llu records%s\n", (unsigned long long)(a->records - a->before),
           whole ? "" : " until it failed");
    for (size_t i = 0; i <= IMPORT_STANDING; i++)
        if (a->counts.n[i])
            printf("%10llu %s: %s\n", (unsigned long long)a->counts.n[i], outcomes[i].name,
                   outcomes[i].meaning);
    for (enum import_refusal r = 0; r < REFUSAL_COUNT; r++)
        if (a->refused[r])
            printf("%10llu refused: %s\n", (unsigned long long)a->refused[r],
                   import_refusal_meaning(r));
    if (!applied)
        puts("Nothing was written: this was a dry run. --apply does it.");
}

int import_refused_end(struct import_answer *a)
{
    if (!a->refused_file && a->refused_n > SHOWN_MAX)
        fprintf(stderr, "... and %llu more refused lines; --refused FILE writes them all\n",
                (unsigned long long)(a->refused_n - SHOWN_MAX));
    bool lost = a->refused_file && (fflush(a->refused_file) != 0 || ferror(a->refused_file));
    if (lost)
        fprintf(stderr, "bouncemx: --refused: %s: it could not be written\n", a->refused_path);
    return lost ? -EIO : 0;
}

int import_answer_print(struct import_answer *a, bool applied, bool json, bool whole)
{
    int rc = import_refused_end(a);
    if (json)
        print_json(a, applied, whole);
    else
        print_text(a, applied, whole);
    return rc;
}
