/* receiver_sink.c - a receiver and its journal without anything else, to throw load or tests at.
 *
 *   receiver_sink DIRECTORY PORT [name=number ...]
 *
 * Listens on 127.0.0.1 and [::1], takes mail for dom.example (any) and rp.example (verp). Names:
 * threads, and the fields of struct receiver_limits (times in milliseconds), spool_bytes, grace,
 * tls_require, bare_newlines, implicit (a port on 127.0.0.1), greeting_delay (milliseconds).
 * proxy_from=NETWORK: on 127.0.0.1 connections begin with a PROXY header; xclient_from=NETWORK.
 * certificate=FILE key=FILE, up to four times: STARTTLS is offered. SIGHUP reads those files anew
 * and prints "reloaded" or what is wrong. Prints "ready" once it listens. SIGTERM stops it; then
 * its counters are printed, name=value, one a line.
 */
#include "base/require.h"
#include "receiver/network.h"
#include "receiver/receiver.h"
#include "receiver/tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMITS(X)                 \
    X(message_bytes, 1)           \
    X(keep_bytes, 1)              \
    X(recipients, 1)              \
    X(null_sender_recipients, 1)  \
    X(connections, 1)             \
    X(connections_per_address, 1) \
    X(messages_per_minute, 1)     \
    X(recipients_per_minute, 1)   \
    X(proxy_timeout, 1000)        \
    X(unknown_recipients, 1)      \
    X(data_min_rate, 1)           \
    X(bad_commands, 1)            \
    X(command_timeout, 1000)      \
    X(data_timeout, 1000)         \
    X(session_timeout, 1000)      \
    X(body_memory, 1)

struct options {
    struct receiver_limits limits;
    unsigned threads;
    uint64_t spool_bytes;
    int64_t grace, greeting_delay;
    bool tls_require, bare_newlines;
    uint16_t implicit;
    struct network proxy_from[4], xclient_from[4];
    size_t proxy_from_n, xclient_from_n;
    struct tls_pair pairs[4];
    size_t certificates_n, keys_n;
};

static int option_read(struct options *o, struct str text)
{
    struct str name = str_cut(&text, '=');
    uint64_t value;
    /* An argument of main ends in NUL. */
    if (str_eq(name, STR("certificate")) && o->certificates_n < 4) {
        o->pairs[o->certificates_n++].certificate = text.p;
        return 0;
    }
    if (str_eq(name, STR("key")) && o->keys_n < 4) {
        o->pairs[o->keys_n++].key = text.p;
        return 0;
    }
    if (str_eq(name, STR("proxy_from")) && o->proxy_from_n < 4)
        return network_parse(text, &o->proxy_from[o->proxy_from_n++]) ? 0 : -EINVAL;
    if (str_eq(name, STR("xclient_from")) && o->xclient_from_n < 4)
        return network_parse(text, &o->xclient_from[o->xclient_from_n++]) ? 0 : -EINVAL;
    if (!str_to_u64(text, &value) || value > INT64_MAX / 1000)
        return -EINVAL;
#define X(field, scale)                                                   \
    if (str_eq(name, STR(#field))) {                                      \
        o->limits.field = (__typeof__(o->limits.field))(value * (scale)); \
        return 0;                                                         \
    }
    LIMITS(X)
#undef X
    if (str_eq(name, STR("threads")))
        o->threads = (unsigned)value;
    else if (str_eq(name, STR("spool_bytes")))
        o->spool_bytes = value;
    else if (str_eq(name, STR("tls_require")))
        o->tls_require = value != 0;
    else if (str_eq(name, STR("bare_newlines")))
        o->bare_newlines = value != 0;
    else if (str_eq(name, STR("implicit")))
        o->implicit = (uint16_t)value;
    else if (str_eq(name, STR("greeting_delay")))
        o->greeting_delay = (int64_t)value * 1000;
    else if (str_eq(name, STR("grace")))
        o->grace = (int64_t)value * 1000;
    else
        return -EINVAL;
    return 0;
}

static void counters_print(struct receiver_counters *c)
{
#define X(name, meaning) printf("%s=%llu\n", #name, (unsigned long long)atomic_load(&c->name));
    RECEIVER_COUNTERS(X)
#undef X
}

int main(int argc, char **argv)
{
    static struct receiver_counters counters;
    static const struct returnpath_domain list[] = {
        {.name = STR_INIT("dom.example"), .accept = RETURNPATH_ACCEPT_ANY},
        {.name = STR_INIT("rp.example"), .accept = RETURNPATH_ACCEPT_VERP},
    };
    const struct returnpath_set_config returnpath = {.domains = list, .domains_n = 2};
    struct options o = {.limits = {.message_bytes = 10 << 20,
                                   .keep_bytes = 1 << 20,
                                   .recipients = 100,
                                   .connections = 20000,
                                   .bad_commands = 20,
                                   .command_timeout = 300000000,
                                   .data_timeout = 600000000,
                                   .session_timeout = 3600000000,
                                   .body_memory = 256 << 20},
                        .threads = 2,
                        .grace = 5000000};
    uint32_t port = 0;
    int bad = argc < 3 || !str_to_u32(str_c(argv[2]), &port) || port == 0 || port > 65535;
    for (int i = 3; i < argc && !bad; i++)
        bad = option_read(&o, str_c(argv[i])) < 0;
    bad |= o.certificates_n != o.keys_n;
    if (bad) {
        fprintf(stderr, "usage: %s DIRECTORY PORT [name=number ...]\n", argv[0]);
        return 2;
    }
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGHUP);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);

    struct err e = {0};
    struct spool *spool = NULL;
    struct returnpath_set *set = NULL;
    struct receiver *receiver = NULL;
    const struct spool_config spool_config = {.directory = argv[1], .max_bytes = o.spool_bytes};
    enum receiver_tls starttls = o.certificates_n ? RECEIVER_TLS_STARTTLS : RECEIVER_TLS_NONE;
    const struct receiver_listen listen[] = {
        {"127.0.0.1", (uint16_t)port, starttls, o.proxy_from_n > 0},
        {"::1", (uint16_t)port, starttls, false},
        {"127.0.0.1", o.implicit, RECEIVER_TLS_IMPLICIT, o.proxy_from_n > 0},
    };
    struct tls_context *tls = NULL;
    int rc = o.certificates_n ? tls_context_new(o.pairs, o.certificates_n, &tls, &e) : 0;
    if (rc == 0)
        rc = returnpath_set_new(&returnpath, &set, &e);
    if (rc == 0)
        rc = spool_open(&spool_config, &spool, &e);
    struct receiver_settings settings = {
        .hostname = "mx.example",
        .returnpath = set,
        .limits = o.limits,
        .tls = tls,
        .tls_require = o.tls_require,
        .bare_newlines = o.bare_newlines,
        .greeting_delay = o.greeting_delay,
        .proxy_from = o.proxy_from,
        .proxy_from_n = o.proxy_from_n,
        .xclient_from = o.xclient_from,
        .xclient_from_n = o.xclient_from_n,
    };
    if (rc == 0) {
        const struct receiver_config config = {
            .settings = settings,
            .listen = listen,
            .listen_n = o.implicit ? 3 : 2,
            .threads = o.threads,
            .spool = spool,
            .counters = &counters,
        };
        rc = receiver_start(&config, &receiver, &e);
    }
    if (rc < 0) {
        fprintf(stderr, "%s\n", e.text);
        tls_context_unref(tls);
        returnpath_set_unref(set);
        spool_free(spool);
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    tls_context_unref(tls);
    int signal_number;
    for (;;) {
        rc = sigwait(&stop, &signal_number);
        REQUIRE(rc == 0);
        if (signal_number != SIGHUP)
            break;
        rc = tls_context_new(o.pairs, o.certificates_n, &tls, &e);
        if (rc == 0) {
            settings.tls = tls;
            rc = receiver_reload(receiver, &settings, &e);
            tls_context_unref(tls);
        }
        printf("%s\n", rc == 0 ? "reloaded" : e.text);
        fflush(stdout);
    }
    receiver_stop(receiver, o.grace);
    receiver_join(receiver);
    receiver_free(receiver);
    returnpath_set_unref(set);
    spool_free(spool);
    counters_print(&counters);
    return 0;
}
