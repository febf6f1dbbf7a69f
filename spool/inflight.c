#include "spool/inflight.h"

#include "base/require.h"
#include "spool/io.h"
#include "spool/journal.h"
#include "spool/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two slots; turn counts the marks, its low bit says which slot holds the newest. A slot is written
 * only while the other is the newest, so a reader that finds turn unchanged has read a whole one.
 */
enum { PAGE = 4096, WORDS = 5, TRIES = 1000, BOOT_ID = 36 };

struct slot {
    _Atomic uint64_t words[WORDS]; /* segment, offset, alone and deaths, since, check */
};

struct page {
    char magic[8];
    char boot[64]; /* marks of before the machine's start are of no worker's death */
    _Atomic uint64_t turn;
    struct slot slots[2];
};
_Static_assert(sizeof(struct page) <= PAGE, "it is one page");

struct inflight {
    struct page *page;
};

static const char magic[8] = "bmxflyt1";

static uint64_t check_of(const uint64_t words[WORDS])
{
    return record_checksum(1, str_of(words, (WORDS - 1) * sizeof(uint64_t)), STR(""));
}

static void boot_id(char to[BOOT_ID])
{
    memset(to, '?', BOOT_ID);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    char text[BOOT_ID];
    if (io_read(fd, text, sizeof(text), 0) == BOOT_ID)
        memcpy(to, text, BOOT_ID);
    close(fd);
}

static int page_prepare(const struct spool *s, int fd)
{
    struct page page;
    struct page want = {0};
    memcpy(want.magic, magic, sizeof(magic));
    boot_id(want.boot);
    ssize_t got = io_read(fd, &page, sizeof(page), 0);
    if (got < 0)
        return -EIO;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -EIO;
    if (st.st_size == PAGE && memcmp(page.magic, want.magic, sizeof(want.magic)) == 0 &&
        memcmp(page.boot, want.boot, sizeof(want.boot)) == 0)
        return 0;
    /* Written, not only made longer: a store into a hole on a full disk would kill us. */
    char bytes[PAGE] = {0};
    memcpy(bytes, &want, sizeof(want));
    return io_write(s->io, fd, bytes, sizeof(bytes), 0);
}

int inflight_open(struct spool *s, unsigned lane, struct inflight **ret, struct err *e)
{
    REQUIRE(lane < SPOOL_LANES_MAX);
    journal_path path;
    journal_lane_path(s, lane, "", path);
    int rc = journal_folder(s, path, s->directory, e);
    if (rc < 0)
        return rc;
    journal_lane_path(s, lane, "inflight", path);
    struct inflight *f = calloc(1, sizeof(*f));
    if (!f)
        return err_sys(e, -ENOMEM, "open %s", path);
    int fd = s->io->open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        free(f);
        return err_sys(e, io_code(errno), "open %s", path);
    }
    rc = page_prepare(s, fd);
    if (rc == 0) {
        void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page == MAP_FAILED)
            rc = io_code(errno);
        else
            f->page = page;
    }
    close(fd);
    if (rc < 0) {
        free(f);
        return err_sys(e, rc, "prepare %s", path);
    }
    *ret = f;
    return 0;
}

int inflight_prepare(struct spool *s, unsigned lane, struct err *e)
{
    struct inflight *f = NULL;
    int rc = inflight_open(s, lane, &f, e);
    inflight_free(f);
    return rc == -ENOSPC ? 0 : rc;
}

void inflight_free(struct inflight *f)
{
    if (!f)
        return;
    munmap(f->page, PAGE);
    free(f);
}

struct inflight_mark inflight_read(const struct inflight *f)
{
    const struct inflight_mark nothing = {0};
    uint64_t words[WORDS];
    uint64_t turn = atomic_load_explicit(&f->page->turn, memory_order_acquire);
    for (int i = 0;; i++) {
        const struct slot *slot = &f->page->slots[turn & 1];
        for (size_t k = 0; k < WORDS; k++)
            words[k] = atomic_load_explicit(&slot->words[k], memory_order_acquire);
        uint64_t again = atomic_load_explicit(&f->page->turn, memory_order_acquire);
        if (again == turn)
            break;
        if (i == TRIES)
            return nothing; /* it changes faster than we read: nothing stays in hand */
        turn = again;
    }
    if (words[WORDS - 1] != check_of(words))
        return nothing;
    return (struct inflight_mark){
        .at = {words[0], words[1]},
        .alone = words[2] & 1,
        .deaths = (uint32_t)(words[2] >> 1),
        .since = (int64_t)words[3],
    };
}

void inflight_take(struct inflight *f, const struct inflight_mark *mark)
{
    uint64_t words[WORDS] = {mark->at.segment, mark->at.offset,
                             (uint64_t)mark->deaths << 1 | mark->alone, (uint64_t)mark->since};
    words[WORDS - 1] = check_of(words);
    uint64_t turn = atomic_load_explicit(&f->page->turn, memory_order_relaxed) + 1;
    struct slot *slot = &f->page->slots[turn & 1];
    for (size_t k = 0; k < WORDS; k++)
        atomic_store_explicit(&slot->words[k], words[k], memory_order_release);
    atomic_store_explicit(&f->page->turn, turn, memory_order_release);
}

void inflight_clear(struct inflight *f)
{
    inflight_take(f, &(struct inflight_mark){0});
}
