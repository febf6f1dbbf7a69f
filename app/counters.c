#include "app/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names in their order: a program with other counters begins anew. */
static const char layout[] =
#define X(name, meaning) #name " "
    RECEIVER_COUNTERS(X)
#undef X
    ;

struct file {
    char layout[sizeof(layout)];
    _Alignas(64) struct receiver_counters counters;
};

static int file_map(const char *spool, bool write, struct file **ret, struct err *e)
{
    char path[4200];
    struct stat st;
    int rc = 0;
    snprintf(path, sizeof(path), "%s/counters", spool);
    int fd = open(path, (write ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(e, -errno, "%s", path);
    if (fstat(fd, &st) < 0)
        rc = err_sys(e, -errno, "%s", path);
    else if (st.st_size < (off_t)sizeof(struct file) && !write)
        rc = err_set(e, -ENOENT, "%s holds no counters", path);
    else if (st.st_size < (off_t)sizeof(struct file) &&
             posix_fallocate(fd, 0, sizeof(struct file)) != 0)
        /* A hole that can't be filled would be a SIGBUS later. */
        rc = err_set(e, -ENOSPC, "%s: no room for the counters", path);
    void *map = MAP_FAILED;
    if (rc == 0) {
        map = mmap(NULL, sizeof(struct file), PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd,
                   0);
        if (map == MAP_FAILED)
            rc = err_sys(e, -errno, "%s", path);
    }
    close(fd);
    if (rc == 0)
        *ret = map;
    return rc;
}

static bool is_now(const char *name)
{
    return str_iends(str_c(name), STR("_now"));
}

int counters_open(const char *spool, struct receiver_counters **ret, struct err *e)
{
    struct file *f;
    int rc = file_map(spool, true, &f, e);
    if (rc < 0)
        return rc;
    bool same = memcmp(f->layout, layout, sizeof(layout)) == 0;
#define X(name, meaning)        \
    if (!same || is_now(#name)) \
        atomic_store(&f->counters.name, 0);
    RECEIVER_COUNTERS(X)
#undef X
    memcpy(f->layout, layout, sizeof(layout));
    *ret = &f->counters;
    return 0;
}

int counters_read(const char *spool,
                  void (*each)(void *ctx, const char *name, const char *meaning, uint64_t value),
                  void *ctx, struct err *e)
{
    struct file *f;
    int rc = file_map(spool, false, &f, e);
    if (rc < 0)
        return rc;
    if (memcmp(f->layout, layout, sizeof(layout)) != 0)
        rc = err_set(e, -ENOENT, "%s/counters is of another version", spool);
#define X(name, meaning) \
    if (rc == 0)         \
        each(ctx, #name, meaning, atomic_load(&f->counters.name));
    RECEIVER_COUNTERS(X)
#undef X
    munmap(f, sizeof(*f));
    return rc;
}
