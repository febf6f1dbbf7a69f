#include "app/feedback.h"

#include "attribute/dkim.h"
#include "base/clock.h"
#include "resolver/rdata.h"
#include "resolver/resolver.h"

#include <errno.h>
#include <stdlib.h>

struct feedback {
    struct resolver *resolver;
    struct dkim_verifier *verifier;
    const char **domains;
    int64_t timeout;  /* of one message */
    int64_t deadline; /* of the message in hand; CLOCK_MONOTONIC */
};

/* dkim_key_fn. More than one record at a name is as good as none (RFC 6376 section 3.6.2.2). */
static int find_key(void *ctx, struct arena *a, struct str name, struct str *ret)
{
    struct feedback *f = ctx;
    struct resolver_answer answer;
    struct err e;
    int64_t left = f->deadline - clock_monotonic();
    int rc = left > 0 ? resolver_query(f->resolver, a, name, RESOLVER_TXT, left, &answer, &e)
                      : err_set(&e, -ETIMEDOUT, "no time is left for this message");
    if (rc < 0) {
        log_warn("feedback_key", KV("name", name), KV("why", (const char *)e.text));
        return rc;
    }
    if (answer.status == RESOLVER_FAILED || answer.status == RESOLVER_BOGUS) {
        log_warn("feedback_key", KV("name", name), KV("why", "the server answers that it failed"));
        return -EIO;
    }
    if (answer.records_n != 1 || !rdata_txt(a, answer.records[0], ret))
        return arena_failed(a) ? -ENOMEM : -ENOENT;
    return 0;
}

int feedback_open(const struct config *c, struct feedback **ret, struct err *e)
{
    if (c->feedback.sources_n == 0) {
        *ret = NULL;
        return 0;
    }
    struct feedback *f = calloc(1, sizeof(*f));
    const char **servers = calloc(c->feedback.resolvers_n + 1, sizeof(char *));
    int rc = f && servers ? 0 : err_set(e, -ENOMEM, "out of memory");
    if (rc == 0) {
        f->timeout = c->feedback.timeout;
        f->domains = calloc(c->feedback.sources_n, sizeof(char *));
        rc = f->domains ? 0 : err_set(e, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; rc == 0 && i < c->feedback.sources_n; i++)
        f->domains[i] = c->feedback.sources[i].domain;
    for (size_t i = 0; rc == 0 && i < c->feedback.resolvers_n; i++)
        servers[i] = c->feedback.resolvers[i].server;
    struct resolver_config resolver = {servers, c->feedback.resolvers_n, NULL};
    if (rc == 0)
        rc = resolver_new(&resolver, &f->resolver, e);
    if (rc == 0)
        rc = dkim_verifier_new(f->domains, c->feedback.sources_n, find_key, f, &f->verifier, e);
    free(servers);
    if (rc < 0) {
        feedback_free(f);
        return err_add(e, rc, "feedback");
    }
    *ret = f;
    return 0;
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
    struct dkim_verdict v;
    f->deadline = clock_monotonic() + f->timeout;
    if (dkim_verifier_check(f->verifier, a, message, from, received_at, &v) < 0) {
        log_warn("feedback_undecided", KV("why", "out of memory"));
        return false;
    }
    if (v.outcome == DKIM_OUTCOME_UNDECIDED)
        log_warn("feedback_undecided", KV("source", v.domain), KV("why", v.why));
    else if (v.outcome == DKIM_OUTCOME_REFUSED)
        log_info("feedback_refused", KV("source", v.domain), KV("why", v.why));
    return v.outcome == DKIM_OUTCOME_PASS;
}
