#include "classify/rules.h"

#include "base/require.h"

#include <errno.h>
#include <hs.h>
#include <stdlib.h>

struct hit {
    uint64_t scan; /* number of the scan that found it */
    size_t from, to;
};

struct rules {
    hs_database_t *database;
    hs_scratch_t *scratch;
    unsigned *owner_of; /* by pattern */
    struct hit *hits;   /* by owner */
    size_t owners;
    uint64_t scan;
};

static const char *file_of(const struct rules_pattern *p)
{
    return *p->file ? p->file : "shipped.rules";
}

static int compile(const struct rules_pattern *patterns, size_t n, struct rules *r, struct err *e)
{
    const char **expressions = calloc(n ? n : 1, sizeof(*expressions));
    unsigned *flags = calloc(n ? n : 1, sizeof(*flags));
    unsigned *ids = calloc(n ? n : 1, sizeof(*ids));
    int rc = 0;
    if (!expressions || !flags || !ids) {
        rc = err_set(e, -ENOMEM, "no memory for %zu patterns", n);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        expressions[i] = patterns[i].text;
        flags[i] = HS_FLAG_CASELESS | HS_FLAG_UTF8 | HS_FLAG_DOTALL | HS_FLAG_SOM_LEFTMOST;
        ids[i] = (unsigned)i;
    }
    hs_compile_error_t *why = NULL;
    hs_error_t got = hs_compile_multi(expressions, flags, ids, (unsigned)n, HS_MODE_BLOCK, NULL,
                                      &r->database, &why);
    if (got != HS_SUCCESS) {
        const struct rules_pattern *p =
            why && why->expression >= 0 && (size_t)why->expression < n
                ? &patterns[why->expression]
                : NULL;
        if (p)
            rc = err_set(e, -EINVAL, "%s:%u: pattern \"%.100s\": %s", file_of(p), p->line, p->text,
                         why->message);
        else
            rc = err_set(e, got == HS_NOMEM ? -ENOMEM : -EINVAL, "the rules do not compile: %s",
                         why ? why->message : "no reason given");
        hs_free_compile_error(why);
    }
out:
    free(expressions);
    free(flags);
    free(ids);
    return rc;
}

int rules_compile(const struct rules_pattern *patterns, size_t n, size_t owners,
                  struct rules **ret, struct err *e)
{
    if (hs_valid_platform() != HS_SUCCESS)
        return err_set(e, -ENOTSUP,
                       "this processor lacks what the rule matcher needs (on x86: SSE4.2)");
    struct rules *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(e, -ENOMEM, "no memory for the rules");
    int rc = 0;
    r->owners = owners;
    r->owner_of = calloc(n ? n : 1, sizeof(*r->owner_of));
    r->hits = calloc(owners ? owners : 1, sizeof(*r->hits));
    if (!r->owner_of || !r->hits) {
        rc = err_set(e, -ENOMEM, "no memory for %zu rules", owners);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        REQUIRE(patterns[i].owner < owners);
        r->owner_of[i] = patterns[i].owner;
    }
    /* Vectorscan refuses to compile nothing. */
    if (n > 0) {
        rc = compile(patterns, n, r, e);
        if (rc < 0)
            goto out;
        if (hs_alloc_scratch(r->database, &r->scratch) != HS_SUCCESS) {
            rc = err_set(e, -ENOMEM, "no memory to match rules");
            goto out;
        }
    }
    *ret = r;
    return 0;
out:
    rules_free(r);
    return rc;
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    hs_free_scratch(r->scratch);
    hs_free_database(r->database);
    free(r->owner_of);
    free(r->hits);
    free(r);
}

/* Matches come in an order that is Vectorscan's own; keeping the leftmost and then the shortest of
 * each owner makes the outcome independent of it. */
static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context)
{
    (void)flags;
    struct rules *r = context;
    struct hit *hit = &r->hits[r->owner_of[id]];
    if (hit->scan != r->scan || from < hit->from || (from == hit->from && to < hit->to))
        *hit = (struct hit){r->scan, from, to};
    return 0;
}

bool rules_scan(struct rules *r, struct str text)
{
    r->scan++;
    if (!r->database || text.n == 0)
        return true;
    REQUIRE(text.n <= UINT32_MAX);
    return hs_scan(r->database, text.p, (unsigned)text.n, 0, r->scratch, on_match, r) ==
           HS_SUCCESS;
}

bool rules_hit(const struct rules *r, unsigned owner, size_t *ret_from, size_t *ret_to)
{
    REQUIRE(owner < r->owners);
    const struct hit *hit = &r->hits[owner];
    if (hit->scan != r->scan)
        return false;
    *ret_from = hit->from;
    *ret_to = hit->to;
    return true;
}
