/* io.h - the system calls of a spool, one level above struct spool_io. Private to spool/. */
#ifndef SPOOL_IO_H
#define SPOOL_IO_H

#include "spool/spool.h"

/* errno as the codes that spool.h promises: a full disk or quota is -ENOSPC, what cannot be helped
 * by waiting keeps its name, the rest is -EIO. */
int io_code(int error);

/* All of bytes at offset; a short write is continued. 0, -ENOSPC, -EIO. */
int io_write(const struct spool_io *io, int fd, const void *p, size_t n, uint64_t at);

/* Up to n bytes at offset; fewer only at the end of the file. The count, or -EIO. */
ssize_t io_read(int fd, void *p, size_t n, uint64_t at);

/* Open file description locks: unlike flock they can be asked for without being taken, so that a
 * reader that looks whether the writer lives is never in a starting writer's way. They end with the
 * process. */
int io_lock(int fd); /* 0, -EBUSY, -EIO */
int io_locked(const char *path, bool *ret);

#endif
