#include "app/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest key as hex, with room for white space around it. */
enum { TEXT_MAX = 2 * RETURNPATH_KEY_MAX + 64, NEW_KEY = 32 };

static int check_mode(const char *path, const struct stat *st, struct err *e)
{
    unsigned mode = (unsigned)st->st_mode & 07777;
    if (!S_ISREG(st->st_mode))
        return err_set(e, -EINVAL, "%s: expected a file", path);
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return err_set(e, -EPERM,
                       "%s: user %u owns it; expected user %u, who reads it, or root. Run: chown "
                       "root %s",
                       path, (unsigned)st->st_uid, (unsigned)geteuid(), path);
    if (mode & (S_IWGRP | S_IRWXO))
        return err_set(e, -EPERM,
                       "%s: of mode %04o, so that others than its owner can %s it; expected 0600 "
                       "or 0640. Run: chmod g-w,o= %s",
                       path, mode, mode & (S_IWGRP | S_IWOTH) ? "change" : "read", path);
    return 0;
}

static int hex_digit(char c)
{
    return ascii_is_digit(c)                                ? c - '0'
           : ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f' ? ascii_lower(c) - 'a' + 10
                                                            : -1;
}

static bool read_hex(struct str text, struct key_file *ret)
{
    if (text.n % 2 || text.n / 2 > RETURNPATH_KEY_MAX)
        return false;
    for (size_t i = 0; i < text.n; i += 2) {
        int high = hex_digit(text.p[i]), low = hex_digit(text.p[i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret->bytes[i / 2] = (unsigned char)(high << 4 | low);
    }
    ret->n = text.n / 2;
    return true;
}

static bool read_base64(struct str text, struct key_file *ret)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, held = 0;
    size_t length = text.n;
    while (text.n && text.p[text.n - 1] == '=' && length - text.n < 2)
        text.n--;
    if (length != text.n && length % 4)
        return false;
    ret->n = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = text.p[i] ? strchr(alphabet, text.p[i]) : NULL;
        if (!at)
            return false;
        bits = (bits << 6 | (unsigned)(at - alphabet)) & 0xffff;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (ret->n == RETURNPATH_KEY_MAX)
            return false;
        ret->bytes[ret->n++] = (unsigned char)(bits >> held);
    }
    /* What is left over belongs to no octet; a cut text has more, or other bits than 0 there. */
    return held < 6 && (bits & ((1u << held) - 1)) == 0;
}

static int decode(const char *path, struct str text, struct key_file *ret, struct err *e)
{
    text = str_trim(text);
    /* What can be hex is: as base64 it would be a key that nobody made. */
    if (!read_hex(text, ret) && !read_base64(text, ret))
        return err_set(e, -EINVAL,
                       "%s: expected %d to %d octets as hex or base64 on one line, and nothing "
                       "else. `bouncemx token key FILE` makes such a file",
                       path, RETURNPATH_KEY_MIN, RETURNPATH_KEY_MAX);
    if (ret->n < RETURNPATH_KEY_MIN)
        return err_set(e, -EINVAL, "%s: a key of %zu octets; expected %d to %d", path, ret->n,
                       RETURNPATH_KEY_MIN, RETURNPATH_KEY_MAX);
    return 0;
}

int key_file_read(const char *path, struct key_file *ret, struct err *e)
{
    char text[TEXT_MAX + 1];
    struct key_file key = {.n = 0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_sys(e, -errno, "%s", path);
    size_t n = 0;
    int rc = fstat(fd, &st) < 0 ? err_sys(e, -errno, "%s", path) : check_mode(path, &st, e);
    while (rc == 0 && n < sizeof(text)) {
        ssize_t got = read(fd, text + n, sizeof(text) - n);
        if (got == 0)
            break;
        if (got > 0)
            n += (size_t)got;
        else if (errno != EINTR)
            rc = err_sys(e, -errno, "%s", path);
    }
    close(fd);
    if (rc == 0)
        rc = decode(path, str_of(text, n), &key, e);
    if (rc == 0)
        *ret = key;
    explicit_bzero(text, sizeof(text));
    explicit_bzero(&key, sizeof(key));
    return rc;
}

/* -errno. */
static int write_key(int fd)
{
    unsigned char key[NEW_KEY];
    char text[2 * NEW_KEY + 2];
    /* So few octets come in full or not at all (random(7)). */
    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
        return -errno;
    for (size_t i = 0; i < sizeof(key); i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    text[2 * sizeof(key)] = '\n';
    errno = EIO; /* of a write that was cut */
    bool whole = write(fd, text, 2 * sizeof(key) + 1) == (ssize_t)(2 * sizeof(key) + 1);
    int rc = whole && fsync(fd) == 0 ? 0 : -errno;
    explicit_bzero(key, sizeof(key));
    explicit_bzero(text, sizeof(text));
    return rc;
}

int key_file_make(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(e, -EEXIST, "%s is there already; a key is not written over", path);
    if (fd < 0)
        return err_sys(e, -errno, "%s", path);
    int rc = write_key(fd);
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc < 0) {
        unlink(path);
        return err_sys(e, rc, "%s", path);
    }
    return 0;
}
