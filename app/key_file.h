/* key_file.h - files of keys: secrets that sign return paths. */
#ifndef APP_KEY_FILE_H
#define APP_KEY_FILE_H

#include "returnpath/returnpath.h"

struct key_file {
    unsigned char bytes[RETURNPATH_KEY_MAX];
    size_t n;
};

/* Reads one line of hex or base64 (RFC 4648 section 4). The file must be ours or root's, not
 * writable for group or others, and not readable for others. The caller wipes *ret. On failure
 * *e.text is the path, what was found, and what to do. */
int key_file_read(const char *path, struct key_file *ret, struct err *e);

/* Makes a file of mode 0600 with a new key of 32 random octets, on disk when this returns. -EEXIST:
 * something is there already; nothing is written over. */
int key_file_make(const char *path, struct err *e);

#endif
