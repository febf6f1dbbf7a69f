/* receiver.h - socket bytes in, durable journal records out.
 *
 * N threads, each with its own event loop, its own SO_REUSEPORT listeners and its own journal lane.
 * A message is answered 250 only after the lane says that it is durable. Knows nothing of MIME or
 * PostgreSQL. RFC 5321, 2920 (PIPELINING), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3030
 * (CHUNKING), 9422 (LIMITS), 2034 and 3463 (codes), 3207 (STARTTLS). */
#ifndef RECEIVER_RECEIVER_H
#define RECEIVER_RECEIVER_H

#include "base/err.h"
#include "returnpath/returnpath.h"
#include "spool/spool.h"

#include <stdatomic.h>

struct network;
struct receiver;
struct receiver_sockets;
struct tls_context;

enum receiver_tls { RECEIVER_TLS_NONE, RECEIVER_TLS_STARTTLS, RECEIVER_TLS_IMPLICIT };

struct receiver_listen {
    const char *address; /* "127.0.0.1", "::1" */
    uint16_t port;
    enum receiver_tls
        tls;    /* implicit: settings.tls is needed; starttls: offered when it is there */
    bool proxy; /* every connection begins with a PROXY header: see proxy_from */
};

/* Sizes in octets, times in microseconds, 0 = no limit unless said. */
struct receiver_limits {
    uint64_t message_bytes; /* announced as SIZE */
    uint64_t keep_bytes;    /* of a body; the rest is counted and dropped. Not 0 */
    uint32_t recipients;    /* of one message: more get 452 4.5.3. Not 0, <= SPOOL_RECIPIENTS_MAX */
    uint32_t null_sender_recipients; /* the same of one with the null reverse-path */
    uint32_t connections;
    uint32_t connections_per_address; /* at a time; IPv6 by /64 */
    uint32_t messages_per_minute;     /* from one address; then 451 */
    uint32_t recipients_per_minute;   /* likewise; all threads count together */
    uint32_t bad_commands;            /* then 421 */
    uint32_t unknown_recipients; /* refused in a session; from half of it on slowed, then 421 */
    int64_t proxy_timeout;       /* for the PROXY header */
    int64_t command_timeout;     /* from one command's end to the next command's end */
    int64_t data_timeout;        /* for one whole message */
    uint64_t data_min_rate;      /* octets a second, over a while of data_timeout / 10; then 421 */
    int64_t session_timeout;
    uint64_t body_memory; /* of all bodies held at a time */
};

/* Shared by all threads; may live in shared memory for `status`. Only ever added to, but for those
 * named "now". */
#define RECEIVER_COUNTERS(X)                                                                  \
    X(connections, "connections accepted")                                                    \
    X(connections_now, "connections open now")                                                \
    X(connections_refused, "connections refused over limits.connections")                     \
    X(connections_refused_address, "connections refused over limits.connections_per_address") \
    X(body_bytes_now, "octets of bodies held now")                                            \
    X(messages, "messages answered 250")                                                      \
    X(messages_failed, "messages answered 4xx after their data")                              \
    X(messages_refused, "messages answered 5xx after their data")                             \
    X(messages_truncated, "messages of which only the front was kept")                        \
    X(octets, "octets of messages answered 250")                                              \
    X(rcpt_accepted, "RCPT answered 250")                                                     \
    X(rcpt_relay, "RCPT refused: not our domain")                                             \
    X(rcpt_unknown, "RCPT refused: the domain does not take it")                              \
    X(rcpt_token, "RCPT refused: a token that is forged, expired or of an unknown key")       \
    X(rcpt_null_many, "RCPT answered 452: over limits.null_sender_recipients")                \
    X(bad_commands, "commands answered 500 to 504")                                           \
    X(messages_looping, "messages refused: over 100 Received lines")                          \
    X(rate_refused, "MAIL answered 451: over limits.messages_per_minute")                     \
    X(rate_refused_recipients, "RCPT answered 451: over limits.recipients_per_minute")        \
    X(early_talkers, "clients that spoke before the greeting")                                \
    X(proxy_headers, "PROXY headers taken")                                                   \
    X(proxy_refused, "connections refused for their PROXY header, or for having none")        \
    X(xclient, "XCLIENT commands taken")                                                      \
    X(xclient_refused, "XCLIENT refused: not in receiver.xclient_from")                       \
    X(reloads, "reloads of settings, without a restart")                                      \
    X(unknown_recipients, "connections ended over limits.unknown_recipients")                 \
    X(slow_senders, "connections ended under limits.data_min_rate")                           \
    X(tls_handshakes, "TLS handshakes done")                                                  \
    X(tls_resumed, "TLS handshakes done from an earlier session")                             \
    X(tls_failed, "TLS connections ended by a mistake, or in a handshake that took too long") \
    X(timeouts, "connections ended by a time limit")                                          \
    X(no_room, "MAIL answered 452: no room in the journal")

struct receiver_counters {
#define X(name, meaning) _Atomic uint64_t name;
    RECEIVER_COUNTERS(X)
#undef X
};

/* What may change while it runs. All that is pointed to stays as it is until release is called. */
struct receiver_settings {
    const char *hostname;
    struct returnpath_set *returnpath; /* the receiver takes a reference */
    struct receiver_limits limits;
    struct tls_context *tls; /* tls.h; the receiver takes a reference. NULL: no TLS */
    bool tls_require;        /* MAIL is answered 530 without it */
    bool bare_newlines;      /* a <CR> or <LF> alone in content is content; else refused */
    /* The greeting waits so long (microseconds; not with implicit TLS): who speaks before it is
     * refused. 0: it is only counted. */
    int64_t greeting_delay;
    const struct network *proxy_from; /* who may bring a PROXY header, where listen asks for one */
    size_t proxy_from_n;
    const struct network *xclient_from; /* who may use XCLIENT */
    size_t xclient_from_n;
    /* Called once, on any thread, when no connection goes by these settings any more. May be NULL.
     */
    void (*release)(void *owner);
    void *owner;
};

struct receiver_config {
    struct receiver_settings settings; /* the first; released by the receiver once it was started */
    const struct receiver_listen *listen;
    size_t listen_n;
    unsigned threads;
    struct receiver_sockets *sockets; /* for these listen and threads; the receiver's from now on.
                                       * NULL: receiver_start opens them */
    struct spool *spool;
    struct receiver_counters *counters;
};

/* Binds the listening sockets, as root if need be: what comes later needs no privilege. Those in
 * inherited (socket activation) are used where their address and port stand in listen; they stay
 * the caller's. -EADDRINUSE, -EACCES, -EADDRNOTAVAIL ... with address and port in *e; -EINVAL: an
 * inherited one that listen does not name. */
int receiver_sockets_open(const struct receiver_listen *listen, size_t listen_n, unsigned threads,
                          const int *inherited, size_t inherited_n, struct receiver_sockets **ret,
                          struct err *e);
/* When no receiver took them. NULL is fine. */
void receiver_sockets_free(struct receiver_sockets *s);

/* Opens lanes 0..threads-1 and starts the threads. On failure nothing is left running, settings are
 * not released, and sockets are closed. config and all it points to (but for settings, see there)
 * stay valid until receiver_free. */
int receiver_start(const struct receiver_config *config, struct receiver **ret, struct err *e);

/* Connections that come from now on go by other settings; what is open ends by those that it began
 * with. -EINVAL with *e, or -ENOMEM: nothing is changed, and settings are not released. Any thread.
 */
int receiver_reload(struct receiver *r, const struct receiver_settings *settings, struct err *e);

/* Stops accepting, answers 421 to idle clients, lets a message in DATA finish for at most grace
 * (microseconds), then closes. Returns at once; any thread. */
void receiver_stop(struct receiver *r, int64_t grace);

/* Waits until all threads have ended; all journal lanes are closed then. */
void receiver_join(struct receiver *r);
void receiver_free(struct receiver *r);

#endif
