#include "returnpath/set.h"

#include "base/require.h"
#include "returnpath/base32.h"

#include <errno.h>
#include <stdlib.h>

/* Far over what ten thousand domains need. */
enum { SET_ARENA_MAX = 64 << 20 };

static const char *const proof_names[] = {
#define X(id, name, meaning) [id] = (name),
    RETURNPATH_PROOFS(X)
#undef X
};

const char *returnpath_proof_name(enum returnpath_proof p)
{
    return (size_t)p < RETURNPATH_PROOF_COUNT ? proof_names[p] : "";
}

/* ---- domains ---- */

static int domain_cmp(const void *a, const void *b)
{
    const struct returnpath_domain *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

/* Order of a configured (lower-case) name and a name in any case, as str_cmp. */
static int name_cmp(struct str ours, struct str name)
{
    size_t n = ours.n < name.n ? ours.n : name.n;
    for (size_t i = 0; i < n; i++) {
        int order = (unsigned char)ours.p[i] - (unsigned char)ascii_lower(name.p[i]);
        if (order != 0)
            return order;
    }
    return (ours.n > name.n) - (ours.n < name.n);
}

const struct returnpath_domain *returnpath_domain_find(const struct returnpath_set *s,
                                                       struct str name)
{
    size_t low = 0, high = s->domains_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = name_cmp(s->domains[middle].name, name);
        if (order == 0)
            return &s->domains[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int domain_copy(struct arena *a, const struct returnpath_domain *from,
                       struct returnpath_domain *to)
{
    struct str *open = ARENA_ARRAY(a, from->open_n, struct str);
    *to = *from;
    to->name = arena_str(a, from->name);
    to->tenant = arena_str(a, from->tenant);
    to->stream = arena_str(a, from->stream);
    to->open = open;
    for (size_t i = 0; open && i < from->open_n; i++)
        open[i] = arena_str(a, from->open[i]);
    return arena_failed(a) ? -ENOMEM : 0;
}

static int domains_copy(struct returnpath_set *s, const struct returnpath_set_config *c,
                        struct err *e)
{
    s->domains = ARENA_ARRAY(&s->arena, c->domains_n, struct returnpath_domain);
    int rc = s->domains ? 0 : -ENOMEM;
    for (; rc == 0 && s->domains_n < c->domains_n; s->domains_n++)
        rc = domain_copy(&s->arena, &c->domains[s->domains_n], &s->domains[s->domains_n]);
    if (rc < 0)
        return err_set(e, rc, "out of memory");
    if (s->domains_n > 1)
        qsort(s->domains, s->domains_n, sizeof(s->domains[0]), domain_cmp);
    for (size_t i = 1; i < s->domains_n; i++)
        if (str_eq(s->domains[i - 1].name, s->domains[i].name))
            return err_set(e, -EINVAL, "domain %.*s stands twice", STR_ARG(s->domains[i].name));
    return 0;
}

/* ---- keys ---- */

static int keys_copy(struct returnpath_set *s, const struct returnpath_set_config *c, struct err *e)
{
    if (c->keys_n > RETURNPATH_KEYS_MAX)
        return err_set(e, -EINVAL, "%zu keys, expected at most %d", c->keys_n, RETURNPATH_KEYS_MAX);
    s->keys = ARENA_ARRAY(&s->arena, c->keys_n, struct token_key);
    if (!s->keys)
        return err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; i < c->keys_n; i++) {
        const struct returnpath_key *k = &c->keys[i];
        if (base32_value(k->id) < 0 || k->id != ascii_lower(k->id))
            return err_set(e, -EINVAL, "key id '%c': expected one of a-z 2-7", k->id);
        if (k->secret.n < RETURNPATH_KEY_MIN || k->secret.n > RETURNPATH_KEY_MAX)
            return err_set(e, -EINVAL, "key '%c' has %zu octets, expected %d to %d", k->id,
                           k->secret.n, RETURNPATH_KEY_MIN, RETURNPATH_KEY_MAX);
        for (size_t before = 0; before < i; before++)
            if (s->keys[before].id == k->id)
                return err_set(e, -EINVAL, "key '%c' stands twice", k->id);
        struct token_key *to = &s->keys[s->keys_n++];
        *to = (struct token_key){.id = k->id, .until = k->until, .n = k->secret.n};
        memcpy(to->secret, k->secret.p, k->secret.n);
    }
    return 0;
}

/* ---- patterns ---- */

static int patterns_copy(struct returnpath_set *s, const struct returnpath_set_config *c,
                         struct err *e)
{
    struct returnpath_pattern *list =
        ARENA_ARRAY(&s->arena, c->patterns_n, struct returnpath_pattern);
    for (size_t i = 0; list && i < c->patterns_n; i++) {
        const struct returnpath_pattern *p = &c->patterns[i];
        if (!str_is_absent(p->domain) && !returnpath_domain_find(s, p->domain))
            return err_set(e, -EINVAL, "pattern %.*s: domain %.*s is none of the domains",
                           STR_ARG(p->name), STR_ARG(p->domain));
        list[i] = *p;
        list[i].name = arena_str(&s->arena, p->name);
        list[i].domain = arena_str(&s->arena, p->domain);
    }
    if (arena_failed(&s->arena))
        return err_set(e, -ENOMEM, "out of memory");
    int rc = pattern_list_new(list, c->patterns_n, &s->patterns, e);
    if (rc == 0)
        s->patterns_n = c->patterns_n;
    return rc;
}

/* ---- the set ---- */

static void set_free(struct returnpath_set *s)
{
    pattern_list_free(s->patterns, s->patterns_n);
    if (s->keys)
        explicit_bzero(s->keys, s->keys_n * sizeof(s->keys[0]));
    arena_free(&s->arena);
    free(s);
}

int returnpath_set_new(const struct returnpath_set_config *config, struct returnpath_set **ret,
                       struct err *e)
{
    struct returnpath_set *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, -ENOMEM, "out of memory");
    atomic_init(&s->references, 1);
    s->arena = arena_make(SET_ARENA_MAX);
    s->lifetimes = (struct token_lifetimes){
        .bounce = config->bounce_days ? config->bounce_days : RETURNPATH_BOUNCE_DAYS,
        .other = config->complaint_days ? config->complaint_days : RETURNPATH_COMPLAINT_DAYS,
    };
    int rc = domains_copy(s, config, e);
    if (rc == 0)
        rc = keys_copy(s, config, e);
    if (rc == 0)
        rc = patterns_copy(s, config, e);
    if (rc < 0) {
        set_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

struct returnpath_set *returnpath_set_ref(struct returnpath_set *s)
{
    atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
    return s;
}

void returnpath_set_unref(struct returnpath_set *s)
{
    if (!s)
        return;
    unsigned before = atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel);
    REQUIRE(before > 0);
    if (before == 1)
        set_free(s);
}

/* ---- readers ---- */

int returnpath_reader_new(struct returnpath_set *s, struct returnpath_reader **ret)
{
    struct returnpath_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->set = returnpath_set_ref(s);
    int rc = token_signer_new(s->keys, s->keys_n, &r->signer);
    if (rc == 0 && s->patterns_n > 0)
        rc = pattern_matcher_new(&r->matcher);
    if (rc < 0) {
        returnpath_reader_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void returnpath_reader_free(struct returnpath_reader *r)
{
    if (!r)
        return;
    token_signer_free(r->signer);
    pattern_matcher_free(r->matcher);
    returnpath_set_unref(r->set);
    free(r);
}

const struct returnpath_set *returnpath_reader_set(const struct returnpath_reader *r)
{
    return r->set;
}
