/* generator.c - sends messages over SMTP as fast as it is let, and measures the answers.
 *
 * One thread, many connections. What smtp-source can't do: each message differs (every
 * "@@@@@@@@@@@@" in the template becomes a number), a rate can be set, and the time from the final
 * dot to its reply is kept for each message. Prints one JSON object. Usage: generator --help */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MARK = 12, PLACES = 64, REPLY_MAX = 4096, BATCH = 256 };
static const char mark[MARK + 1] = "@@@@@@@@@@@@";

enum step { BANNER, HELO, MAIL, RCPT, DATA, END, QUIT };

struct connection {
    int fd;
    enum step step;
    unsigned replies_due; /* of a pipelined envelope */
    bool waiting;         /* for its turn, when a rate is set */
    unsigned long sent;   /* messages on this connection */
    unsigned long number; /* of the message in hand */
    char *out;            /* the message with its number in */
    size_t out_n, out_at;
    char in[REPLY_MAX];
    size_t in_n;
    uint64_t dot_at;
};

static struct {
    const char *address, *from, *to, *template_path;
    unsigned port, connections;
    unsigned long messages, per_connection, first, rate;
    double seconds;
    bool pipeline;
} options = {.address = "127.0.0.1",
             .from = "",
             .to = "list@bounces.example.test",
             .connections = 10,
             .first = 1};

static char *template;
static size_t template_n, places[PLACES], places_n;
static unsigned long started, acked, refused, connects;
static uint32_t *latencies; /* microseconds, of the first latencies_max messages */
static size_t latencies_n, latencies_max = 8000000;
static int poll_fd;
static uint64_t begin_at, end_at;

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "generator: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void template_load(void)
{
    FILE *f = fopen(options.template_path, "rb");
    if (!f)
        die(options.template_path);
    enum { MOST = 16 << 20 };
    template = malloc(MOST + 5);
    if (!template)
        die("memory");
    template_n = fread(template, 1, MOST, f);
    fclose(f);
    memcpy(template + template_n, ".\r\n", 3);
    template_n += 3;
    for (char *at = template; places_n < PLACES; at += MARK) {
        at = memmem(at, template_n - (size_t)(at - template), mark, MARK);
        if (!at)
            break;
        places[places_n++] = (size_t)(at - template);
    }
}

static bool may_start(void)
{
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

static void watch(struct connection *c, int op, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(poll_fd, op, c->fd, &e) < 0)
        die("epoll_ctl");
}

static void connection_open(struct connection *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    if (inet_pton(AF_INET, options.address, &to.sin_addr) != 1) {
        errno = EINVAL;
        die(options.address);
    }
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->step = BANNER;
    c->in_n = c->out_n = c->out_at = c->sent = 0;
    c->waiting = false;
    connects++;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void connection_close(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* Writes what is left of c->out; the final dot's time is that of its last octet. */
static void push(struct connection *c)
{
    while (c->out_at < c->out_n) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0)
            die("send");
        c->out_at += (size_t)n;
    }
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    if (c->step == END)
        c->dot_at = now_us();
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

static void message_begin(struct connection *c)
{
    char text[1024];
    bool spent = options.per_connection && c->sent >= options.per_connection;
    if (spent || !may_start()) {
        say(c, QUIT, "QUIT\r\n");
        return;
    }
    c->waiting = !has_turn();
    if (c->waiting)
        return;
    c->number = options.first + started++;
    c->sent++;
    if (options.pipeline) {
        snprintf(text, sizeof text, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", options.from,
                 options.to);
        c->replies_due = 3;
        say(c, DATA, text);
    } else {
        snprintf(text, sizeof text, "MAIL FROM:<%s>\r\n", options.from);
        say(c, MAIL, text);
    }
}

static void body(struct connection *c)
{
    char number[MARK + 1];
    snprintf(number, sizeof number, "%012lu", c->number);
    memcpy(c->out, template, template_n);
    for (size_t i = 0; i < places_n; i++)
        memcpy(c->out + places[i], number, MARK);
    c->step = END;
    c->out_n = template_n;
    c->out_at = 0;
    push(c);
}

static void reply(struct connection *c, const char *line)
{
    char text[1024];
    bool good = line[0] == (c->step == DATA && c->replies_due <= 1 ? '3' : '2');
    if (!good && c->step != END) {
        fprintf(stderr, "generator: unexpected answer in step %d: %.200s\n", (int)c->step, line);
        exit(1);
    }
    switch (c->step) {
    case BANNER:
        say(c, HELO, "EHLO generator.example.test\r\n");
        break;
    case HELO:
        message_begin(c);
        break;
    case MAIL:
        snprintf(text, sizeof text, "RCPT TO:<%s>\r\n", options.to);
        say(c, RCPT, text);
        break;
    case RCPT:
        c->replies_due = 1;
        say(c, DATA, "DATA\r\n");
        break;
    case DATA:
        if (--c->replies_due == 0)
            body(c);
        break;
    case END:
        if (good)
            acked++;
        else
            refused++;
        if (latencies_n < latencies_max)
            latencies[latencies_n++] = (uint32_t)(now_us() - c->dot_at);
        message_begin(c);
        break;
    case QUIT:
        connection_close(c);
        break;
    }
}

static void readable(struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_n, sizeof c->in - 1 - c->in_n, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        if (c->step != QUIT) {
            fprintf(stderr, "generator: the server closed in step %d\n", (int)c->step);
            exit(1);
        }
        connection_close(c);
        return;
    }
    c->in_n += (size_t)n;
    size_t at = 0;
    for (char *end; c->fd >= 0 && (end = memchr(c->in + at, '\n', c->in_n - at)) != NULL;) {
        char *line = c->in + at;
        *end = '\0';
        at = (size_t)(end + 1 - c->in);
        if (end - line > 3 && line[3] == '-')
            continue;
        reply(c, line);
    }
    c->in_n -= at;
    memmove(c->in, c->in + at, c->in_n);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile(double p)
{
    if (latencies_n == 0)
        return 0;
    return latencies[(size_t)(p * (double)(latencies_n - 1))] / 1000.0;
}

static void usage(int status)
{
    fputs("usage: generator --port N --template FILE [--address A] [--connections N]\n"
          "    [--messages N | --seconds S] [--per-connection N] [--rate N] [--pipeline]\n"
          "    [--first N] [--from ADDRESS] [--to ADDRESS]\n",
          status ? stderr : stdout);
    exit(status);
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {{"port", 1, 0, 'p'},           {"template", 1, 0, 'f'},
                                          {"address", 1, 0, 'a'},        {"connections", 1, 0, 'c'},
                                          {"messages", 1, 0, 'm'},       {"seconds", 1, 0, 's'},
                                          {"per-connection", 1, 0, 'k'}, {"rate", 1, 0, 'r'},
                                          {"pipeline", 0, 0, 'P'},       {"first", 1, 0, 'n'},
                                          {"from", 1, 0, 'F'},           {"to", 1, 0, 't'},
                                          {"help", 0, 0, 'h'},           {0, 0, 0, 0}};
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (o) {
        case 'p':
            options.port = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'f':
            options.template_path = optarg;
            break;
        case 'a':
            options.address = optarg;
            break;
        case 'c':
            options.connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'm':
            options.messages = strtoul(optarg, NULL, 10);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'k':
            options.per_connection = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            options.rate = strtoul(optarg, NULL, 10);
            break;
        case 'P':
            options.pipeline = true;
            break;
        case 'n':
            options.first = strtoul(optarg, NULL, 10);
            break;
        case 'F':
            options.from = optarg;
            break;
        case 't':
            options.to = optarg;
            break;
        case 'h':
            usage(0);
            break;
        default:
            usage(2);
        }
    }
    if (!options.port || !options.template_path || options.connections == 0 ||
        options.connections > 20000 || (!options.messages && options.seconds <= 0))
        usage(2);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    template_load();
    latencies = malloc(latencies_max * sizeof *latencies); /* touched as it fills */
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all = calloc(options.connections, sizeof *all);
    if (poll_fd < 0 || !all || !latencies)
        die("memory");
    begin_at = now_us();
    if (options.seconds > 0)
        end_at = begin_at + (uint64_t)(options.seconds * 1e6);
    for (unsigned i = 0; i < options.connections; i++) {
        all[i].out = malloc(template_n + 2048);
        if (!all[i].out)
            die("memory");
        connection_open(&all[i]);
    }
    for (unsigned live = options.connections; live > 0;) {
        struct epoll_event events[BATCH];
        int n = epoll_wait(poll_fd, events, BATCH, options.rate ? 1 : 1000);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->fd >= 0 && (events[i].events & EPOLLOUT))
                push(c);
            if (c->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                readable(c);
            if (c->fd < 0 && may_start())
                connection_open(c);
        }
        live = 0;
        for (unsigned i = 0; i < options.connections; i++) {
            if (all[i].fd >= 0 && all[i].waiting)
                message_begin(&all[i]);
            live += all[i].fd >= 0;
        }
    }
    double passed = (double)(now_us() - begin_at) / 1e6;
    qsort(latencies, latencies_n, sizeof *latencies, by_value);
    printf("{\"acked\": %lu, \"refused\": %lu, \"connects\": %lu, \"seconds\": %.3f, "
           "\"per_second\": %.1f, \"ms_p50\": %.3f, \"ms_p99\": %.3f, \"ms_p999\": %.3f, "
           "\"ms_max\": %.3f}\n",
           acked, refused, connects, passed, (double)acked / passed, percentile(0.50),
           percentile(0.99), percentile(0.999), percentile(1));
    return 0;
}
