/* import_answer.h - what an import did or would do: refused lines as they come, counts at its end.
 */
#ifndef APP_IMPORT_ANSWER_H
#define APP_IMPORT_ANSWER_H

#include "app/providers.h"

struct import_answer {
    const char *file;   /* as it was named */
    const char *format; /* NULL: not known yet */
    const char *list;   /* NULL: the rows say */
    bool ended;         /* it was imported whole before */
    uint64_t before;    /* records that an earlier run did */
    uint64_t records;   /* those included */
    struct db_import_counts counts;
    uint64_t refused[REFUSAL_COUNT];
    uint64_t refused_n;
    FILE *refused_file; /* NULL: standard error, as many as a person reads */
    const char *refused_path;
    bool over_bar; /* standard error is a terminal, with a progress bar on it */
};

/* path: all refused lines go there; NULL: the first go to standard error. */
int import_answer_open(struct import_answer *a, const char *file, const char *path, struct err *e);
void import_answer_close(struct import_answer *a);

/* text: the value and what was expected. */
void import_refused(struct import_answer *a, uint64_t line, enum import_refusal why,
                    const char *text);

/* Says how many more were refused than shown. -EIO after a message: their file could not be
 * written. */
int import_refused_end(struct import_answer *a);

/* Ends the refusals as above, and tells the counts. whole: nothing failed. */
int import_answer_print(struct import_answer *a, bool applied, bool json, bool whole);

#endif
