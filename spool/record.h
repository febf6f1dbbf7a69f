/* record.h - the bytes of a record: a frame around an envelope and a body. Pure; private to spool/.
 *
 *   frame    head, payload, zeros up to a multiple of 8
 *   head     magic u32, payload length u32, payload checksum u64, head checksum u64
 *   payload  fixed fields, texts, recipients, body; see record.c. Numbers are little-endian.
 *
 * The head checksum is seeded with the segment's random number and covers the place of the frame,
 * so that neither a message's body nor a left-over of another segment can pose as a head, and a
 * search for the next record never has to read a payload to know that it is none. */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include "base/buf.h"
#include "spool/spool.h"

enum {
    RECORD_HEAD = 24,
    RECORD_ALIGN = 8,
    RECORD_ENVELOPE_MAX = 2 << 20, /* of the payload without the body */
    RECORD_VERSION = 2,            /* what is written; each from 1 on is read */
};

struct record_head {
    uint32_t payload;  /* bytes */
    uint64_t checksum; /* of the payload */
};

uint64_t record_checksum(uint64_t seed, struct str first, struct str second);

/* Bytes of the whole frame. */
size_t record_frame_bytes(size_t payload);

/* The payload up to its body. 0, -EMSGSIZE (a text over 65,535 bytes, the whole over
 * RECORD_ENVELOPE_MAX), -ENOMEM. */
int record_encode(struct buf *to, const struct spool_envelope *envelope, size_t body,
                  bool truncated);

/* The head without its own checksum, which needs the frame's final place. */
void record_head_put(char to[RECORD_HEAD], const struct record_head *head);
void record_head_seal(char head[RECORD_HEAD], uint64_t seed, uint64_t offset);

/* True and *ret when a head stands at p that was sealed with seed for offset. */
bool record_head_get(const char p[RECORD_HEAD], uint64_t seed, uint64_t offset,
                     struct record_head *ret);
/* Whether a head could begin at p; cheap. */
bool record_magic_at(const char p[4]);

/* The texts and the body of *ret lie in payload. Sets envelope, body and truncated; what a payload
 * of version 1 did not hold is empty. -EBADMSG: not a payload of this version; -ENOMEM. */
int record_decode(struct arena *a, unsigned version, struct str payload, struct spool_record *ret);

#endif
