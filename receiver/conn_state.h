/* conn_state.h - the fields of a connection, and what its files do for each other; for conn.c,
 * conn_open.c, conn_message.c, conn_tls.c, conn_time.c and conns.c only.
 *
 *   conn.c          bytes of the peer to the session, its events carried out, replies back
 *   conn_open.c     before the session: whose connection it is, whether it is welcome, the greeting
 *   conn_message.c  the message in hand: its body, what that costs, the journal
 *   conn_tls.c      between the socket and the session when TLS is on
 *   conn_time.c     what ends or goes on because time has passed
 *   conns.c         the set of a thread's connections: taken, refused, stopped */
#ifndef RECEIVER_CONN_STATE_H
#define RECEIVER_CONN_STATE_H

#include "base/buf.h"
#include "base/clock.h"
#include "receiver/conn.h"
#include "receiver/handshakes.h"
#include "receiver/session.h"
#include "receiver/stream.h"
#include "receiver/tls.h"

enum {
    /* Input that came while the session waits for the journal or the peer for its replies; reading
     * stops above it, so at most one read more is held. */
    PENDING_HIGH = 16 * 1024,
    PENDING_MAX = PENDING_HIGH + STREAM_READ_MAX + TLS_RECORD_MAX,
    /* Plaintext of one read. */
    PLAIN_MAX = STREAM_READ_MAX + 2 * TLS_RECORD_MAX,
    PLAIN_KEEP = 2 * TLS_RECORD_MAX,
    OUT_FLUSH = 16 * 1024,
};

/* Why a connection does not read. It reads again when no reason is left. */
enum pause {
    PAUSE_PENDING = 1, /* too much input waits; ends when the session takes it: conn_pump */
    PAUSE_MEMORY = 2,  /* bodies fill their memory; ends in conn_tick */
};

/* What is waited for before the session begins. */
enum stage {
    STAGE_PROXY,    /* the PROXY header; ends in conn_open_bytes, or by its time in conn_tick */
    STAGE_GREETING, /* greeting_delay; ends in conn_tick, or by bytes that come too early */
    STAGE_SESSION,
};

/* What the connections go by that began between two reloads. */
struct generation {
    struct settings *settings;
    struct returnpath_reader *reader; /* of the settings' set; this thread's alone */
    uint64_t version;                 /* of receiver_shared */
    size_t users;                     /* connections, and the pool while it is the newest */
    struct smtp_config smtp[2][2];    /* [STARTTLS is offered][XCLIENT is] */
};

struct conn {
    struct stream *stream;
    struct conns *pool;
    struct generation *generation;
    const struct receiver_listen *where; /* it came in */
    struct conn *next, *previous;
    struct smtp_session *session; /* NULL before STAGE_SESSION */
    struct tls *tls;              /* NULL: plain */
    struct peer *peer;            /* NULL: its address is not counted */

    struct buf pending;                     /* read, not yet fed */
    struct conn *turn_next, *turn_previous; /* in handshakes */
    bool turn_waits;
    struct buf body; /* Received: line and content so far */
    size_t charged;  /* of the memory of all bodies */
    struct id id;    /* of the message in hand */
    uint64_t size;
    bool truncated;

    int64_t opened;
    int64_t progress; /* end of the last command */
    int64_t message_since;
    int64_t paused_since;
    int64_t slow_until;     /* nothing is done before */
    int64_t rate_since;     /* data_min_rate: begin of this while, in content, */
    uint64_t rate_received; /* and what has come in it */
    uint32_t unknown;       /* recipients refused */

    unsigned pause;
    enum stage stage;
    bool waiting; /* the lane will call back */
    bool ending;  /* close once replies are sent */
    bool lingering;
    bool eof;
    bool closing, closed;
    struct sockaddr_storage from; /* the client, which a proxy may have named */
    char address[INET6_ADDRSTRLEN];
};

struct conns {
    struct receiver_shared *shared;
    struct uv_loop_s *loop;
    conns_clock_fn clock; /* microseconds; of the loop */
    struct spool_lane *lane;
    struct conn *first;
    size_t n;
    struct handshakes handshakes;
    bool stopping;
    conns_empty_fn empty;
    void *empty_ctx;
    struct generation *generation; /* of connections to come */
    char tls_name[TLS_NAME_MAX];
    struct buf plain; /* of the connection whose bytes are being read */
    struct arena scratch;
    struct buf out; /* replies of the connection that is being pumped */
    char read[STREAM_READ_MAX];
    struct spool_recipient recipients[SPOOL_RECIPIENTS_MAX];
};

static inline int64_t conns_now(const struct conns *p)
{
    return p->clock(p->loop);
}

/* For peers.h: the threads' clocks differ by less than a callback takes. */
static inline int64_t conns_minute(const struct conns *p)
{
    return conns_now(p) / (60 * CLOCK_SECOND);
}

static inline const struct receiver_settings *conn_settings(const struct conn *c)
{
    return &c->generation->settings->s;
}

/* ---- conn.c ---- */

extern const struct stream_calls conn_calls;

/* The session works, what waits included: its greeting, or what came while it could not. */
void conn_pump(struct conn *c);
/* Carries out the session's events and sends its replies. */
void conn_events(struct conn *c);
/* Ends the session from our side with a 421, unless the journal has its message. */
void conn_end(struct conn *c, enum reply why);
/* Bytes of the socket, when there is a session. */
void conn_bytes(struct conn *c, struct str bytes);
/* Input for the session, in clear. */
void conn_plain(struct conn *c, struct str bytes);
/* The peer sends no more. */
void conn_ended(struct conn *c);
/* Our last word is said. Closing with unread input would reset the connection and might take the
 * word from the peer, so what it still sends is read for a while. */
void conn_finish(struct conn *c, bool peer_expects_it);
/* At once; conns_release is called when the stream is gone. */
void conn_close(struct conn *c);
/* Frees it; its stream is closed and no lane calls back. */
void conn_free(struct conn *c);

/* Starts or stops reading as its reasons to pause say. */
void conn_read(struct conn *c);
void conn_resume(struct conn *c, enum pause why);

/* ---- conn_open.c ---- */

/* Its stream is there; open connections there were before it. */
void conn_open(struct conn *c, uint64_t open);
/* Bytes, and how many are wanted, before the session. */
void conn_open_bytes(struct conn *c, struct str bytes);
size_t conn_open_room(const struct conn *c);
/* The session, whose first word is the greeting. */
void conn_begin(struct conn *c);
/* Without a session: says so if the socket takes it at once, and goes. */
void conn_refuse(struct conn *c, enum reply why);
/* SMTP_EV_XCLIENT: a proxy says whom it speaks for. */
void conn_xclient(struct conn *c, struct str address);
/* A line of the log, unless this client had one in this minute. */
void conn_refused(struct conn *c, struct str why);

/* ---- conn_message.c ---- */

/* Brings what is charged for this connection to what it holds. */
void conn_charge(struct conn *c);
/* How much may be read: when bodies fill their memory, what is charged already. */
size_t conn_body_room(const struct conn *c);
void conn_body_drop(struct conn *c);
/* SMTP_EV_DATA, SMTP_EV_BODY, SMTP_EV_END. */
void conn_message_begin(struct conn *c);
void conn_message_add(struct conn *c, struct str bytes);
void conn_message_end(struct conn *c);

/* ---- conn_tls.c ---- */

/* From now on TLS is spoken; negative: it can't be. */
int conn_tls_start(struct conn *c);
/* Bytes of the socket while TLS is on. */
void conn_tls_bytes(struct conn *c, struct str wire);
/* The same, without waiting for a turn. */
void conn_tls_push(struct conn *c, struct str wire);
/* Nothing can be said to the peer yet. */
static inline bool conn_is_shaking_hands(const struct conn *c)
{
    return c->tls && !tls_is_open(c->tls);
}
/* To the socket, through TLS if it is on. Negative: the connection has to be closed. */
int conn_write(struct conn *c, struct str bytes);
/* close_notify, if TLS is on. */
int conn_tls_close(struct conn *c);

/* ---- conn_time.c ---- */

/* A recipient was refused: who asks for many waits for each; ends in conn_tick. */
void conn_slow(struct conn *c);
static inline bool conn_is_slowed(const struct conn *c)
{
    return c->slow_until > 0;
}

/* Looks at all its time limits. */
void conn_tick(struct conn *c, int64_t time);

/* ---- conns.c ---- */

/* One user less: the last frees it. */
void generation_unref(struct generation *g);
/* Its stream is closed: takes it off the list. */
void conns_release(struct conn *c);

#endif
