#include "app/ingest_batch.h"

#include "base/clock.h"
#include "base/require.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARENA_MAX = 256 << 20, ARENA_FULL = 16 << 20 };

struct ingest_batch *ingest_batch_new(const struct command_line *l, const struct config *c,
                                      struct db *db)
{
    struct ingest_batch *b = calloc(1, sizeof(*b));
    if (!b) {
        command_fail(l, 0, "out of memory");
        return NULL;
    }
    b->line = l;
    b->db = db;
    b->node = str_c(c->node);
    b->retry_min = c->database.retry_min;
    b->retry_max = c->database.retry_max;
    b->arena = arena_make(ARENA_MAX);
    return b;
}

void ingest_batch_free(struct ingest_batch *b)
{
    if (!b)
        return;
    progress_end(&b->progress);
    arena_free(&b->arena);
    free(b);
}

static void complain(struct ingest_batch *b, const char *name, uint64_t place, const char *why)
{
    char number[24] = "";
    bool on = b->progress.on;
    if (b->complaints++ >= INGEST_TOLD_MAX)
        return;
    if (place)
        snprintf(number, sizeof(number), ":%llu", (unsigned long long)place);
    progress_end(&b->progress);
    b->progress.on = on;
    command_fail(b->line, 0, "%s%s: %s", name, number, why);
    if (b->complaints == INGEST_TOLD_MAX)
        command_fail(b->line, 0, "what follows of such is counted only");
}

void ingest_batch_complain(struct ingest_batch *b, uint64_t place, const char *why)
{
    complain(b, b->name, place, why);
}

static void on_refused(void *ctx, size_t at, const struct err *why)
{
    struct ingest_batch *b = ctx;
    complain(b, b->names[at], b->places[at], why->text);
}

/* After a failure: true when it shall be tried again, on a new connection. */
static bool again(struct ingest_batch *b, int rc, int64_t *wait, struct err *e)
{
    if (rc != -EAGAIN || !b->patient)
        return false;
    if (*wait == 0) {
        command_fail(b->line, 0, "%s; trying again until it is back", e->text);
        *wait = b->retry_min > 0 ? b->retry_min : CLOCK_SECOND / 10;
    }
    for (int reset = -EAGAIN; reset == -EAGAIN;) {
        usleep((useconds_t)(*wait < CLOCK_SECOND ? *wait : CLOCK_SECOND - 1));
        *wait = *wait * 2 < b->retry_max ? *wait * 2 : b->retry_max;
        reset = db_reset(b->db, e);
        if (reset < 0 && reset != -EAGAIN)
            return false;
    }
    return true;
}

static int put_messages(struct ingest_batch *b, struct err *e)
{
    struct db_ingested done;
    int64_t wait = 0;
    uint64_t complaints = b->complaints, written = 0;
    int rc;
    for (;;) {
        b->complaints = complaints;
        rc = db_ingest(b->db, b->node, b->messages, b->messages_n, on_refused, b, &done, e);
        if (rc == 0 || !again(b, rc, &wait, e))
            break;
        written += done.written; /* known to the next attempt, but new all the same */
    }
    b->counts.written += written + done.written;
    if (rc == 0) {
        b->counts.known += done.known > written ? done.known - written : 0;
        b->counts.refused += done.refused;
    }
    b->messages_n = 0;
    return rc;
}

static int put_deliveries(struct ingest_batch *b, struct err *e)
{
    int64_t wait = 0;
    uint64_t stands = 0;
    int rc;
    do {
        rc = db_log_delivered(b->db, b->source, b->told, clock_now(), b->deliveries,
                              b->deliveries_n, e);
        if (rc < 0 && !again(b, rc, &wait, e))
            return rc;
        /* Was it committed, though no answer came? */
        if (rc < 0 && db_log_told(b->db, b->source, &stands, e) == 0 &&
            stands == b->told + b->deliveries_n)
            rc = 0;
    } while (rc < 0);
    b->told += b->deliveries_n;
    b->counts.told += b->deliveries_n;
    b->deliveries_n = 0;
    return 0;
}

int ingest_batch_flush(struct ingest_batch *b)
{
    struct err e;
    int rc = b->messages_n ? put_messages(b, &e) : 0;
    if (rc == 0 && b->deliveries_n)
        rc = put_deliveries(b, &e);
    b->since = 0;
    arena_reset(&b->arena);
    return rc < 0 ? command_fail(b->line, rc, "%s", e.text) : 0;
}

int ingest_batch_due(struct ingest_batch *b, int64_t now)
{
    bool late = b->since && now - b->since >= CLOCK_SECOND;
    bool full = b->messages_n >= INGEST_BATCH || b->deliveries_n >= INGEST_DELIVERIES;
    return late || full || b->arena.used > ARENA_FULL ? ingest_batch_flush(b) : 0;
}

int ingest_batch_begin(struct ingest_batch *b, const char *name, bool patient)
{
    int rc = ingest_batch_flush(b);
    b->name = name;
    b->patient = patient;
    b->has_source = false;
    b->told = b->skip = 0;
    return rc;
}

static void waits(struct ingest_batch *b)
{
    if (!b->since)
        b->since = clock_monotonic();
}

void ingest_batch_add(struct ingest_batch *b, const struct db_message *m, uint64_t place)
{
    REQUIRE(b->messages_n < INGEST_ROOM);
    b->messages[b->messages_n] = *m;
    b->names[b->messages_n] = b->name;
    b->places[b->messages_n++] = place;
    waits(b);
}

int ingest_batch_deliver(struct ingest_batch *b, const struct db_delivery *d, struct str evidence,
                         struct str tenant)
{
    struct err e;
    if (!b->has_source) {
        const struct str parts[] = {evidence, tenant};
        int64_t wait = 0;
        int rc = db_source_of(parts, 2, b->source) ? 0 : err_set(&e, -ENOMEM, "out of memory");
        if (rc == 0)
            do
                rc = db_log_told(b->db, b->source, &b->skip, &e);
            while (rc < 0 && again(b, rc, &wait, &e));
        if (rc < 0)
            return command_fail(b->line, rc, "%s", e.text);
        b->told = b->skip;
        b->has_source = true;
    }
    if (b->skip) {
        b->skip--;
        return 0;
    }
    REQUIRE(b->deliveries_n < DB_DELIVERIES_MAX);
    b->deliveries[b->deliveries_n++] = *d;
    waits(b);
    return 0;
}
