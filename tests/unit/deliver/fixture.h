/* fixture.h - a folder of its own, and system calls of which a chosen one fails. Included by one
 * test program each. */
#ifndef TESTS_DELIVER_FIXTURE_H
#define TESTS_DELIVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/mail.h"
#include "deliver/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

static char folder[64];

static UNUSED int folder_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/bouncemx-deliver-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static UNUSED int folder_remove(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static UNUSED const char *inside(const char *name)
{
    static char path[4][256];
    static unsigned i;
    i = (i + 1) % 4;
    snprintf(path[i], sizeof(path[i]), "%s/%s", folder, name);
    return path[i];
}

static UNUSED size_t files_in(const char *name)
{
    uint64_t files = 0, octets = 0;
    struct err e;
    assert_int_equal(place_size(inside(name), &files, &octets, &e), 0);
    return files;
}

/* The only file in a directory. */
static UNUSED const char *only_file(const char *name)
{
    static char found[512];
    DIR *d = opendir(inside(name));
    assert_non_null(d);
    assert_int_equal(files_in(name), 1);
    for (const struct dirent *entry; (entry = readdir(d));)
        if (entry->d_name[0] != '.')
            snprintf(found, sizeof(found), "%s/%s", inside(name), entry->d_name);
    closedir(d);
    return found;
}

static UNUSED const char *content(const char *path)
{
    static char text[8192];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

/* ---- calls that fail: call number shim_fail (from 1) gives shim_error ---- */

static unsigned shim_calls, shim_fail;
static int shim_error;

static bool shim_fails(void)
{
    shim_calls++;
    if (shim_calls != shim_fail)
        return false;
    errno = shim_error;
    return true;
}

static int shim_open(const char *path, int flags, mode_t mode)
{
    return shim_fails() ? -1 : open(path, flags, mode);
}

/* Never all at once. */
static ssize_t shim_write(int fd, const void *p, size_t n)
{
    return shim_fails() ? -1 : write(fd, p, n > 100 ? n / 2 : n);
}

static int shim_fsync(int fd)
{
    return shim_fails() ? -1 : fsync(fd);
}

static int shim_rename(const char *from, const char *to)
{
    return shim_fails() ? -1 : rename(from, to);
}

static int shim_mkdir(const char *path, mode_t mode)
{
    return shim_fails() ? -1 : mkdir(path, mode);
}

static int shim_fsync_dir(const char *path)
{
    return shim_fails() ? -1 : place_io_system.fsync_dir(path);
}

static UNUSED const struct place_io shim = {.open = shim_open,
                                            .write = shim_write,
                                            .fsync = shim_fsync,
                                            .rename = shim_rename,
                                            .mkdir = shim_mkdir,
                                            .fsync_dir = shim_fsync_dir};

static UNUSED struct mail letter(void)
{
    return (struct mail){.name = "0190f0b0-0000-7000-8000-000000000000-0",
                         .domain = STR("b.example.com"),
                         .to = STR("postmaster@b.example.com"),
                         .from = STR("anna@example.org"),
                         .received_at = INT64_C(1719800000000000),
                         .size = 60,
                         .body =
                             STR("Received: x\r\nSubject: hello\r\n\r\none\r\n.two\r\n\rlone\n")};
}

#endif
