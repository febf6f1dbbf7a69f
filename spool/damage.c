#include "spool/damage.h"

#include "base/require.h"
#include "spool/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 << 10 };

static int copy(const struct spool *s, int from_fd, int to_fd, uint64_t from, uint64_t to)
{
    char chunk[CHUNK];
    for (uint64_t at = from; at < to;) {
        size_t n = to - at > sizeof(chunk) ? sizeof(chunk) : (size_t)(to - at);
        ssize_t got = io_read(from_fd, chunk, n, at);
        if (got < 0)
            return -EIO;
        if (got == 0)
            break;
        int rc = io_write(s->io, to_fd, chunk, (size_t)got, at - from);
        if (rc < 0)
            return rc;
        at += (uint64_t)got;
    }
    return s->io->fdatasync(to_fd) < 0 ? -EIO : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int damage_keep(const struct spool *s, unsigned lane, int fd, struct spool_position place,
                uint64_t to, struct err *e)
{
    journal_path folder, path;
    int n = snprintf(folder, sizeof(folder), "%s/damaged", s->directory);
    REQUIRE(n > 0 && n < PATH_MAX);
    n = snprintf(path, sizeof(path), "%s/damaged/%02u-%llu-%llu", s->directory, lane,
                 (unsigned long long)place.segment, (unsigned long long)place.offset);
    REQUIRE(n > 0 && n < PATH_MAX);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(e, -EIO, "look at segment %llu", (unsigned long long)place.segment);
    to = least(to, (uint64_t)st.st_size);
    if (to <= place.offset)
        return 0;
    if (lstat(path, &st) == 0 && (uint64_t)st.st_size >= to - place.offset)
        return 0;

    int rc = journal_folder(s, folder, s->directory, e);
    if (rc < 0)
        return rc;
    int out = s->io->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out < 0)
        return err_sys(e, io_code(errno), "make %s", path);
    rc = copy(s, fd, out, place.offset, to);
    close(out);
    if (rc == 0 && s->io->fsync_dir(folder) < 0)
        rc = -EIO;
    return rc < 0 ? err_sys(e, rc, "write %s", path) : 0;
}

int damage_open(const struct spool *s, unsigned lane, uint64_t number, int *ret_fd,
                uint64_t *ret_size, struct err *e)
{
    journal_path path;
    journal_segment_path(s, lane, number, path);
    int fd = s->io->open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0)
        return err_sys(e, io_code(errno), "open %s", path);
    struct stat st;
    if (fstat(fd, &st) < 0) {
        close(fd);
        return err_sys(e, -EIO, "look at %s", path);
    }
    *ret_fd = fd;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}
