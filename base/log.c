#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* Atomic, since a reload changes them while other threads write. */
static struct {
    _Atomic int level;
    atomic_bool full_addresses;
    const char *_Atomic role;
} config = {.level = LOG_INFO};

static const char *const level_names[] = {
#define X(id, name) [id] = (name),
    LOG_LEVELS(X)
#undef X
};

/* One line under construction. What does not fit is cut and the line ends in "...". */
struct line {
    char p[2048];
    size_t n;
};

static void line_add(struct line *l, char c)
{
    if (l->n < sizeof(l->p) - 5)
        l->p[l->n++] = c;
}

static void line_text(struct line *l, const char *c)
{
    while (*c)
        line_add(l, *c++);
}

static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
}

static void line_value(struct line *l, struct str s)
{
    static const char hex[] = "0123456789abcdef";
    size_t plain = 0;
    while (plain < s.n && is_plain((unsigned char)s.p[plain]))
        plain++;
    bool quote = plain < s.n || s.n == 0;
    if (quote)
        line_add(l, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') {
            line_add(l, '\\');
            line_add(l, (char)c);
        } else if (c < 0x20 || c >= 0x7f) {
            line_text(l, "\\x");
            line_add(l, hex[c >> 4]);
            line_add(l, hex[c & 15]);
        } else {
            line_add(l, (char)c);
        }
    }
    if (quote)
        line_add(l, '"');
}

static void line_address(struct line *l, struct str s)
{
    size_t at = str_rchr(s, '@');
    bool full = config.full_addresses;
    if (full || at == s.n || at == 0) {
        line_value(l, full || s.n == 0 ? s : STR("***"));
        return;
    }
    char shown[320];
    struct str domain = str_from(s, at);
    int n = snprintf(shown, sizeof(shown), "%c***%.*s", s.p[0], STR_ARG(domain));
    line_value(l, str_of(shown, n < (int)sizeof(shown) ? (size_t)n : sizeof(shown) - 1));
}

void log_configure(const struct log_config *c)
{
    config.level = (int)c->level;
    config.full_addresses = c->full_addresses;
    config.role = c->role;
}

void log_write(enum log_level level, const char *event, const struct log_kv *kv, size_t n)
{
    const char *role = config.role;
    if ((int)level < config.level)
        return;
    struct line l = {.n = 0};
    char text[CLOCK_TEXT];
    line_text(&l, clock_format_rfc3339(clock_now(), text));
    line_add(&l, ' ');
    line_text(&l, level_names[level]);
    line_add(&l, ' ');
    if (role) {
        line_text(&l, role);
        line_add(&l, ' ');
    }
    line_text(&l, event);
    for (size_t i = 0; i < n; i++) {
        char number[24];
        line_add(&l, ' ');
        line_text(&l, kv[i].key);
        line_add(&l, '=');
        switch (kv[i].type) {
        case LOG_TEXT:
            line_value(&l, kv[i].text);
            break;
        case LOG_ADDRESS:
            line_address(&l, kv[i].text);
            break;
        case LOG_SIGNED:
            snprintf(number, sizeof(number), "%lld", (long long)kv[i].i);
            line_text(&l, number);
            break;
        case LOG_UNSIGNED:
            snprintf(number, sizeof(number), "%llu", (unsigned long long)kv[i].u);
            line_text(&l, number);
            break;
        }
    }
    if (l.n == sizeof(l.p) - 5) {
        memcpy(l.p + l.n, "...", 3);
        l.n += 3;
    }
    l.p[l.n++] = '\n';
    /* A log that can't be written has nowhere to complain; the program goes on. */
    ssize_t written = write(STDERR_FILENO, l.p, l.n);
    (void)written;
}

bool log_level_parse(struct str name, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (str_ieq(name, str_c(level_names[i]))) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}
