/* journal.h - what the files of spool/ share about one open journal. Private to spool/. */
#ifndef SPOOL_JOURNAL_H
#define SPOOL_JOURNAL_H

#include "spool/spool.h"

#include <limits.h>
#include <stdatomic.h>

enum {
    JOURNAL_FORMAT = 1,
    SEGMENT_BYTES_MAX = 1 << 30,
    SEGMENT_NAME = 25, /* "%020llu.seg" and its NUL */
};

struct spool {
    char *directory; /* absolute: the program may change its folder */
    const struct spool_io *io;
    uint64_t max_bytes;
    uint64_t segment_bytes;
    struct id id;

    /* What max_bytes is held against: bytes seen on disk, and what was appended since. */
    _Atomic uint64_t used;
    _Atomic uint64_t waiting; /* appended by this process, not yet written */
    _Atomic int64_t measured; /* CLOCK_MONOTONIC, when used was last looked up */
};

typedef char journal_path[PATH_MAX];

/* DIRECTORY/lane-NN and DIRECTORY/lane-NN/name. The directory was checked to leave room. */
void journal_lane_path(const struct spool *s, unsigned lane, const char *name, journal_path ret);
void journal_segment_path(const struct spool *s, unsigned lane, uint64_t number, journal_path ret);

/* Makes a folder of mode 0700 unless it is there, and its entry durable. */
int journal_folder(const struct spool *s, const char *path, const char *parent, struct err *e);

/* Numbers of the lane's segments, ascending; free() them. A lane without a folder has none. */
int journal_segments(const struct spool *s, unsigned lane, uint64_t **ret, size_t *ret_n,
                     struct err *e);

/* Whether a writer holds the lane now. */
int journal_lane_written(const struct spool *s, unsigned lane, bool *ret, struct err *e);

/* ---- usage.c: how full the spool is ---- */

/* Adds up the segments on disk. */
int usage_measure(struct spool *s, struct err *e);
/* The same unless it was done in the last 100 ms. */
int usage_refresh(struct spool *s, struct err *e);
bool usage_has_room(const struct spool *s, uint64_t more);
void usage_append(struct spool *s, uint64_t bytes);
void usage_written(struct spool *s, uint64_t bytes);

#endif
