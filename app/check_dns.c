/* Asking, telling, and the order of the checks. */
#include "app/check_dns.h"

#include "resolver/rdata.h"

#include <errno.h>

enum { ARENA_MAX = 16 << 20 };

const char *check_verdict_name(enum check_verdict v)
{
    static const char *const names[] = {
#define X(id, name, meaning) [id] = (name),
        CHECK_RESULTS(X)
#undef X
    };
    return (size_t)v < CHECK_VERDICT_COUNT ? names[v] : "";
}

void check_say(struct check *c, const char *check, struct str name, enum check_verdict verdict,
               struct str found, struct str expected, struct str advice)
{
    struct check_result r = {check, name, verdict, found, expected, advice};
    if (arena_failed(&c->arena))
        c->no_memory = true;
    else
        c->say(c->ctx, &r);
}

static void unanswered(struct check *c, const char *check, struct str name, const char *why)
{
    struct str none = {NULL, 0};
    check_say(c, check, name, CHECK_UNKNOWN, str_c(why), none,
              STR("Ask again when DNS answers, or another server with --resolver."));
}

bool check_ask(struct check *c, const char *check, struct str name, enum resolver_type type,
               struct resolver_answer *ret)
{
    struct err e;
    int rc = resolver_query(c->resolver, &c->arena, name, type, c->timeout, ret, &e);
    if (rc == 0 && ret->status != RESOLVER_FAILED && ret->status != RESOLVER_BOGUS)
        return true;
    if (rc == 0)
        unanswered(c, check, name,
                   arena_fmt(&c->arena, "DNS %s %.*s: the server answers that it can't tell",
                             resolver_type_name(type), STR_ARG(name))
                       .p);
    else
        unanswered(c, check, name, arena_str(&c->arena, str_c(e.text)).p);
    return false;
}

bool check_texts(struct check *c, const char *check, struct str name, const char *version,
                 struct check_texts *ret)
{
    struct resolver_answer answer;
    *ret = (struct check_texts){.n = 0};
    if (!check_ask(c, check, name, RESOLVER_TXT, &answer))
        return false;
    ret->list = ARENA_ARRAY(&c->arena, answer.records_n + 1, struct str);
    for (size_t i = 0; ret->list && i < answer.records_n; i++) {
        struct str text;
        if (!rdata_txt(&c->arena, answer.records[i], &text))
            continue;
        struct str rest = str_from(text, strlen(version));
        bool whole = rest.n == 0 || rest.p[0] == ' ' || rest.p[0] == ';';
        if (str_istarts(text, str_c(version)) && whole)
            ret->list[ret->n++] = text;
        else
            ret->other++;
    }
    return true;
}

struct str check_join(struct check *c, const struct str *list, size_t n)
{
    struct str all = {NULL, 0};
    for (size_t i = 0; i < n; i++)
        all = i ? arena_fmt(&c->arena, "%.*s | %.*s", STR_ARG(all), STR_ARG(list[i])) : list[i];
    return all;
}

int check_all(struct check *c)
{
    c->arena = arena_make(ARENA_MAX);
    check_host(c);
    check_tlsa(c);
    for (size_t i = 0; i < c->config->domains_n; i++) {
        struct str domain = str_c(c->config->domains[i].name);
        arena_reset(&c->arena);
        check_mx(c, domain);
        check_spf(c, domain);
        check_dmarc(c, domain);
        check_mta_sts(c, domain);
        check_tls_rpt(c, domain);
        check_wildcard(c, domain);
    }
    arena_free(&c->arena);
    return c->no_memory ? -ENOMEM : 0;
}
