/* MX of a domain: RFC 5321 section 5.1, RFC 7505. */
#include "app/check_dns.h"
#include "resolver/rdata.h"

static const struct str none = {NULL, 0};

struct exchanges {
    struct str shown; /* "10 mx1.example.com | 20 mx2.example.com" */
    size_t n, null;   /* all; and those that say that no mail is taken */
    bool ours;
};

static void read(struct check *c, const struct resolver_answer *answer, struct exchanges *x)
{
    for (size_t i = 0; i < answer->records_n; i++) {
        struct rdata_mx mx;
        if (!rdata_mx(&c->arena, answer->records[i], &mx))
            continue;
        struct str one =
            arena_fmt(&c->arena, "%u %.*s", mx.preference, STR_ARG(mx.host.n ? mx.host : STR(".")));
        x->shown = x->n++ ? check_join(c, (struct str[]){x->shown, one}, 2) : one;
        x->null += mx.host.n == 0;
        x->ours |= str_ieq(mx.host, str_c(c->config->hostname));
    }
}

void check_mx(struct check *c, struct str domain)
{
    struct resolver_answer answer;
    struct exchanges x = {.shown = none};
    struct str record =
        arena_fmt(&c->arena, "%.*s. IN MX 10 %s.", STR_ARG(domain), c->config->hostname);
    if (!check_ask(c, "mx", domain, RESOLVER_MX, &answer))
        return;
    read(c, &answer, &x);
    if (!str_is_absent(answer.canonical) && !str_ieq(answer.canonical, domain))
        check_say(c, "mx", domain, CHECK_WRONG,
                  arena_fmt(&c->arena, "%.*s. IN CNAME %.*s.", STR_ARG(domain),
                            STR_ARG(answer.canonical)),
                  record,
                  STR("The domain is an alias: some senders rewrite addresses in it, and tokens "
                      "are lost. Give it records of its own."));
    else if (x.n == 0)
        check_say(c, "mx", domain, CHECK_MISSING, none, record,
                  STR("Bounces do not find this host."));
    else if (x.null)
        check_say(c, "mx", domain, CHECK_WRONG, x.shown, record,
                  STR("A null MX says that the domain takes no mail at all (RFC 7505): take it "
                      "away."));
    else if (!x.ours)
        check_say(c, "mx", domain, CHECK_WRONG, x.shown, record,
                  STR("None of the MX records names this host."));
    else
        check_say(c, "mx", domain, CHECK_GOOD, x.shown, record, none);
}
