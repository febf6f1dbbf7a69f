/* What return paths are read and minted with: domains, patterns, and keys out of their files. */
#include "app/config_check.h"
#include "app/key_file.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

static int out_of_memory(struct err *e)
{
    return err_set(e, -ENOMEM, "out of memory");
}

static struct str *open_of(struct arena *a, const struct config_words *open)
{
    struct str *list = ARENA_ARRAY(a, open->n + 1, struct str);
    for (size_t i = 0; list && i < open->n; i++)
        list[i] = str_c(open->list[i]);
    return list;
}

static int domains_make(const struct config *c, struct arena *a, struct returnpath_set_config *ret,
                        struct err *e)
{
    struct returnpath_domain *list = ARENA_ARRAY(a, c->domains_n + 1, struct returnpath_domain);
    for (size_t i = 0; list && i < c->domains_n; i++) {
        const struct config_domain *d = &c->domains[i];
        list[i] = (struct returnpath_domain){.name = str_c(d->name),
                                             .accept = (enum returnpath_accept)d->accept,
                                             .tenant = str_c(d->tenant),
                                             .stream = str_c(d->stream),
                                             .trust_unverified = d->trust_unverified,
                                             .open = open_of(a, &d->open),
                                             .open_n = d->open.n};
    }
    if (arena_failed(a))
        return out_of_memory(e);
    ret->domains = list;
    ret->domains_n = c->domains_n;
    return 0;
}

static int patterns_make(const struct config *c, struct arena *a, struct returnpath_set_config *ret,
                         struct err *e)
{
    struct returnpath_pattern *list = ARENA_ARRAY(a, c->patterns_n + 1, struct returnpath_pattern);
    if (!list)
        return out_of_memory(e);
    for (size_t i = 0; i < c->patterns_n; i++) {
        const struct config_pattern *p = &c->patterns[i];
        list[i] = (struct returnpath_pattern){
            .name = str_c(p->name), .regex = str_c(p->match), .domain = str_c(p->domain)};
    }
    ret->patterns = list;
    ret->patterns_n = c->patterns_n;
    return 0;
}

/* files: one for each key, wiped by the caller. */
static int keys_read(const struct config *c, struct returnpath_key *list, struct key_file *files,
                     struct err *e)
{
    for (size_t i = 0; i < c->tokens.keys_n; i++) {
        const struct config_key_file *k = &c->tokens.keys[i];
        int rc = key_file_read(k->file, &files[i], e);
        if (rc < 0)
            return err_add(e, rc, "%s:%u:%u: tokens.keys[].file", c->file, k->line, k->column);
        list[i] =
            (struct returnpath_key){*k->id, str_of(files[i].bytes, files[i].n), (uint32_t)k->until};
    }
    return 0;
}

int config_returnpath(const struct config *c, struct returnpath_set **ret, struct err *e)
{
    struct arena a = arena_make(64 << 20);
    struct returnpath_set_config set = {.bounce_days = (uint32_t)c->tokens.bounce_days,
                                        .complaint_days = (uint32_t)c->tokens.complaint_days};
    size_t n = c->tokens.keys_n;
    struct returnpath_key *keys = calloc(n + 1, sizeof(*keys));
    struct key_file *files = calloc(n + 1, sizeof(*files));
    int rc = keys && files ? keys_read(c, keys, files, e) : out_of_memory(e);
    if (rc == 0)
        rc = domains_make(c, &a, &set, e);
    if (rc == 0)
        rc = patterns_make(c, &a, &set, e);
    if (rc == 0) {
        set.keys = keys;
        set.keys_n = n;
        rc = returnpath_set_new(&set, ret, e);
        if (rc < 0)
            err_add(e, rc, "%s", c->file);
    }
    if (files)
        explicit_bzero(files, (n + 1) * sizeof(*files));
    free(files);
    free(keys);
    arena_free(&a);
    return rc;
}

/* A set in which no key is good any more mints nothing. */
static void check_until(const struct config *c, struct config_report *r)
{
    uint64_t today = (uint64_t)(clock_now() / CLOCK_DAY), last = 0;
    for (size_t i = 0; i < c->tokens.keys_n; i++) {
        uint64_t until = c->tokens.keys[i].until ? c->tokens.keys[i].until : UINT64_MAX;
        last = until > last ? until : last;
    }
    if (c->tokens.keys_n && last < today)
        config_report_warning(r, c->tokens.keys[0].line, c->tokens.keys[0].column,
                              "tokens.keys[].until",
                              "is over for every key: nothing can be signed, no token is accepted");
}

int config_returnpath_check(const struct config *c, config_say_fn say, void *ctx)
{
    struct config_report r = {.file = c->file, .say = say, .ctx = ctx};
    for (size_t i = 0; i < c->tokens.keys_n; i++) {
        const struct config_key_file *k = &c->tokens.keys[i];
        struct key_file file;
        struct err e;
        if (key_file_read(k->file, &file, &e) < 0)
            config_report_at(&r, k->line, k->column, "tokens.keys[].file", (struct str){NULL, 0},
                             e.text);
        explicit_bzero(&file, sizeof(file));
    }
    check_until(c, &r);
    struct returnpath_set *set = NULL;
    struct err e;
    if (r.mistakes == 0 && config_returnpath(c, &set, &e) < 0) {
        say(ctx, true, e.text);
        r.mistakes++;
    }
    returnpath_set_unref(set);
    return r.mistakes ? -EINVAL : 0;
}
