/* What a domain says in TXT records: DMARC (RFC 7489), TLS reports (RFC 8460). */
#include "app/check_dns.h"
#include "base/domain.h"

static const struct str none = {NULL, 0};

struct str check_tag(struct str text, const char *name)
{
    while (text.n) {
        struct str value = str_cut(&text, ';');
        struct str key = str_trim(str_cut(&value, '='));
        if (str_ieq(key, str_c(name)))
            return str_trim(value);
    }
    return none;
}

static bool is_policy(struct str s)
{
    return str_ieq(s, STR("none")) || str_ieq(s, STR("quarantine")) || str_ieq(s, STR("reject"));
}

/* The policy of the domain itself, else that of its organisation (section 6.6.3). */
void check_dmarc(struct check *c, struct str domain)
{
    struct check_texts texts;
    struct str organisation = domain_registrable(domain);
    struct str name = arena_fmt(&c->arena, "_dmarc.%.*s", STR_ARG(domain));
    if (!check_texts(c, "dmarc", name, "v=DMARC1", &texts))
        return;
    if (texts.n == 0 && !str_eq(organisation, domain)) {
        name = arena_fmt(&c->arena, "_dmarc.%.*s", STR_ARG(organisation));
        if (!check_texts(c, "dmarc", name, "v=DMARC1", &texts))
            return;
    }
    struct str record =
        arena_fmt(&c->arena, "_dmarc.%.*s. IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@%.*s\"",
                  STR_ARG(organisation), STR_ARG(domain));
    struct str found = check_join(c, texts.list, texts.n);
    if (texts.n == 0)
        check_say(c, "dmarc", domain, CHECK_MISSING, none, record,
                  STR("Large providers want it of all who send much mail."));
    else if (texts.n > 1)
        check_say(c, "dmarc", domain, CHECK_WRONG, found, STR("one record"),
                  STR("With more than one record none of them counts: make one of them."));
    else if (!is_policy(check_tag(texts.list[0], "p")))
        check_say(c, "dmarc", domain, CHECK_WRONG, found, record,
                  STR("Its p= is neither none nor quarantine nor reject."));
    else
        check_say(c, "dmarc", domain, CHECK_GOOD, found, record, none);
}

void check_tls_rpt(struct check *c, struct str domain)
{
    struct check_texts texts;
    struct str name = arena_fmt(&c->arena, "_smtp._tls.%.*s", STR_ARG(domain));
    if (!check_texts(c, "tls-rpt", name, "v=TLSRPTv1", &texts))
        return;
    struct str record =
        arena_fmt(&c->arena, "%.*s. IN TXT \"v=TLSRPTv1; rua=mailto:postmaster@%.*s\"",
                  STR_ARG(name), STR_ARG(domain));
    struct str found = check_join(c, texts.list, texts.n);
    struct str rua = texts.n ? check_tag(texts.list[0], "rua") : none;
    if (texts.n == 0 && c->config->certificates_n == 0)
        check_say(c, "tls-rpt", domain, CHECK_GOOD, STR("none, and no TLS is configured"), none,
                  none);
    else if (texts.n == 0)
        check_say(c, "tls-rpt", domain, CHECK_MISSING, none, record,
                  STR("Senders tell there what fails when they deliver over TLS."));
    else if (texts.n > 1)
        check_say(c, "tls-rpt", domain, CHECK_WRONG, found, STR("one record"),
                  STR("With more than one record nobody reports: make one of them."));
    else if (!str_istarts(rua, STR("mailto:")) && !str_istarts(rua, STR("https:")))
        check_say(c, "tls-rpt", domain, CHECK_WRONG, found, record,
                  STR("Its rua= is neither mailto: nor https:."));
    else
        check_say(c, "tls-rpt", domain, CHECK_GOOD, found, record, none);
}

/* A wildcard answers for _dmarc, _mta-sts and all others that are not there, and its SPF for every
 * name that a spammer makes up. */
void check_wildcard(struct check *c, struct str domain)
{
    struct resolver_answer answer;
    struct str name = arena_fmt(&c->arena, "_bouncemx-no-such-name.%.*s", STR_ARG(domain));
    if (!check_ask(c, "wildcard", name, RESOLVER_TXT, &answer))
        return;
    if (answer.records_n == 0)
        check_say(c, "wildcard", domain, CHECK_GOOD, none, none, none);
    else
        check_say(c, "wildcard", domain, CHECK_WRONG,
                  arena_fmt(&c->arena, "*.%.*s. IN TXT", STR_ARG(domain)),
                  STR("no TXT record for names that do not exist"),
                  STR("It answers for every name below the domain, also for _dmarc and _mta-sts: "
                      "take it away."));
}
