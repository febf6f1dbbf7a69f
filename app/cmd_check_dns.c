/* check-dns: what the DNS says about this host and its domains, and what it should say. */
#include "app/check_dns.h"
#include "app/command.h"
#include "app/json.h"
#include "app/table.h"
#include "base/buf.h"
#include "base/clock.h"

#include <unistd.h>

enum { ADVICE_MAX = 16 << 20 };

static const int64_t timeout_default = 5 * CLOCK_SECOND;

/* Where Debian's dns-root-data and unbound keep the keys of the root. */
static const char *const anchor_files[] = {"/usr/share/dns/root.key", "/var/lib/unbound/root.key"};

struct output {
    bool json;
    struct table *table;
    struct arena arena; /* of one line */
    struct buf advice;
    size_t not_good;
    int failed; /* -Exxx of writing */
};

static void say_json(struct output *o, const struct check_result *r)
{
    struct json *line = json_new();
    json_text(line, "check", str_c(r->check));
    json_text(line, "name", r->name);
    json_text(line, "result", str_c(check_verdict_name(r->verdict)));
    json_fact(line, "found", r->found);
    json_fact(line, "expected", r->expected);
    json_fact(line, "advice", r->advice);
    int rc = json_print(line, stdout);
    if (rc < 0)
        o->failed = rc;
}

static void say_row(struct output *o, const struct check_result *r)
{
    struct str cells[] = {str_c(check_verdict_name(r->verdict)), str_c(r->check), r->name,
                          r->found};
    arena_reset(&o->arena);
    struct str advice = r->advice, expected = r->expected, name = table_clean(&o->arena, r->name);
    if (table_row(o->table, cells) < 0)
        o->failed = -1;
    if (r->verdict == CHECK_GOOD)
        return;
    int rc = buf_fmt(&o->advice, "\n%s %.*s: %s\n", r->check, STR_ARG(name),
                     check_verdict_name(r->verdict));
    if (rc == 0 && advice.n)
        rc = buf_fmt(&o->advice, "    %.*s\n", STR_ARG(table_clean(&o->arena, advice)));
    if (rc == 0 && expected.n)
        rc = buf_fmt(&o->advice, "    expected: %.*s\n", STR_ARG(table_clean(&o->arena, expected)));
    if (rc < 0)
        o->failed = rc;
}

static void say(void *ctx, const struct check_result *r)
{
    struct output *o = ctx;
    o->not_good += r->verdict != CHECK_GOOD;
    if (o->json)
        say_json(o, r);
    else
        say_row(o, r);
}

/* NULL: none is there. */
static const char *anchors(const struct command_line *l)
{
    const char *given = command_value(l, "--anchors");
    for (size_t i = 0; !given && i < sizeof(anchor_files) / sizeof(anchor_files[0]); i++)
        if (access(anchor_files[i], R_OK) == 0)
            given = anchor_files[i];
    return given;
}

static int open_resolvers(const struct command_line *l, struct check *c)
{
    const char *server = command_value(l, "--resolver");
    struct resolver_config config = {.servers = &server, .servers_n = server != NULL};
    struct err e;
    int rc = resolver_new(&config, &c->resolver, &e);
    config.anchors = anchors(l);
    if (rc == 0 && config.anchors)
        rc = resolver_new(&config, &c->secure, &e);
    return rc < 0 ? command_fail(l, EXIT_USAGE, "%s", e.text) : 0;
}

static int run_checks(const struct command_line *l, struct check *c, struct output *o)
{
    static const char *const columns[] = {"RESULT", "CHECK", "NAME", "FOUND"};
    o->json = command_flag(l, "--json");
    o->arena = arena_make(1 << 20);
    buf_init(&o->advice, ADVICE_MAX);
    o->table = o->json ? NULL : table_new(columns, 4);
    int rc = o->json || o->table ? check_all(c) : -1;
    if (o->table) {
        table_flush(o->table, stdout);
        fwrite(o->advice.p, 1, o->advice.n, stdout);
        table_free(o->table);
    }
    buf_free(&o->advice);
    arena_free(&o->arena);
    if (rc < 0 || o->failed)
        return command_fail(l, EXIT_NO, "out of memory, or the output can't be written");
    return o->not_good ? EXIT_NO : EXIT_GOOD;
}

static int check_dns(const struct command_line *l)
{
    struct check c = {.now = clock_now(), .say = say};
    struct output o = {.json = false};
    int rc = command_time(l, "--timeout", timeout_default, &c.timeout);
    if (rc == 0 && c.timeout == 0)
        rc = -command_fail(l, 1, "--timeout: 0: expected a time of 1ms or more");
    if (rc < 0)
        return EXIT_USAGE;
    uint64_t port;
    if (command_number(l, "--https-port", 1, 65535, 443, &port) < 0)
        return EXIT_USAGE;
    c.https_port = (unsigned)port;
    c.authorities = command_value(l, "--authorities");
    struct config *config = command_config(l, NULL);
    if (!config)
        return EXIT_NO;
    c.config = config;
    c.ctx = &o;
    rc = open_resolvers(l, &c);
    if (rc == 0)
        rc = run_checks(l, &c, &o);
    resolver_free(c.secure);
    resolver_free(c.resolver);
    config_free(config);
    return rc;
}

const struct command commands_dns[] = {
    {"check-dns",
     "",
     0,
     0,
     "Check what the DNS says about this host and its domains",
     "Looks at addresses and PTR of hostname, at its certificate and TLSA records, and at MX, "
     "SPF,\n"
     "DMARC, MTA-STS and TLS-RPT of each domain, and says which record to put there. Of\n"
     "MTA-STS the policy is read over HTTPS too; nothing else is asked but DNS. Exit code 1 unless "
     "all is good.\n\n"
     "With --json each line is {check, name, result, found, expected, advice}; result is good,\n"
     "missing, wrong or unknown (no answer).",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--resolver", "ADDRESS@PORT", "DNS server to ask (else those of /etc/resolv.conf)"},
      {"--timeout", "TIME", "for one question (5s)"},
      {"--anchors", "FILE", "DNSKEY or DS records to follow DNSSEC from (else the root's)"},
      {"--authorities", "FILE", "certificates to trust over HTTPS (else the system's)"},
      {"--https-port", "PORT", NULL}},
     check_dns},
    {.name = NULL},
};
