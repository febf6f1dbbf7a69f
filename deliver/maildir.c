#include "deliver/maildir.h"

#include "base/buf.h"
#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

enum { FIELDS_MAX = 4096, NAME_MAX_TEXT = 200 };

static int make(const struct place_io *io, const char *directory, struct err *e)
{
    static const char *const parts[] = {"tmp", "new", "cur"};
    char path[PLACE_PATH];
    int rc = place_directory(io, directory, e);
    for (size_t i = 0; rc == 0 && i < 3; i++) {
        rc = place_path(path, directory, parts[i], NULL, e);
        if (rc == 0)
            rc = place_directory(io, path, e);
    }
    return rc;
}

/* A mail reader moved it to cur/ and put its flags behind the name. */
static int is_in_cur(const char *directory, const char *name, bool *ret, struct err *e)
{
    char path[PLACE_PATH];
    size_t n = strlen(name);
    bool found = false;
    int rc = place_path(path, directory, "cur", NULL, e);
    DIR *d = rc == 0 ? opendir(path) : NULL;
    if (rc == 0 && !d)
        rc = err_sys(e, -errno, "%s", path);
    for (const struct dirent *entry; d && !found && (entry = readdir(d));)
        found = strncmp(entry->d_name, name, n) == 0 &&
                (entry->d_name[n] == '\0' || entry->d_name[n] == ':');
    if (d)
        closedir(d);
    if (rc == 0)
        *ret = found;
    return rc;
}

static int fields(struct buf *b, const struct mail *m)
{
    int rc = buf_fmt(b, "Return-Path: <%.*s>\nDelivered-To: %.*s\nX-Bouncemx-Message: %.36s\n",
                     STR_ARG(m->from), STR_ARG(m->to), m->name);
    if (rc == 0 && m->truncated)
        rc = buf_fmt(b, "X-Bouncemx-Truncated: %zu of %" PRIu64 " octets were kept\n", m->body.n,
                     m->size);
    return rc;
}

/* CRLF as LF: what readers of a Maildir expect. */
static int unix_lines(struct buf *b, struct str body)
{
    int rc = buf_reserve(b, body.n);
    for (size_t at = 0; rc == 0 && at < body.n;) {
        size_t end = str_find(body, STR("\r\n"), at);
        rc = buf_add(b, str_sub(body, at, end));
        if (rc == 0 && end < body.n)
            rc = buf_add_byte(b, '\n');
        at = end < body.n ? end + 2 : end;
    }
    return rc;
}

static int check_room(const char *directory, uint64_t max, uint64_t more, struct err *e)
{
    uint64_t messages, octets;
    int rc = max ? maildir_size(directory, &messages, &octets, e) : 0;
    if (rc < 0 || !max || octets + more <= max)
        return rc;
    return err_set(e, -EDQUOT, "%s holds %" PRIu64 " octets; people.max_bytes is %" PRIu64,
                   directory, octets, max);
}

static int deliver(const struct place_io *io, const char *directory, const char *name,
                   const struct mail *m, struct err *e)
{
    struct buf b;
    buf_init(&b, m->body.n + FIELDS_MAX);
    int rc = fields(&b, m);
    if (rc == 0)
        rc = unix_lines(&b, m->body);
    if (rc < 0)
        rc = err_sys(e, rc, "%s", name);
    else
        rc = place_file(io, directory, "new", name, (struct str[]){buf_str(&b)}, 1, e);
    buf_free(&b);
    return rc;
}

int maildir_deliver(const struct place_io *io, const char *directory, const char *node,
                    uint64_t max_octets, const struct mail *m, struct err *e)
{
    char name[NAME_MAX_TEXT], path[PLACE_PATH], folder[PLACE_PATH];
    struct stat st;
    bool there = false;
    snprintf(name, sizeof(name), "%" PRId64 ".%s.%.64s", m->received_at / CLOCK_SECOND, m->name,
             node);
    int rc = make(io, directory, e);
    if (rc == 0)
        rc = place_path(path, directory, "new", name, e);
    if (rc == 0)
        rc = place_path(folder, directory, "new", NULL, e);
    if (rc == 0 && stat(path, &st) == 0)
        /* Of a try that died, or failed, before it was durable. */
        return io->fsync_dir(folder) < 0 ? err_sys(e, -errno, "sync of %s", folder) : 0;
    if (rc == 0)
        rc = is_in_cur(directory, name, &there, e);
    if (rc == 0 && !there)
        rc = check_room(directory, max_octets, m->body.n, e);
    return rc < 0 || there ? rc : deliver(io, directory, name, m, e);
}

int maildir_size(const char *directory, uint64_t *ret_messages, uint64_t *ret_octets, struct err *e)
{
    static const char *const parts[] = {"new", "cur"};
    uint64_t messages = 0, octets = 0;
    for (size_t i = 0; i < 2; i++) {
        char path[PLACE_PATH];
        uint64_t files, size;
        int rc = place_path(path, directory, parts[i], NULL, e);
        if (rc == 0)
            rc = place_size(path, &files, &size, e);
        if (rc < 0)
            return rc;
        messages += files;
        octets += size;
    }
    *ret_messages = messages;
    *ret_octets = octets;
    return 0;
}
