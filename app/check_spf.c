/* SPF of a return-path domain (RFC 7208): mails are sent with it in MAIL FROM, so receivers look.
 */
#include "app/check_dns.h"
#include "base/domain.h"

/* RFC 7208 section 4.6.4; one more is enough to know. */
enum { LOOKUPS_MAX = 10 };

static const struct str none = {NULL, 0};
static const char advice_ips[] =
    "List the addresses that you send from, with ip4:, ip6: or include:.";

struct spf {
    unsigned lookups;
    char all;          /* qualifier of "all" in the record itself; 0: there is none */
    bool redirect;     /* another record goes on */
    bool unknown;      /* a question was not answered, which was told */
    struct str broken; /* an include or redirect that leads to no record */
};

/* "word", "word:value", "word=value" or "word/bits"; *ret_value is absent without one. */
static bool is_term(struct str term, const char *word, struct str *ret_value)
{
    struct str w = str_c(word);
    if (!str_istarts(term, w))
        return false;
    struct str rest = str_from(term, w.n);
    *ret_value = rest.n && (rest.p[0] == ':' || rest.p[0] == '=') ? str_from(rest, 1) : none;
    return rest.n == 0 || rest.p[0] == ':' || rest.p[0] == '=' || rest.p[0] == '/';
}

static void walk(struct check *c, struct str record, struct spf *spf, bool top);

/* The record that an include or redirect leads to; what a macro (section 7) makes of the sender
 * leads nowhere here. Depth is bounded by the look-ups. */
static void follow(struct check *c, struct str domain, struct spf *spf)
{
    struct check_texts texts;
    if (spf->lookups > LOOKUPS_MAX || str_chr(domain, '%', 0) < domain.n)
        return;
    texts.n = 0;
    if (domain_is_valid(domain) && !check_texts(c, "spf", domain, "v=spf1", &texts)) {
        spf->unknown = true;
        return;
    }
    if (texts.n == 1)
        walk(c, texts.list[0], spf, false);
    else if (str_is_absent(spf->broken))
        spf->broken = domain;
}

static void walk(struct check *c, struct str record, struct spf *spf, bool top)
{
    struct str redirect = none, value;
    bool all = false;
    str_cut(&record, ' ');
    while (record.n && spf->lookups <= LOOKUPS_MAX && !spf->unknown) {
        struct str term = str_trim(str_cut(&record, ' '));
        char qualifier = '+';
        if (term.n && strchr("+-~?", term.p[0])) {
            qualifier = term.p[0];
            term = str_from(term, 1);
        }
        if (is_term(term, "all", &value)) {
            all = true;
            if (top && !spf->all)
                spf->all = qualifier;
        } else if (is_term(term, "include", &value)) {
            spf->lookups++;
            follow(c, value, spf);
        } else if (is_term(term, "redirect", &value)) {
            redirect = value;
        } else if (is_term(term, "a", &value) || is_term(term, "mx", &value) ||
                   is_term(term, "ptr", &value) || is_term(term, "exists", &value)) {
            spf->lookups++;
        }
    }
    /* "all" goes before it (section 6.1). */
    if (!str_is_absent(redirect) && !all) {
        spf->redirect |= top;
        spf->lookups++;
        follow(c, redirect, spf);
    }
}

void check_spf(struct check *c, struct str domain)
{
    struct check_texts texts;
    struct spf spf = {.broken = none};
    struct str expected = arena_fmt(
        &c->arena, "%.*s. IN TXT \"v=spf1 ip4:<addresses you send from> -all\"", STR_ARG(domain));
    if (!check_texts(c, "spf", domain, "v=spf1", &texts))
        return;
    struct str found = check_join(c, texts.list, texts.n);
    if (texts.n == 0) {
        check_say(c, "spf", domain, CHECK_MISSING, none, expected, str_c(advice_ips));
        return;
    }
    if (texts.n > 1) {
        check_say(c, "spf", domain, CHECK_WRONG, found, STR("one record"),
                  STR("With more than one record SPF fails for all mail (RFC 7208 section 4.5): "
                      "make one of them."));
        return;
    }
    walk(c, texts.list[0], &spf, true);
    if (spf.unknown)
        return;
    const char *advice = NULL;
    if (spf.lookups > LOOKUPS_MAX)
        advice = "It needs more than 10 look-ups, and fails for all mail (RFC 7208 section "
                 "4.6.4): write addresses instead of names.";
    else if (!str_is_absent(spf.broken))
        advice = arena_fmt(&c->arena,
                           "\"%.*s\" has no SPF record of its own, so SPF fails for all mail: take "
                           "the term that names it away.",
                           STR_ARG(spf.broken))
                     .p;
    else if (spf.all == '+' || spf.all == '?')
        advice = "It says that anybody may send with this domain: end it with -all or ~all.";
    else if (!spf.all && !spf.redirect)
        advice = "It does not say what holds for other addresses: end it with -all or ~all.";
    check_say(c, "spf", domain, advice ? CHECK_WRONG : CHECK_GOOD, found, expected, str_c(advice));
}
