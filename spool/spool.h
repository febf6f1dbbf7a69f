/* spool.h - the durable journal between accepting and processing.
 *
 * A spool directory holds one journal: its random id, and lanes. A lane has one writer (a receiver
 * thread) and one reader (a processor worker), in different processes that may die at any moment.
 * Its records stand in append-only segment files:
 *
 *   DIRECTORY/journal                 id of the journal and format version
 *   DIRECTORY/lane-00/lock            locked (F_OFD_SETLK) by the writer
 *   DIRECTORY/lane-00/reader.lock     locked by the reader
 *   DIRECTORY/lane-00/inflight        what the reader has in hand, see inflight.h
 *   DIRECTORY/lane-00/<number>.seg    segments; numbers only rise, also over an emptied directory
 *   DIRECTORY/damaged/                bytes that no checksum vouches for, kept aside
 *
 * Durable means: written, fdatasync returned 0, and the directory entry of the segment synced.
 * Bytes on disk are not trusted: each frame has a length and an XXH3 checksum seeded with the
 * segment's random number, so that nothing in a message's body can pose as a record. */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"

#include <sys/types.h>

struct iovec;
struct spool;
struct spool_lane;
struct spool_reader;

/* The system calls that touch the disk, so that a test can record them or make them fail. Each
 * behaves as the call it is named after (result -1 and errno). */
struct spool_io {
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
    int (*fallocate)(int fd, off_t size);
    int (*fdatasync)(int fd);
    int (*ftruncate)(int fd, off_t size);
    int (*fsync_dir)(const char *path);
    int (*unlink)(const char *path);
};
extern const struct spool_io spool_io_system;

struct spool_config {
    const char *directory;     /* made (0700) when missing; kept, not copied */
    uint64_t max_bytes;        /* of all segments; 0 = no limit. Over it: -ENOSPC */
    uint64_t segment_bytes;    /* a segment is sealed when the next record would pass this size;
                                * 0 = 64 MiB; at least 16 KiB, at most 1 GiB are taken */
    const struct spool_io *io; /* NULL: the system's */
};

/* Where a record stands. {0, 0} is before every record; order is (segment, offset). */
struct spool_position {
    uint64_t segment;
    uint64_t offset;
};

/* What returnpath/ found in one RCPT TO at the time it was accepted. Strings may be empty. */
struct spool_recipient {
    struct str address; /* as the client gave it, without <> */
    struct str domain;  /* the configured domain that took it */
    struct str tenant;  /* those that count: the address's own, else the domain's */
    struct str stream;
    struct str recipient; /* whose address the envelope says it is; empty: it says nothing */
    struct str token;     /* identity of the token; empty: none */
    struct str token_id;  /* of an opaque token */
    struct str campaign;
    struct str message_id;
    uint8_t kind;   /* enum returnpath_kind */
    uint8_t source; /* enum returnpath_source */
    uint8_t proof;  /* enum returnpath_proof */
    bool verified;
    uint32_t day; /* of the token, days since 1970-01-01 */
};

struct spool_envelope {
    struct id id;              /* ordinal 0 */
    int64_t received_at;       /* microseconds since the epoch, at the final dot */
    struct str client_address; /* "192.0.2.1", "2001:db8::1" */
    struct str helo;           /* as given, not verified */
    struct str protocol;       /* the "with" word of Received: SMTP, ESMTP, ESMTPS ... (RFC 3848) */
    struct str tls;            /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: plain */
    struct str mail_from;      /* reverse-path without <>; empty: null */
    const struct spool_recipient *recipients;
    size_t recipients_n; /* at least 1, at most SPOOL_RECIPIENTS_MAX */
    uint64_t size;       /* octets the client sent as content, also those not kept */
};

enum { SPOOL_RECIPIENTS_MAX = 1000, SPOOL_RECORD_MAX = 64 << 20 };

struct spool_record {
    struct spool_position at;   /* where it begins */
    struct spool_position next; /* where reading goes on once it is processed */
    struct spool_envelope envelope;
    struct str body; /* as received: dots unstuffed, CRLF line ends */
    bool truncated;  /* body is the front of size octets */
};

/* ---- the journal ---- */

/* Opens or makes the journal. Errors: -EACCES, -ENOTDIR, -EPROTO (a format version that this
 * program does not know, or a damaged journal file), -EIO. */
int spool_open(const struct spool_config *config, struct spool **ret, struct err *e);
void spool_free(struct spool *s); /* after all its lanes and readers */

struct id spool_journal(const struct spool *s);

/* Numbers of the lanes that exist, ascending, also those that no thread writes any more.
 * At most SPOOL_LANES_MAX. */
enum { SPOOL_LANES_MAX = 256 };
int spool_lanes(const struct spool *s, unsigned lanes[SPOOL_LANES_MAX], size_t *ret_n,
                struct err *e);

/* Bytes that stand behind position in a lane: an upper bound of what is left to process. */
int spool_backlog(const struct spool *s, unsigned lane, struct spool_position position,
                  uint64_t *ret_bytes, struct err *e);

/* Removes the lane's segments that lie wholly before position and were last written more than
 * keep (microseconds) ago; earlier, oldest first, while the spool holds more than three quarters
 * of max_bytes: a copy kept for comfort must not stop mail. Never a segment that is being written.
 */
int spool_prune(struct spool *s, unsigned lane, struct spool_position position, int64_t keep,
                int64_t now, struct err *e);

/* ---- writing: one thread per lane calls these ---- */

/* Called on the lane's own sync thread when results wait for spool_lane_reap. Must only wake the
 * owner (uv_async_send). */
typedef void (*spool_wake_fn)(void *ctx);

/* Takes the lane's lock, starts a new segment higher than all before, and the sync thread.
 * On a full disk it begins without one: appending gives -ENOSPC until there is room.
 * Errors: -EBUSY (another process writes this lane), -EIO. */
int spool_lane_open(struct spool *s, unsigned lane, spool_wake_fn wake, void *ctx,
                    struct spool_lane **ret, struct err *e);

/* Waits for what is in flight (done callbacks run inside), seals the segment, releases the lock. */
void spool_lane_close(struct spool_lane *l);

/* result: 0 durable; -ENOSPC (reply 452 4.3.1); -EIO (reply 451 4.3.0). RFC 5321 section 6.1: no
 * 250 before done(0). */
typedef void (*spool_done_fn)(void *ctx, int result);

/* Copies the record into the lane and returns at once; spool_lane_commit has to follow. 0: done()
 * is called exactly once, from spool_lane_commit, spool_lane_reap or spool_lane_close, in the order
 * of the appends.
 * Otherwise done is not called: -ENOSPC over max_bytes or the disk was full a moment ago, -ENOBUFS
 * too much waits for the disk (reply 451), -EMSGSIZE the record is over SPOOL_RECORD_MAX or over a
 * segment. */
int spool_append(struct spool_lane *l, const struct spool_envelope *envelope, struct str body,
                 bool truncated, spool_done_fn done, void *ctx);

/* Makes durable what was appended: here and now, where the disk has been fast of late (done() is
 * called inside), else by the sync thread. To be called when there is no more to append for now:
 * who serves many at a time pays once for all of them. A disk that begins to hang holds up the
 * caller once; behind a slow sync the thread takes over, until 32 in a row took less than 1 ms. */
void spool_lane_commit(struct spool_lane *l);
/* Something was appended and spool_lane_commit has not been called since. */
bool spool_lane_is_behind(const struct spool_lane *l);

/* Calls done() of all records whose fate is known. */
void spool_lane_reap(struct spool_lane *l);

/* False when an append of a body of so many bytes would answer -ENOSPC now: reply 452 4.3.1 at MAIL
 * already. */
bool spool_lane_has_room(const struct spool_lane *l, uint64_t body);

/* ---- reading: one worker per lane ---- */

/* Reads the lane from position on. Takes the lane's reader lock: -EBUSY when another holds it.
 * A position whose segment is gone goes on with the next higher segment. */
int spool_reader_open(struct spool *s, unsigned lane, struct spool_position position,
                      struct spool_reader **ret, struct err *e);
void spool_reader_free(struct spool_reader *r);

/* The next durable record into *ret, its bytes copied into a. 1: a record; 0: none now (ask again
 * later; *ret untouched); <0: -ENOMEM, -EIO (try again later), -EPROTO (a segment of a format
 * version that this program does not know). Never returns bytes that were not synced: of a live
 * writer up to what it has synced, of a dead one after an fdatasync of our own. A torn tail ends a
 * segment; damage in the middle is copied to DIRECTORY/damaged, counted, and reading goes on with
 * the next record that its checksum vouches for. */
int spool_next(struct spool_reader *r, struct arena *a, struct spool_record *ret, struct err *e);

/* Goes to position again (after a transaction that did not commit). */
void spool_reader_seek(struct spool_reader *r, struct spool_position position);

/* Where the next spool_next begins: all before it was returned, or was no record. Goes beyond
 * the last record's next when a segment ended or damage was skipped. */
struct spool_position spool_reader_position(const struct spool_reader *r);

struct spool_reader_stats {
    uint64_t records;
    uint64_t damaged_bytes; /* skipped and kept aside */
    uint64_t damaged_places;
    uint64_t damaged_unkept; /* places that could not be kept aside (the disk is full) */
    uint64_t torn_tails;
};
struct spool_reader_stats spool_reader_stats(const struct spool_reader *r);

static inline int spool_position_cmp(struct spool_position a, struct spool_position b)
{
    if (a.segment != b.segment)
        return a.segment < b.segment ? -1 : 1;
    return (a.offset > b.offset) - (a.offset < b.offset);
}

#endif
