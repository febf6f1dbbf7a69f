#include "app/config_check.h"

#include "app/config_keys.h"
#include "base/buf.h"
#include "resolver/resolver.h"

#include <errno.h>
#include <stdlib.h>

static void tell(struct config_report *r, bool mistake, unsigned line, unsigned column,
                 const char *key, struct str value, const char *text)
{
    char bytes[1024];
    size_t n = 0;
    struct err clean; /* err_set takes control bytes out */
    char place[64] = "";
    if (line)
        snprintf(place, sizeof(place), ":%u:%u", line, column);
    char shown[80] = "";
    if (!str_is_absent(value)) {
        struct str front = str_sub(value, 0, 60);
        while (front.n && front.n < value.n && !str_is_utf8(front))
            front.n--;
        snprintf(shown, sizeof(shown), ": \"%.*s%s\"", STR_ARG(front),
                 front.n < value.n ? "..." : "");
    }
    n = (size_t)snprintf(bytes, sizeof(bytes), "%s%s: %s%s%s%s%s", r->file, place,
                         mistake ? "" : "warning: ", key, shown, *key || *shown ? ": " : "", text);
    (void)n;
    err_set(&clean, -EINVAL, "%s", bytes);
    r->say(r->ctx, mistake, clean.text);
}

void config_report_at(struct config_report *r, unsigned line, unsigned column, const char *key,
                      struct str value, const char *expected)
{
    r->mistakes++;
    if (r->mistakes <= CONFIG_MISTAKES_MAX)
        tell(r, true, line, column, key, value, expected);
    else if (r->mistakes == CONFIG_MISTAKES_MAX + 1)
        tell(r, true, 0, 0, "", (struct str){NULL, 0}, "more mistakes follow");
}

void config_report_warning(struct config_report *r, unsigned line, unsigned column, const char *key,
                           const char *text)
{
    tell(r, false, line, column, key, (struct str){NULL, 0}, text);
}

static int listen_cmp(const void *a, const void *b)
{
    const struct config_listen *x = *(const struct config_listen *const *)a;
    const struct config_listen *y = *(const struct config_listen *const *)b;
    int d = strcmp(x->address, y->address);
    if (d == 0)
        d = x->port < y->port ? -1 : x->port > y->port;
    return d ? d : x->line < y->line ? -1 : x->line > y->line;
}

static int check_listen(const struct config *c, struct config_report *r)
{
    const struct config_listen **sorted = calloc(c->listen_n + 1, sizeof(const void *));
    if (!sorted)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < c->listen_n; i++)
        if (c->listen[i].address) /* else its own mistake was told */
            sorted[n++] = &c->listen[i];
    qsort(sorted, n, sizeof(const void *), listen_cmp);
    for (size_t i = 1; i < n; i++) {
        const struct config_listen *a = sorted[i - 1], *b = sorted[i];
        if (strcmp(a->address, b->address) != 0 || a->port != b->port)
            continue;
        char text[80];
        snprintf(text, sizeof(text), "the same address and port stand at line %u", a->line);
        config_report_at(r, b->line, b->column, "listen[].address", str_c(b->address), text);
    }
    free(sorted);
    return 0;
}

/* What a listener can't do without certificates, or must do since all mail has to be encrypted. */
static void check_tls(const struct config *c, struct config_report *r)
{
    bool warned = false;
    for (size_t i = 0; i < c->listen_n; i++) {
        const struct config_listen *l = &c->listen[i];
        if (l->tls == CONFIG_TLS_NONE && c->tls_require)
            config_report_at(r, l->line, l->column, "listen[].tls", STR("none"),
                             "expected starttls or implicit, since tls.require is true");
        else if (l->tls == CONFIG_TLS_IMPLICIT && c->certificates_n == 0)
            config_report_at(r, l->line, l->column, "listen[].tls", STR("implicit"),
                             "tls.certificates is empty; implicit TLS needs one");
        else if (l->tls == CONFIG_TLS_STARTTLS && c->certificates_n == 0 && c->tls_require)
            config_report_at(r, l->line, l->column, "listen[].tls", STR("starttls"),
                             "tls.certificates is empty; tls.require needs one");
        else if (l->tls == CONFIG_TLS_STARTTLS && c->certificates_n == 0 && !warned) {
            config_report_warning(r, l->line, l->column, "listen[].tls",
                                  "tls.certificates is empty: STARTTLS is not offered");
            warned = true;
        }
    }
}

/* Without their places in the file, as the receiver takes them. */
static struct network *networks(struct config *c, const struct config_network *list, size_t n)
{
    struct network *ret = ARENA_ARRAY(&c->arena, n + 1, struct network);
    for (size_t i = 0; ret && i < n; i++)
        ret[i] = list[i].network;
    return ret;
}

static int check_proxies(struct config *c, struct config_report *r)
{
    c->receiver.proxy_from = networks(c, c->receiver.proxy_list, c->receiver.proxy_n);
    c->receiver.xclient_from = networks(c, c->receiver.xclient_list, c->receiver.xclient_n);
    if (!c->receiver.proxy_from || !c->receiver.xclient_from)
        return -ENOMEM;
    bool asked = false;
    for (size_t i = 0; i < c->listen_n; i++) {
        const struct config_listen *l = &c->listen[i];
        asked |= l->proxy;
        if (l->proxy && c->receiver.proxy_n == 0)
            config_report_at(r, l->line, l->column, "listen[].proxy", STR("true"),
                             "receiver.proxy_from is empty: nobody could connect");
    }
    if (c->receiver.proxy_n > 0 && !asked)
        config_report_warning(r, c->receiver.proxy_list[0].line, c->receiver.proxy_list[0].column,
                              "receiver.proxy_from", "no entry of listen has proxy: true");
    return 0;
}

static int domain_cmp(const void *a, const void *b)
{
    const struct config_domain *x = *(const struct config_domain *const *)a;
    const struct config_domain *y = *(const struct config_domain *const *)b;
    int d = str_cmp(str_c(x->name), str_c(y->name));
    return d ? d : x->line < y->line ? -1 : x->line > y->line;
}

static int check_domains(const struct config *c, struct config_report *r)
{
    const struct config_domain **sorted = calloc(c->domains_n + 1, sizeof(const void *));
    if (!sorted)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < c->domains_n; i++)
        if (c->domains[i].name)
            sorted[n++] = &c->domains[i];
    qsort(sorted, n, sizeof(const void *), domain_cmp);
    for (size_t i = 1; i < n; i++) {
        const struct config_domain *d = sorted[i];
        if (strcmp(sorted[i - 1]->name, d->name) != 0)
            continue;
        char text[80];
        snprintf(text, sizeof(text), "the same domain stands at line %u", sorted[i - 1]->line);
        config_report_at(r, d->line, d->column, "domains[].name", str_c(d->name), text);
    }
    free(sorted);
    return 0;
}

/* What signed return paths need, and what takes their use away. */
static void check_tokens(const struct config *c, struct config_report *r)
{
    unsigned stands[256] = {0};
    for (size_t i = 0; i < c->tokens.keys_n; i++) {
        const struct config_key_file *k = &c->tokens.keys[i];
        unsigned *line = k->id ? &stands[(unsigned char)*k->id] : NULL;
        char text[80];
        if (!line)
            continue; /* its own mistake was told */
        snprintf(text, sizeof(text), "the same id stands at line %u", *line);
        if (*line)
            config_report_at(r, k->line, k->column, "tokens.keys[].id", str_c(k->id), text);
        else
            *line = k->line;
    }
    for (size_t i = 0; i < c->domains_n; i++) {
        const struct config_domain *d = &c->domains[i];
        if (d->accept != RETURNPATH_ACCEPT_SIGNED)
            continue;
        if (c->tokens.keys_n == 0)
            config_report_at(r, d->line, d->column, "domains[].accept", STR("signed"),
                             "tokens.keys is empty; without a key nothing is signed");
        if (d->trust_unverified)
            config_report_warning(r, d->line, d->column, "domains[].trust_unverified",
                                  "true, though accept is signed: mail to the addresses of open "
                                  "may suppress without proof");
    }
}

static void check_patterns(const struct config *c, struct config_report *r)
{
    for (size_t i = 0; i < c->patterns_n; i++) {
        const struct config_pattern *p = &c->patterns[i];
        bool ours = !p->domain;
        for (size_t k = 0; k < c->domains_n && !ours; k++)
            ours = c->domains[k].name && strcmp(c->domains[k].name, p->domain) == 0;
        if (!ours)
            config_report_at(r, p->line, p->column, "patterns[].domain", str_c(p->domain),
                             "expected one of domains, or any");
    }
}

/* The names of header fields as the parser is told them. */
static int check_headers(struct config *c)
{
    size_t n = c->attribution.token_headers_n;
    struct str *names = ARENA_ARRAY(&c->arena, n + 1, struct str);
    for (size_t i = 0; names && i < n; i++)
        names[i] = str_c(c->attribution.token_headers[i].name);
    c->token_headers = names;
    return names ? 0 : -ENOMEM;
}

static void check_feedback(const struct config *c, struct config_report *r)
{
    char text[160], a[32];
    for (size_t i = 0; i < c->feedback.resolvers_n; i++) {
        const struct config_resolver *s = &c->feedback.resolvers[i];
        if (s->server && !resolver_is_server(str_c(s->server)))
            config_report_at(r, s->line, s->column, "feedback.resolvers[]", str_c(s->server),
                             "expected the address of a DNS server such as 192.0.2.53 or ::1@5353");
    }
    /* Else a DNS server that is silent would look like a message that hangs. */
    if (c->feedback.sources_n && c->feedback.timeout >= c->processor.watchdog) {
        snprintf(text, sizeof(text), "expected less than processor.watchdog, which is %s",
                 config_format_time((uint64_t)c->processor.watchdog, a));
        config_report_at(r, 0, 0, "feedback.timeout",
                         str_c(config_format_time((uint64_t)c->feedback.timeout, (char[32]){0})),
                         text);
    }
}

static void check_sizes(const struct config *c, struct config_report *r)
{
    char text[160], a[32];
    if (c->spool.max_bytes && c->spool.max_bytes < 2 * c->spool.segment_bytes) {
        snprintf(text, sizeof(text),
                 "expected at least two segments (spool.segment_bytes is %s), or 0 for no limit",
                 config_format_size(c->spool.segment_bytes, a));
        config_report_at(r, 0, 0, "spool.max_bytes",
                         str_c(config_format_size(c->spool.max_bytes, (char[32]){0})), text);
    }
    /* A record is its body and an envelope, at most some addresses long. */
    if (c->spool.keep_bytes > c->spool.segment_bytes / 2) {
        snprintf(text, sizeof(text), "expected at most half of spool.segment_bytes, which is %s",
                 config_format_size(c->spool.segment_bytes, a));
        config_report_at(r, 0, 0, "spool.keep_bytes",
                         str_c(config_format_size(c->spool.keep_bytes, (char[32]){0})), text);
    }
    if (c->database.retry_min > c->database.retry_max) {
        snprintf(text, sizeof(text), "expected at most database.retry_max, which is %s",
                 config_format_time((uint64_t)c->database.retry_max, a));
        config_report_at(r, 0, 0, "database.retry_min",
                         str_c(config_format_time((uint64_t)c->database.retry_min, (char[32]){0})),
                         text);
    }
    if (c->limits.body_memory && c->limits.body_memory < c->spool.keep_bytes) {
        snprintf(text, sizeof(text), "expected at least spool.keep_bytes, which is %s",
                 config_format_size(c->spool.keep_bytes, a));
        config_report_at(r, 0, 0, "limits.body_memory",
                         str_c(config_format_size(c->limits.body_memory, (char[32]){0})), text);
    }
}

int config_check(struct config *c, bool keep_given, struct config_report *r)
{
    if (!keep_given && c->spool.keep_bytes > c->spool.segment_bytes / 2)
        c->spool.keep_bytes = c->spool.segment_bytes / 2;
    int rc = check_listen(c, r);
    if (rc == 0)
        rc = check_domains(c, r);
    if (rc == 0)
        rc = check_headers(c);
    if (rc == 0)
        rc = check_proxies(c, r);
    check_tokens(c, r);
    check_patterns(c, r);
    check_tls(c, r);
    check_feedback(c, r);
    check_sizes(c, r);
    return rc;
}
