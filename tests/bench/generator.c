/* generator.c - sends messages over SMTP as fast as it is let, and measures the answers.
 *
 * One thread, many connections. What smtp-source can't do: each message differs (every
 * "@@@@@@@@@@@@" in the template becomes a number), a rate can be set, TLS and BDAT are spoken, the
 * time from the final dot (or the end of BDAT) to its reply is kept for each message, and idle
 * connections are held. Prints one JSON object. Usage: generator --help */
#include "generator_options.h"
#include "latencies.h"
#include "message.h"
#include "recipient.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    REPLY_MAX = 4096,
    BATCH = 256,
    HEAD = 2048,        /* before the message in a connection's buffer: a pipelined envelope */
    GREETING_MAX = 200, /* connections between connect and EHLO at a time: below any backlog */
    PER_SOURCE = 150,   /* held connections from one address: below the default limit */
};

enum step { HANDSHAKE, BANNER, HELO, STARTTLS, MAIL, RCPT, DATA, END, HOLD, QUIT };

struct connection {
    struct wire wire;
    enum step step;
    unsigned replies_due; /* of a pipelined envelope */
    bool waiting;         /* for its turn, when a rate is set */
    bool greeting;        /* not in a message yet */
    bool has_message;     /* out ends with one */
    bool offers_chunking;
    unsigned long sent;   /* messages on this connection */
    unsigned long number; /* of the message in hand */
    char *out;            /* what is being sent; the message with its number in */
    size_t out_n, out_at;
    char in[REPLY_MAX];
    size_t in_n;
    uint64_t dot_at;
};

static struct generator_options options = {.address = "127.0.0.1",
                                           .from = "",
                                           .to = "list@bounces.example.test",
                                           .connections = 10,
                                           .first = 1};

static unsigned long started, acked, refused, connects, handshakes, resumed;
static unsigned greeting, held;
static volatile sig_atomic_t stopped;
static int poll_fd;
static uint64_t begin_at, end_at;

static void die(const char *what)
{
    fprintf(stderr, "generator: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void on_stop(int number)
{
    (void)number;
    stopped = 1;
}

static bool may_start(void)
{
    if (stopped)
        return false;
    if (options.messages && started >= options.messages)
        return false;
    return !end_at || now_us() < end_at;
}

/* Whether the rate has room for one more now. */
static bool has_turn(void)
{
    if (!options.rate)
        return true;
    uint64_t passed = now_us() - begin_at;
    return (double)started < (double)passed * (double)options.rate / 1e6 + 1;
}

static void watch(struct connection *c, int op, bool writes)
{
    struct epoll_event e = {.events = EPOLLIN | (writes ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(poll_fd, op, c->wire.fd, &e) < 0)
        die("epoll_ctl");
}

static void greeted(struct connection *c)
{
    greeting -= c->greeting;
    c->greeting = false;
}

static void say(struct connection *c, enum step step, const char *text);

static void handshake(struct connection *c)
{
    int rc = wire_handshake(&c->wire);
    if (rc < 0)
        die("handshake");
    watch(c, EPOLL_CTL_MOD, c->wire.wants_write);
    if (rc == 0)
        return;
    handshakes++;
    resumed += wire_is_resumed(&c->wire);
    c->step = BANNER;
    if (options.tls == GENERATOR_STARTTLS)
        say(c, HELO, "EHLO generator.example.test\r\n"); /* there is no second greeting */
}

static void secure(struct connection *c)
{
    wire_secure(&c->wire, options.resume);
    c->step = HANDSHAKE;
    handshake(c);
}

static void connection_open(struct connection *c, unsigned i)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(0x7f000101 + ((i / PER_SOURCE) << 8))};
    if (inet_pton(AF_INET, options.address, &to.sin_addr) != 1) {
        errno = EINVAL;
        die(options.address);
    }
    if (wire_open(&c->wire, (struct sockaddr *)&to,
                  options.hold ? (struct sockaddr *)&source : NULL, sizeof to) < 0)
        die("connect");
    c->step = BANNER;
    c->in_n = c->out_n = c->out_at = c->sent = 0;
    c->waiting = c->has_message = false;
    c->greeting = true;
    greeting++;
    connects++;
    watch(c, EPOLL_CTL_ADD, false);
    if (options.tls == GENERATOR_IMPLICIT)
        secure(c);
}

static void connection_close(struct connection *c)
{
    greeted(c);
    wire_close(&c->wire);
}

/* Writes what is left of c->out; a message's time counts from its last octet. */
static void push(struct connection *c)
{
    while (c->out_at < c->out_n) {
        ssize_t n = wire_send(&c->wire, c->out + c->out_at, c->out_n - c->out_at);
        if (n < 0)
            die("send");
        if (n == 0) {
            watch(c, EPOLL_CTL_MOD, c->wire.wants_write);
            return;
        }
        c->out_at += (size_t)n;
    }
    watch(c, EPOLL_CTL_MOD, false);
    if (c->has_message)
        c->dot_at = now_us();
    c->has_message = false;
}

static void say(struct connection *c, enum step step, const char *text)
{
    size_t n = strlen(text);
    c->step = step;
    memcpy(c->out, text, n);
    c->out_n = n;
    c->out_at = 0;
    push(c);
}

/* Sends head and the message behind it in one go. */
static void say_message(struct connection *c, enum step step, const char *head)
{
    size_t n = strlen(head);
    memcpy(c->out, head, n);
    message_write(c->out + n, c->number);
    c->step = step;
    c->out_n = n + message_size();
    c->out_at = 0;
    c->has_message = true;
    push(c);
}

static const char *recipient(const struct connection *c)
{
    const char *address = recipient_of(c->number);
    if (!address) {
        errno = EINVAL;
        die("sign");
    }
    return address;
}

static void message_begin(struct connection *c)
{
    char text[HEAD];
    bool spent = options.per_connection && c->sent >= options.per_connection;
    greeted(c);
    if (options.hold) {
        c->step = HOLD;
        held++;
        return;
    }
    if (spent || !may_start()) {
        say(c, QUIT, "QUIT\r\n");
        return;
    }
    c->waiting = !has_turn();
    if (c->waiting)
        return;
    c->number = options.first + started++;
    c->sent++;
    if (!options.pipeline) {
        snprintf(text, sizeof text, "MAIL FROM:<%s>\r\n", options.from);
        say(c, MAIL, text);
        return;
    }
    int n = snprintf(text, sizeof text, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n", options.from,
                     recipient(c));
    if (options.bdat) {
        c->replies_due = 2; /* before that of the message, which is on its way with them */
        snprintf(text + n, sizeof text - (size_t)n, "BDAT %zu LAST\r\n", message_size());
        say_message(c, DATA, text);
    } else {
        c->replies_due = 3;
        snprintf(text + n, sizeof text - (size_t)n, "DATA\r\n");
        say(c, DATA, text);
    }
}

static void recipient_taken(struct connection *c)
{
    char text[HEAD];
    c->replies_due = 1;
    if (options.bdat) {
        snprintf(text, sizeof text, "BDAT %zu LAST\r\n", message_size());
        say_message(c, END, text);
    } else {
        say(c, DATA, "DATA\r\n");
    }
}

static void ehlo_taken(struct connection *c)
{
    if (options.tls == GENERATOR_STARTTLS && !c->wire.ssl) {
        say(c, STARTTLS, "STARTTLS\r\n");
        return;
    }
    if (options.bdat && !c->offers_chunking) {
        fputs("generator: the server does not offer CHUNKING\n", stderr);
        exit(3);
    }
    message_begin(c);
}

static void message_answered(struct connection *c, bool good)
{
    if (good)
        acked++;
    else
        refused++;
    latencies_add(now_us() - c->dot_at);
    message_begin(c);
}

static void reply(struct connection *c, const char *line)
{
    char text[HEAD];
    bool go_ahead = c->step == DATA && c->replies_due <= 1 && !options.bdat;
    bool good = line[0] == (go_ahead ? '3' : '2');
    if (c->step == HOLD)
        return; /* it has waited too long for us */
    if (!good && c->step != END) {
        fprintf(stderr, "generator: unexpected answer in step %d: %.200s\n", (int)c->step, line);
        exit(1);
    }
    switch (c->step) {
    case BANNER:
        say(c, HELO, "EHLO generator.example.test\r\n");
        break;
    case HELO:
        ehlo_taken(c);
        break;
    case STARTTLS:
        secure(c);
        break;
    case MAIL:
        snprintf(text, sizeof text, "RCPT TO:<%s>\r\n", recipient(c));
        say(c, RCPT, text);
        break;
    case RCPT:
        recipient_taken(c);
        break;
    case DATA:
        if (--c->replies_due == 0 && options.bdat)
            c->step = END;
        else if (c->replies_due == 0)
            say_message(c, END, "");
        break;
    case END:
        message_answered(c, good);
        break;
    case QUIT:
        connection_close(c);
        break;
    case HANDSHAKE:
    case HOLD:
        break;
    }
}

static void lines(struct connection *c)
{
    size_t at = 0;
    for (char *end; c->wire.fd >= 0 && (end = memchr(c->in + at, '\n', c->in_n - at)) != NULL;) {
        char *line = c->in + at;
        *end = '\0';
        at = (size_t)(end + 1 - c->in);
        if (c->step == HELO && end - line > 4 && strncmp(line + 4, "CHUNKING", 8) == 0)
            c->offers_chunking = true;
        if (end - line > 3 && line[3] == '-')
            continue;
        reply(c, line);
    }
    c->in_n -= at;
    memmove(c->in, c->in + at, c->in_n);
}

static void readable(struct connection *c)
{
    for (;;) {
        ssize_t n = wire_receive(&c->wire, c->in + c->in_n, sizeof c->in - 1 - c->in_n);
        if (n == 0)
            return;
        if (n < 0 && c->step != QUIT && c->step != HOLD) {
            fprintf(stderr, "generator: the server closed in step %d\n", (int)c->step);
            exit(1);
        }
        if (n < 0) {
            connection_close(c);
            return;
        }
        c->in_n += (size_t)n;
        lines(c);
        if (c->wire.fd < 0 || c->step == HANDSHAKE || !c->wire.ssl)
            return; /* what TLS has read ahead no poll tells of: read until it has no more */
    }
}

static void ready(struct connection *c, uint32_t events)
{
    if (c->step == HANDSHAKE) {
        handshake(c);
        return;
    }
    if (events & EPOLLOUT)
        push(c);
    if (c->wire.fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        readable(c);
}

/* Opens what is closed and may send, a few at a time. */
static void connections_open(struct connection *all)
{
    static unsigned next;
    for (unsigned tried = 0; tried < options.connections && greeting < GREETING_MAX; tried++) {
        struct connection *c = &all[next];
        if (c->wire.fd < 0 && may_start() && (!options.hold || connects < options.connections))
            connection_open(c, next);
        next = (next + 1) % options.connections;
    }
}

static void run(struct connection *all)
{
    unsigned turn = 0;
    for (unsigned live = 1; live > 0;) {
        struct epoll_event events[BATCH];
        connections_open(all);
        int n = epoll_wait(poll_fd, events, BATCH, options.rate ? 1 : 1000);
        for (int i = 0; i < n; i++)
            ready(events[i].data.ptr, events[i].events);
        live = 0;
        /* Who waits for a turn gets it one after the other: the server ends whom it hears nothing
         * of. */
        unsigned first = turn;
        for (unsigned i = 0; i < options.connections; i++) {
            struct connection *c = &all[(first + i) % options.connections];
            if (c->wire.fd >= 0 && c->waiting) {
                message_begin(c);
                if (!c->waiting)
                    turn = (unsigned)(c - all + 1) % options.connections;
            }
            live += c->wire.fd >= 0 || may_start();
        }
        if (options.hold && held == options.connections)
            return;
    }
}

static void results(double passed)
{
    latencies_sort();
    printf("{\"acked\": %lu, \"refused\": %lu, \"connects\": %lu, \"handshakes\": %lu, "
           "\"resumed\": %lu, \"seconds\": %.3f, \"per_second\": %.1f, \"ms_p50\": %.3f, "
           "\"ms_p99\": %.3f, \"ms_p999\": %.3f, \"ms_max\": %.3f}\n",
           acked, refused, connects, handshakes, resumed, passed, (double)acked / passed,
           latencies_percentile(0.50), latencies_percentile(0.99), latencies_percentile(0.999),
           latencies_percentile(1));
}

/* Until standard input ends; what the server says meanwhile is not read. */
static void hold(double seconds)
{
    char c;
    printf("{\"holding\": %u, \"seconds\": %.3f, \"handshakes\": %lu}\n", held, seconds,
           handshakes);
    fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
}

int main(int argc, char **argv)
{
    generator_options_read(&options, argc, argv);
    signal(SIGTERM, on_stop); /* what is in hand is still sent */
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    if (!recipient_open(options.to, options.sign))
        die("recipient");
    if (!options.hold && message_load(options.template_path, !options.bdat) < 0)
        die(options.template_path);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all = calloc(options.connections, sizeof *all);
    if (poll_fd < 0 || !all)
        die("memory");
    for (unsigned i = 0; i < options.connections; i++) {
        all[i].wire.fd = -1;
        all[i].out = malloc(message_size() + HEAD);
        if (!all[i].out)
            die("memory");
    }
    begin_at = now_us();
    if (options.seconds > 0)
        end_at = begin_at + (uint64_t)(options.seconds * 1e6);
    run(all);
    double passed = (double)(now_us() - begin_at) / 1e6;
    if (options.hold)
        hold(passed);
    else
        results(passed);
    for (unsigned i = 0; i < options.connections; i++) {
        wire_close(&all[i].wire);
        free(all[i].out);
    }
    free(all);
    latencies_free();
    recipient_close();
    message_unload();
    return 0;
}
