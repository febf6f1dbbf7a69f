/* fsync_shim.c - preloaded: makes fdatasync and fsync fail on demand.
 *
 * BOUNCEMX_FSYNC_CONTROL names a file. While it is not there, calls go to the kernel. Its content
 * is "EIO" or "ENOSPC", then optionally how many calls shall fail (1 when not said); it is removed
 * when the last of them is due. The data is not synced then, as a real disk would have it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int pending; /* failures still due */
static int pending_error;

/* The errno to fail with, or 0. */
static int due(void)
{
    const char *path = getenv("BOUNCEMX_FSYNC_CONTROL");
    if (!path)
        return 0;
    int error = 0;
    pthread_mutex_lock(&lock);
    if (pending == 0) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            char text[32] = "";
            ssize_t n = read(fd, text, sizeof text - 1);
            text[n > 0 ? n : 0] = '\0';
            char *count = strchr(text, ' ');
            pending = count ? (int)strtol(count, NULL, 10) : 1;
            pending_error = strncmp(text, "ENOSPC", 6) == 0 ? ENOSPC : EIO;
            close(fd);
        }
    }
    if (pending > 0) {
        error = pending_error;
        if (--pending == 0)
            unlink(path);
    }
    pthread_mutex_unlock(&lock);
    return error;
}

int fdatasync(int fd);
int fdatasync(int fd)
{
    int error = due();
    if (error) {
        errno = error;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return real(fd);
}

int fsync(int fd);
int fsync(int fd)
{
    int error = due();
    if (error) {
        errno = error;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return real(fd);
}
