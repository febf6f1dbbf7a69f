/* The configuration file: YAML nodes against the table of keys. The only file that sees libyaml. */
#include "app/config.h"

#include "app/config_check.h"
#include "app/config_file.h"
#include "app/config_keys.h"
#include "app/nearest.h"
#include "base/require.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

enum { ARENA_MAX = 64 << 20, TABLE_MAX = 128, PATH_TEXT = 128, SEVERAL_MAX = 100 };

struct reader {
    struct config_report report;
    struct config *config;
    yaml_document_t *document;
    bool given[TABLE_MAX];  /* keys outside lists that stand in the file */
    bool listed[TABLE_MAX]; /* lists that do */
};

static const struct str none = {NULL, 0};

static unsigned line_of(const yaml_node_t *n)
{
    return (unsigned)n->start_mark.line + 1;
}

static unsigned column_of(const yaml_node_t *n)
{
    return (unsigned)n->start_mark.column + 1;
}

static struct str scalar(const yaml_node_t *n)
{
    return str_of(n->data.scalar.value, n->data.scalar.length);
}

/* Nothing stands where a value should: "key:", "key: null", "key: ~". */
static bool is_null(const yaml_node_t *n)
{
    if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    struct str s = scalar(n);
    return s.n == 0 || str_eq(s, STR("~")) || str_ieq(s, STR("null"));
}

static void say(struct reader *r, const yaml_node_t *n, const char *key, const char *expected)
{
    struct str value = n->type == YAML_SCALAR_NODE ? scalar(n) : none;
    config_report_at(&r->report, line_of(n), column_of(n), key, value, expected);
}

static const char *shape(const yaml_node_t *n)
{
    return n->type == YAML_MAPPING_NODE    ? "found keys and values"
           : n->type == YAML_SEQUENCE_NODE ? "found a list"
                                           : "found a single value";
}

/* ---- the table as a tree: "limits." + "recipients" ---- */

/* What may stand directly below prefix, as parts of the table's paths; repeats are harmless. */
static struct str name_below(const void *ctx, size_t i)
{
    struct str prefix = str_c(ctx);
    for (size_t k = 0; k < config_keys_n + config_lists_n; k++) {
        struct str path =
            str_c(k < config_keys_n ? config_keys[k].path : config_lists[k - config_keys_n].path);
        if (!str_starts(path, prefix) || path.n == prefix.n || i-- > 0)
            continue;
        struct str rest = str_from(path, prefix.n);
        return str_sub(rest, 0, strcspn(rest.p, ".["));
    }
    return none;
}

static bool is_section(const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < config_keys_n; i++)
        if (strncmp(config_keys[i].path, path, n) == 0 && config_keys[i].path[n] == '.')
            return true;
    return false;
}

static const struct config_key *key_find(const char *path)
{
    for (size_t i = 0; i < config_keys_n; i++)
        if (strcmp(config_keys[i].path, path) == 0)
            return &config_keys[i];
    return NULL;
}

static const struct config_list *list_find(const char *path)
{
    for (size_t i = 0; i < config_lists_n; i++)
        if (strcmp(config_lists[i].path, path) == 0)
            return &config_lists[i];
    return NULL;
}

/* ---- values ---- */

/* What only some roles read is no mistake for the others; who checks or starts sees it beside all
 * mistakes. */
static void look_at_file(struct reader *r, const yaml_node_t *n, const struct config_key *k,
                         const void *base)
{
    const char *file;
    struct err e;
    memcpy(&file, (const char *)base + k->offset, sizeof(file));
    if (access(file, R_OK) == 0)
        return;
    err_sys(&e, -errno, "%s: expected a file that can be read", file);
    config_report_warning(&r->report, line_of(n), column_of(n), k->path, e.text);
}

static void read_value(struct reader *r, const struct config_key *k, const yaml_node_t *n,
                       void *base)
{
    struct err e;
    if (n->type != YAML_SCALAR_NODE || is_null(n)) {
        /* What an empty text lacks is also what a value of another shape lacks. */
        char ignored[sizeof(uint64_t)] = "";
        struct config_key probe = *k;
        probe.offset = 0;
        char expected[sizeof(e.text) + 64];
        int rc = config_value(&probe, STR(""), "", &r->config->arena, ignored, &e);
        REQUIRE(rc < 0);
        snprintf(expected, sizeof(expected), "%s, %s", e.text,
                 is_null(n) ? "found nothing" : shape(n));
        config_report_at(&r->report, line_of(n), column_of(n), k->path, none, expected);
        return;
    }
    if (config_value(k, scalar(n), r->config->folder, &r->config->arena, base, &e) < 0) {
        config_report_at(&r->report, line_of(n), column_of(n), k->path,
                         k->secret ? none : scalar(n), e.text);
        return;
    }
    if (k->type == CONFIG_FILE)
        look_at_file(r, n, k, base);
}

/* A key of several values: a list of them. */
static void read_several(struct reader *r, const struct config_key *k, const yaml_node_t *n,
                         void *base)
{
    struct config_key one = *k;
    struct config_words *words = (void *)((char *)base + k->offset);
    one.several = false;
    one.offset = 0;
    size_t items = n->type == YAML_SEQUENCE_NODE
                       ? (size_t)(n->data.sequence.items.top - n->data.sequence.items.start)
                       : SIZE_MAX;
    if (items > SEVERAL_MAX) {
        char expected[64];
        snprintf(expected, sizeof(expected), "expected a list of 0 to %d items", SEVERAL_MAX);
        say(r, n, k->path, expected);
        return;
    }
    const char **list = ARENA_ARRAY(&r->config->arena, items + 1, const char *);
    if (!list) {
        say(r, n, k->path, "out of memory");
        return;
    }
    for (size_t i = 0; i < items; i++)
        read_value(r, &one, yaml_document_get_node(r->document, n->data.sequence.items.start[i]),
                   &list[i]);
    *words = (struct config_words){list, items};
}

/* The default, which the table's test knows to be right but for files and names of this host. */
static void read_default(struct reader *r, const struct config_key *k, void *base)
{
    char host[256] = "";
    struct err e;
    struct str text = str_c(k->def);
    if (k->several)
        return; /* none */
    if (strcmp(k->def, CONFIG_DEF_HOSTNAME) == 0) {
        gethostname(host, sizeof(host) - 1);
        text = str_c(host);
    }
    if (config_value(k, text, r->config->folder, &r->config->arena, base, &e) < 0)
        config_report_at(&r->report, 0, 0, k->path, text, e.text);
}

static void read_map(struct reader *r, const yaml_node_t *map, const char *prefix, void *base,
                     bool *given);

static void read_item(struct reader *r, const struct config_list *l, const yaml_node_t *n,
                      void *item)
{
    char prefix[PATH_TEXT];
    bool given[TABLE_MAX] = {false};
    unsigned mark[2] = {line_of(n), column_of(n)};
    memcpy((char *)item + l->mark, mark, sizeof(mark));
    snprintf(prefix, sizeof(prefix), "%s[]", l->path);
    const struct config_key *single = key_find(prefix);
    if (single) {
        read_value(r, single, n, item);
        return;
    }
    if (n->type != YAML_MAPPING_NODE) {
        say(r, n, prefix, "expected keys and values such as {key: value}");
        return;
    }
    snprintf(prefix, sizeof(prefix), "%s[].", l->path);
    read_map(r, n, prefix, item, given);
    for (size_t i = 0; i < config_keys_n; i++) {
        const struct config_key *k = &config_keys[i];
        if (!str_starts(str_c(k->path), str_c(prefix)) || given[i])
            continue;
        if (k->def)
            read_default(r, k, item);
        else
            say(r, n, k->path, "must be given");
    }
}

static void read_list(struct reader *r, const struct config_list *l, const yaml_node_t *n)
{
    char expected[96];
    size_t items = n->type == YAML_SEQUENCE_NODE
                       ? (size_t)(n->data.sequence.items.top - n->data.sequence.items.start)
                       : SIZE_MAX;
    if (items < l->min || items > l->max) {
        snprintf(expected, sizeof(expected), "expected a list of %u to %u items", l->min, l->max);
        say(r, n, l->path, expected);
        return;
    }
    char *list = arena_array(&r->config->arena, items + 1, l->item_bytes);
    if (!list) {
        say(r, n, l->path, "out of memory");
        return;
    }
    for (size_t i = 0; i < items; i++) {
        const yaml_node_t *item =
            yaml_document_get_node(r->document, n->data.sequence.items.start[i]);
        read_item(r, l, item, list + i * l->item_bytes);
    }
    memcpy((char *)r->config + l->items, &list, sizeof(list));
    memcpy((char *)r->config + l->items_n, &items, sizeof(items));
}

static void unknown_key(struct reader *r, const yaml_node_t *key, const char *prefix)
{
    char shown[PATH_TEXT], expected[PATH_TEXT];
    struct str known = nearest_word(scalar(key), name_below, prefix);
    snprintf(shown, sizeof(shown), "%s%.*s", prefix, STR_ARG(str_sub(scalar(key), 0, 60)));
    if (known.n)
        snprintf(expected, sizeof(expected), "unknown key; did you mean %.*s?", STR_ARG(known));
    else
        snprintf(expected, sizeof(expected), "unknown key");
    config_report_at(&r->report, line_of(key), column_of(key), shown, none, expected);
}

static bool once(struct reader *r, const yaml_node_t *key, const char *path, bool *given)
{
    if (*given)
        config_report_at(&r->report, line_of(key), column_of(key), path, none,
                         "stands twice; expected once");
    bool first = !*given;
    *given = true;
    return first;
}

static void read_pair(struct reader *r, const yaml_node_t *key, const yaml_node_t *value,
                      const char *prefix, void *base, bool *given)
{
    char path[PATH_TEXT];
    if (key->type != YAML_SCALAR_NODE) {
        say(r, key, *prefix ? prefix : "key", "expected a key in one word");
        return;
    }
    int n = snprintf(path, sizeof(path), "%s%.*s", prefix, STR_ARG(str_sub(scalar(key), 0, 60)));
    REQUIRE(n > 0 && n < PATH_TEXT);
    const struct config_key *k = key_find(path);
    const struct config_list *l = list_find(path);
    if (strpbrk(path + strlen(prefix), ".[") || strlen(path + strlen(prefix)) != scalar(key).n) {
        unknown_key(r, key, prefix);
    } else if (k) {
        if (once(r, key, path, &given[k - config_keys]))
            (k->several ? read_several : read_value)(r, k, value, base);
    } else if (l) {
        if (once(r, key, path, &r->listed[l - config_lists]))
            read_list(r, l, value);
    } else if (!is_section(path)) {
        unknown_key(r, key, prefix);
    } else if (value->type == YAML_MAPPING_NODE) {
        snprintf(path + n, sizeof(path) - (size_t)n, ".");
        read_map(r, value, path, base, given);
    } else if (!is_null(value)) {
        say(r, value, path, "expected keys and values below it");
    }
}

/* Depth is that of the table (sections, one list, its items): what nests deeper is no key. */
static void read_map(struct reader *r, const yaml_node_t *map, const char *prefix, void *base,
                     bool *given)
{
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
         p < map->data.mapping.pairs.top && r->report.mistakes <= CONFIG_MISTAKES_MAX; p++)
        read_pair(r, yaml_document_get_node(r->document, p->key),
                  yaml_document_get_node(r->document, p->value), prefix, base, given);
}

/* ---- the document ---- */

static int with_document(struct reader *r, struct str text, const char *place,
                         void (*use)(struct reader *r, const yaml_node_t *root, const void *ctx),
                         const void *ctx)
{
    yaml_parser_t parser;
    yaml_document_t document, second;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    int rc = 0;
    if (!yaml_parser_load(&parser, &document)) {
        char what[256];
        snprintf(what, sizeof(what), "not YAML: %s%s%s", parser.problem ? parser.problem : "?",
                 parser.context ? ", " : "", parser.context ? parser.context : "");
        config_report_at(&r->report, (unsigned)parser.problem_mark.line + 1,
                         (unsigned)parser.problem_mark.column + 1, place, none, what);
        yaml_parser_delete(&parser);
        return -EINVAL;
    }
    r->document = &document;
    yaml_node_t *root = yaml_document_get_root_node(&document);
    use(r, root, ctx);
    if (root && yaml_parser_load(&parser, &second)) {
        if (yaml_document_get_root_node(&second))
            say(r, yaml_document_get_root_node(&second), place,
                "a second document; expected the end of the file");
        yaml_document_delete(&second);
    }
    r->document = NULL;
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return rc;
}

static void use_file(struct reader *r, const yaml_node_t *root, const void *ctx)
{
    (void)ctx;
    if (!root || is_null(root))
        return; /* an empty file: the keys that must be given are told missing */
    if (root->type != YAML_MAPPING_NODE)
        say(r, root, "", "expected keys and values, such as \"node: mx1\"");
    else
        read_map(r, root, "", r->config, r->given);
}

static void use_list(struct reader *r, const yaml_node_t *root, const void *ctx)
{
    read_list(r, ctx, root);
}

static int read_missing(struct reader *r)
{
    int rc = 0;
    for (size_t i = 0; i < config_keys_n; i++) {
        const struct config_key *k = &config_keys[i];
        if (r->given[i] || strstr(k->path, "[]"))
            continue;
        read_default(r, k, r->config);
    }
    for (size_t i = 0; rc == 0 && i < config_lists_n; i++) {
        const struct config_list *l = &config_lists[i];
        if (r->listed[i])
            continue;
        if (l->def)
            rc = with_document(r, str_c(l->def), l->path, use_list, l);
        else
            config_report_at(&r->report, 0, 0, l->path, none, "must be given");
    }
    return rc;
}

int config_load(const char *path, config_say_fn say_fn, void *ctx, struct config **ret)
{
    REQUIRE(config_keys_n <= TABLE_MAX && config_lists_n <= TABLE_MAX);
    struct reader r = {.report = {path, say_fn, ctx, 0}};
    char *text = NULL;
    size_t n = 0;
    struct err e;
    struct config *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->arena = arena_make(ARENA_MAX);
    r.config = c;
    size_t slash = str_rchr(str_c(path), '/');
    size_t length = strlen(path);
    c->file = arena_str(&c->arena, str_c(path)).p;
    c->folder = slash == length ? "." : arena_str(&c->arena, str_sub(str_c(path), 0, slash)).p;
    int rc = c->file && c->folder ? config_file_read(path, &text, &n, &e) : -ENOMEM;
    if (rc < 0) {
        config_report_at(&r.report, 0, 0, "", none, rc == -ENOMEM ? "out of memory" : e.text);
        goto out;
    }
    rc = with_document(&r, str_of(text, n), "", use_file, NULL);
    if (rc == 0)
        rc = read_missing(&r);
    if (rc == 0)
        rc = config_check(c, r.given[key_find("spool.keep_bytes") - config_keys], &r.report);
    if (rc == 0 && r.report.mistakes)
        rc = -EINVAL;
out:
    free(text);
    if (rc < 0) {
        config_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    returnpath_set_unref(c->returnpath);
    arena_free(&c->arena);
    free(c);
}
