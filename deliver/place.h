/* place.h - files that stand in a directory whole or not at all, whenever the machine stops. */
#ifndef DELIVER_PLACE_H
#define DELIVER_PLACE_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

/* The system calls that make something durable, so that a test can make them fail. Each behaves as
 * the call it is named after (result -1 and errno). */
struct place_io {
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*write)(int fd, const void *p, size_t n);
    int (*fsync)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*mkdir)(const char *path, mode_t mode);
    int (*fsync_dir)(const char *path);
};
extern const struct place_io place_io_system;

enum { PLACE_PATH = 4096 };

/* DIRECTORY/FIRST[/SECOND] into path; second may be NULL. -ENAMETOOLONG. */
int place_path(char path[PLACE_PATH], const char *directory, const char *first, const char *second,
               struct err *e);

/* Makes a directory (0700) when it is missing; its parent must be there. */
int place_directory(const struct place_io *io, const char *path, struct err *e);

/* Writes the parts into directory/tmp/name, syncs, and moves it to directory/into/name, durably. A
 * file of that name in tmp is what a killed process left. On failure nothing stays in tmp, and what
 * stands in into is whole: the next try may find it there. -ENOSPC, -EDQUOT, -EIO ... */
int place_file(const struct place_io *io, const char *directory, const char *into, const char *name,
               const struct str *parts, size_t parts_n, struct err *e);

/* Octets of the files in a directory, and how many they are. A directory that is not there holds
 * none. -errno. */
int place_size(const char *directory, uint64_t *ret_files, uint64_t *ret_octets, struct err *e);

#endif
