/* config.h - the configuration file: one YAML document, read against one table of keys.
 *
 * The table (config_keys.c) is the only list: it drives reading, defaults, messages, and
 * conf/bouncemx.yaml, which is what config_print_defaults writes. */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "receiver/network.h"
#include "returnpath/returnpath.h"

#include <stdio.h>

/* Strings are NUL-terminated and live in config.arena; paths are absolute or relative to the
 * working directory. Sizes in octets, times in microseconds, counts as written; 0 = no limit where
 * the table says so. */
struct config_listen {
    const char *address;
    uint64_t port;
    uint64_t tls; /* enum config_tls */
    bool proxy;
    unsigned line, column;
};

enum config_tls { CONFIG_TLS_NONE, CONFIG_TLS_STARTTLS, CONFIG_TLS_IMPLICIT };

struct config_words {
    const char **list;
    size_t n;
};

struct config_domain {
    const char *name;         /* lower-case A-label */
    uint64_t accept;          /* enum returnpath_accept */
    struct config_words open; /* local parts */
    const char *tenant;
    const char *stream;
    bool trust_unverified;
    uint64_t people;      /* enum config_people */
    const char *maildir;  /* NULL: mail/NAME below spool.directory */
    const char *relay;    /* "HOST:PORT"; NULL: none */
    const char *relay_to; /* with relay */
    unsigned line, column;
};

/* What a person gets of a domain's mail; each includes what stands before it. */
enum config_people { CONFIG_PEOPLE_ROLE, CONFIG_PEOPLE_OTHER, CONFIG_PEOPLE_REPORTS };

struct config_certificate {
    const char *certificate;
    const char *key;
    unsigned line, column;
};

struct config_rule {
    const char *path;
    unsigned line, column;
};

struct config_key_file {
    const char *id; /* one character */
    const char *file;
    uint64_t until; /* last day, since 1970-01-01; 0: none */
    unsigned line, column;
};

struct config_pattern {
    const char *name;
    const char *match;
    const char *domain; /* NULL: every domain */
    unsigned line, column;
};

struct config_header {
    const char *name;
    unsigned line, column;
};

struct config_source {
    const char *domain; /* lower-case A-label */
    unsigned line, column;
};

struct config_resolver {
    const char *server; /* "192.0.2.53", "::1@5353" */
    unsigned line, column;
};

struct config_network {
    struct network network;
    unsigned line, column;
};

struct config {
    struct arena arena;
    const char *file;   /* as it was found */
    const char *folder; /* of the file: relative paths start here */

    const char *node;
    const char *hostname;
    struct config_listen *listen;
    size_t listen_n;
    struct config_domain *domains;
    size_t domains_n;
    struct config_certificate *certificates;
    size_t certificates_n;
    bool tls_require;
    struct config_pattern *patterns;
    size_t patterns_n;

    struct {
        struct config_key_file *keys;
        size_t keys_n;
        uint64_t bounce_days, complaint_days;
    } tokens;
    struct {
        const char *directory;
        uint64_t max_bytes, segment_bytes, keep_bytes;
        int64_t keep_processed;
    } spool;
    struct {
        const char *conninfo;
        uint64_t batch_events, batch_bytes;
        int64_t batch_wait, retry_min, retry_max;
    } database;
    struct {
        int64_t evidence, events, feed;
    } retention;
    struct {
        uint64_t batch;
        int64_t feed, breaker, list, partitions, silence;
    } keeper;
    struct {
        uint64_t workers;
        int64_t watchdog, poll;
        struct config_rule *rules;
        size_t rules_n;
    } processor;
    struct {
        uint64_t max_bytes;
        int64_t retry_min, retry_max, timeout;
    } people;
    struct {
        struct config_header *token_headers;
        size_t token_headers_n;
    } attribution;
    struct {
        struct config_source *sources;
        size_t sources_n;
        struct config_resolver *resolvers;
        size_t resolvers_n;
        int64_t timeout;
    } feedback;
    struct {
        uint64_t threads;
        const char *user; /* "": stay who we are */
        int64_t stop_grace, greeting_delay;
        struct config_network *proxy_list, *xclient_list;
        size_t proxy_n, xclient_n;
        struct network *proxy_from, *xclient_from; /* the same without their places in the file */
        uint64_t bare_newlines;                    /* 1 = accept */
    } receiver;
    struct {
        uint64_t message_bytes, recipients, connections, connections_per_address;
        uint64_t null_sender_recipients;
        uint64_t messages_per_minute, recipients_per_minute, bad_commands, unknown_recipients,
            data_min_rate;
        uint64_t body_memory;
        int64_t proxy_timeout, command_timeout, data_timeout, session_timeout;
    } limits;
    struct {
        uint64_t level;     /* enum log_level */
        uint64_t addresses; /* 1 = in full */
    } log;

    struct str *token_headers;         /* of attribution.token_headers, as many */
    struct returnpath_set *returnpath; /* what config_returnpath made; NULL before a role, as who
                                        * it has become, reads its keys */
};

/* Called for each mistake and each warning, with one printable line:
 * "FILE:LINE:COLUMN: KEY: VALUE: what was expected". */
typedef void (*config_say_fn)(void *ctx, bool mistake, const char *line);

/* Reads the file. All mistakes are told in one go, also those of files that it names; -EINVAL when
 * there was one. Warnings alone do not fail. */
int config_load(const char *path, config_say_fn say, void *ctx, struct config **ret);
void config_free(struct config *c);

/* What return paths are read and minted with: domains, patterns, and the keys, whose files are read
 * now (so once more after a SIGHUP). -EINVAL, -ENOMEM; *e names the key in the file, and what to
 * do. The caller unrefs *ret; it does not refer to c. */
int config_returnpath(const struct config *c, struct returnpath_set **ret, struct err *e);
/* The same for check-config: tells every mistake. */
int config_returnpath_check(const struct config *c, config_say_fn say, void *ctx);

/* The file to read: option (may be NULL), else BOUNCEMX_CONFIG, else /etc/bouncemx/bouncemx.yaml.
 * *ret_from says which of them it was, for the message when it can't be read. */
const char *config_find(const char *option, const char **ret_from);

/* A complete commented file in which every key stands with its default. */
void config_print_defaults(FILE *out);

#endif
