#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/config.h"
#include "app/config_check.h"
#include "app/config_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own for each test: a configuration in it, and what it names. */
struct place {
    char folder[64];
    char file[96];
    char said[16384]; /* all lines, without the folder, each with its '\n' */
    size_t said_n;
    unsigned mistakes, warnings;
};

static void say(void *ctx, bool mistake, const char *line)
{
    struct place *p = ctx;
    const char *base = strstr(line, "c.yaml");
    assert_non_null(base);
    assert_true((size_t)(base - line) < sizeof(p->folder) + 1);
    int n = snprintf(p->said + p->said_n, sizeof(p->said) - p->said_n, "%s\n", base);
    assert_true(n > 0 && (size_t)n < sizeof(p->said) - p->said_n);
    p->said_n += (size_t)n;
    *(mistake ? &p->mistakes : &p->warnings) += 1;
}

static void place_make(struct place *p)
{
    *p = (struct place){.folder = "/tmp/bouncemx-config-XXXXXX"};
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->file, sizeof(p->file), "%s/c.yaml", p->folder);
}

static void place_remove(struct place *p)
{
    assert_int_equal(unlink(p->file), 0);
    assert_int_equal(rmdir(p->folder), 0);
}

static int load(struct place *p, struct str text, struct config **ret)
{
    FILE *f = fopen(p->file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    assert_int_equal(fclose(f), 0);
    p->said_n = p->mistakes = p->warnings = 0;
    p->said[0] = '\0';
    return config_load(p->file, say, p, ret);
}

/* The least a configuration needs; its two lines are in the line numbers below. */
#define LEAST "domains: [{name: b.example.com}]\nspool: {directory: spool}\n"

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *said;
    } t[] = {
        {"", "c.yaml: domains: must be given\n"},
        {"# nothing\n", "c.yaml: domains: must be given\n"},
        {"- a\n", "c.yaml:1:1: expected keys and values, such as \"node: mx1\"\n"
                  "c.yaml: domains: must be given\n"},
        {LEAST "node: [a]\n", "c.yaml:3:7: node: expected a name of letters, digits, '.', '_' and "
                              "'-', at most 64, found "
                              "a list\n"},
        {LEAST "node:\n", "c.yaml:3:6: node: expected a name of letters, digits, '.', '_' and '-', "
                          "at most 64, found nothing\n"},
        {LEAST "node: a b\n", "c.yaml:3:7: node: \"a b\": expected a name of letters, digits, "
                              "'.', '_' and '-', at most 64\n"},
        {LEAST "hostname: mx_1..x\n",
         "c.yaml:3:11: hostname: \"mx_1..x\": expected a host name such as mx1.example.com\n"},
        {LEAST "nodes: x\n", "c.yaml:3:1: nodes: unknown key; did you mean node?\n"},
        {LEAST "zzzzzz: x\n", "c.yaml:3:1: zzzzzz: unknown key\n"},
        {LEAST "limits: {recipient: 5}\n",
         "c.yaml:3:10: limits.recipient: unknown key; did you mean recipients?\n"},
        {LEAST "limits.recipients: 5\n", "c.yaml:3:1: limits.recipients: unknown key\n"},
        {LEAST "node: a\nnode: b\n", "c.yaml:4:1: node: stands twice; expected once\n"},
        {LEAST "domains: []\n", "c.yaml:3:1: domains: stands twice; expected once\n"},
        {LEAST "limits: {recipients: 5}\nlimits: {recipients: 6}\n",
         "c.yaml:4:10: limits.recipients: stands twice; expected once\n"},
        {LEAST "limits: 5\n", "c.yaml:3:9: limits: \"5\": expected keys and values below it\n"},
        {LEAST "limits: {recipients: 0}\n",
         "c.yaml:3:22: limits.recipients: \"0\": expected a whole number from 1 to 1000\n"},
        {LEAST "limits: {recipients: many}\n",
         "c.yaml:3:22: limits.recipients: \"many\": expected a whole number from 1 to 1000\n"},
        {LEAST "limits: {recipients: -1}\n",
         "c.yaml:3:22: limits.recipients: \"-1\": expected a whole number from 1 to 1000\n"},
        {LEAST "limits: {connections: 99999999999999999999}\n",
         "c.yaml:3:23: limits.connections: \"99999999999999999999\": expected a whole number from "
         "1 "
         "to 1000000, or 0 for no limit\n"},
        {LEAST "limits: {message_bytes: 10MB}\n", "c.yaml:3:25: limits.message_bytes: \"10MB\": "
                                                  "expected a size from 1KiB to 1024GiB, written "
                                                  "with B, KiB, MiB or GiB, or 0 for no limit\n"},
        {LEAST "limits: {message_bytes: 5000}\n", "c.yaml:3:25: limits.message_bytes: \"5000\": "
                                                  "expected a size from 1KiB to 1024GiB, written "
                                                  "with B, KiB, MiB or GiB, or 0 for no limit\n"},
        {LEAST "limits: {message_bytes: 18446744073709551615GiB}\n",
         "c.yaml:3:25: limits.message_bytes: \"18446744073709551615GiB\": expected a size from "
         "1KiB "
         "to 1024GiB, written with B, KiB, MiB or GiB, or 0 for no limit\n"},
        {LEAST "limits: {data_timeout: 10 minutes}\n",
         "c.yaml:3:24: limits.data_timeout: \"10 minutes\": expected a time from 10ms to 1d, "
         "written with ms, s, m, h or d, or 0 for no limit\n"},
        {LEAST "log: {level: loud}\n",
         "c.yaml:3:14: log.level: \"loud\": expected debug, info, warning or error\n"},
        {"domains: [{name: b.example.com, accept: signed}]\nspool: {directory: s}\n",
         "c.yaml:1:11: domains[].accept: \"signed\": tokens.keys is empty; without a key nothing "
         "is "
         "signed\n"},
        {"domains: [{name: b.example.com, accept: all}]\nspool: {directory: s}\n",
         "c.yaml:1:41: domains[].accept: \"all\": expected verp, any or signed\n"},
        {"domains: [{accept: any}]\nspool: {directory: s}\n",
         "c.yaml:1:11: domains[].name: must be given\n"},
        {"domains: [b.example.com]\nspool: {directory: s}\n",
         "c.yaml:1:11: domains[]: \"b.example.com\": expected keys and values such as {key: "
         "value}\n"},
        {"domains: []\nspool: {directory: s}\n",
         "c.yaml:1:10: domains: expected a list of 1 to 10000 items\n"},
        {"domains: b.example.com\nspool: {directory: s}\n",
         "c.yaml:1:10: domains: \"b.example.com\": expected a list of 1 to 10000 items\n"},
        {"domains:\n  - name: \"bad domain\"\n  - name: localhost\n  - name: -x.example\n"
         "spool: {directory: s}\n",
         "c.yaml:2:11: domains[].name: \"bad domain\": expected a domain such as "
         "bounces.example.com\n"
         "c.yaml:3:11: domains[].name: \"localhost\": expected a domain such as "
         "bounces.example.com\n"
         "c.yaml:4:11: domains[].name: \"-x.example\": expected a domain such as "
         "bounces.example.com\n"},
        {"domains:\n  - name: b.example.com\n  - name: B.EXAMPLE.com.\nspool: {directory: s}\n",
         "c.yaml:3:5: domains[].name: \"b.example.com\": the same domain stands at line 2\n"},
        {"domains: [{name: b.example.com, trust_unverified: yes}]\nspool: {directory: s}\n",
         "c.yaml:1:51: domains[].trust_unverified: \"yes\": expected true or false\n"},
        {LEAST "listen: [{address: mx1, port: 25}]\n",
         "c.yaml:3:20: listen[].address: \"mx1\": expected an IPv4 or IPv6 address such as "
         "192.0.2.1 or ::1\n"},
        {LEAST "listen: [{address: '::1', port: 65536}]\n",
         "c.yaml:3:33: listen[].port: \"65536\": expected a whole number from 1 to 65535\n"},
        {LEAST "listen: [{port: 25}]\n", "c.yaml:3:10: listen[].address: must be given\n"},
        {LEAST "listen: [{address: '::1'}, {address: '0:0::1'}]\n",
         "c.yaml:3:28: listen[].address: \"::1\": the same address and port stand at line 3\n"},
        {LEAST "processor: {rules: [no/such.rules]}\n",
         "c.yaml:3:21: processor.rules[]: \"no/such.rules\": expected a file that can be read: No "
         "such file or directory\n"},
        {LEAST "attribution: {token_headers: [X-Token, 'X Token']}\n",
         "c.yaml:3:40: attribution.token_headers[]: \"X Token\": expected a name of letters, "
         "digits, "
         "'.', '_' and '-', at most 64\n"},
        {LEAST "attribution: {token_headers: X-Token}\n",
         "c.yaml:3:30: attribution.token_headers: \"X-Token\": expected a list of 0 to 16 items\n"},
        {LEAST "feedback: {sources: [{domain: nodot}]}\n",
         "c.yaml:3:31: feedback.sources[].domain: \"nodot\": expected a domain such as "
         "bounces.example.com\n"},
        {LEAST "feedback: {resolvers: [dns.example.com]}\n",
         "c.yaml:3:24: feedback.resolvers[]: \"dns.example.com\": expected the address of a DNS "
         "server "
         "such as 192.0.2.53 or ::1@5353\n"},
        {LEAST "feedback: {sources: [{domain: a.example}], timeout: 2s}\n"
               "processor: {watchdog: 1s}\n",
         "c.yaml: feedback.timeout: \"2s\": expected less than processor.watchdog, which is 1s\n"},
        {LEAST "tls: {certificates: [{certificate: '', key: /dev/null}]}\n",
         "c.yaml:3:36: tls.certificates[].certificate: \"\": expected a path\n"},
        {"domains: [{name: b.example.com}]\nspool: {directory: /dev/null}\n",
         "c.yaml:2:20: spool.directory: \"/dev/null\": expected a directory\n"},
        {LEAST "database: {conninfo: ''}\n",
         "c.yaml:3:22: database.conninfo: expected a text of one line, 1 to 4096 octets\n"},
        {LEAST "database: {conninfo: \"password=x\\n\"}\n",
         "c.yaml:3:22: database.conninfo: expected a text of one line, 1 to 4096 octets\n"},
        {LEAST "database: {retry_min: 5s, retry_max: 1s}\n",
         "c.yaml: database.retry_min: \"5s\": expected at most database.retry_max, which is 1s\n"},
        {"domains: [{name: b.example.com}]\n"
         "spool: {directory: s, max_bytes: 64MiB, segment_bytes: 64MiB, keep_bytes: 32MiB}\n",
         "c.yaml: spool.max_bytes: \"64MiB\": expected at least two segments (spool.segment_bytes "
         "is "
         "64MiB), or 0 for no limit\n"},
        {"domains: [{name: b.example.com}]\n"
         "spool: {directory: s, segment_bytes: 64KiB, keep_bytes: 64KiB}\n",
         "c.yaml: spool.keep_bytes: \"64KiB\": expected at most half of spool.segment_bytes, which "
         "is 64KiB\n"},
        {"domains: [{name: b.example.com}]\nspool: {directory: s}\nlimits: {body_memory: 64KiB}\n",
         "c.yaml: limits.body_memory: \"64KiB\": expected at least spool.keep_bytes, which is "
         "1MiB\n"},
        {LEAST "---\nnode: x\n", "c.yaml:4:1: a second document; expected the end of the file\n"},
        {LEAST "? [a]\n: b\n", "c.yaml:3:3: key: expected a key in one word\n"},
    };
    struct place p;
    place_make(&p);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct config *c = NULL;
        int rc = load(&p, str_c(t[i].yaml), &c);
        assert_string_equal(p.said, t[i].said);
        assert_int_equal(rc, -EINVAL);
        assert_null(c);
    }
    place_remove(&p);
}

static void test_all_mistakes_in_one_run(void **state)
{
    (void)state;
    struct place p;
    struct config *c = NULL;
    place_make(&p);
    assert_int_equal(load(&p,
                          STR(LEAST "node: a b\nlimts: {}\nlimits: {recipients: x}\n"
                                    "listen: [{address: y}]\nlog: {level: z}\n"),
                          &c),
                     -EINVAL);
    assert_int_equal(p.mistakes, 5);
    place_remove(&p);
}

static void test_syntax(void **state)
{
    (void)state;
    static const char *const t[] = {"a: [\n", "a: \"\n",  "\tx: y\n", "a: *none\n",
                                    "\xff",   "\x01\x02", "{{{{",     "a: b: c\n"};
    struct place p;
    place_make(&p);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct config *c = NULL;
        assert_int_equal(load(&p, str_c(t[i]), &c), -EINVAL);
        assert_non_null(strstr(p.said, "not YAML: "));
        assert_int_equal(p.mistakes, 1);
    }
    place_remove(&p);
}

/* Deep nesting, many mistakes, references that multiply: bounded in time, memory and words. */
static void test_bombs(void **state)
{
    (void)state;
    struct place p;
    struct config *c = NULL;
    size_t n = 1 << 19;
    char *text = malloc(n + 1);
    assert_non_null(text);
    place_make(&p);
    memset(text, '[', n);
    assert_int_equal(load(&p, str_of(text, n), &c), -EINVAL);
    for (size_t i = 0; i < n; i += 2)
        memcpy(text + i, "- ", 2);
    assert_int_equal(load(&p, str_of(text, n), &c), -EINVAL);
    for (size_t i = 0; i < n; i += 4)
        memcpy(text + i, "xy:\n", 4);
    assert_int_equal(load(&p, str_of(text, n), &c), -EINVAL);
    assert_true(p.mistakes <= CONFIG_MISTAKES_MAX + 1);
    assert_int_equal(load(&p,
                          STR("a: &a [1,2,3,4,5,6,7,8]\n"
                              "b: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
                              "c: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
                              "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\n"
                              "listen: [*d,*d,*d,*d]\ndomains: *d\n"),
                          &c),
                     -EINVAL);
    assert_true(p.mistakes < 30);
    free(text);
    place_remove(&p);
}

static void test_file_too_large(void **state)
{
    (void)state;
    struct place p;
    struct config *c = NULL;
    place_make(&p);
    assert_int_equal(load(&p, STR(LEAST), &c), 0);
    config_free(c);
    c = NULL;
    assert_int_equal(truncate(p.file, 5 << 20), 0);
    p.said_n = 0;
    assert_int_equal(config_load(p.file, say, &p, &c), -EFBIG);
    assert_string_equal(p.said, "c.yaml: larger than 1048576 octets; expected a configuration\n");
    place_remove(&p);
}

static void test_defaults_and_values(void **state)
{
    (void)state;
    struct place p;
    struct config *c = NULL;
    place_make(&p);
    assert_int_equal(load(&p, STR(LEAST), &c), 0);
    assert_int_equal(c->listen_n, 2);
    assert_string_equal(c->listen[1].address, "::");
    assert_int_equal(c->listen[1].port, 25);
    assert_int_equal(c->limits.message_bytes, 10 << 20);
    assert_int_equal(c->limits.messages_per_minute, 0);
    assert_int_equal(c->database.batch_wait, 50000);
    assert_int_equal(c->spool.keep_processed, INT64_C(86400000000));
    assert_int_equal(c->processor.workers, 2);
    assert_int_equal(c->log.level, LOG_INFO);
    assert_int_equal(c->domains[0].accept, RETURNPATH_ACCEPT_ANY);
    assert_false(c->domains[0].trust_unverified);
    char spool[128];
    snprintf(spool, sizeof(spool), "%s/spool", p.folder);
    assert_string_equal(c->spool.directory, spool);
    config_free(c);
    assert_int_equal(load(&p,
                          STR("domains:\n"
                              "  - {name: z.example.com, accept: verp, tenant: t1, stream: s1}\n"
                              "  - {name: B\xc3\xbc"
                              "cher.example, trust_unverified: true}\n"
                              "spool: {directory: /tmp, max_bytes: 0, keep_processed: 0}\n"
                              "limits: {session_timeout: 90s, data_timeout: 0}\n"
                              "log: {level: debug, addresses: full}\n"
                              "listen: [{address: '0:0::1', port: 2525}]\n"),
                          &c),
                     0);
    assert_int_equal(p.said_n, 0);
    struct err e;
    assert_int_equal(config_returnpath(c, &c->returnpath, &e), 0);
    const struct returnpath_domain *first =
        returnpath_domain_find(c->returnpath, STR("xn--bcher-kva.example"));
    const struct returnpath_domain *second =
        returnpath_domain_find(c->returnpath, STR("z.example.com"));
    assert_non_null(first);
    assert_non_null(second);
    assert_true(first->trust_unverified);
    assert_int_equal(second->accept, RETURNPATH_ACCEPT_VERP);
    assert_true(str_eq(second->tenant, STR("t1")));
    assert_int_equal(c->spool.max_bytes, 0);
    assert_int_equal(c->limits.session_timeout, 90000000);
    assert_int_equal(c->limits.data_timeout, 0);
    assert_int_equal(c->log.addresses, 1);
    assert_int_equal(c->spool.keep_bytes, 1 << 20);
    assert_string_equal(c->listen[0].address, "::1");
    config_free(c);
    place_remove(&p);
}

static void test_default_follows_small_segments(void **state)
{
    (void)state;
    struct place p;
    struct config *c = NULL;
    place_make(&p);
    assert_int_equal(load(&p,
                          STR("domains: [{name: b.example.com}]\n"
                              "spool: {directory: s, segment_bytes: 64KiB}\n"),
                          &c),
                     0);
    assert_int_equal(c->spool.keep_bytes, 32 << 10);
    config_free(c);
    place_remove(&p);
}

static void test_proxies(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *said;
        unsigned mistakes;
    } t[] = {
        {STR_INIT(LEAST "listen: [{address: 127.0.0.1, proxy: true}]\n"
                        "receiver: {proxy_from: [192.0.2.1, '2001:db8::/32']}\n"),
         "", 0},
        {STR_INIT(LEAST "listen: [{address: 127.0.0.1, proxy: true}]\n"),
         "c.yaml:3:10: listen[].proxy: \"true\": receiver.proxy_from is empty: nobody could "
         "connect\n",
         1},
        {STR_INIT(LEAST "receiver: {proxy_from: [192.0.2.0/24]}\n"),
         "c.yaml:3:25: warning: receiver.proxy_from: no entry of listen has proxy: true\n", 0},
        {STR_INIT(LEAST "receiver: {xclient_from: [192.0.2.1/24]}\n"),
         "c.yaml:3:27: receiver.xclient_from[]: \"192.0.2.1/24\": expected an address or a network "
         "such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32, with no bit set behind the prefix\n",
         1},
        {STR_INIT(LEAST "receiver: {xclient_from: [proxy.example]}\n"),
         "c.yaml:3:27: receiver.xclient_from[]: \"proxy.example\": expected an address or a "
         "network such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32, with no bit set behind the "
         "prefix\n",
         1},
    };
    struct place p;
    place_make(&p);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct config *c = NULL;
        assert_int_equal(load(&p, t[i].text, &c), t[i].mistakes ? -EINVAL : 0);
        assert_string_equal(p.said, t[i].said);
        assert_int_equal(p.mistakes, t[i].mistakes);
        if (i == 0) {
            char text[NETWORK_TEXT];
            assert_true(c->listen[0].proxy);
            assert_int_equal(c->receiver.proxy_n, 2);
            network_format(&c->receiver.proxy_from[1], text);
            assert_string_equal(text, "2001:db8::/32");
        }
        config_free(c);
    }
    place_remove(&p);
}

/* What TLS needs; the files themselves are for the receiver to read. */
static void test_tls(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *said;
        unsigned mistakes;
    } t[] = {
        {STR_INIT(LEAST
                  "listen: [{address: '::1', tls: starttls}, {address: '::2', tls: starttls}]\n"),
         "c.yaml:3:10: warning: listen[].tls: tls.certificates is empty: STARTTLS is not offered\n",
         0},
        {STR_INIT(LEAST "listen: [{address: '::1', tls: implicit}]\n"),
         "c.yaml:3:10: listen[].tls: \"implicit\": tls.certificates is empty; implicit TLS needs "
         "one\n",
         1},
        {STR_INIT(LEAST "listen: [{address: '::1', tls: starttls}]\ntls: {require: true}\n"),
         "c.yaml:3:10: listen[].tls: \"starttls\": tls.certificates is empty; tls.require needs "
         "one\n",
         1},
        {STR_INIT(
             LEAST
             "listen: [{address: '::1', tls: starttls}, {address: '::2'}]\n"
             "tls: {require: true, certificates: [{certificate: /dev/null, key: /dev/null}]}\n"),
         "c.yaml:3:43: listen[].tls: \"none\": expected starttls or implicit, since tls.require is "
         "true\n",
         1},
        {STR_INIT(
             LEAST
             "listen: [{address: '::1', tls: implicit}]\n"
             "tls: {require: true, certificates: [{certificate: /dev/null, key: /dev/null}]}\n"),
         "", 0},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct place p;
        struct config *c = NULL;
        place_make(&p);
        assert_int_equal(load(&p, t[i].text, &c), t[i].mistakes ? -EINVAL : 0);
        assert_string_equal(p.said, t[i].said);
        assert_int_equal(p.mistakes, t[i].mistakes);
        config_free(c);
        place_remove(&p);
    }
}

/* A secret does not come back in a message; control bytes do not reach the terminal. */
static void test_messages_are_safe(void **state)
{
    (void)state;
    struct place p;
    struct config *c = NULL;
    place_make(&p);
    assert_int_equal(load(&p, STR(LEAST "database: {conninfo: \"password=hunter2\\t\"}\n"), &c),
                     -EINVAL);
    assert_null(strstr(p.said, "hunter2"));
    assert_int_equal(load(&p, STR(LEAST "node: \"\\e[31m\\n\"\n"), &c), -EINVAL);
    assert_null(strchr(p.said, 0x1b));
    assert_string_equal(p.said + p.said_n - 1, "\n");
    assert_ptr_equal(strchr(p.said, '\n'), p.said + p.said_n - 1);
    place_remove(&p);
}

/* conf/bouncemx.yaml is what the program would write, and every default in it is one. */
static void test_conf_is_in_step(void **state)
{
    (void)state;
    char *want = NULL;
    size_t want_n = 0;
    FILE *out = open_memstream(&want, &want_n);
    assert_non_null(out);
    config_print_defaults(out);
    assert_int_equal(fclose(out), 0);
    FILE *in = fopen(TEST_SOURCE_DIR "/conf/bouncemx.yaml", "r");
    assert_non_null(in);
    char *have = malloc(want_n + 2);
    assert_non_null(have);
    size_t have_n = fread(have, 1, want_n + 1, in);
    have[have_n] = '\0';
    fclose(in);
    /* Else: bouncemx check-config --defaults > conf/bouncemx.yaml */
    assert_string_equal(have, want);

    struct place p;
    struct config *c = NULL;
    place_make(&p);
    assert_int_equal(load(&p, str_of(want, want_n), &c), 0);
    assert_int_equal(p.said_n, 0);
    config_free(c);
    for (size_t i = 0; i < config_keys_n; i++) {
        const char *name = strrchr(config_keys[i].path, '.');
        char line[80];
        snprintf(line, sizeof(line), "%s:", name ? name + 1 : config_keys[i].path);
        /* Lists without an example show no items. */
        bool shown = strchr(config_keys[i].path, '[') == NULL ||
                     str_starts(str_c(config_keys[i].path), STR("listen")) ||
                     str_starts(str_c(config_keys[i].path), STR("domains"));
        if (shown)
            assert_non_null(strstr(have, line));
    }
    place_remove(&p);
    free(have);
    free(want);
}

static void test_every_default_is_read(void **state)
{
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (size_t i = 0; i < config_keys_n; i++) {
        const struct config_key *k = &config_keys[i];
        struct config_key probe = *k;
        char field[64] = "";
        struct err e = {0};
        probe.offset = 0;
        if (k->several)
            assert_string_equal(k->def, "[]");
        if (!k->def || k->several || strcmp(k->def, CONFIG_DEF_HOSTNAME) == 0 ||
            k->type == CONFIG_FOLDER)
            continue;
        if (config_value(&probe, str_c(k->def), "/", &a, field, &e) < 0)
            fail_msg("%s: %s: %s", k->path, k->def, e.text);
    }
    arena_free(&a);
}

static void test_find(void **state)
{
    (void)state;
    const char *from;
    unsetenv("BOUNCEMX_CONFIG");
    assert_string_equal(config_find(NULL, &from), "/etc/bouncemx/bouncemx.yaml");
    setenv("BOUNCEMX_CONFIG", "/x", 1);
    assert_string_equal(config_find(NULL, &from), "/x");
    assert_string_equal(from, "BOUNCEMX_CONFIG");
    assert_string_equal(config_find("/y", &from), "/y");
    assert_string_equal(from, "--config");
    unsetenv("BOUNCEMX_CONFIG");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_all_mistakes_in_one_run),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_file_too_large),
        cmocka_unit_test(test_defaults_and_values),
        cmocka_unit_test(test_default_follows_small_segments),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_messages_are_safe),
        cmocka_unit_test(test_conf_is_in_step),
        cmocka_unit_test(test_every_default_is_read),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
