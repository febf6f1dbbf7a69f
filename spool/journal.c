#include "spool/journal.h"

#include "base/buf.h"
#include "base/require.h"
#include "spool/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    JOURNAL_FILE_MAX = 256,
    LONGEST_NAME = 96, /* of what stands below the directory */
    SEGMENTS_MAX = 1 << 20,
    SEGMENT_BYTES_DEFAULT = 64 << 20,
    SEGMENT_BYTES_MIN = 16 << 10,
};

void journal_lane_path(const struct spool *s, unsigned lane, const char *name, journal_path ret)
{
    int n = snprintf(ret, PATH_MAX, "%s/lane-%02u%s%s", s->directory, lane, *name ? "/" : "", name);
    REQUIRE(n > 0 && n < PATH_MAX);
}

void journal_segment_path(const struct spool *s, unsigned lane, uint64_t number, journal_path ret)
{
    char name[SEGMENT_NAME];
    snprintf(name, sizeof(name), "%020llu.seg", (unsigned long long)number);
    journal_lane_path(s, lane, name, ret);
}

int journal_folder(const struct spool *s, const char *path, const char *parent, struct err *e)
{
    if (mkdir(path, 0700) < 0) {
        if (errno == EEXIST)
            return 0;
        return err_sys(e, io_code(errno), "make folder %s", path);
    }
    if (s->io->fsync_dir(parent) < 0)
        return err_sys(e, io_code(errno), "sync folder %s", parent);
    return 0;
}

/* ---- the journal file ---- */

static const char journal_head[] = "bouncemx journal\nformat 1\nid ";

static int journal_write(struct spool *s, const char *path, struct err *e)
{
    journal_path temporary;
    int n = snprintf(temporary, sizeof(temporary), "%s.new", path);
    REQUIRE(n > 0 && n < PATH_MAX);
    char id[ID_TEXT], text[JOURNAL_FILE_MAX];
    n = snprintf(text, sizeof(text), "%s%s\n", journal_head, id_format(s->id, id));
    REQUIRE(n > 0 && (size_t)n < sizeof(text));

    int fd = s->io->open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, io_code(errno), "make %s", temporary);
    int rc = io_write(s->io, fd, text, (size_t)n, 0);
    if (rc == 0 && s->io->fdatasync(fd) < 0)
        rc = io_code(errno);
    close(fd);
    if (rc == 0 && rename(temporary, path) < 0)
        rc = io_code(errno);
    if (rc == 0 && s->io->fsync_dir(s->directory) < 0)
        rc = io_code(errno);
    return rc < 0 ? err_sys(e, rc, "write %s", path) : 0;
}

/* "bouncemx journal\nformat N\nid UUID\n", and nothing else. */
static int journal_parse(struct str text, const char *path, struct id *ret, struct err *e)
{
    struct str rest = text;
    struct str first = str_cut(&rest, '\n'), format = str_cut(&rest, '\n');
    uint32_t version;
    if (!str_eq(first, STR("bouncemx journal")) || !str_starts(format, STR("format ")) ||
        !str_to_u32(str_from(format, 7), &version))
        return err_set(e, -EPROTO, "%s is damaged: expected \"bouncemx journal\", \"format N\"",
                       path);
    if (version != JOURNAL_FORMAT)
        return err_set(e, -EPROTO, "%s has format %u; this program knows format %d", path, version,
                       JOURNAL_FORMAT);
    struct id id;
    if (rest.n != 3 + ID_TEXT || !str_starts(rest, STR("id ")) || rest.p[rest.n - 1] != '\n' ||
        !id_parse(str_sub(rest, 3, rest.n - 1), &id))
        return err_set(e, -EPROTO, "%s is damaged: expected \"id UUID\" in its third line", path);
    *ret = id;
    return 0;
}

static int journal_read_or_make(struct spool *s, struct err *e)
{
    journal_path path;
    int n = snprintf(path, sizeof(path), "%s/journal", s->directory);
    REQUIRE(n > 0 && n < PATH_MAX);
    int fd = s->io->open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0 && errno == ENOENT) {
        s->id = id_random();
        return journal_write(s, path, e);
    }
    if (fd < 0)
        return err_sys(e, io_code(errno), "open %s", path);
    char text[JOURNAL_FILE_MAX];
    ssize_t got = io_read(fd, text, sizeof(text), 0);
    close(fd);
    if (got < 0)
        return err_sys(e, -EIO, "read %s", path);
    return journal_parse(str_of(text, (size_t)got), path, &s->id, e);
}

/* Two processes that start together must not make two journals. */
static int journal_open_locked(struct spool *s, struct err *e)
{
    int fd = s->io->open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, io_code(errno), "open spool folder %s", s->directory);
    int rc;
    do
        rc = flock(fd, LOCK_EX);
    while (rc < 0 && errno == EINTR);
    rc = rc < 0 ? err_sys(e, -EIO, "lock %s", s->directory) : journal_read_or_make(s, e);
    close(fd);
    return rc;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

int spool_open(const struct spool_config *config, struct spool **ret, struct err *e)
{
    struct spool *s = calloc(1, sizeof(*s));
    if (!s)
        return err_sys(e, -ENOMEM, "spool %s", config->directory);
    int rc;
    s->io = config->io ? config->io : &spool_io_system;
    s->max_bytes = config->max_bytes;
    s->segment_bytes = clamp(config->segment_bytes ? config->segment_bytes : SEGMENT_BYTES_DEFAULT,
                             SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
    if (mkdir(config->directory, 0700) < 0 && errno != EEXIST) {
        rc = err_sys(e, io_code(errno), "make spool folder %s", config->directory);
        goto out;
    }
    s->directory = realpath(config->directory, NULL);
    if (!s->directory) {
        rc = err_sys(e, io_code(errno), "spool folder %s", config->directory);
        goto out;
    }
    if (strlen(s->directory) > PATH_MAX - LONGEST_NAME) {
        rc = err_sys(e, -ENAMETOOLONG, "spool folder %s", config->directory);
        goto out;
    }
    rc = journal_open_locked(s, e);
    if (rc == 0 && s->max_bytes)
        rc = usage_measure(s, e);
    if (rc < 0)
        goto out;
    *ret = s;
    s = NULL;
out:
    spool_free(s);
    return rc;
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    free(s->directory);
    free(s);
}

struct id spool_journal(const struct spool *s)
{
    return s->id;
}

/* ---- listings ---- */

/* "lane-07", "lane-123": exactly as journal_lane_path writes it. */
static bool lane_name(const char *name, unsigned *ret)
{
    uint32_t lane;
    struct str text = str_c(name);
    if (!str_starts(text, STR("lane-")) || !str_to_u32(str_from(text, 5), &lane) ||
        lane >= SPOOL_LANES_MAX)
        return false;
    char canonical[16];
    snprintf(canonical, sizeof(canonical), "lane-%02u", lane);
    if (!str_eq(text, str_c(canonical)))
        return false;
    *ret = lane;
    return true;
}

int spool_lanes(const struct spool *s, unsigned lanes[SPOOL_LANES_MAX], size_t *ret_n,
                struct err *e)
{
    bool found[SPOOL_LANES_MAX] = {false};
    DIR *dir = opendir(s->directory);
    if (!dir)
        return err_sys(e, io_code(errno), "read folder %s", s->directory);
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        unsigned lane;
        if (lane_name(entry->d_name, &lane))
            found[lane] = true;
    }
    int rc = errno ? err_sys(e, -EIO, "read folder %s", s->directory) : 0;
    closedir(dir);
    if (rc < 0)
        return rc;
    size_t n = 0;
    for (unsigned lane = 0; lane < SPOOL_LANES_MAX; lane++)
        if (found[lane])
            lanes[n++] = lane;
    *ret_n = n;
    return 0;
}

static bool segment_name(const char *name, uint64_t *ret)
{
    struct str text = str_c(name);
    return text.n == SEGMENT_NAME - 1 && str_eq(str_from(text, 20), STR(".seg")) &&
           str_to_u64(str_sub(text, 0, 20), ret) && *ret <= INT64_MAX;
}

static int number_cmp(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int journal_segments(const struct spool *s, unsigned lane, uint64_t **ret, size_t *ret_n,
                     struct err *e)
{
    journal_path path;
    journal_lane_path(s, lane, "", path);
    DIR *dir = opendir(path);
    if (!dir && errno != ENOENT)
        return err_sys(e, io_code(errno), "read folder %s", path);
    struct buf numbers;
    buf_init(&numbers, SEGMENTS_MAX * sizeof(uint64_t));
    int rc = 0;
    while (dir && rc == 0) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) {
            rc = errno ? err_sys(e, -EIO, "read folder %s", path) : 0;
            break;
        }
        uint64_t number;
        if (segment_name(entry->d_name, &number) &&
            buf_add(&numbers, str_of(&number, sizeof(number))) < 0)
            rc = err_set(e, -ENOMEM, "read folder %s: no memory, or over %d segments", path,
                         SEGMENTS_MAX);
    }
    if (dir)
        closedir(dir);
    if (rc < 0) {
        buf_free(&numbers);
        return rc;
    }
    size_t n = numbers.n / sizeof(uint64_t);
    if (n)
        qsort(numbers.p, n, sizeof(uint64_t), number_cmp);
    *ret = (void *)numbers.p;
    *ret_n = n;
    return 0;
}

int journal_lane_written(const struct spool *s, unsigned lane, bool *ret, struct err *e)
{
    journal_path path;
    journal_lane_path(s, lane, "lock", path);
    int rc = io_locked(path, ret);
    return rc < 0 ? err_sys(e, rc, "look at the lock of %s", path) : 0;
}
