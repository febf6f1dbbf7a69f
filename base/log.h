/* log.h - one event, one line: time, level, event name, then key=value, ids first.
 *
 * Values from outside are quoted and escaped, so that a peer can neither start a new line nor send
 * a terminal sequence. Addresses go through KV_ADDRESS, which shows the local part only when the
 * operator asked for it (log.addresses). Rooms do not log; app/ and the receiver's threads do.
 * Thread-safe: a line is one write(2). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

#define LOG_LEVELS(X)      \
    X(LOG_DEBUG, "debug")  \
    X(LOG_INFO, "info")    \
    X(LOG_WARN, "warning") \
    X(LOG_ERROR, "error")

enum log_level {
#define X(id, name) id,
    LOG_LEVELS(X)
#undef X
};

struct log_kv {
    const char *key;
    enum { LOG_TEXT, LOG_ADDRESS, LOG_SIGNED, LOG_UNSIGNED } type;
    union {
        struct str text;
        int64_t i;
        uint64_t u;
    };
};

static inline struct log_kv log_kv_str(const char *key, struct str s)
{
    return (struct log_kv){.key = key, .type = LOG_TEXT, .text = s};
}
static inline struct log_kv log_kv_c(const char *key, const char *c)
{
    return log_kv_str(key, str_c(c));
}
static inline struct log_kv log_kv_i(const char *key, int64_t i)
{
    return (struct log_kv){.key = key, .type = LOG_SIGNED, .i = i};
}
static inline struct log_kv log_kv_u(const char *key, uint64_t u)
{
    return (struct log_kv){.key = key, .type = LOG_UNSIGNED, .u = u};
}
static inline struct log_kv log_kv_address(const char *key, struct str s)
{
    return (struct log_kv){.key = key, .type = LOG_ADDRESS, .text = s};
}

#define KV(key, value) \
    _Generic((value),               \
        struct str: log_kv_str,     \
        char *: log_kv_c,           \
        const char *: log_kv_c,     \
        bool: log_kv_u,             \
        unsigned: log_kv_u,         \
        unsigned long: log_kv_u,    \
        unsigned long long: log_kv_u, \
        int: log_kv_i,              \
        long: log_kv_i,             \
        long long: log_kv_i)(key, value)
/* A mail address: "j***@example.com" unless log.addresses is full. */
#define KV_ADDRESS(key, value) log_kv_address(key, value)

struct log_config {
    enum log_level level; /* below it nothing is written */
    bool full_addresses;
    const char *role; /* "receiver", "processor": which process wrote; kept, not copied */
};

/* Before it is called: info and above, redacted addresses, to stderr. Any thread, any time. */
void log_configure(const struct log_config *config);

void log_write(enum log_level level, const char *event, const struct log_kv *kv, size_t n);

#define LOG_AT(level, event, ...)                                 \
    log_write(level, event, (const struct log_kv[]){__VA_ARGS__}, \
              sizeof((const struct log_kv[]){__VA_ARGS__}) / sizeof(struct log_kv))
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)

/* "debug" ... "error" in any case. False (untouched) on another word. */
bool log_level_parse(struct str name, enum log_level *ret);

#endif
