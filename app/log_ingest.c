#include "app/log_ingest.h"

#include "base/address.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a log says of a time later than this is wrong. */
#define LATER_MAX CLOCK_DAY
enum { POLL_MS = 200 };

/* ---- records ---- */

static void count(struct ingest_counts *c, enum ingest_kind kind)
{
    c->bounced += kind == INGEST_BOUNCED;
    c->expired += kind == INGEST_EXPIRED;
    c->deferred += kind == INGEST_DEFERRED;
    c->delivered += kind == INGEST_SENT;
}

static int deliver(struct log_ingest *g, const struct ingest_record *r,
                   const struct log_owner *owner)
{
    struct ingest_batch *b = g->batch;
    struct db_delivery d = {.key = address_key(&b->arena, log_address(r)),
                            .tenant = owner->tenant,
                            .stream = owner->stream,
                            .time = r->time};
    return ingest_batch_deliver(b, &d, r->evidence, g->reading.tenant);
}

static int take(struct log_ingest *g, const struct ingest_record *r, uint64_t place)
{
    struct ingest_batch *b = g->batch;
    struct log_owner owner;
    struct db_message m;
    char text[320];
    bool delivered = r->kind == INGEST_SENT;
    if (r->kind == INGEST_OTHER)
        return 0;
    if (!str_is_absent(r->sender) && !r->sender.n) {
        b->counts.reports++;
        return 0;
    }
    if (r->time > clock_now() + LATER_MAX) {
        char time[CLOCK_TEXT];
        snprintf(text, sizeof(text),
                 "%s is in the future: expected a time that has been (see "
                 "--year and --timezone)",
                 clock_format_rfc3339(r->time, time));
        b->counts.unreadable++;
        ingest_batch_complain(b, place, text);
        return 0;
    }
    count(&b->counts, r->kind);
    if (delivered ? !g->deliveries : r->kind == INGEST_DEFERRED && !g->delays)
        return 0;
    int rc = log_owner(&g->reading, &b->arena, r, &owner);
    if (rc == -ENOENT) {
        snprintf(text, sizeof(text),
                 "sender \"%.*s\" is of none of the configured domains: "
                 "expected --tenant",
                 STR_ARG(str_sub(r->sender, 0, 200)));
        b->counts.unowned++;
        ingest_batch_complain(b, place, text);
        return 0;
    }
    if (rc == 0 && delivered)
        return deliver(g, r, &owner);
    if (rc == 0)
        rc = log_message(&g->reading, &b->arena, r, &owner, &m);
    if (rc < 0)
        return command_fail(b->line, rc, "%s:%llu: out of memory", b->name,
                            (unsigned long long)place);
    ingest_batch_add(b, &m, place);
    return 0;
}

static int on_line(struct log_ingest *g, struct str line, bool cut)
{
    struct ingest_batch *b = g->batch;
    struct ingest_records got = {0};
    struct err e;
    uint64_t place = ++b->counts.lines;
    int rc =
        cut ? err_set(&e, -EINVAL, "a line of over %d bytes: expected a record", INGEST_LINE_MAX)
            : ingest_read(g->reader, &b->arena, line, &got, &e);
    if (rc == -EINVAL || got.cut) {
        b->counts.unreadable++;
        ingest_batch_complain(b, place,
                              got.cut ? "it names more than 1000 recipients: expected "
                                        "fewer; those behind them are lost"
                                      : e.text);
        rc = 0;
    }
    if (rc < 0)
        return command_fail(b->line, rc, "%s:%llu: %s", b->name, (unsigned long long)place, e.text);
    for (size_t i = 0; rc == 0 && i < got.n; i++)
        rc = take(g, &got.list[i], place);
    return rc == 0 ? ingest_batch_due(b, clock_monotonic()) : rc;
}

/* ---- lines ---- */

struct lines {
    int fd;
    bool pipe;
    uint64_t size, done; /* bytes */
    size_t n;
    bool over; /* what comes belongs to a line that is too long */
    char bytes[INGEST_LINE_MAX + 1];
};

/* Hands on all whole lines; at the end of the file also one without its end. */
static int hand_on(struct log_ingest *g, struct lines *in, bool end)
{
    size_t from = 0;
    int rc = 0;
    while (rc == 0 && from < in->n) {
        const char *at = in->bytes + from, *nl = memchr(at, '\n', in->n - from);
        if (!nl && !end && in->n - from < sizeof(in->bytes))
            break;
        size_t n = nl ? (size_t)(nl - at) : in->n - from;
        bool whole = nl || end;
        if (whole)
            rc = on_line(g, str_of(at, n), in->over);
        in->over = !whole;
        from += n + (nl ? 1 : 0);
    }
    in->n -= from;
    memmove(in->bytes, in->bytes + from, in->n);
    return rc;
}

/* More bytes; 0 in *ret_n at the end or when it shall stop. */
static int more(struct log_ingest *g, struct lines *in, size_t *ret_n)
{
    for (;;) {
        struct pollfd p = {.fd = in->fd, .events = POLLIN};
        int ready = in->pipe ? poll(&p, 1, POLL_MS) : 1;
        *ret_n = 0;
        if (*g->stop)
            return 0;
        if (in->pipe && g->clock.latest < clock_now())
            g->clock.latest = clock_now();
        int rc = ingest_batch_due(g->batch, clock_monotonic());
        if (rc < 0)
            return rc;
        if (ready <= 0)
            continue;
        ssize_t n = read(in->fd, in->bytes + in->n, sizeof(in->bytes) - in->n);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0) {
            struct err e;
            err_sys(&e, -errno, "%s", g->batch->name);
            return command_fail(g->batch->line, -EIO, "%s", e.text);
        }
        *ret_n = (size_t)n;
        return 0;
    }
}

static int read_all(struct log_ingest *g, struct lines *in)
{
    size_t n = 1;
    int rc = 0;
    while (rc == 0 && n) {
        rc = more(g, in, &n);
        in->n += n;
        in->done += n;
        progress_step(&g->batch->progress, in->done >> 10, in->size >> 10, clock_monotonic());
        if (rc == 0)
            rc = hand_on(g, in, n == 0 && !*g->stop);
    }
    return rc == 0 ? ingest_batch_flush(g->batch) : rc;
}

int log_ingest(struct log_ingest *g, const char *path)
{
    struct stat st;
    struct err e;
    struct lines *in = calloc(1, sizeof(*in));
    const struct command_line *l = g->batch->line;
    if (!in)
        return command_fail(l, -ENOMEM, "out of memory");
    bool standard = strcmp(path, "-") == 0;
    in->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc = 0;
    if (in->fd < 0 || fstat(in->fd, &st) < 0)
        rc = err_sys(&e, -errno, "%s", path);
    else if (S_ISDIR(st.st_mode))
        rc = err_set(&e, -EISDIR, "%s: a folder: expected a file, or - for standard input", path);
    if (rc < 0) {
        rc = command_fail(l, rc, "%s", e.text);
    } else {
        in->pipe = !S_ISREG(st.st_mode);
        in->size = in->pipe ? 0 : (uint64_t)st.st_size;
        int64_t now = clock_now(), written = (int64_t)st.st_mtim.tv_sec * CLOCK_SECOND;
        g->clock.latest = in->pipe || written > now ? now : written;
        rc = ingest_batch_begin(g->batch, path, in->pipe);
        g->batch->progress = progress_start("KiB", clock_monotonic());
        if (rc == 0)
            rc = read_all(g, in);
        progress_end(&g->batch->progress);
    }
    if (in->fd >= 0 && !standard)
        close(in->fd);
    free(in);
    return rc;
}
