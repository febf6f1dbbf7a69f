#include "classify/rules.h"

#include "base/arena.h"
#include "base/require.h"

#include <errno.h>
#include <hs.h>
#include <stdlib.h>

enum { HITS_MAX = 16 }; /* places of one expression that are remembered in one text */

struct span {
    uint16_t from, to;
};

/* One expression of a pattern. */
struct part {
    unsigned owner;
    unsigned next; /* parts that follow in its pattern */
    uint64_t scan; /* number of the scan that filled hits */
    unsigned hits_n;
    struct span hits[HITS_MAX];
};

/* The parts of an owner, and the last scan in which one of them matched. */
struct owner {
    unsigned first, n;
    uint64_t scan;
};

struct rules {
    hs_database_t *database;
    hs_scratch_t *scratch;
    struct part *parts;
    size_t parts_n;
    struct owner *owners;
    size_t owners_n;
    uint64_t scan;
};

/* What is given to the compiler: by part. */
struct expressions {
    struct arena arena;
    const char **texts;
    unsigned *flags, *ids;
    const struct rules_pattern **patterns;
};

static const char *file_of(const struct rules_pattern *p)
{
    return *p->file ? p->file : "shipped.rules";
}

static const struct str gap = STR_INIT(" ... ");

static size_t parts_of(const struct rules_pattern *p)
{
    struct str text = str_c(p->text);
    size_t n = 1;
    for (size_t at = str_find(text, gap, 0); at < text.n; at = str_find(text, gap, at + gap.n))
        n++;
    return n;
}

/* Cuts the patterns into parts: fills r->parts and x. */
static int split(struct rules *r, const struct rules_pattern *patterns, size_t n,
                 struct expressions *x, struct err *e)
{
    size_t part = 0;
    for (size_t i = 0; i < n; i++) {
        struct str text = str_c(patterns[i].text);
        size_t parts = parts_of(&patterns[i]);
        struct owner *owner = &r->owners[patterns[i].owner];
        if (parts > RULES_PARTS_MAX)
            return err_set(e, -EINVAL, "%s:%u: more than %d parts in a pattern",
                           file_of(&patterns[i]), patterns[i].line, RULES_PARTS_MAX);
        if (owner->n == 0)
            owner->first = (unsigned)part;
        REQUIRE(owner->first + owner->n == part);
        owner->n += (unsigned)parts;
        for (size_t k = parts; k > 0; k--, part++) {
            size_t end = str_find(text, gap, 0);
            struct str one = arena_str(&x->arena, str_trim(str_sub(text, 0, end)));
            text = str_from(text, end + gap.n);
            if (str_is_absent(one))
                return err_set(e, -ENOMEM, "no memory for %zu patterns", n);
            if (one.n == 0)
                return err_set(e, -EINVAL, "%s:%u: nothing beside \" ... \" in a pattern",
                               file_of(&patterns[i]), patterns[i].line);
            r->parts[part].owner = patterns[i].owner;
            r->parts[part].next = (unsigned)(k - 1);
            x->texts[part] = one.p;
            x->flags[part] =
                HS_FLAG_CASELESS | HS_FLAG_UTF8 | HS_FLAG_DOTALL | HS_FLAG_SOM_LEFTMOST;
            x->ids[part] = (unsigned)part;
            x->patterns[part] = &patterns[i];
        }
    }
    return 0;
}

static int compile(struct rules *r, const struct expressions *x, struct err *e)
{
    hs_compile_error_t *why = NULL;
    hs_error_t got = hs_compile_multi(x->texts, x->flags, x->ids, (unsigned)r->parts_n,
                                      HS_MODE_BLOCK, NULL, &r->database, &why);
    if (got == HS_SUCCESS)
        return 0;
    int rc;
    if (why && why->expression >= 0 && (size_t)why->expression < r->parts_n) {
        const struct rules_pattern *p = x->patterns[why->expression];
        rc = err_set(e, -EINVAL, "%s:%u: pattern \"%.100s\": %s", file_of(p), p->line,
                     x->texts[why->expression], why->message);
    } else {
        rc = err_set(e, got == HS_NOMEM ? -ENOMEM : -EINVAL, "the rules do not compile: %s",
                     why ? why->message : "no reason given");
    }
    hs_free_compile_error(why);
    return rc;
}

static int build(struct rules *r, const struct rules_pattern *patterns, size_t n, size_t owners,
                 struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        REQUIRE(patterns[i].owner < owners);
        r->parts_n += parts_of(&patterns[i]);
    }
    size_t room = r->parts_n ? r->parts_n : 1;
    struct expressions x = {.arena = arena_make(64 << 20)};
    x.texts = ARENA_ARRAY(&x.arena, room, const char *);
    x.flags = ARENA_ARRAY(&x.arena, room, unsigned);
    x.ids = ARENA_ARRAY(&x.arena, room, unsigned);
    x.patterns = ARENA_ARRAY(&x.arena, room, const struct rules_pattern *);
    r->parts = calloc(room, sizeof(*r->parts));
    r->owners = calloc(owners ? owners : 1, sizeof(*r->owners));
    r->owners_n = owners;
    int rc = 0;
    if (arena_failed(&x.arena) || !x.patterns || !r->parts || !r->owners)
        rc = err_set(e, -ENOMEM, "no memory for %zu patterns", n);
    if (rc == 0)
        rc = split(r, patterns, n, &x, e);
    /* Vectorscan refuses to compile nothing. */
    if (rc == 0 && r->parts_n > 0) {
        rc = compile(r, &x, e);
        if (rc == 0 && hs_alloc_scratch(r->database, &r->scratch) != HS_SUCCESS)
            rc = err_set(e, -ENOMEM, "no memory to match rules");
    }
    arena_free(&x.arena);
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
    int rc = build(r, patterns, n, owners, e);
    if (rc < 0) {
        rules_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    hs_free_scratch(r->scratch);
    hs_free_database(r->database);
    free(r->parts);
    free(r->owners);
    free(r);
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context)
{
    (void)flags;
    struct rules *r = context;
    struct part *part = &r->parts[id];
    if (part->scan != r->scan) {
        part->scan = r->scan;
        part->hits_n = 0;
    }
    if (part->hits_n < HITS_MAX)
        part->hits[part->hits_n++] = (struct span){(uint16_t)from, (uint16_t)to};
    r->owners[part->owner].scan = r->scan;
    return 0;
}

bool rules_scan(struct rules *r, struct str text)
{
    r->scan++;
    if (!r->database || text.n == 0)
        return true;
    REQUIRE(text.n <= RULES_TEXT_MAX);
    return hs_scan(r->database, text.p, (unsigned)text.n, 0, r->scratch, on_match, r) ==
           HS_SUCCESS;
}

/* Matches come in an order that is Vectorscan's own; leftmost, then shortest, is ours. */
static bool is_before(struct span a, struct span b)
{
    return a.from < b.from || (a.from == b.from && a.to < b.to);
}

/* Whether the parts from `part` on follow one another: *ret is the best whole. */
static bool chain(const struct rules *r, const struct part *part, struct span *ret)
{
    struct span reached[HITS_MAX]; /* from: where the pattern began; to: where it stands now */
    unsigned n = 0;
    if (part->scan != r->scan)
        return false;
    for (unsigned i = 0; i < part->hits_n; i++)
        reached[n++] = part->hits[i];
    for (unsigned next = part->next; next > 0 && n > 0; next--) {
        struct span further[HITS_MAX];
        unsigned m = 0;
        part++;
        if (part->scan != r->scan)
            return false;
        for (unsigned i = 0; i < part->hits_n; i++) {
            struct span hit = part->hits[i];
            bool found = false;
            struct span best = {0};
            for (unsigned k = 0; k < n; k++) {
                struct span whole = {reached[k].from, hit.to};
                if (reached[k].to <= hit.from && hit.from - reached[k].to <= RULES_GAP &&
                    (!found || is_before(whole, best))) {
                    best = whole;
                    found = true;
                }
            }
            if (found)
                further[m++] = best;
        }
        memcpy(reached, further, m * sizeof(*reached));
        n = m;
    }
    if (n == 0)
        return false;
    *ret = reached[0];
    for (unsigned i = 1; i < n; i++)
        if (is_before(reached[i], *ret))
            *ret = reached[i];
    return true;
}

bool rules_hit(const struct rules *r, unsigned owner, size_t *ret_from, size_t *ret_to)
{
    REQUIRE(owner < r->owners_n);
    const struct owner *o = &r->owners[owner];
    if (o->scan != r->scan)
        return false;
    for (unsigned i = o->first; i < o->first + o->n; i += r->parts[i].next + 1) {
        struct span whole;
        if (chain(r, &r->parts[i], &whole)) {
            *ret_from = whole.from;
            *ret_to = whole.to;
            return true;
        }
    }
    return false;
}
