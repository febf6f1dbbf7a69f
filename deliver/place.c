#include "deliver/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int system_open(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
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

const struct place_io place_io_system = {
    .open = system_open,
    .write = write,
    .fsync = fsync,
    .rename = rename,
    .mkdir = mkdir,
    .fsync_dir = system_fsync_dir,
};

int place_path(char path[PLACE_PATH], const char *directory, const char *first, const char *second,
               struct err *e)
{
    int n = snprintf(path, PLACE_PATH, "%s/%s%s%s", directory, first, second ? "/" : "",
                     second ? second : "");
    return n < PLACE_PATH ? 0 : err_sys(e, -ENAMETOOLONG, "%.100s", directory);
}

int place_directory(const struct place_io *io, const char *path, struct err *e)
{
    char parent[PLACE_PATH];
    if (io->mkdir(path, 0700) < 0) {
        struct stat st;
        if (errno != EEXIST)
            return err_sys(e, -errno, "%s", path);
        if (stat(path, &st) < 0)
            return err_sys(e, -errno, "%s", path);
        return S_ISDIR(st.st_mode) ? 0 : err_sys(e, -ENOTDIR, "%s", path);
    }
    size_t slash = str_rchr(str_c(path), '/');
    bool relative = path[slash] == '\0';
    if (slash >= sizeof(parent))
        return err_sys(e, -ENAMETOOLONG, "%.100s", path);
    memcpy(parent, path, slash);
    parent[slash] = '\0';
    if (io->fsync_dir(relative ? "." : slash ? parent : "/") < 0)
        return err_sys(e, -errno, "sync of the directory that holds %s", path);
    return 0;
}

static int write_all(const struct place_io *io, int fd, struct str s)
{
    while (s.n) {
        ssize_t n = io->write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        s = str_from(s, (size_t)n);
    }
    return 0;
}

static int write_file(const struct place_io *io, const char *path, const struct str *parts,
                      size_t parts_n)
{
    int fd = io->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < parts_n; i++)
        rc = write_all(io, fd, parts[i]);
    /* Not repeated: a second call could report success for pages that are lost. */
    if (rc == 0 && io->fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

int place_file(const struct place_io *io, const char *directory, const char *into, const char *name,
               const struct str *parts, size_t parts_n, struct err *e)
{
    char tmp[PLACE_PATH], path[PLACE_PATH], folder[PLACE_PATH];
    int rc = place_path(tmp, directory, "tmp", name, e);
    if (rc == 0)
        rc = place_path(folder, directory, into, NULL, e);
    if (rc == 0)
        rc = place_path(path, directory, into, name, e);
    if (rc < 0)
        return rc;
    rc = write_file(io, tmp, parts, parts_n);
    if (rc == 0 && io->rename(tmp, path) < 0)
        rc = -errno;
    if (rc < 0) {
        unlink(tmp);
        return err_sys(e, rc, "%s", path);
    }
    return io->fsync_dir(folder) < 0 ? err_sys(e, -errno, "sync of %s", folder) : 0;
}

int place_size(const char *directory, uint64_t *ret_files, uint64_t *ret_octets, struct err *e)
{
    uint64_t files = 0, octets = 0;
    DIR *d = opendir(directory);
    int rc = d || errno == ENOENT ? 0 : -errno;
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        struct stat st;
        /* One that goes meanwhile was delivered, or read. */
        if (entry->d_name[0] == '.' || fstatat(dirfd(d), entry->d_name, &st, 0) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        files++;
        octets += (uint64_t)st.st_size;
    }
    if (d)
        closedir(d);
    if (rc < 0)
        return err_sys(e, rc, "%s", directory);
    *ret_files = files;
    *ret_octets = octets;
    return 0;
}
