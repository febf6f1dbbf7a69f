#include "spool/segment.h"

#include "base/require.h"
#include "spool/io.h"
#include "spool/record.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    COPY_AT = 1024,
    MARKS_AT = 2048,
    ALLOCATE_MAX = 4 << 20,
    ALLOCATE_MIN = 64 << 10,
    ZERO_AHEAD = 256 << 10,
    ZERO_FOR_MAX = 32 << 10, /* bytes of a group that is small enough to make it worth while */
    MARK_BITS = 40,          /* for the length; the rest checks it */
};

static const char segment_magic[8] = "bmxsegm\n";

struct segment_fixed {
    char magic[8];
    uint32_t version;
    uint32_t zero;
    uint64_t number;
    uint64_t lane;
    uint64_t head_seed;
    uint64_t payload_seed;
    uint64_t checksum; /* of all before it */
};
_Static_assert(sizeof(struct segment_fixed) == 56, "the format has no padding");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a header is written as it stands");

struct segment_marks {
    _Atomic uint64_t synced;
    _Atomic uint64_t sealed;
};

/* ---- marks ---- */

static uint64_t mark_check(uint64_t length, uint64_t seed)
{
    uint64_t words[1] = {length};
    return record_checksum(seed, str_of(words, sizeof(words)), STR("")) >> MARK_BITS;
}

static uint64_t mark_make(const struct segment *g, uint64_t length)
{
    REQUIRE(length && length < UINT64_C(1) << MARK_BITS);
    return length | mark_check(length, g->head_seed) << MARK_BITS;
}

/* 0 when it was never stored, or does not stand its check. */
static uint64_t mark_get(const struct segment *g, _Atomic uint64_t *mark)
{
    uint64_t value = atomic_load_explicit(mark, memory_order_acquire);
    uint64_t length = value & ((UINT64_C(1) << MARK_BITS) - 1);
    bool good = length >= SEGMENT_HEADER && value >> MARK_BITS == mark_check(length, g->head_seed);
    return good ? length : 0;
}

uint64_t segment_synced(const struct segment *g)
{
    return mark_get(g, &g->marks->synced);
}

uint64_t segment_sealed(const struct segment *g)
{
    return mark_get(g, &g->marks->sealed);
}

void segment_mark_sealed(struct segment *g, uint64_t end)
{
    atomic_store_explicit(&g->marks->sealed, mark_make(g, end), memory_order_release);
}

static int marks_map(struct segment *g)
{
    void *page = mmap(NULL, SEGMENT_HEADER, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
    if (page == MAP_FAILED)
        return io_code(errno);
    g->marks = (struct segment_marks *)((char *)page + MARKS_AT);
    return 0;
}

void segment_close(struct segment *g)
{
    if (g->marks)
        munmap((char *)g->marks - MARKS_AT, SEGMENT_HEADER);
    if (g->fd >= 0)
        close(g->fd);
    *g = (struct segment){.fd = -1};
}

int segment_size(const struct segment *g, uint64_t *ret)
{
    struct stat st;
    if (fstat(g->fd, &st) < 0)
        return -EIO;
    *ret = (uint64_t)st.st_size;
    return 0;
}

/* ---- writing ---- */

static uint64_t fixed_checksum(const struct segment_fixed *f)
{
    return record_checksum(0, str_of(f, offsetof(struct segment_fixed, checksum)), STR(""));
}

static void random_seed(uint64_t *seed)
{
    ssize_t got;
    do
        got = getrandom(seed, sizeof(*seed), 0);
    while (got < 0 && errno == EINTR);
    REQUIRE(got == (ssize_t)sizeof(*seed));
}

/* Space is taken ahead in steps, so that most syncs need not write the file's size. A small spool
 * takes small steps: what is allocated counts. */
static uint64_t allocate_step(const struct spool *s)
{
    uint64_t step = s->max_bytes ? s->max_bytes / 64 : ALLOCATE_MAX;
    step = step < ALLOCATE_MIN ? ALLOCATE_MIN : step > ALLOCATE_MAX ? ALLOCATE_MAX : step;
    return step & ~(uint64_t)(SEGMENT_HEADER - 1);
}

static int allocate(const struct spool *s, struct segment *g, uint64_t end)
{
    if (end <= g->allocated)
        return 0;
    uint64_t least = (end + SEGMENT_HEADER - 1) & ~(uint64_t)(SEGMENT_HEADER - 1);
    uint64_t want = end + allocate_step(s);
    if (want > s->segment_bytes)
        want = s->segment_bytes;
    if (want < least)
        want = least;
    if (s->io->fallocate(g->fd, (off_t)want) == 0) {
        g->allocated = want;
        return 0;
    }
    if (io_code(errno) == -ENOSPC && want > least && s->io->fallocate(g->fd, (off_t)least) == 0) {
        g->allocated = least;
        return 0;
    }
    /* A file system that can't allocate ahead says -ENOSPC when it is written to. */
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return 0;
    return io_code(errno) == -ENOSPC ? -ENOSPC : -EIO;
}

static int header_write(const struct spool *s, unsigned lane, struct segment *g)
{
    char page[SEGMENT_HEADER] = {0};
    struct segment_fixed f = {
        .version = RECORD_VERSION,
        .number = g->number,
        .lane = lane,
        .head_seed = g->head_seed,
        .payload_seed = g->payload_seed,
    };
    memcpy(f.magic, segment_magic, sizeof(f.magic));
    f.checksum = fixed_checksum(&f);
    memcpy(page, &f, sizeof(f));
    memcpy(page + COPY_AT, &f, sizeof(f));
    int rc = io_write(s->io, g->fd, page, sizeof(page), 0);
    if (rc == 0 && s->io->fdatasync(g->fd) < 0)
        rc = io_code(errno) == -ENOSPC ? -ENOSPC : -EIO;
    return rc;
}

int segment_create(const struct spool *s, unsigned lane, uint64_t number, uint64_t payload_seed,
                   uint64_t need, struct segment *ret, struct err *e)
{
    journal_path path, folder;
    journal_segment_path(s, lane, number, path);
    journal_lane_path(s, lane, "", folder);
    struct segment g = {.number = number,
                        .version = RECORD_VERSION,
                        .payload_seed = payload_seed,
                        .end = SEGMENT_HEADER};
    random_seed(&g.head_seed);
    g.fd = s->io->open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (g.fd < 0) {
        int code = io_code(errno) == -ENOSPC ? -ENOSPC : -EIO;
        return err_sys(e, code, "make %s (%s)", path, strerrorname_np(errno));
    }
    int rc = allocate(s, &g, SEGMENT_HEADER + need);
    if (rc == 0)
        rc = header_write(s, lane, &g);
    if (rc == 0 && s->io->fsync_dir(folder) < 0)
        rc = io_code(errno) == -ENOSPC ? -ENOSPC : -EIO;
    if (rc == 0)
        rc = marks_map(&g);
    if (rc < 0) {
        segment_close(&g);
        s->io->unlink(path); /* should it stay, a reader finds no record in it */
        return err_sys(e, rc, "make %s", path);
    }
    atomic_store_explicit(&g.marks->synced, mark_make(&g, SEGMENT_HEADER), memory_order_release);
    *ret = g;
    return 0;
}

/* Space that was only allocated makes a file system note, by a commit of its own in each sync, that
 * it now holds bytes. That costs a small group more than the group itself, so a piece ahead is
 * filled with zeros once, in the same sync as the group that reaches it. Large groups do without:
 * the disk would have to write twice as much. */
static void zero_ahead(const struct spool *s, struct segment *g, uint64_t end, size_t n)
{
    static char zeros[ZERO_AHEAD];
    if (end <= g->zeroed || n > ZERO_FOR_MAX || end >= g->allocated)
        return;
    uint64_t to = (end + ZERO_AHEAD) & ~(uint64_t)(SEGMENT_HEADER - 1);
    if (to > g->allocated)
        to = g->allocated;
    /* A failure leaves the zeros that were there; it matters to nobody. */
    if (io_write(s->io, g->fd, zeros, (size_t)(to - end), end) == 0)
        g->zeroed = to;
}

int segment_write(const struct spool *s, struct segment *g, const char *frames, size_t n)
{
    int rc = allocate(s, g, g->end + n);
    if (rc == 0)
        rc = io_write(s->io, g->fd, frames, n, g->end);
    if (rc == 0)
        zero_ahead(s, g, g->end + n, n);
    if (rc == 0 && s->io->fdatasync(g->fd) < 0)
        rc = io_code(errno) == -ENOSPC ? -ENOSPC : -EIO;
    if (rc < 0)
        return rc;
    g->end += n;
    atomic_store_explicit(&g->marks->synced, mark_make(g, g->end), memory_order_release);
    return 0;
}

void segment_seal(const struct spool *s, unsigned lane, struct segment *g)
{
    segment_mark_sealed(g, g->end);
    /* Neither call may matter: the mark alone ends the segment. */
    if (g->end == SEGMENT_HEADER) {
        journal_path path;
        journal_segment_path(s, lane, g->number, path);
        (void)s->io->unlink(path);
    } else {
        (void)s->io->ftruncate(g->fd, (off_t)g->end);
    }
    segment_close(g);
}

/* ---- reading ---- */

/* 0, -EBADMSG, -EPROTO. */
static int fixed_check(const char *at, unsigned lane, uint64_t number, struct segment_fixed *ret)
{
    struct segment_fixed f;
    memcpy(&f, at, sizeof(f));
    if (memcmp(f.magic, segment_magic, sizeof(f.magic)) != 0 || f.checksum != fixed_checksum(&f))
        return -EBADMSG;
    if (f.version < 1 || f.version > RECORD_VERSION)
        return -EPROTO;
    /* A segment under another's name would give its records a second position. */
    if (f.number != number || f.lane != lane || f.zero != 0)
        return -EBADMSG;
    *ret = f;
    return 0;
}

static bool all_zero(const char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

int segment_open(const struct spool *s, unsigned lane, uint64_t number, struct segment *ret,
                 struct err *e)
{
    journal_path path;
    journal_segment_path(s, lane, number, path);
    struct segment g = {.number = number};
    g.fd = s->io->open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
    if (g.fd < 0)
        return err_sys(e, io_code(errno), "open %s", path);

    char page[SEGMENT_HEADER];
    struct segment_fixed f;
    ssize_t got = io_read(g.fd, page, sizeof(page), 0);
    int rc = got < 0 ? -EIO : 0;
    if (rc < 0)
        err_sys(e, rc, "read %s", path);
    else if ((size_t)got < sizeof(page) || all_zero(page, sizeof(page)))
        rc = err_set(e, -ENODATA, "%s has no header", path);
    if (rc == 0) {
        rc = fixed_check(page, lane, number, &f);
        if (rc == -EBADMSG)
            rc = fixed_check(page + COPY_AT, lane, number, &f);
        if (rc == -EPROTO)
            err_set(e, rc,
                    "%s has a format version that this program does not know (it knows 1 "
                    "to %d)",
                    path, RECORD_VERSION);
        else if (rc < 0)
            err_set(e, rc, "%s has a damaged header", path);
    }
    if (rc == 0) {
        g.version = f.version;
        g.head_seed = f.head_seed;
        g.payload_seed = f.payload_seed;
        rc = marks_map(&g);
        if (rc < 0)
            err_sys(e, rc, "map %s", path);
    }
    if (rc < 0) {
        segment_close(&g);
        return rc;
    }
    *ret = g;
    return 0;
}
