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

/* A compiled group; its parts stand from `first` on. */
struct group {
    struct rules *rules;
    hs_database_t *database; /* NULL: it has no pattern */
    size_t first;
};

struct rules {
    struct group groups[RULES_GROUPS_MAX];
    size_t groups_n;
    hs_scratch_t *scratch;
    struct part *parts;
    size_t parts_n;
    struct owner *owners;
    size_t owners_n;
    uint64_t scan;
};

/* What is given to the compiler for one group: by part. */
struct expressions {
    struct arena arena;
    size_t n;
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

/* A '|' outside of all brackets: beside a gap it is seldom what was meant. */
static bool has_bare_bar(struct str text)
{
    int depth = 0;
    bool in_class = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\')
            i++;
        else if (in_class)
            in_class = c != ']';
        else if (c == '[')
            in_class = true;
        else if (c == '(' || c == ')')
            depth += c == '(' ? 1 : -1;
        else if (c == '|' && depth == 0)
            return true;
    }
    return false;
}

/* Cuts a pattern into parts, from `part` of x on. */
static int split_pattern(const struct rules_pattern *p, size_t part, struct expressions *x,
                         struct part *ret_parts, struct err *e)
{
    struct str text = str_c(p->text);
    size_t parts = parts_of(p);
    for (size_t left = parts; left > 0; left--, part++, ret_parts++) {
        size_t end = str_find(text, gap, 0);
        struct str one = arena_str(&x->arena, str_trim(str_sub(text, 0, end)));
        text = str_from(text, end + gap.n);
        if (str_is_absent(one))
            return err_set(e, -ENOMEM, "no memory for the rules");
        if (one.n == 0)
            return err_set(e, -EINVAL, "%s:%u: nothing beside \" ... \" in a pattern", file_of(p),
                           p->line);
        if (parts > 1 && has_bare_bar(one))
            return err_set(e, -EINVAL,
                           "%s:%u: '|' beside \" ... \" in a pattern: expected parentheses around "
                           "the alternatives, or a pattern line for each",
                           file_of(p), p->line);
        ret_parts->owner = p->owner;
        ret_parts->next = (unsigned)(left - 1);
        x->texts[part] = one.p;
        x->flags[part] = HS_FLAG_CASELESS | HS_FLAG_UTF8 | HS_FLAG_DOTALL | HS_FLAG_SOM_LEFTMOST;
        x->ids[part] = (unsigned)part;
        x->patterns[part] = p;
    }
    return 0;
}

/* Cuts the patterns of a group, whose parts stand in r->parts from `first` on. */
static int split(struct rules *r, const struct rules_group *g, size_t first, struct expressions *x,
                 struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        n += parts_of(&g->patterns[i]);
    *x = (struct expressions){.arena = arena_make(64 << 20), .n = n};
    x->texts = ARENA_ARRAY(&x->arena, n, const char *);
    x->flags = ARENA_ARRAY(&x->arena, n, unsigned);
    x->ids = ARENA_ARRAY(&x->arena, n, unsigned);
    x->patterns = ARENA_ARRAY(&x->arena, n, const struct rules_pattern *);
    if (!x->texts || !x->flags || !x->ids || !x->patterns)
        return err_set(e, -ENOMEM, "no memory for %zu patterns", n);
    size_t part = 0;
    for (size_t i = 0; i < g->n; i++) {
        const struct rules_pattern *p = &g->patterns[i];
        size_t parts = parts_of(p);
        if (parts > RULES_PARTS_MAX)
            return err_set(e, -EINVAL, "%s:%u: more than %d parts in a pattern", file_of(p),
                           p->line, RULES_PARTS_MAX);
        REQUIRE(p->owner < r->owners_n);
        struct owner *owner = &r->owners[p->owner];
        if (owner->n == 0)
            owner->first = (unsigned)(first + part);
        REQUIRE(owner->first + owner->n == first + part);
        owner->n += (unsigned)parts;
        int rc = split_pattern(p, part, x, &r->parts[first + part], e);
        if (rc < 0)
            return rc;
        part += parts;
    }
    return 0;
}

static int compile(const struct expressions *x, const hs_platform_info_t *platform,
                   hs_database_t **ret, struct err *e)
{
    hs_compile_error_t *why = NULL;
    hs_error_t got = hs_compile_multi(x->texts, x->flags, x->ids, (unsigned)x->n, HS_MODE_BLOCK,
                                      platform, ret, &why);
    if (got == HS_SUCCESS)
        return 0;
    int rc;
    if (why && why->expression >= 0 && (size_t)why->expression < x->n) {
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

/* A number that changes with the expressions: a saved database must be of the same ones. */
static uint64_t digest(const struct expressions *x)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < x->n; i++) {
        hash = (hash ^ x->flags[i]) * UINT64_C(0x100000001b3);
        for (const char *c = x->texts[i];; c++) {
            hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
            if (!*c)
                break;
        }
    }
    return hash;
}

/* NULL when the saved database does not fit: compiling is always right, only slow. */
static hs_database_t *restore(const struct expressions *x, struct str saved)
{
    uint64_t of;
    hs_database_t *database = NULL;
    if (saved.n <= sizeof(of))
        return NULL;
    memcpy(&of, saved.p, sizeof(of));
    if (of != digest(x) || hs_deserialize_database(saved.p + sizeof(of), saved.n - sizeof(of),
                                                   &database) != HS_SUCCESS)
        return NULL;
    return database;
}

static int make_group(struct rules *r, const struct rules_group *g, size_t first, struct err *e)
{
    struct expressions x;
    struct group *group = &r->groups[r->groups_n++];
    *group = (struct group){.rules = r, .first = first};
    int rc = split(r, g, first, &x, e);
    /* Vectorscan refuses to compile nothing. */
    if (rc == 0 && x.n > 0) {
        group->database = restore(&x, g->saved);
        if (!group->database)
            rc = compile(&x, NULL, &group->database, e);
        if (rc == 0 && hs_alloc_scratch(group->database, &r->scratch) != HS_SUCCESS)
            rc = err_set(e, -ENOMEM, "no memory to match rules");
    }
    arena_free(&x.arena);
    return rc;
}

static struct rules *rules_new(const struct rules_group *groups, size_t n, size_t owners)
{
    struct rules *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < groups[i].n; k++)
            r->parts_n += parts_of(&groups[i].patterns[k]);
    r->parts = calloc(r->parts_n ? r->parts_n : 1, sizeof(*r->parts));
    r->owners = calloc(owners ? owners : 1, sizeof(*r->owners));
    r->owners_n = owners;
    if (r->parts && r->owners)
        return r;
    rules_free(r);
    return NULL;
}

int rules_make(const struct rules_group *groups, size_t n, size_t owners, struct rules **ret,
               struct err *e)
{
    REQUIRE(n <= RULES_GROUPS_MAX);
    if (hs_valid_platform() != HS_SUCCESS)
        return err_set(e, -ENOTSUP,
                       "this processor lacks what the rule matcher needs (on x86: SSE4.2)");
    struct rules *r = rules_new(groups, n, owners);
    if (!r)
        return err_set(e, -ENOMEM, "no memory for the rules");
    int rc = 0;
    size_t first = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = make_group(r, &groups[i], first, e);
        for (size_t k = 0; k < groups[i].n; k++)
            first += parts_of(&groups[i].patterns[k]);
    }
    if (rc < 0) {
        rules_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

int rules_save(const struct rules_pattern *patterns, size_t n, size_t owners, char **ret,
               size_t *ret_n, struct err *e)
{
    const struct rules_group group = {.patterns = patterns, .n = n};
    struct expressions x;
    struct rules *r = rules_new(&group, 1, owners);
    if (!r)
        return err_set(e, -ENOMEM, "no memory for the rules");
    hs_database_t *database = NULL;
    /* All zero: no tuning and no more than the least that Vectorscan needs. */
    hs_platform_info_t any = {0};
    char *bytes = NULL, *whole = NULL;
    size_t bytes_n = 0;
    int rc = split(r, &group, 0, &x, e);
    if (rc == 0)
        rc = compile(&x, &any, &database, e);
    if (rc == 0 && (hs_serialize_database(database, &bytes, &bytes_n) != HS_SUCCESS ||
                    !(whole = malloc(sizeof(uint64_t) + bytes_n))))
        rc = err_set(e, -ENOMEM, "no memory for the compiled rules");
    if (rc == 0) {
        uint64_t of = digest(&x);
        memcpy(whole, &of, sizeof(of));
        memcpy(whole + sizeof(of), bytes, bytes_n);
        *ret = whole;
        *ret_n = sizeof(of) + bytes_n;
    }
    free(bytes);
    hs_free_database(database);
    arena_free(&x.arena);
    rules_free(r);
    return rc;
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    hs_free_scratch(r->scratch);
    for (size_t i = 0; i < r->groups_n; i++)
        hs_free_database(r->groups[i].database);
    free(r->parts);
    free(r->owners);
    free(r);
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context)
{
    (void)flags;
    const struct group *group = context;
    struct rules *r = group->rules;
    struct part *part = &r->parts[group->first + id];
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
    REQUIRE(text.n <= RULES_TEXT_MAX);
    for (size_t i = 0; i < r->groups_n && text.n > 0; i++) {
        struct group *group = &r->groups[i];
        if (group->database && hs_scan(group->database, text.p, (unsigned)text.n, 0, r->scratch,
                                       on_match, group) != HS_SUCCESS)
            return false;
    }
    return true;
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
