#include "deliver/outbox.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/require.h"
#include "deliver/outbox_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COUNT_EVERY = 10 * CLOCK_SECOND, FILE_MAX = 128 << 20, ENTRIES_MAX = 1 << 20 };

struct outbox {
    const struct place_io *io;
    char *directory;
    int lock;         /* -1: not ours */
    uint64_t octets;  /* that waited when it was counted, and what was put since */
    int64_t count_at; /* when to count again */
};

static bool is_domain(const char *name)
{
    return name[0] != '.' && strlen(name) <= MAIL_DOMAIN_MAX && !strchr(name, '/');
}

static bool is_mail_name(const char *name)
{
    size_t n = strspn(name, "0123456789abcdef-");
    return name[n] == '\0' && n >= ID_TEXT && n < MAIL_NAME;
}

/* When its message was received, out of its id; 0 when there is none. */
static int64_t received_at(const char *name)
{
    struct id id;
    uint64_t ms = 0;
    if (!id_parse(str_of(name, ID_TEXT - 1), &id))
        return 0;
    for (size_t i = 0; i < 6; i++)
        ms = ms << 8 | id.b[i];
    return (int64_t)ms * 1000;
}

int outbox_open(const char *directory, const struct place_io *io, struct outbox **ret,
                struct err *e)
{
    static const char *const parts[] = {"tmp", "new", "done", "bad"};
    struct outbox *o = calloc(1, sizeof(*o));
    char path[PLACE_PATH];
    if (!o || !(o->directory = strdup(directory))) {
        free(o);
        return err_set(e, -ENOMEM, "out of memory");
    }
    o->io = io ? io : &place_io_system;
    o->lock = -1;
    int rc = place_directory(o->io, directory, e);
    for (size_t i = 0; rc == 0 && i < 4; i++) {
        rc = place_path(path, directory, parts[i], NULL, e);
        if (rc == 0)
            rc = place_directory(o->io, path, e);
    }
    if (rc < 0) {
        outbox_free(o);
        return rc;
    }
    *ret = o;
    return 0;
}

void outbox_free(struct outbox *o)
{
    if (!o)
        return;
    if (o->lock >= 0)
        close(o->lock);
    free(o->directory);
    free(o);
}

/* ---- putting ---- */

static int exists(const struct outbox *o, const char *folder, const char *name, bool *ret,
                  struct err *e)
{
    char path[PLACE_PATH];
    struct stat st;
    int rc = place_path(path, o->directory, folder, name, e);
    if (rc < 0)
        return rc;
    *ret = stat(path, &st) == 0;
    return *ret || errno == ENOENT ? 0 : err_sys(e, -errno, "%s", path);
}

/* Looks in new/ first: from there it can only have moved on meanwhile. */
static int was_put(const struct outbox *o, const char *into, const char *name, bool *ret,
                   struct err *e)
{
    const char *const folders[] = {into, "done", "bad"};
    int rc = 0;
    *ret = false;
    for (size_t i = 0; rc == 0 && !*ret && i < 3; i++)
        rc = exists(o, folders[i], name, ret, e);
    return rc;
}

static int check_room(struct outbox *o, uint64_t max, uint64_t more, int64_t now, struct err *e)
{
    if (max && now >= o->count_at) {
        struct outbox_stats stats;
        int rc = outbox_stats(o->directory, &stats, e);
        if (rc < 0)
            return rc;
        o->octets = stats.octets;
        o->count_at = now + COUNT_EVERY;
    }
    if (max && o->octets + more > max)
        return err_set(e, -EDQUOT,
                       "%s holds %" PRIu64 " octets that wait to be delivered; people.max_bytes "
                       "is %" PRIu64,
                       o->directory, o->octets, max);
    return 0;
}

int outbox_put(struct outbox *o, const struct mail *m, uint64_t max_octets, int64_t now,
               struct err *e)
{
    char into[PLACE_PATH], domain[MAIL_DOMAIN_MAX + 1], path[PLACE_PATH];
    struct buf facts;
    bool there;
    snprintf(domain, sizeof(domain), "%.*s", STR_ARG(m->domain));
    REQUIRE(is_mail_name(m->name) && is_domain(domain) && m->domain.n);
    snprintf(into, sizeof(into), "new/%s", domain);
    int rc = was_put(o, into, m->name, &there, e);
    if (rc < 0 || there)
        return rc;
    rc = check_room(o, max_octets, m->body.n, now, e);
    if (rc == 0)
        rc = place_path(path, o->directory, into, NULL, e);
    if (rc == 0)
        rc = place_directory(o->io, path, e);
    if (rc < 0)
        return rc;
    buf_init(&facts, OUTBOX_FACTS_MAX);
    rc = outbox_file_facts(m, &facts, e);
    if (rc == 0)
        rc = place_file(o->io, o->directory, into, m->name,
                        (struct str[]){buf_str(&facts), m->body}, 2, e);
    if (rc == 0)
        o->octets += facts.n + m->body.n;
    buf_free(&facts);
    return rc;
}

/* ---- delivering ---- */

int outbox_lock(struct outbox *o, struct err *e)
{
    char path[PLACE_PATH];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int rc = place_path(path, o->directory, "lock", NULL, e);
    int fd = rc == 0 ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (rc == 0 && fd < 0)
        return err_sys(e, -errno, "%s", path);
    if (rc == 0 && fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        rc = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
        err_sys(e, rc, "%s", path);
        close(fd);
    }
    if (rc == 0)
        o->lock = fd;
    return rc;
}

int outbox_domains(const struct outbox *o, struct arena *a, const char ***ret, size_t *ret_n,
                   struct err *e)
{
    char path[PLACE_PATH];
    size_t n = 0, room = 16;
    const char **list = ARENA_ARRAY(a, room, const char *);
    int rc = place_path(path, o->directory, "new", NULL, e);
    DIR *d = rc == 0 ? opendir(path) : NULL;
    if (rc == 0 && !d)
        rc = err_sys(e, -errno, "%s", path);
    for (const struct dirent *entry; d && list && (entry = readdir(d));) {
        if (!is_domain(entry->d_name))
            continue;
        if (n == room) {
            const char **more = ARENA_ARRAY(a, 2 * room, const char *);
            if (more)
                memcpy(more, list, n * sizeof(*list));
            list = more;
            room *= 2;
        }
        if (list)
            list[n++] = arena_str(a, str_c(entry->d_name)).p;
    }
    if (d)
        closedir(d);
    if (rc == 0 && arena_failed(a))
        rc = err_set(e, -ENOMEM, "out of memory");
    if (rc < 0)
        return rc;
    *ret = list;
    *ret_n = n;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct outbox_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static struct outbox_entry *entries_grow(struct arena *a, const struct outbox_entry *list, size_t n,
                                         size_t room)
{
    struct outbox_entry *more = ARENA_ARRAY(a, room, struct outbox_entry);
    if (more && n)
        memcpy(more, list, n * sizeof(*list));
    return more;
}

int outbox_list(const struct outbox *o, const char *domain, struct arena *a,
                struct outbox_entry **ret, size_t *ret_n, struct err *e)
{
    char path[PLACE_PATH];
    size_t n = 0, room = 64;
    struct outbox_entry *list = entries_grow(a, NULL, 0, room);
    int rc = place_path(path, o->directory, "new", domain, e);
    DIR *d = rc == 0 ? opendir(path) : NULL;
    if (rc == 0 && !d)
        rc = err_sys(e, -errno, "%s", path);
    for (const struct dirent *entry; d && list && n < ENTRIES_MAX && (entry = readdir(d));) {
        struct stat st;
        if (!is_mail_name(entry->d_name) || fstatat(dirfd(d), entry->d_name, &st, 0) < 0)
            continue;
        if (n == room)
            list = entries_grow(a, list, n, room *= 2);
        if (list)
            list[n++] =
                (struct outbox_entry){arena_str(a, str_c(entry->d_name)).p,
                                      st.st_mtim.tv_sec * CLOCK_SECOND + st.st_mtim.tv_nsec / 1000};
    }
    if (d)
        closedir(d);
    if (rc == 0 && arena_failed(a))
        rc = err_set(e, -ENOMEM, "%s: out of memory", path);
    if (rc < 0)
        return rc;
    qsort(list, n, sizeof(*list), by_name);
    *ret = list;
    *ret_n = n;
    return 0;
}

static int file_path(const struct outbox *o, const char *domain, const char *name,
                     char path[PLACE_PATH], struct err *e)
{
    char folder[PLACE_PATH];
    int rc = place_path(folder, o->directory, "new", domain, e);
    return rc < 0 ? rc : place_path(path, folder, name, NULL, e);
}

static int read_whole(int fd, struct arena *a, struct str *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size > FILE_MAX)
        return -EBADMSG;
    size_t size = (size_t)st.st_size, n = 0;
    char *p = arena_alloc(a, size);
    while (p && n < size) {
        ssize_t got = pread(fd, p + n, size - n, (off_t)n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EBADMSG;
        n += (size_t)got;
    }
    *ret = str_of(p, n);
    return p ? 0 : -ENOMEM;
}

int outbox_read(const struct outbox *o, const char *domain, const char *name, struct arena *a,
                struct mail *ret, struct err *e)
{
    char path[PLACE_PATH];
    struct mail m = {.size = 0};
    struct str file;
    int rc = file_path(o, domain, name, path, e);
    int fd = rc == 0 ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (rc < 0)
        return rc;
    rc = fd < 0 ? -errno : read_whole(fd, a, &file);
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        return err_sys(e, rc, "%s", path);
    snprintf(m.name, sizeof(m.name), "%s", name);
    rc = outbox_file_read(file, &m, e);
    if (rc == 0 && !str_eq(m.domain, str_c(domain)))
        rc = err_set(e, -EBADMSG, "%s: it is for another domain", path);
    if (rc == 0)
        *ret = m;
    return rc;
}

/* The rename is the moment in which it is delivered. */
static int move(const struct outbox *o, const char *domain, const char *name, const char *to,
                char path[PLACE_PATH], struct err *e)
{
    char from[PLACE_PATH], folder[PLACE_PATH];
    int rc = file_path(o, domain, name, from, e);
    if (rc == 0)
        rc = place_path(folder, o->directory, to, NULL, e);
    if (rc == 0)
        rc = place_path(path, o->directory, to, name, e);
    if (rc == 0 && (o->io->rename(from, path) < 0 || o->io->fsync_dir(folder) < 0))
        rc = err_sys(e, -errno, "%s", path);
    return rc;
}

int outbox_done(const struct outbox *o, const char *domain, const char *name, struct err *e)
{
    char path[PLACE_PATH];
    int rc = move(o, domain, name, "done", path, e);
    if (rc == 0 && truncate(path, 0) < 0)
        rc = err_sys(e, -errno, "%s", path);
    return rc;
}

int outbox_bad(const struct outbox *o, const char *domain, const char *name, struct err *e)
{
    char path[PLACE_PATH];
    return move(o, domain, name, "bad", path, e);
}

int outbox_later(const struct outbox *o, const char *domain, const char *name, int64_t next,
                 struct err *e)
{
    char path[PLACE_PATH];
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {next / CLOCK_SECOND, next % CLOCK_SECOND * 1000}};
    int rc = file_path(o, domain, name, path, e);
    if (rc == 0 && utimensat(AT_FDCWD, path, times, 0) < 0)
        rc = err_sys(e, -errno, "%s", path);
    return rc;
}

void outbox_prune(const struct outbox *o, int64_t before)
{
    static const char *const folders[] = {"done", "tmp"};
    for (size_t i = 0; i < 2; i++) {
        char path[PLACE_PATH];
        struct stat st;
        DIR *d = place_path(path, o->directory, folders[i], NULL, NULL) == 0 ? opendir(path) : NULL;
        for (const struct dirent *entry; d && (entry = readdir(d));)
            if (is_mail_name(entry->d_name) && fstatat(dirfd(d), entry->d_name, &st, 0) == 0 &&
                st.st_mtim.tv_sec < before / CLOCK_SECOND)
                unlinkat(dirfd(d), entry->d_name, 0);
        if (d)
            closedir(d);
    }
}

/* ---- for people ---- */

int outbox_tell(const struct outbox *o, const char *text, struct err *e)
{
    char path[PLACE_PATH];
    int rc = place_path(path, o->directory, "failure", NULL, e);
    if (rc == 0 && !*text)
        return unlink(path) < 0 && errno != ENOENT ? err_sys(e, -errno, "%s", path) : 0;
    if (rc < 0)
        return rc;
    char from[PLACE_PATH];
    rc = place_path(from, o->directory, "tmp", "failure", e);
    int fd = rc == 0 ? open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (rc < 0)
        return rc;
    ssize_t wrote = fd < 0 ? -1 : write(fd, text, strlen(text));
    if (wrote < 0 || rename(from, path) < 0)
        rc = err_sys(e, -errno, "%s", path);
    if (fd >= 0)
        close(fd);
    return rc;
}

static void count_domain(int new, const char *domain, struct outbox_stats *s)
{
    int fd = openat(new, domain, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        struct stat st;
        if (!is_mail_name(entry->d_name) || fstatat(fd, entry->d_name, &st, 0) < 0)
            continue;
        int64_t time = received_at(entry->d_name);
        s->waiting++;
        s->octets += (uint64_t)st.st_size;
        if (!s->oldest || time < s->oldest)
            s->oldest = time;
    }
    if (d)
        closedir(d);
    else if (fd >= 0)
        close(fd);
}

int outbox_stats(const char *directory, struct outbox_stats *ret, struct err *e)
{
    struct outbox_stats s = {.waiting = 0};
    char path[PLACE_PATH];
    uint64_t octets;
    int rc = place_path(path, directory, "bad", NULL, e);
    if (rc == 0)
        rc = place_size(path, &s.bad, &octets, e);
    if (rc == 0)
        rc = place_path(path, directory, "new", NULL, e);
    DIR *d = rc == 0 ? opendir(path) : NULL;
    if (rc == 0 && !d && errno != ENOENT)
        rc = err_sys(e, -errno, "%s", path);
    for (const struct dirent *entry; d && (entry = readdir(d));)
        if (is_domain(entry->d_name))
            count_domain(dirfd(d), entry->d_name, &s);
    if (d)
        closedir(d);
    if (rc == 0)
        rc = place_path(path, directory, "failure", NULL, e);
    int fd = rc == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? 0 : read(fd, s.failure, sizeof(s.failure) - 1);
    s.failure[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
    if (rc == 0)
        *ret = s;
    return rc;
}
