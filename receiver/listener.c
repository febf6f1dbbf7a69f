#include "receiver/listener.h"

#include "base/clock.h"
#include "base/require.h"
#include "receiver/conn.h"
#include "receiver/sockets.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum { BACKLOG = 1024, GATHER = 1000 /* microseconds */ };

struct server {
    uv_tcp_t tcp;
    struct listener *listener;
    const struct receiver_listen *where;
    bool behind; /* a connection could not be taken: memory; ends in on_tick */
};

struct listener {
    struct receiver_shared *shared;
    struct conns *conns;
    struct spool_lane *lane;
    uv_loop_t loop;
    uv_async_t wake; /* the lane has results */
    uv_async_t stop;
    uv_timer_t tick;
    uv_prepare_t turn;       /* before each wait of the loop */
    uv_idle_t busy;          /* active: the loop does not wait */
    int64_t gathering_since; /* more is read before the lane is told to commit; 0: not */
    struct server *servers;
    size_t servers_n;
    bool stopping;
    uint64_t stop_at; /* uv_now when grace ends */
    _Atomic int64_t grace;
};

/* ---- sockets ---- */

static void on_connection(uv_stream_t *stream, int status)
{
    struct server *s = stream->data;
    if (status == 0) /* else out of files: libuv has turned the peer away */
        s->behind = conns_accept(s->listener->conns, stream, s->where) < 0;
}

/* fd becomes the listener's, also when it fails. */
static int server_open(struct listener *l, const struct receiver_listen *where, int fd,
                       struct err *e)
{
    struct server *s = &l->servers[l->servers_n];
    int rc = uv_tcp_init(&l->loop, &s->tcp);
    if (rc < 0) {
        close(fd);
        return err_sys(e, rc, "listen on %s port %u", where->address, where->port);
    }
    s->listener = l;
    s->where = where;
    s->tcp.data = s;
    l->servers_n++; /* from here on listener_free closes it */
    rc = uv_tcp_open(&s->tcp, fd);
    if (rc < 0)
        close(fd);
    else
        rc = uv_listen((uv_stream_t *)&s->tcp, BACKLOG, on_connection);
    return rc < 0 ? err_sys(e, rc, "listen on %s port %u", where->address, where->port) : 0;
}

/* ---- the loop ---- */

static void handle_close(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void servers_close(struct listener *l)
{
    for (size_t i = 0; i < l->servers_n; i++)
        handle_close((uv_handle_t *)&l->servers[i].tcp);
}

static void lane_wake(void *ctx)
{
    struct listener *l = ctx;
    uv_async_send(&l->wake);
}

static void on_wake(uv_async_t *async)
{
    struct listener *l = async->data;
    if (l->lane)
        spool_lane_reap(l->lane);
}

static void on_stop(uv_async_t *async)
{
    struct listener *l = async->data;
    int64_t grace = atomic_load(&l->grace);
    if (grace < 0)
        return; /* nobody asked: libuv may call without a send */
    l->stop_at = uv_now(&l->loop) + (uint64_t)grace / 1000;
    if (!l->stopping) {
        l->stopping = true;
        servers_close(l);
        conns_stop(l->conns);
    }
    if (conns_is_empty(l->conns))
        uv_stop(&l->loop);
}

static void tick_start(struct listener *l);

static void on_tick(uv_timer_t *timer)
{
    struct listener *l = timer->data;
    conns_tick(l->conns);
    tick_start(l); /* other limits may want it more often */
    for (size_t i = 0; i < l->servers_n && !l->stopping; i++)
        if (l->servers[i].behind)
            on_connection((uv_stream_t *)&l->servers[i].tcp, 0);
    if (l->stopping && uv_now(&l->loop) >= l->stop_at)
        conns_abandon(l->conns);
}

static void on_busy(uv_idle_t *idle)
{
    (void)idle;
}

/* One sync is for all messages whose last byte is here already: what the kernel still holds is read
 * first, for a moment. */
static bool more_is_here(struct listener *l)
{
    struct pollfd events = {.fd = uv_backend_fd(&l->loop), .events = POLLIN};
    int64_t now = clock_monotonic();
    if (!l->gathering_since)
        l->gathering_since = now;
    return now - l->gathering_since < GATHER && poll(&events, 1, 0) > 0;
}

static void on_turn(uv_prepare_t *prepare)
{
    struct listener *l = prepare->data;
    int rc = conns_turn(l->conns) ? uv_idle_start(&l->busy, on_busy) : uv_idle_stop(&l->busy);
    REQUIRE(rc == 0);
    if (!l->lane || (spool_lane_is_behind(l->lane) && more_is_here(l)))
        return;
    l->gathering_since = 0;
    spool_lane_commit(l->lane);
}

static void tick_start(struct listener *l)
{
    uint64_t every = (uint64_t)conns_tick_every(l->conns) / 1000;
    if (uv_timer_get_repeat(&l->tick) == every)
        return;
    int rc = uv_timer_start(&l->tick, on_tick, every, every);
    REQUIRE(rc == 0);
}

static int64_t loop_clock(const uv_loop_t *loop)
{
    return (int64_t)uv_now(loop) * 1000;
}

static void on_empty(void *ctx)
{
    struct listener *l = ctx;
    uv_stop(&l->loop);
}

static void walk_close(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    handle_close(handle);
}

static void loop_close(struct listener *l)
{
    uv_walk(&l->loop, walk_close, NULL);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&l->loop);
    REQUIRE(rc == 0);
}

static int loop_open(struct listener *l)
{
    int rc = uv_loop_init(&l->loop);
    if (rc < 0)
        return rc;
    l->wake.data = l->stop.data = l->tick.data = l->turn.data = l;
    rc = uv_async_init(&l->loop, &l->wake, on_wake);
    if (rc == 0)
        rc = uv_async_init(&l->loop, &l->stop, on_stop);
    if (rc == 0)
        rc = uv_timer_init(&l->loop, &l->tick);
    if (rc == 0)
        rc = uv_prepare_init(&l->loop, &l->turn);
    if (rc == 0)
        rc = uv_idle_init(&l->loop, &l->busy);
    if (rc < 0)
        loop_close(l);
    return rc;
}

int listener_new(struct receiver_shared *shared, unsigned lane, struct receiver_sockets *sockets,
                 struct listener **ret, struct err *e)
{
    struct listener *l = calloc(1, sizeof(*l));
    if (!l)
        return err_sys(e, -ENOMEM, "receiver thread %u", lane);
    l->shared = shared;
    atomic_store(&l->grace, -1);
    int rc = loop_open(l);
    if (rc < 0) {
        free(l);
        return err_sys(e, rc, "receiver thread %u: event loop", lane);
    }
    l->servers = calloc(shared->listen_n, sizeof(*l->servers));
    rc = l->servers ? conns_new(shared, &l->loop, loop_clock, on_empty, l, &l->conns) : -ENOMEM;
    if (rc < 0) {
        err_sys(e, rc, "receiver thread %u", lane);
        goto out;
    }
    rc = spool_lane_open(shared->spool, lane, lane_wake, l, &l->lane, e);
    if (rc < 0)
        goto out;
    conns_use_lane(l->conns, l->lane);
    for (size_t i = 0; rc == 0 && i < shared->listen_n; i++)
        rc = server_open(l, &shared->listen[i], sockets_take(sockets, lane, i), e);
out:
    if (rc < 0)
        listener_free(l);
    else
        *ret = l;
    return rc;
}

void listener_run(struct listener *l)
{
    tick_start(l);
    int rc = uv_prepare_start(&l->turn, on_turn);
    REQUIRE(rc == 0);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    /* Messages whose peer has gone are still made durable, and their connections freed. */
    spool_lane_close(l->lane);
    l->lane = NULL;
}

void listener_stop(struct listener *l, int64_t grace)
{
    atomic_store(&l->grace, grace > 0 ? grace : 0);
    uv_async_send(&l->stop);
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    if (l->lane)
        spool_lane_close(l->lane);
    loop_close(l);
    conns_free(l->conns);
    free(l->servers);
    free(l);
}
