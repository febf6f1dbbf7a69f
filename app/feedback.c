#include "app/feedback.h"

#include "attribute/dkim.h"
#include "resolver/rdata.h"
#include "resolver/resolver.h"

#include <errno.h>
#include <stdlib.h>

struct feedback {
    struct resolver *resolver;
    struct dkim_verifier *verifier;
    const char **domains;
    int64_t timeout;
};

/* RFC 6376 section 3.6.2.2: what several records mean is not defined, so the first is it. */
static int find_key(void *ctx, struct arena *a, struct str name, struct str *ret)
{
    struct feedback *f = ctx;
    struct resolver_answer answer;
    struct err e;
    int rc = resolver_query(f->resolver, a, name, RESOLVER_TXT, f->timeout, &answer, &e);
    if (rc == -EINVAL)
        return -ENOENT; /* a selector that makes no name */
    if (rc < 0)
        return rc;
    if (answer.status == RESOLVER_FAILED || answer.status == RESOLVER_BOGUS)
        return -EIO;
    if (answer.records_n == 0)
        return -ENOENT;
    return rdata_txt(a, answer.records[0], ret) ? 0 : arena_failed(a) ? -ENOMEM : -ENOENT;
}

static int resolver_open(const struct config *c, struct resolver **ret, struct err *e)
{
    char text[128];
    const char *server = text;
    struct resolver_config config = {.servers = &server};
    if (c->feedback.resolver) {
        snprintf(text, sizeof(text), "%s@%u", c->feedback.resolver,
                 (unsigned)c->feedback.resolver_port);
        config.servers_n = 1;
    }
    return resolver_new(&config, ret, e);
}

int feedback_open(const struct config *c, struct feedback **ret, struct err *e)
{
    size_t n = c->feedback.sources_n;
    *ret = NULL;
    if (n == 0)
        return 0;
    struct feedback *f = calloc(1, sizeof(*f));
    const char **domains = calloc(n, sizeof(*domains));
    if (!f || !domains) {
        free(f);
        free(domains);
        return err_set(e, -ENOMEM, "out of memory");
    }
    *f = (struct feedback){.domains = domains, .timeout = c->feedback.timeout};
    for (size_t i = 0; i < n; i++)
        domains[i] = c->feedback.sources[i].domain;
    int rc = resolver_open(c, &f->resolver, e);
    if (rc == 0)
        rc = dkim_verifier_new(f->domains, n, find_key, f, &f->verifier, e);
    if (rc < 0)
        feedback_free(f);
    else
        *ret = f;
    return rc;
}

void feedback_free(struct feedback *f)
{
    if (!f)
        return;
    dkim_verifier_free(f->verifier);
    resolver_free(f->resolver);
    free(f->domains);
    free(f);
}

bool feedback_is_signed(void *ctx, struct arena *a, struct str message, struct str from,
                        int64_t received_at)
{
    struct feedback *f = ctx;
    struct dkim_verdict verdict;
    if (dkim_verifier_check(f->verifier, a, message, from, received_at, &verdict) < 0)
        return false; /* memory ended: so says the arena to who reads on */
    if (verdict.outcome == DKIM_OUTCOME_REFUSED || verdict.outcome == DKIM_OUTCOME_UNDECIDED)
        log_warn("feedback_signature", KV("domain", verdict.domain),
                 KV("outcome", dkim_outcome_name(verdict.outcome)), KV("why", verdict.why));
    return verdict.outcome == DKIM_OUTCOME_PASS;
}
