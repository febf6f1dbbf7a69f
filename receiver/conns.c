#include "base/log.h"
#include "base/require.h"
#include "receiver/conn_state.h"

#include <errno.h>
#include <stdlib.h>

/* ---- generations of settings ---- */

void generation_unref(struct generation *g)
{
    if (!g || --g->users > 0)
        return;
    returnpath_reader_free(g->reader);
    settings_unref(g->settings);
    free(g);
}

static uint32_t today(void)
{
    return (uint32_t)(clock_now() / CLOCK_DAY);
}

/* Old ones too have to know it: what they take may be over since. */
static void generation_date(struct generation *g, uint32_t day)
{
    for (int i = 0; i < 4; i++)
        g->smtp[i / 2][i % 2].today = day;
}

static int generation_new(struct conns *p, struct generation **ret)
{
    struct generation *g = calloc(1, sizeof(*g));
    if (!g)
        return -ENOMEM;
    g->users = 1;
    g->settings = receiver_settings_ref(p->shared, &g->version);
    const struct receiver_settings *s = &g->settings->s;
    int rc = returnpath_reader_new(s->returnpath, &g->reader);
    if (rc < 0) {
        generation_unref(g);
        return rc;
    }
    for (int i = 0; i < 4; i++)
        g->smtp[i / 2][i % 2] = (struct smtp_config){
            .reader = g->reader,
            .hostname = str_c(s->hostname),
            .message_bytes = s->limits.message_bytes,
            .keep_bytes = s->limits.keep_bytes,
            .recipients = s->limits.recipients,
            .bad_commands = s->limits.bad_commands,
            .unknown_recipients = s->limits.unknown_recipients,
            .null_sender_recipients = s->limits.null_sender_recipients,
            .bare_newlines = s->bare_newlines,
            .tls_require = s->tls_require,
            .starttls = i / 2,
            .xclient = i % 2,
            .scratch = &p->scratch,
        };
    generation_date(g, today());
    *ret = g;
    return 0;
}

/* After a reload, connections to come go by what was loaded; without memory, the next try does. */
static void generation_renew(struct conns *p)
{
    if (atomic_load(&p->shared->version) == p->generation->version)
        return;
    struct generation *fresh;
    if (generation_new(p, &fresh) < 0)
        return;
    generation_unref(p->generation);
    p->generation = fresh;
}

/* ---- one more, one less ---- */

int conns_accept(struct conns *p, struct uv_stream_s *server, const struct receiver_listen *where)
{
    struct conn *c = calloc(1, sizeof(*c));
    bool good;
    if (!c)
        return -ENOMEM;
    c->pool = p;
    c->where = where;
    buf_init(&c->pending, PENDING_MAX);
    int rc = stream_accept(p->loop, server, &conn_calls, c, p->read, &c->stream, &good);
    if (rc < 0) {
        free(c);
        return rc;
    }
    generation_renew(p);
    c->generation = p->generation;
    c->generation->users++;
    c->next = p->first;
    if (p->first)
        p->first->previous = c;
    p->first = c;
    p->n++;
    uint64_t open = atomic_fetch_add_explicit(&p->shared->connections, 1, memory_order_relaxed);
    RECEIVER_COUNT(p->shared, connections_now, 1);
    if (good)
        conn_open(c, open);
    else
        conn_close(c);
    return 0;
}

void conns_release(struct conn *c)
{
    struct conns *p = c->pool;
    if (c->previous)
        c->previous->next = c->next;
    else
        p->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    p->n--;
    handshakes_leave(c);
    peers_leave(p->shared->peers, c->peer);
    atomic_fetch_sub_explicit(&p->shared->connections, 1, memory_order_relaxed);
    RECEIVER_COUNT(p->shared, connections_now, -1);
    c->closed = true;
    if (!c->waiting)
        conn_free(c); /* else the lane's call frees it */
    if (p->n == 0 && p->stopping)
        p->empty(p->empty_ctx);
}

/* ---- all of them ---- */

static void tell_refusals(void *ctx, const char *address, uint64_t refusals)
{
    (void)ctx;
    log_info("refused_more", KV("client", address ? address : "others"), KV("times", refusals));
}

void conns_tick(struct conns *p)
{
    int64_t time = conns_now(p);
    uint32_t day = today();
    generation_renew(p);
    generation_date(p->generation, day);
    refusals_tell(p->shared->refusals, conns_minute(p), tell_refusals, NULL);
    /* Closing a connection takes it off the list later, in conns_release. */
    for (struct conn *c = p->first; c; c = c->next) {
        generation_date(c->generation, day);
        conn_tick(c, time);
    }
}

void conns_stop(struct conns *p)
{
    p->stopping = true;
    for (struct conn *c = p->first; c; c = c->next)
        if (!c->closing && !c->waiting && !c->lingering &&
            (!c->session || !smtp_session_has_message(c->session)))
            conn_end(c, REPLY_STOPPING);
}

bool conns_turn(struct conns *p)
{
    return handshakes_turn(&p->handshakes);
}

void conns_abandon(struct conns *p)
{
    for (struct conn *c = p->first; c; c = c->next)
        conn_close(c);
}

bool conns_is_empty(const struct conns *p)
{
    return p->n == 0;
}

void conns_use_lane(struct conns *p, struct spool_lane *lane)
{
    p->lane = lane;
}

int conns_new(struct receiver_shared *shared, struct uv_loop_s *loop, conns_clock_fn clock,
              conns_empty_fn empty, void *ctx, struct conns **ret)
{
    struct conns *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->shared = shared;
    p->loop = loop;
    p->clock = clock;
    p->empty = empty;
    p->empty_ctx = ctx;
    p->scratch = arena_make((size_t)64 * 1024);
    int rc = generation_new(p, &p->generation);
    if (rc < 0) {
        free(p);
        return rc;
    }
    buf_init(&p->plain, PLAIN_MAX);
    buf_init(&p->out, OUT_FLUSH + REPLY_MAX);
    *ret = p;
    return 0;
}

void conns_free(struct conns *p)
{
    if (!p)
        return;
    REQUIRE(p->n == 0 && p->generation->users == 1);
    generation_unref(p->generation);
    buf_free(&p->out);
    buf_free(&p->plain);
    arena_free(&p->scratch);
    free(p);
}
