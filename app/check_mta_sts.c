/* MTA-STS (RFC 8461): the record, and the policy that it promises. */
#include "app/check_dns.h"
#include "app/fetch.h"
#include "base/clock.h"
#include "resolver/rdata.h"

enum { ID_MAX = 32, MX_MAX = 100, ADDRESSES_MAX = 16, POLICY_MAX = 64 << 10, MAX_AGE = 31557600 };

static const struct str none = {NULL, 0};

static bool is_id(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]))
            return false;
    return s.n > 0 && s.n <= ID_MAX;
}

/* "20260131T080910": any id that was not there before. */
static struct str new_id(struct check *c)
{
    char text[CLOCK_TEXT], id[CLOCK_TEXT];
    size_t n = 0;
    clock_format_rfc3339(c->now, text);
    for (const char *p = text; *p && *p != '.'; p++)
        if (*p != '-' && *p != ':')
            id[n++] = *p;
    return arena_str(&c->arena, str_of(id, n));
}

/* ---- the policy (section 3.2) ---- */

struct policy {
    struct str version, mode, max_age;
    struct str *mx;
    size_t mx_n;
};

static bool read_policy(struct check *c, struct str text, struct policy *ret)
{
    struct str rest = text, line;
    *ret = (struct policy){.mx = ARENA_ARRAY(&c->arena, MX_MAX, struct str)};
    while (ret->mx && str_line(&rest, &line)) {
        struct str value = str_trim(line), *one = NULL;
        struct str key = str_trim(str_cut(&value, ':'));
        if (str_eq(key, STR("version")))
            one = &ret->version;
        else if (str_eq(key, STR("mode")))
            one = &ret->mode;
        else if (str_eq(key, STR("max_age")))
            one = &ret->max_age;
        else if (str_eq(key, STR("mx")) && ret->mx_n < MX_MAX)
            ret->mx[ret->mx_n++] = str_trim(value);
        if (one && str_is_absent(*one))
            *one = str_trim(value);
    }
    return ret->mx != NULL;
}

/* "*.example.com" is for one label (section 4.1). */
static bool covers(struct str pattern, struct str host)
{
    if (str_starts(pattern, STR("*."))) {
        str_cut(&host, '.');
        pattern = str_from(pattern, 2);
    }
    return str_ieq(pattern, host);
}

static bool names_host(const struct policy *p, struct str host)
{
    for (size_t i = 0; i < p->mx_n; i++)
        if (covers(p->mx[i], host))
            return true;
    return false;
}

/* NULL: nothing is wrong with it. */
static const char *fault_of(const struct policy *p, struct str host)
{
    uint64_t age;
    bool off = str_eq(p->mode, STR("none"));
    if (!str_eq(p->version, STR("STSv1")))
        return "has no line \"version: STSv1\"";
    if (!off && !str_eq(p->mode, STR("enforce")) && !str_eq(p->mode, STR("testing")))
        return "has no line \"mode:\" with enforce, testing or none";
    if (!str_to_u64(p->max_age, &age) || age > MAX_AGE)
        return "has no line \"max_age:\" with 0 to 31557600 seconds";
    if (!off && !names_host(p, host))
        return "has no line \"mx:\" that names this host: who follows it does not deliver here";
    return NULL;
}

static void judge_policy(struct check *c, struct str domain, struct str url,
                         const struct fetch_answer *file, struct str expected)
{
    struct policy policy;
    const char *fault = NULL;
    if (file->status != 200)
        fault = "is not there: a redirect counts as an error too (section 3.3)";
    else if (!str_ieq(file->type, STR("text/plain")))
        fault = "is not sent as text/plain (section 3.3)";
    else if (file->cut)
        fault = "is longer than 64 KiB (section 3.3)";
    else if (!read_policy(c, file->body, &policy))
        return;
    else
        fault = fault_of(&policy, str_c(c->config->hostname));
    if (fault)
        check_say(c, "mta-sts", domain, CHECK_WRONG,
                  arena_fmt(&c->arena, "%.*s: status %ld, %zu bytes", STR_ARG(url), file->status,
                            file->body.n),
                  expected, arena_fmt(&c->arena, "The policy %s.", fault));
    else
        check_say(c, "mta-sts", domain, CHECK_GOOD,
                  arena_fmt(&c->arena, "mode %.*s", STR_ARG(policy.mode)), expected, none);
}

/* The addresses of where the policy stands; false: that was told already. */
static bool find_host(struct check *c, struct str host, struct fetch_config *ret)
{
    static const enum resolver_type types[] = {RESOLVER_A, RESOLVER_AAAA};
    struct str *list = ARENA_ARRAY(&c->arena, ADDRESSES_MAX, struct str);
    size_t n = 0;
    for (size_t t = 0; list && t < 2; t++) {
        struct resolver_answer answer;
        char text[RDATA_ADDRESS_TEXT];
        if (!check_ask(c, "mta-sts", host, types[t], &answer))
            return false;
        for (size_t i = 0; i < answer.records_n && n < ADDRESSES_MAX; i++)
            if (rdata_address(answer.records[i], text))
                list[n++] = arena_str(&c->arena, str_c(text));
    }
    ret->addresses = list;
    ret->addresses_n = n;
    return list != NULL;
}

static void check_policy_file(struct check *c, struct str domain, struct str found,
                              struct str expected)
{
    struct str host = arena_fmt(&c->arena, "mta-sts.%.*s", STR_ARG(domain));
    struct fetch_config config = {.host = host,
                                  .port = c->https_port,
                                  .path = STR("/.well-known/mta-sts.txt"),
                                  .authorities = c->authorities,
                                  .timeout = c->timeout,
                                  .max_bytes = POLICY_MAX};
    struct str url = arena_fmt(&c->arena, "https://%.*s%.*s", STR_ARG(host), STR_ARG(config.path));
    struct fetch_answer file;
    struct err e;
    if (!find_host(c, host, &config))
        return;
    if (config.addresses_n == 0)
        check_say(c, "mta-sts", domain, CHECK_WRONG, found,
                  arena_fmt(&c->arena, "%.*s. IN A <address of your web server>", STR_ARG(host)),
                  arena_fmt(&c->arena,
                            "The record says that there is a policy, but %.*s has no address.",
                            STR_ARG(host)));
    else if (fetch_https(&config, &c->arena, &file, &e) < 0)
        check_say(c, "mta-sts", domain, CHECK_WRONG, url, expected,
                  arena_fmt(&c->arena, "The policy can't be read, so that nobody follows it: %s.",
                            (const char *)e.text));
    else
        judge_policy(c, domain, url, &file, expected);
}

/* ---- the record (section 3.1) ---- */

void check_mta_sts(struct check *c, struct str domain)
{
    struct check_texts texts;
    struct str name = arena_fmt(&c->arena, "_mta-sts.%.*s", STR_ARG(domain)), id = new_id(c);
    bool encrypts = c->config->certificates_n > 0;
    if (!check_texts(c, "mta-sts", name, "v=STSv1", &texts))
        return;
    struct str record =
        arena_fmt(&c->arena, "%.*s. IN TXT \"v=STSv1; id=%.*s\"", STR_ARG(name), STR_ARG(id));
    struct str file = arena_fmt(&c->arena,
                                "https://mta-sts.%.*s/.well-known/mta-sts.txt has to say: version: "
                                "STSv1, mode: testing, mx: %s, max_age: 86400, a line each "
                                "(docs/tls.md).",
                                STR_ARG(domain), c->config->hostname);
    struct str found = check_join(c, texts.list, texts.n);
    if (texts.n == 0 && !encrypts)
        check_say(c, "mta-sts", domain, CHECK_GOOD, STR("none, and no TLS is configured"), none,
                  none);
    else if (texts.n == 0)
        check_say(c, "mta-sts", domain, CHECK_MISSING, none, record, file);
    else if (!encrypts)
        check_say(c, "mta-sts", domain, CHECK_WRONG, found, STR("tls.certificates"),
                  STR("The record promises TLS, and bouncemx has no certificate: senders that "
                      "follow the policy can't deliver."));
    else if (texts.n > 1)
        check_say(c, "mta-sts", domain, CHECK_WRONG, found, STR("one record"),
                  STR("With more than one record there is no policy: make one of them."));
    else if (!is_id(check_tag(texts.list[0], "id")))
        check_say(c, "mta-sts", domain, CHECK_WRONG, found, record,
                  STR("Its id= is not 1 to 32 letters and digits."));
    else
        check_policy_file(c, domain, found, file);
}
