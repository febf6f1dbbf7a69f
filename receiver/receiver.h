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

struct receiver;
struct tls_context;

enum receiver_tls { RECEIVER_TLS_NONE, RECEIVER_TLS_STARTTLS, RECEIVER_TLS_IMPLICIT };

struct receiver_listen {
    const char *address; /* "127.0.0.1", "::1" */
    uint16_t port;
    enum receiver_tls tls; /* other than none: receiver_config.tls is needed */
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
    uint32_t bad_commands;            /* then 421 */
    uint32_t unknown_recipients; /* refused in a session; from half of it on slowed, then 421 */
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

struct receiver_config {
    const char *hostname;
    const struct receiver_listen *listen;
    size_t listen_n;
    unsigned threads;
    struct returnpath_set *returnpath; /* each thread takes a reference */
    struct receiver_limits limits;
    struct tls_context *tls; /* tls.h; the receiver takes a reference. NULL: no TLS */
    bool tls_require;        /* MAIL is answered 530 without it */
    bool bare_newlines;      /* a <CR> or <LF> alone in content is content; else refused */
    struct spool *spool;
    struct receiver_counters *counters;
};

/* Binds, opens lanes 0..threads-1 and starts the threads. On failure nothing is left running:
 * -EADDRINUSE, -EACCES, -EADDRNOTAVAIL ... with address and port in *e. config and all it points to
 * stay valid until receiver_free. */
int receiver_start(const struct receiver_config *config, struct receiver **ret, struct err *e);

/* Stops accepting, answers 421 to idle clients, lets a message in DATA finish for at most grace
 * (microseconds), then closes. Returns at once; any thread. */
void receiver_stop(struct receiver *r, int64_t grace);

/* TLS that begins from now on uses other certificates; what is open goes on. The receiver takes a
 * reference. Any thread; only when there was a context from the start. */
void receiver_use_tls(struct receiver *r, struct tls_context *tls);

/* Waits until all threads have ended; all journal lanes are closed then. */
void receiver_join(struct receiver *r);
void receiver_free(struct receiver *r);

#endif
