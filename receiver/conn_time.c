#include "receiver/conn_state.h"

enum {
    LINGER_TIME = 2 * CLOCK_SECOND,
    TICK_MIN = 20 * 1000,
    TICK_MAX = 250 * 1000,
    SLOW_TIME = CLOCK_SECOND,
    RATE_TIME = 60 * CLOCK_SECOND,
};

static bool is_over(int64_t since, int64_t limit, int64_t time)
{
    return limit > 0 && time - since >= limit;
}

static void conn_memory(struct conn *c, int64_t time)
{
    if (receiver_body_is_full(c->pool->shared)) {
        /* Others may wait for what this one holds: it gives up early enough to hear 452. */
        int64_t patience = conn_settings(c)->limits.data_timeout / 10;
        if (!is_over(c->paused_since, patience > 0 ? patience : CLOCK_SECOND, time))
            return;
        smtp_session_refuse_data(c->session, REPLY_MEMORY_FULL);
        conn_events(c);
    }
    conn_resume(c, PAUSE_MEMORY);
}

void conn_slow(struct conn *c)
{
    uint32_t limit = conn_settings(c)->limits.unknown_recipients;
    if (limit > 0 && ++c->unknown > limit / 2)
        c->slow_until = conns_now(c->pool) + SLOW_TIME;
}

/* In a while that is long enough for a network to stall, a sender of content has sent less than it
 * must. */
static bool is_too_slow(struct conn *c, enum smtp_phase phase, int64_t time)
{
    const struct receiver_limits *limits = &conn_settings(c)->limits;
    int64_t during = limits->data_timeout > 0 ? limits->data_timeout / 10 : RATE_TIME;
    if (phase != SMTP_PHASE_DATA || c->pause != 0) {
        c->rate_since = time; /* it has nothing to send, or it is we who do not read */
        c->rate_received = 0;
    }
    if (limits->data_min_rate == 0 || time - c->rate_since < during)
        return false;
    uint64_t least;
    if (__builtin_mul_overflow(limits->data_min_rate, (uint64_t)(time - c->rate_since), &least))
        least = UINT64_MAX;
    bool slow = c->rate_received < least / CLOCK_SECOND;
    c->rate_since = time;
    c->rate_received = 0;
    return slow;
}

/* A message has data_timeout in all, from DATA or its first chunk on; a chunk that belongs to none
 * has it for itself. Between chunks a command is waited for. */
static bool is_timed_out(const struct conn *c, enum smtp_phase phase, int64_t time)
{
    const struct receiver_limits *limits = &conn_settings(c)->limits;
    bool in_data = phase == SMTP_PHASE_DATA;
    if (smtp_session_has_message(c->session) &&
        is_over(c->message_since, limits->data_timeout, time))
        return true;
    return is_over(c->progress, in_data ? limits->data_timeout : limits->command_timeout, time);
}

static void conn_go_on(struct conn *c)
{
    c->slow_until = 0;
    conn_pump(c);
}

static void before_session(struct conn *c, int64_t time)
{
    const struct receiver_settings *s = conn_settings(c);
    if (c->stage == STAGE_GREETING) {
        if (time - c->progress >= s->greeting_delay)
            conn_begin(c);
    } else if (is_over(c->opened, s->limits.proxy_timeout, time)) {
        RECEIVER_COUNT(c->pool->shared, proxy_refused, 1);
        conn_refused(c, STR("no PROXY header within limits.proxy_timeout"));
        conn_close(c);
    }
}

void conn_tick(struct conn *c, int64_t time)
{
    const struct receiver_limits *limits = &conn_settings(c)->limits;
    if (c->closing || c->waiting)
        return; /* the journal answers in its own time */
    if (c->lingering) {
        if (is_over(c->progress, LINGER_TIME, time))
            conn_close(c);
        return;
    }
    if (c->stage != STAGE_SESSION) {
        before_session(c, time);
        return;
    }
    enum smtp_phase phase = smtp_session_phase(c->session);
    bool slow = is_too_slow(c, phase, time);
    if (conn_is_shaking_hands(c) && (is_over(c->progress, limits->command_timeout, time) ||
                                     is_over(c->opened, limits->session_timeout, time))) {
        RECEIVER_COUNT(c->pool->shared, tls_failed, 1);
        conn_close(c);
    } else if (is_over(c->opened, limits->session_timeout, time))
        conn_end(c, REPLY_SESSION_LONG);
    else if (is_timed_out(c, phase, time))
        conn_end(c, REPLY_TIMED_OUT);
    else if (slow)
        conn_end(c, REPLY_DATA_SLOW);
    else if (conn_is_slowed(c) && time >= c->slow_until)
        conn_go_on(c);
    else if (c->pause & PAUSE_MEMORY)
        conn_memory(c, time);
}

int64_t conns_tick_every(const struct conns *p)
{
    const struct receiver_settings *s = &p->generation->settings->s;
    const struct receiver_limits *l = &s->limits;
    const int64_t times[] = {l->command_timeout, l->data_timeout, l->session_timeout,
                             l->proxy_timeout, s->greeting_delay};
    int64_t every = TICK_MAX;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (times[i] > 0 && times[i] / 8 < every)
            every = times[i] / 8;
    return every < TICK_MIN ? TICK_MIN : every;
}
