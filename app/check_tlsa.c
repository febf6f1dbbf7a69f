/* DANE for SMTP (RFC 7672): the TLSA records of this host, and its certificate. */
#include "app/check_dns.h"
#include "base/clock.h"
#include "receiver/certificate.h"
#include "resolver/rdata.h"

static const struct str none = {NULL, 0};

/* The certificate that a sender gets who asks for this host (receiver/tls.h); NULL: it can't be
 * read, which was told, or there is none. */
static struct certificate *load(struct check *c)
{
    struct certificate *first = NULL;
    struct err e;
    for (size_t i = 0; i < c->config->certificates_n; i++) {
        struct certificate *one = NULL;
        if (certificate_load(c->config->certificates[i].certificate, &one, &e) < 0) {
            check_say(c, "certificate", str_c(c->config->hostname), CHECK_UNKNOWN,
                      arena_str(&c->arena, str_c(e.text)), none,
                      STR("Run this as a user who can read the certificate."));
            certificate_free(first);
            return NULL;
        }
        if (certificate_is_for(one, c->config->hostname)) {
            certificate_free(first);
            return one;
        }
        if (first)
            certificate_free(one);
        else
            first = one;
    }
    return first;
}

static void check_certificate(struct check *c, const struct certificate *certificate)
{
    char text[CLOCK_TEXT];
    struct str host = str_c(c->config->hostname);
    int64_t end = certificate_end(certificate) * CLOCK_SECOND;
    struct str until = arena_fmt(&c->arena, "valid until %s", clock_format_rfc3339(end, text));
    if (!certificate_is_for(certificate, c->config->hostname))
        check_say(c, "certificate", host, CHECK_WRONG, STR("a certificate for other names"),
                  arena_fmt(&c->arena, "one for %.*s", STR_ARG(host)),
                  STR("Senders that follow MTA-STS or a TLSA record \"2\" refuse it."));
    else if (end <= c->now)
        check_say(c, "certificate", host, CHECK_WRONG, until, none,
                  STR("It has expired: senders that follow MTA-STS refuse it."));
    else
        check_say(c, "certificate", host, CHECK_GOOD, until, none, none);
}

struct records {
    struct str shown;
    size_t n, fitting;
};

static void read(struct check *c, const struct resolver_answer *answer,
                 const struct certificate *certificate, struct records *r)
{
    *r = (struct records){.shown = none};
    for (size_t i = 0; i < answer->records_n; i++) {
        struct rdata_tlsa t;
        if (!rdata_tlsa(answer->records[i], &t))
            continue;
        struct str one = arena_fmt(&c->arena, "%u %u %u ", t.usage, t.selector, t.matching);
        for (size_t k = 0; k < t.data.n && k < 4; k++)
            one = arena_fmt(&c->arena, "%.*s%02x", STR_ARG(one), (unsigned char)t.data.p[k]);
        one = arena_fmt(&c->arena, "%.*s...", STR_ARG(one));
        r->shown = r->n++ ? check_join(c, (struct str[]){r->shown, one}, 2) : one;
        r->fitting += certificate &&
                      certificate_has_tlsa(certificate, t.usage, t.selector, t.matching, t.data);
    }
}

/* Whether senders can follow signatures to this host. With bogus ones the mail of all who look
 * stops, whatever the records say. */
enum zone { ZONE_UNCHECKED, ZONE_UNSIGNED, ZONE_SIGNED, ZONE_BOGUS };

static enum zone zone_of(struct check *c, struct str name)
{
    struct resolver_answer answer;
    if (!c->secure ||
        resolver_query(c->secure, &c->arena, name, RESOLVER_TLSA, c->timeout, &answer, NULL) < 0)
        return ZONE_UNCHECKED;
    if (answer.status == RESOLVER_BOGUS || answer.status == RESOLVER_FAILED)
        return ZONE_BOGUS;
    return answer.secure ? ZONE_SIGNED : ZONE_UNSIGNED;
}

static void judge(struct check *c, struct str host, const struct records *r, struct str expected,
                  enum zone zone)
{
    static const char fits_none[] =
        "No record fits the certificate: senders that look at them can't deliver. Publish the "
        "right one beside them, and take the others away when caches have forgotten them.";
    if (r->n == 0 && zone != ZONE_SIGNED)
        check_say(c, "tlsa", host, CHECK_GOOD, STR("none; it needs a zone with DNSSEC"), expected,
                  none);
    else if (r->n == 0)
        check_say(c, "tlsa", host, CHECK_MISSING, none, expected,
                  STR("The zone has DNSSEC: with this record senders know that TLS is there."));
    else if (zone == ZONE_BOGUS)
        check_say(c, "tlsa", host, CHECK_WRONG, r->shown, STR("signatures that hold"),
                  STR("The DNSSEC signatures do not hold, or this DNS server leaves them out: "
                      "senders that look at them can't deliver."));
    else if (r->fitting == 0)
        check_say(c, "tlsa", host, CHECK_WRONG, r->shown, expected, str_c(fits_none));
    else if (zone == ZONE_UNSIGNED)
        check_say(c, "tlsa", host, CHECK_WRONG, r->shown, STR("DNSSEC"),
                  STR("Without DNSSEC no sender looks at TLSA records: sign the zone."));
    else if (zone == ZONE_UNCHECKED)
        check_say(c, "tlsa", host, CHECK_UNKNOWN, r->shown, expected,
                  STR("The record fits the certificate. Whether the zone is signed was not looked "
                      "at: name a file of DNSSEC anchors with --anchors."));
    else
        check_say(c, "tlsa", host, CHECK_GOOD, r->shown, expected, none);
}

void check_tlsa(struct check *c)
{
    char hex[CERTIFICATE_HEX];
    struct resolver_answer answer;
    struct records records;
    struct str host = str_c(c->config->hostname), expected = none;
    struct str name = arena_fmt(&c->arena, "_25._tcp.%.*s", STR_ARG(host));
    struct certificate *certificate = load(c);
    if (certificate) {
        check_certificate(c, certificate);
        if (certificate_key_digest(certificate, hex))
            expected = arena_fmt(&c->arena, "%.*s. IN TLSA 3 1 1 %s", STR_ARG(name), hex);
    } else if (c->config->certificates_n) {
        return;
    }
    if (check_ask(c, "tlsa", name, RESOLVER_TLSA, &answer)) {
        read(c, &answer, certificate, &records);
        if (certificate)
            judge(c, host, &records, expected, zone_of(c, name));
        else if (records.n == 0)
            check_say(c, "tlsa", host, CHECK_GOOD, STR("none, and no TLS is configured"), none,
                      none);
        else
            check_say(c, "tlsa", host, CHECK_WRONG, records.shown, STR("tls.certificates"),
                      STR("The record promises TLS, and bouncemx has no certificate: senders that "
                          "look at it can't deliver."));
    }
    certificate_free(certificate);
}
