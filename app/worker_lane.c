/* One lane in a worker: records into a batch, the batch into PostgreSQL, position by position. */
#include "app/worker.h"

#include "base/clock.h"
#include "base/require.h"

#include <errno.h>
#include <stdlib.h>

enum { DEATHS_MAX = 2, DISK_PAUSE = CLOCK_SECOND, KEEP_ARENAS = 256, SMALL_BYTES = 64 << 10 };

static struct spool_position at_spool(struct db_position p)
{
    return (struct spool_position){p.segment, p.offset};
}

static int batch_open(struct batch *b, size_t room, struct err *e)
{
    b->arenas = calloc(room, sizeof(*b->arenas));
    b->messages = calloc(room, sizeof(*b->messages));
    if (!b->arenas || !b->messages)
        return err_set(e, -ENOMEM, "no memory for a batch of %zu messages", room);
    for (size_t i = 0; i < room; i++)
        b->arenas[i] = arena_make(READING_ARENA_MAX);
    b->room = room;
    return 0;
}

/* One more slot than n is in use while a record is being read. */
static void batch_drop(struct batch *b)
{
    for (size_t i = 0; i < b->room && i <= b->n; i++) {
        /* The first slots are used by every batch and keep their memory. */
        if (i < KEEP_ARENAS)
            arena_reset(&b->arenas[i]);
        else
            arena_free(&b->arenas[i]);
    }
    b->n = b->events = 0;
    b->bytes = 0;
}

void lane_close(struct lane *l)
{
    for (size_t i = 0; i < l->batch.room; i++)
        arena_free(&l->batch.arenas[i]);
    free(l->batch.arenas);
    free(l->batch.messages);
    spool_reader_free(l->reader);
    inflight_free(l->inflight);
    *l = (struct lane){.number = l->number, .db = l->db};
}

/* The position is the server's to say. What waited in memory is read again from there. */
static int lane_position(struct worker *w, struct lane *l, struct err *e)
{
    int rc = db_lane_position(w->db, &l->db, &l->position, e);
    if (rc < 0)
        return rc;
    batch_drop(&l->batch);
    if (l->reader)
        spool_reader_seek(l->reader, at_spool(l->position));
    l->positioned = true;
    return 0;
}

/* Opens what belongs to the lane and looks what its last reader died with. -EBUSY: the lane's own
 * trouble; any other error is the server's. */
static int lane_open(struct worker *w, struct lane *l, struct err *e)
{
    if (!l->batch.room && batch_open(&l->batch, w->config->database.batch_events, e) < 0)
        return -EBUSY;
    int rc = l->positioned ? 0 : lane_position(w, l, e);
    if (rc < 0 || l->reader)
        return rc;
    if (spool_reader_open(w->spool, l->number, at_spool(l->position), &l->reader, e) < 0)
        return -EBUSY;
    if (inflight_open(w->spool, l->number, &l->inflight, e) < 0) {
        spool_reader_free(l->reader);
        l->reader = NULL;
        return -EBUSY;
    }
    struct inflight_mark m = inflight_read(l->inflight);
    if (m.at.segment && spool_position_cmp(m.at, at_spool(l->position)) >= 0) {
        l->suspect = m;
        /* Deaths in company accuse nobody. */
        l->suspect.deaths = m.alone ? m.deaths + 1 : 0;
        log_warn("read_alone", KV("lane", (int)l->number), KV("segment", m.at.segment),
                 KV("offset", m.at.offset), KV("deaths", (int)l->suspect.deaths));
    } else {
        inflight_clear(l->inflight);
    }
    return 0;
}

static void tell_damage(struct lane *l)
{
    struct spool_reader_stats s = spool_reader_stats(l->reader);
    if (s.damaged_places != l->told.damaged_places)
        log_error("journal_damaged", KV("lane", (int)l->number),
                  KV("places", s.damaged_places - l->told.damaged_places),
                  KV("octets", s.damaged_bytes - l->told.damaged_bytes),
                  KV("kept_in", "damaged/ of the spool"));
    if (s.torn_tails != l->told.torn_tails)
        log_info("journal_torn_tail", KV("lane", (int)l->number),
                 KV("places", s.torn_tails - l->told.torn_tails));
    l->told = s;
}

/* ---- writing ---- */

static int flush(struct worker *w, struct lane *l, struct err *e)
{
    struct batch *b = &l->batch;
    struct db_position reached = l->position;
    struct db_written written = {0};
    if (!b->n)
        return 0;
    int64_t began = clock_monotonic();
    int rc = db_write(w->db, &l->db, l->position, b->messages, b->n, &reached, &written, e);
    w->messages += written.messages;
    w->set_aside += written.set_aside;
    if (written.set_aside)
        log_error("set_aside", KV("lane", (int)l->number),
                  KV("messages", (uint64_t)written.set_aside),
                  KV("why", (const char *)written.last_refusal.text));
    if (rc == 0) {
        l->position = reached;
        log_debug("written", KV("lane", (int)l->number), KV("messages", (uint64_t)b->n),
                  KV("events", (uint64_t)b->events), KV("us", clock_monotonic() - began));
    } else {
        l->positioned = false;
    }
    batch_drop(b);
    return rc;
}

/* The record that was just read stands alone at the position: out of the way, unread. */
static int put_aside(struct worker *w, struct lane *l, const struct spool_record *record,
                     const char *reason, struct err *e)
{
    struct db_message m;
    int rc = reading_envelope(&l->batch.arenas[0], record, &m, e);
    if (rc == 0)
        rc = db_set_aside(w->db, &l->db, l->position, &m, str_c(reason), e);
    if (rc == 0) {
        char id[ID_TEXT];
        l->position = m.next;
        w->set_aside++;
        log_error("set_aside", KV("message", id_format(m.id, id)), KV("lane", (int)l->number),
                  KV("why", reason));
    } else {
        l->positioned = false;
    }
    batch_drop(&l->batch);
    return rc;
}

/* ---- reading ---- */

enum turn { TURN_MORE, TURN_EMPTY, TURN_FLUSH };

/* Goes back to the record, which must be first in its batch, once those before it are written. */
static enum turn again_alone(struct lane *l, const struct spool_record *record)
{
    spool_reader_seek(l->reader, record->at);
    arena_reset(&l->batch.arenas[l->batch.n]);
    return TURN_FLUSH;
}

/* Reads record into the next slot. */
static int take(struct worker *w, struct lane *l, const struct spool_record *record, int64_t now,
                enum turn *ret, struct err *e)
{
    struct batch *b = &l->batch;
    bool alone = l->suspect.at.segment && spool_position_cmp(record->at, l->suspect.at) == 0;
    struct inflight_mark mark = {.at = record->at, .alone = alone, .since = now};
    if (alone && b->n) {
        *ret = again_alone(l, record);
        return 0;
    }
    *ret = alone ? TURN_FLUSH : TURN_MORE;
    if (alone)
        mark.deaths = l->suspect.deaths;
    if (l->suspect.at.segment && spool_position_cmp(record->at, l->suspect.at) >= 0)
        l->suspect = (struct inflight_mark){0};
    if (mark.deaths >= DEATHS_MAX) {
        int rc = put_aside(w, l, record, "killed its worker twice", e);
        if (rc == 0)
            inflight_clear(l->inflight);
        else
            l->suspect = mark; /* the server was away: still not to be read */
        return rc;
    }
    inflight_take(l->inflight, &mark);
    int rc = reading_message(&w->reading, &b->arenas[b->n], record, &b->messages[b->n], e);
    inflight_clear(l->inflight);
    /* Before the transaction that moves the position: read again, it is there already. What can't
     * be put is set aside, and holds up nothing. */
    if (rc == 0)
        rc = people_put(&w->people, record, &b->messages[b->n], now, e);
    if (rc < 0 && b->n) {
        *ret = again_alone(l, record);
        return 0;
    }
    if (rc < 0) {
        char reason[sizeof(e->text)];
        memcpy(reason, e->text, sizeof(reason));
        return put_aside(w, l, record, reason, e);
    }
    if (b->n == 0)
        b->since = now;
    /* What a report swells to counts as well; the common chunk of a small one does not. */
    b->bytes += b->arenas[b->n].used > SMALL_BYTES ? b->arenas[b->n].used : record->body.n;
    b->events += b->messages[b->n].events_n;
    b->n++;
    return 0;
}

static bool is_full(const struct worker *w, const struct batch *b)
{
    return b->n == b->room || b->events >= w->config->database.batch_events ||
           b->bytes >= w->config->database.batch_bytes;
}

/* The lane's own trouble (its disk, another reader) is told and waits; the other lanes go on. */
static int trouble(struct lane *l, int64_t now, const struct err *e)
{
    log_error("lane", KV("lane", (int)l->number), KV("why", (const char *)e->text));
    l->retry_at = now + DISK_PAUSE;
    return 0;
}

/* Fills the batch with what is there. 1: something was read or set aside. */
static int fill(struct worker *w, struct lane *l, int64_t now, enum turn *ret, struct err *e)
{
    struct batch *b = &l->batch;
    int did = 0;
    *ret = TURN_MORE;
    while (*ret == TURN_MORE && !is_full(w, b)) {
        struct spool_record record;
        int rc = spool_next(l->reader, &b->arenas[b->n], &record, e);
        tell_damage(l);
        if (rc == 0) {
            *ret = TURN_EMPTY;
        } else if (rc < 0) {
            *ret = TURN_EMPTY;
            trouble(l, now, e);
        } else {
            rc = take(w, l, &record, clock_monotonic(), ret, e);
            if (rc < 0)
                return rc;
            did = 1;
        }
    }
    return did;
}

/* Writes the batch when it is due; else tells when it will be. */
static int write_due(struct worker *w, struct lane *l, enum turn turn, int64_t *ret_due,
                     struct err *e)
{
    int64_t due = l->batch.since + w->config->database.batch_wait;
    if (!l->batch.n)
        return 0;
    if (!is_full(w, &l->batch) && turn != TURN_FLUSH && due > clock_monotonic()) {
        *ret_due = due;
        return 0;
    }
    int rc = flush(w, l, e);
    return rc < 0 ? rc : 1;
}

int lane_turn(struct worker *w, struct lane *l, int64_t now, int64_t *ret_due, struct err *e)
{
    enum turn turn = TURN_EMPTY;
    *ret_due = l->retry_at > now ? l->retry_at : INT64_MAX;
    if (l->retry_at > now)
        return 0;
    int rc = lane_open(w, l, e);
    if (rc == -EBUSY)
        return trouble(l, now, e);
    int did = 0;
    if (rc == 0)
        rc = did = fill(w, l, now, &turn, e);
    if (rc >= 0)
        rc = write_due(w, l, turn, ret_due, e);
    if (rc == -ESTALE) {
        /* Another worker moved it, or the server went back in time: it knows better. */
        log_warn("position_moved", KV("lane", (int)l->number), KV("why", (const char *)e->text));
        l->positioned = false;
        return 1;
    }
    if (rc < 0)
        l->positioned = false;
    return rc < 0 ? rc : did | rc;
}

int lane_finish(struct worker *w, struct lane *l, struct err *e)
{
    return l->positioned ? flush(w, l, e) : 0;
}
