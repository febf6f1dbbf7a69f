/* The only file that sees OpenDKIM's library. It is shown one signature at a time, already judged
 * by signature.c: what it parses of a hostile message is as little as can be. */
#include "attribute/dkim.h"

#include "attribute/signature.h"
#include "base/domain.h"

#include <errno.h>
#include <opendkim/dkim.h>
#include <stdlib.h>

enum { KEY_BITS_MIN = 1024 };

struct dkim_verifier {
    DKIM_LIB *library;
    const char *const *domains;
    size_t domains_n;
    dkim_key_fn key;
    void *ctx;
};

/* One signature in hand, for the library's question for its key. */
struct checking {
    struct dkim_verifier *verifier;
    struct arena *arena;
    const struct signature *signature;
    int key_failed; /* -Exxx of the look-up: nothing is known about the key */
    bool key_missing;
};

const char *dkim_outcome_name(enum dkim_outcome outcome)
{
    static const char *const names[] = {[DKIM_OUTCOME_PASS] = "pass",
                                        [DKIM_OUTCOME_UNSIGNED] = "unsigned",
                                        [DKIM_OUTCOME_REFUSED] = "refused",
                                        [DKIM_OUTCOME_UNDECIDED] = "undecided"};
    return (size_t)outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "";
}

static DKIM_CBSTAT find_key(DKIM *dkim, DKIM_SIGINFO *sig, u_char *buf, size_t room)
{
    (void)sig;
    struct checking *c = dkim_get_user_context(dkim);
    struct str name = arena_fmt(c->arena, "%.*s._domainkey.%.*s", STR_ARG(c->signature->selector),
                                STR_ARG(c->signature->domain));
    struct str record = {NULL, 0};
    int rc =
        str_is_absent(name) ? -ENOMEM : c->verifier->key(c->verifier->ctx, c->arena, name, &record);
    if (rc == 0 && str_is_absent(record))
        rc = -ENOMEM;
    if (rc == 0 && (record.n >= room || record.n > DKIM_KEY_MAX || memchr(record.p, 0, record.n)))
        rc = -ENOENT; /* no key that anybody could use */
    c->key_missing = rc == -ENOENT;
    c->key_failed = rc == -ENOENT ? 0 : rc;
    if (rc < 0)
        return c->key_missing ? DKIM_CBSTAT_NOTFOUND : DKIM_CBSTAT_ERROR;
    memcpy(buf, record.p, record.n);
    buf[record.n] = '\0';
    return DKIM_CBSTAT_CONTINUE;
}

int dkim_verifier_new(const char *const *domains, size_t domains_n, dkim_key_fn key, void *ctx,
                      struct dkim_verifier **ret, struct err *e)
{
    /* When a signature expired is judged by signature.c, at the time the message was received: it
     * may have waited for a database since. (Taken off t= without a look at what is left: a century
     * would make all signatures be of the future.) */
    uint64_t drift = UINT64_C(366) * 86400;
    u_int bits = KEY_BITS_MIN;
    struct dkim_verifier *v = calloc(1, sizeof(*v));
    if (!v)
        return err_set(e, -ENOMEM, "out of memory");
    *v = (struct dkim_verifier){dkim_init(NULL, NULL), domains, domains_n, key, ctx};
    if (!v->library || dkim_set_key_lookup(v->library, find_key) != DKIM_STAT_OK ||
        dkim_options(v->library, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift, sizeof(drift)) !=
            DKIM_STAT_OK ||
        dkim_options(v->library, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits, sizeof(bits)) !=
            DKIM_STAT_OK ||
        !dkim_libfeature(v->library, DKIM_FEATURE_SHA256)) {
        dkim_verifier_free(v);
        return err_set(e, -EIO, "OpenDKIM's library can't be used");
    }
    *ret = v;
    return 0;
}

void dkim_verifier_free(struct dkim_verifier *v)
{
    if (!v)
        return;
    if (v->library)
        dkim_close(v->library);
    free(v);
}

static bool is_listed(const struct dkim_verifier *v, struct str domain)
{
    for (size_t i = 0; i < v->domains_n; i++)
        if (str_ieq(domain, str_c(v->domains[i])))
            return true;
    return false;
}

/* RFC 7489 section 3.1.1, relaxed; but the signer's organisation alone says what is below it. */
static bool is_aligned(struct arena *a, struct str from, struct str domain)
{
    struct str host = domain_to_ascii(a, str_from(from, str_rchr(from, '@') + 1));
    return host.n && domain_is_within(host, domain_registrable(domain));
}

/* The field and the body as the library takes them, which it does not write to. */
static u_char *writable(struct arena *a, struct str s)
{
    u_char *p = arena_alloc(a, s.n + 1);
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static int show(DKIM *dkim, struct arena *a, const struct signature_message *m, size_t which,
                u_char *body, DKIM_STAT *ret)
{
    *ret = DKIM_STAT_OK;
    for (size_t i = 0; i < m->fields_n && *ret == DKIM_STAT_OK; i++) {
        if (i != which && str_ieq(m->fields[i].name, STR(DKIM_SIGNHEADER)))
            continue;
        u_char *text = writable(a, m->fields[i].text);
        if (!text)
            return -ENOMEM;
        *ret = dkim_header(dkim, text, m->fields[i].text.n);
    }
    if (*ret == DKIM_STAT_OK)
        *ret = dkim_eoh(dkim);
    if (*ret == DKIM_STAT_OK && m->body.n)
        *ret = dkim_body(dkim, body, m->body.n);
    return 0;
}

/* What the library found wrong; its words are static. */
static const char *reason(DKIM *dkim, DKIM_STAT stat)
{
    DKIM_SIGINFO **list = NULL;
    int n = 0;
    if (dkim_getsiglist(dkim, &list, &n) == DKIM_STAT_OK && n > 0) {
        if (dkim_sig_getbh(list[0]) == DKIM_SIGBH_MISMATCH)
            return "the body was changed";
        int error = dkim_sig_geterror(list[0]);
        const char *text = error > DKIM_SIGERROR_OK ? dkim_sig_geterrorstr(error) : NULL;
        if (text)
            return text;
    }
    const char *text = dkim_getresultstr(stat);
    return text ? text : "the signature can't be checked";
}

static struct dkim_verdict judge(DKIM *dkim, const struct checking *c, DKIM_STAT stat)
{
    struct dkim_verdict v = {DKIM_OUTCOME_REFUSED, c->signature->domain, ""};
    DKIM_SIGINFO *sig = dkim_getsignature(dkim);
    unsigned flags = sig ? dkim_sig_getflags(sig) : 0;
    unsigned bits = 0;
    dkim_alg_t algorithm = DKIM_SIGN_UNKNOWN;
    if (c->key_failed) {
        v.outcome = DKIM_OUTCOME_UNDECIDED;
        v.why = "its key could not be looked up";
    } else if (c->key_missing) {
        v.why = "there is no such key";
    } else if (stat != DKIM_STAT_OK || !sig || !DKIM_SIG_CHECK(sig)) {
        v.why = reason(dkim, stat);
    } else if (flags & DKIM_SIGFLAG_TESTKEY) {
        v.why = "its key is in testing mode";
    } else if (dkim_sig_getsignalg(sig, &algorithm) != DKIM_STAT_OK ||
               (algorithm == DKIM_SIGN_RSASHA256 &&
                (dkim_sig_getkeysize(sig, &bits) != DKIM_STAT_OK || bits < KEY_BITS_MIN))) {
        v.why = "its key has too few bits";
    } else {
        v.outcome = DKIM_OUTCOME_PASS;
    }
    return v;
}

/* One signature, all that speaks against it before its key known to be nothing. */
static int check_one(struct dkim_verifier *v, struct arena *a, const struct signature_message *m,
                     size_t which, const struct signature *s, u_char *body,
                     struct dkim_verdict *ret)
{
    static const unsigned char id[] = "report";
    struct checking c = {.verifier = v, .arena = a, .signature = s};
    DKIM_STAT stat;
    DKIM *dkim = dkim_verify(v->library, id, NULL, &stat);
    if (!dkim)
        return -ENOMEM;
    dkim_set_user_context(dkim, &c);
    int rc = show(dkim, a, m, which, body, &stat);
    if (rc == 0 && stat == DKIM_STAT_OK)
        stat = dkim_eom(dkim, NULL);
    if (rc == 0)
        *ret = judge(dkim, &c, stat);
    dkim_free(dkim);
    return rc == 0 && c.key_failed == -ENOMEM ? -ENOMEM : rc;
}

/* What is against a signature that is known without its key; NULL: nothing. */
static const char *before_key(struct arena *a, const struct signature_message *m,
                              const struct signature *s, struct str from)
{
    const char *why = signature_covers(s, m);
    if (!why && !is_aligned(a, from, s->domain))
        why = "From is of another organisation";
    return why;
}

int dkim_verifier_check(struct dkim_verifier *v, struct arena *a, struct str message,
                        struct str from, int64_t received, struct dkim_verdict *ret)
{
    struct signature_message m;
    struct dkim_verdict best = {DKIM_OUTCOME_UNSIGNED, {NULL, 0}, "no listed source signed it"};
    const char *broken = signature_split(a, message, &m);
    if (broken) {
        if (arena_failed(a))
            return -ENOMEM;
        best.why = broken;
        *ret = best;
        return 0;
    }
    u_char *body = NULL;
    size_t tried = 0;
    for (size_t i = 0; i < m.fields_n && best.outcome != DKIM_OUTCOME_PASS; i++) {
        struct signature s;
        if (!str_ieq(m.fields[i].name, STR(DKIM_SIGNHEADER)))
            continue;
        const char *why = signature_read(a, &m.fields[i], received, &s);
        if (!is_listed(v, s.domain) || ++tried > DKIM_SIGNATURES_MAX)
            continue;
        struct dkim_verdict one = {DKIM_OUTCOME_REFUSED, s.domain, why};
        if (!why)
            one.why = before_key(a, &m, &s, from);
        if (!one.why) {
            if (!body && !(body = writable(a, m.body)))
                return -ENOMEM;
            if (check_one(v, a, &m, i, &s, body, &one) < 0)
                return -ENOMEM;
        }
        /* A key that is not known yet may still make it good; one that was refused can't. */
        if (best.outcome != DKIM_OUTCOME_UNDECIDED || one.outcome == DKIM_OUTCOME_PASS)
            best = one;
    }
    if (arena_failed(a))
        return -ENOMEM;
    *ret = best;
    return 0;
}
