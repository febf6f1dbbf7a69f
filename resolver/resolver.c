/* The only file that sees libunbound. */
#include "resolver/resolver.h"

#include "base/clock.h"
#include "base/domain.h"
#include "base/require.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unbound.h>

enum { CLASS_IN = 1, RCODE_NO_ERROR = 0 };

struct resolver {
    struct ub_ctx *ctx; /* NULL: it failed us, and is made anew at the next question */
    char *servers[RESOLVER_SERVERS_MAX];
    size_t servers_n;
    char *anchors;
    unsigned silences; /* questions in a row that nobody answered */
    int64_t quiet;     /* until then nothing is asked; CLOCK_MONOTONIC */
};

/* What one question waits for. */
struct waiting {
    bool done;
    int error;
    struct ub_result *result;
};

const char *resolver_type_name(enum resolver_type type)
{
    switch (type) {
    case RESOLVER_A:
        return "A";
    case RESOLVER_PTR:
        return "PTR";
    case RESOLVER_MX:
        return "MX";
    case RESOLVER_TXT:
        return "TXT";
    case RESOLVER_AAAA:
        return "AAAA";
    case RESOLVER_TLSA:
        return "TLSA";
    }
    return "?";
}

/* Small, since one program asks few questions; and answers of servers only: the library would
 * otherwise know by itself that private networks have no names. */
static const struct {
    const char *name, *value;
} options[] = {
    {"msg-cache-size:", "1m"},         {"rrset-cache-size:", "2m"},
    {"key-cache-size:", "256k"},       {"neg-cache-size:", "256k"},
    {"cache-max-ttl:", "86400"},       {"cache-max-negative-ttl:", "300"},
    {"do-not-query-localhost:", "no"}, {"unblock-lan-zones:", "yes"},
    {"insecure-lan-zones:", "yes"},
};

/* The library takes any number for a port. */
bool resolver_is_server(struct str text)
{
    struct str rest = text, host = str_cut(&rest, '@');
    char c[INET6_ADDRSTRLEN] = "";
    unsigned char bytes[16];
    uint32_t port = 53;
    if (host.n >= sizeof(c) || (host.n < text.n && (!str_to_u32(rest, &port) || !port)))
        return false;
    memcpy(c, host.p, host.n);
    return port <= UINT16_MAX &&
           (inet_pton(AF_INET, c, bytes) == 1 || inet_pton(AF_INET6, c, bytes) == 1);
}

static int context_servers(const struct resolver *r, struct ub_ctx *ctx, struct err *e)
{
    for (size_t i = 0; i < r->servers_n; i++)
        if (!resolver_is_server(str_c(r->servers[i])) ||
            ub_ctx_set_fwd(ctx, r->servers[i]) != UB_NOERROR)
            return err_set(e, -EINVAL,
                           "\"%s\": expected the address of a DNS server, with @PORT when it is "
                           "not 53",
                           r->servers[i]);
    if (r->servers_n == 0) {
        int rc = ub_ctx_resolvconf(ctx, NULL);
        if (rc != UB_NOERROR)
            return err_set(e, -EIO, "/etc/resolv.conf: %s", ub_strerror(rc));
    }
    return 0;
}

static int context_new(const struct resolver *r, struct ub_ctx **ret, struct err *e)
{
    static const char *const built_in[] = {"test.", "invalid.", "127.in-addr.arpa."};
    struct ub_ctx *ctx = ub_ctx_create();
    if (!ctx)
        return err_set(e, -ENOMEM, "out of memory");
    /* What it would say itself on standard error, the caller hears in the answer. */
    ub_ctx_debugout(ctx, NULL);
    int rc = ub_ctx_async(ctx, 1);
    for (size_t i = 0; rc == UB_NOERROR && i < sizeof(options) / sizeof(options[0]); i++)
        rc = ub_ctx_set_option(ctx, options[i].name, options[i].value);
    if (rc != UB_NOERROR) {
        ub_ctx_delete(ctx);
        return err_set(e, -EIO, "DNS library: %s", ub_strerror(rc));
    }
    if (r->anchors && ub_ctx_add_ta_file(ctx, r->anchors) != UB_NOERROR) {
        ub_ctx_delete(ctx);
        return err_set(e, -EINVAL, "%s: expected DNSKEY or DS records", r->anchors);
    }
    int failed = context_servers(r, ctx, e);
    if (failed < 0) {
        ub_ctx_delete(ctx);
        return failed;
    }
    for (size_t i = 0; rc == UB_NOERROR && i < sizeof(built_in) / sizeof(built_in[0]); i++)
        rc = ub_ctx_zone_remove(ctx, built_in[i]);
    if (rc != UB_NOERROR) {
        /* The anchors are read here, all at once. */
        ub_ctx_delete(ctx);
        return r->anchors ? err_set(e, -EINVAL, "%s: expected DNSKEY or DS records", r->anchors)
                          : err_set(e, -EIO, "DNS library: %s", ub_strerror(rc));
    }
    *ret = ctx;
    return 0;
}

int resolver_new(const struct resolver_config *config, struct resolver **ret, struct err *e)
{
    if (config->servers_n > RESOLVER_SERVERS_MAX)
        return err_set(e, -EINVAL, "%zu DNS servers: expected at most %d", config->servers_n,
                       RESOLVER_SERVERS_MAX);
    struct resolver *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(e, -ENOMEM, "out of memory");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < config->servers_n; i++) {
        r->servers[i] = strdup(config->servers[i]);
        r->servers_n++;
        rc = r->servers[i] ? 0 : err_set(e, -ENOMEM, "out of memory");
    }
    if (rc == 0 && config->anchors) {
        r->anchors = strdup(config->anchors);
        rc = r->anchors ? 0 : err_set(e, -ENOMEM, "out of memory");
    }
    if (rc == 0)
        rc = context_new(r, &r->ctx, e);
    if (rc < 0) {
        resolver_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    if (r->ctx)
        ub_ctx_delete(r->ctx);
    for (size_t i = 0; i < r->servers_n; i++)
        free(r->servers[i]);
    free(r->anchors);
    free(r);
}

static void answered(void *arg, int error, struct ub_result *result)
{
    struct waiting *w = arg;
    w->done = true;
    w->error = error;
    w->result = result;
}

/* 0 when the answer came; behind a failure nobody will write to *w any more. */
static int wait_for(struct resolver *r, const char *name, int type, int64_t timeout,
                    struct waiting *w, struct err *e)
{
    int id = 0;
    int64_t end = clock_monotonic() + timeout;
    int rc = ub_resolve_async(r->ctx, name, type, CLASS_IN, w, answered, &id);
    if (rc != UB_NOERROR)
        return err_set(e, rc == UB_NOMEM ? -ENOMEM : -EIO, "DNS library: %s", ub_strerror(rc));
    while (rc == UB_NOERROR && !w->done) {
        int64_t left = end - clock_monotonic();
        if (left <= 0)
            break;
        struct pollfd p = {.fd = ub_fd(r->ctx), .events = POLLIN};
        /* A rounded-down millisecond would spin at the end. */
        if (poll(&p, 1, (int)(left / 1000) + 1) > 0)
            rc = ub_process(r->ctx);
    }
    if (w->done)
        return 0;
    /* An answer that can't be cancelled would come to a place that is no more. */
    if (ub_cancel(r->ctx, id) != UB_NOERROR || rc != UB_NOERROR) {
        ub_ctx_delete(r->ctx);
        r->ctx = NULL;
    }
    if (rc != UB_NOERROR)
        return err_set(e, -EIO, "DNS library: %s", ub_strerror(rc));
    return err_set(e, -ETIMEDOUT, "no answer in %lld ms", (long long)(timeout / 1000));
}

static enum resolver_status status_of(const struct ub_result *result)
{
    if (result->bogus)
        return RESOLVER_BOGUS;
    if (result->nxdomain)
        return RESOLVER_NO_NAME;
    if (result->rcode != RCODE_NO_ERROR)
        return RESOLVER_FAILED;
    return result->havedata ? RESOLVER_FOUND : RESOLVER_NO_DATA;
}

static int copy(struct arena *a, const struct ub_result *result, struct resolver_answer *ret)
{
    struct resolver_answer answer = {
        .status = status_of(result), .secure = result->secure, .ttl = result->ttl * CLOCK_SECOND};
    size_t n = 0;
    while (answer.status == RESOLVER_FOUND && n < RESOLVER_RECORDS_MAX && result->data[n])
        n++;
    answer.records = ARENA_ARRAY(a, n + 1, struct str);
    if (!answer.records)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        answer.records[i] = arena_str(a, str_of(result->data[i], (size_t)result->len[i]));
        if (str_is_absent(answer.records[i]))
            return -ENOMEM;
    }
    answer.records_n = n;
    if (result->canonname) {
        struct str name = str_c(result->canonname);
        if (name.n > 1 && name.p[name.n - 1] == '.')
            name.n--;
        answer.canonical = arena_str(a, name);
        if (str_is_absent(answer.canonical))
            return -ENOMEM;
    }
    *ret = answer;
    return 0;
}

int resolver_query(struct resolver *r, struct arena *a, struct str name, enum resolver_type type,
                   int64_t timeout, struct resolver_answer *ret, struct err *e)
{
    REQUIRE(timeout >= 0);
    struct str bare = name.n && name.p[name.n - 1] == '.' ? str_sub(name, 0, name.n - 1) : name;
    if (!domain_is_valid(bare))
        return err_set(e, -EINVAL, "\"%.*s\": expected a domain name", STR_ARG(name));
    struct str text = arena_str(a, bare);
    if (str_is_absent(text))
        return err_set(e, -ENOMEM, "out of memory");
    if (clock_monotonic() < r->quiet)
        return err_set(e, -EHOSTDOWN, "DNS servers did not answer of late; asked again in a while");
    if (!r->ctx) {
        int rc = context_new(r, &r->ctx, e);
        if (rc < 0)
            return rc;
    }
    struct waiting w = {.done = false};
    int rc = wait_for(r, text.p, (int)type, timeout, &w, e);
    if (rc == -ETIMEDOUT && ++r->silences >= RESOLVER_SILENCES) {
        r->silences = 0;
        r->quiet = clock_monotonic() + RESOLVER_PAUSE;
    }
    if (rc < 0)
        return err_add(e, rc, "DNS %s %s", resolver_type_name(type), text.p);
    r->silences = 0;
    if (w.error != UB_NOERROR || !w.result)
        rc = err_set(e, w.error == UB_NOMEM ? -ENOMEM : -EIO, "DNS %s %s: %s",
                     resolver_type_name(type), text.p, ub_strerror(w.error));
    else if (copy(a, w.result, ret) < 0)
        rc = err_set(e, -ENOMEM, "out of memory");
    ub_resolve_free(w.result);
    return rc;
}
