#include "spool/io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int system_open(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static ssize_t system_pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t done;
    do
        done = pwrite(fd, p, n, at);
    while (done < 0 && errno == EINTR);
    return done;
}

static int system_fallocate(int fd, off_t size)
{
    int rc;
    do
        rc = fallocate(fd, 0, 0, size);
    while (rc < 0 && errno == EINTR);
    return rc;
}

static int system_fdatasync(int fd)
{
    /* Not repeated, also not after EINTR: a second call could report success for pages whose
     * writing has failed and been forgotten. */
    return fdatasync(fd);
}

static int system_ftruncate(int fd, off_t size)
{
    int rc;
    do
        rc = ftruncate(fd, size);
    while (rc < 0 && errno == EINTR);
    return rc;
}

static int system_fsync_dir(const char *path)
{
    int fd = system_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int rc = fsync(fd), error = errno;
    close(fd);
    errno = error;
    return rc;
}

const struct spool_io spool_io_system = {
    .open = system_open,
    .pwrite = system_pwrite,
    .fallocate = system_fallocate,
    .fdatasync = system_fdatasync,
    .ftruncate = system_ftruncate,
    .fsync_dir = system_fsync_dir,
    .unlink = unlink,
};

int io_code(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return -ENOSPC;
    case EACCES:
    case EPERM:
    case EROFS:
        return -EACCES;
    case ENOTDIR:
    case ENOENT:
    case ENOMEM:
        return -error;
    default:
        return -EIO;
    }
}

int io_write(const struct spool_io *io, int fd, const void *p, size_t n, uint64_t at)
{
    const char *from = p;
    while (n) {
        ssize_t done = io->pwrite(fd, from, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return io_code(errno) == -ENOSPC ? -ENOSPC : -EIO;
        if (done == 0)
            return -EIO;
        from += done;
        at += (uint64_t)done;
        n -= (size_t)done;
    }
    return 0;
}

ssize_t io_read(int fd, void *p, size_t n, uint64_t at)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = pread(fd, (char *)p + have, n - have, (off_t)(at + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -EIO;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

int io_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? -EBUSY : -EIO;
}

int io_locked(const char *path, bool *ret)
{
    int fd = system_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0 && errno == ENOENT) {
        *ret = false; /* no writer ever took it */
        return 0;
    }
    if (fd < 0)
        return io_code(errno);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int rc = fcntl(fd, F_OFD_GETLK, &lock);
    int code = rc < 0 ? -EIO : 0;
    close(fd);
    if (code == 0)
        *ret = lock.l_type != F_UNLCK;
    return code;
}
