/* segment.h - one segment file: a header page, then frames. Private to spool/.
 *
 *   0     magic, format version u32 (that of its records), zero u32, number u64, lane u64, seed of
 * the heads u64, seed of the payloads u64, checksum u64; a second copy of it all at 1024 2048
 * synced mark u64, sealed mark u64; stored in shared memory, each with its own check 4096  frames
 *
 * The fixed part is synced before the first record is taken. A mark is stored only when what it
 * says is true on disk, so it may be lost by a crash of the machine, but never lie. */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include "spool/journal.h"

enum { SEGMENT_HEADER = 4096 };

struct segment_marks;

struct segment {
    int fd; /* -1: none */
    uint64_t number;
    unsigned version; /* of its records */
    uint64_t head_seed;
    uint64_t payload_seed;
    struct segment_marks *marks;
    uint64_t end;       /* writer: where the next frame goes */
    uint64_t allocated; /* writer: size of the file */
    uint64_t zeroed;    /* writer: bytes before it are written, if only with zeros */
};

/* A file of at least need bytes behind its header, durable under its name; nothing is left behind
 * on failure. -ENOSPC, -EIO. */
int segment_create(const struct spool *s, unsigned lane, uint64_t number, uint64_t payload_seed,
                   uint64_t need, struct segment *ret, struct err *e);

/* Writes whole frames at the end and syncs them. After a failure the segment is to be sealed:
 * nothing behind end may be trusted, and a second fdatasync would not tell. -ENOSPC, -EIO. */
int segment_write(const struct spool *s, struct segment *g, const char *frames, size_t n);

/* Nothing behind end is a record from now on; gives back what was allocated. Closes it. An empty
 * segment is removed. */
void segment_seal(const struct spool *s, unsigned lane, struct segment *g);

/* To read. -ENODATA: made, but never used (a crash while it was made); -ENOENT; -EBADMSG: a damaged
 * header; -EPROTO: a format version that this program does not know; -EIO. */
int segment_open(const struct spool *s, unsigned lane, uint64_t number, struct segment *ret,
                 struct err *e);
void segment_close(struct segment *g);

/* End of what is synced, and of the sealed segment; 0 when that is not known. */
uint64_t segment_synced(const struct segment *g);
uint64_t segment_sealed(const struct segment *g);
/* By a reader that has found the end of a segment whose writer is gone. */
void segment_mark_sealed(struct segment *g, uint64_t end);

int segment_size(const struct segment *g, uint64_t *ret);

#endif
