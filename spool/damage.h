/* damage.h - bytes that no checksum vouches for, kept for a person to look at. Private to spool/.
 */
#ifndef SPOOL_DAMAGE_H
#define SPOOL_DAMAGE_H

#include "spool/journal.h"

/* Copies [place.offset, to) of the file fd to DIRECTORY/damaged/LANE-SEGMENT-OFFSET, durably,
 * unless it is there already. Bytes behind the end of the file are left out. */
int damage_keep(const struct spool *s, unsigned lane, int fd, struct spool_position place,
                uint64_t to, struct err *e);

/* A segment file whose header can't be read, to be kept whole. */
int damage_open(const struct spool *s, unsigned lane, uint64_t number, int *ret_fd,
                uint64_t *ret_size, struct err *e);

#endif
