#include "classify/classifier.h"

#include "classify/shipped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, const char *path, char *bytes, size_t size, size_t *ret, struct err *e)
{
    size_t n = 0;
    while (n < size) {
        ssize_t got = read(fd, bytes + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(e, -errno, "rule file %s", path);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *ret = n;
    return 0;
}

static int load_file(struct rule_set *set, const char *path, struct err *e)
{
    /* O_NONBLOCK: a FIFO in the folder must not hold up the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_sys(e, -errno, "rule file %s", path);
    struct stat st;
    char *bytes = NULL;
    int rc = 0;
    size_t n = 0;
    if (fstat(fd, &st) < 0)
        rc = err_sys(e, -errno, "rule file %s", path);
    else if (!S_ISREG(st.st_mode))
        rc = err_set(e, -EINVAL, "rule file %s: expected a regular file", path);
    if (rc == 0 && !(bytes = malloc(RULES_FILE_BYTES + 1)))
        rc = err_set(e, -ENOMEM, "no memory for rule file %s", path);
    if (rc == 0)
        rc = read_all(fd, path, bytes, RULES_FILE_BYTES + 1, &n, e);
    if (rc == 0)
        rc = rule_set_read(set, path, str_of(bytes, n), e);
    free(bytes);
    close(fd);
    return rc;
}

static int is_rules_name(const struct dirent *d)
{
    struct str name = str_c(d->d_name);
    return name.n > 6 && d->d_name[0] != '.' && str_eq(str_from(name, name.n - 6), STR(".rules"));
}

/* By bytes, so that a locale does not change which rule comes first. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_directory(struct rule_set *set, const char *path, struct err *e)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, is_rules_name, by_name);
    if (n < 0)
        return err_sys(e, -errno, "rule folder %s", path);
    int rc = 0;
    for (int i = 0; i < n; i++) {
        if (rc == 0) {
            struct arena a = arena_make(64 * 1024);
            struct str file = arena_fmt(&a, "%s/%s", path, names[i]->d_name);
            rc = str_is_absent(file) ? err_set(e, -ENOMEM, "no memory for rule folder %s", path)
                                     : load_file(set, file.p, e);
            arena_free(&a);
        }
        free(names[i]);
    }
    free(names);
    return rc;
}

static int load_path(struct rule_set *set, const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_sys(e, -errno, "rules %s", path);
    return S_ISDIR(st.st_mode) ? load_directory(set, path, e) : load_file(set, path, e);
}

/* All patterns of the rules and of the operators' marks, and whose they are. */
static int compile_all(struct classifier *c, struct err *e)
{
    size_t n = 0, marks = 0;
    for (size_t i = 0; i < c->set.n; i++)
        n += c->set.rules[i].patterns_n;
    while (operator_mark(marks).name)
        marks++;
    struct rules_pattern *patterns = calloc(n + marks, sizeof(*patterns));
    if (!patterns)
        return err_set(e, -ENOMEM, "no memory for %zu patterns", n);
    n = 0;
    for (size_t i = 0; i < c->set.n; i++) {
        const struct rule *rule = &c->set.rules[i];
        for (size_t k = 0; k < rule->patterns_n; k++)
            patterns[n++] = (struct rules_pattern){rule->patterns[k], (unsigned)i, rule->file,
                                                   rule->pattern_lines[k]};
    }
    for (size_t i = 0; i < marks; i++)
        patterns[n++] =
            (struct rules_pattern){operator_mark(i).pattern, (unsigned)(c->set.n + i), "", 0};
    int rc = rules_compile(patterns, n, c->set.n + marks, &c->rules, e);
    free(patterns);
    return rc;
}

static int list_rules(struct classifier *c, struct err *e)
{
    c->listed = calloc(c->set.n ? c->set.n : 1, sizeof(*c->listed));
    if (!c->listed)
        return err_set(e, -ENOMEM, "no memory for the rules");
    for (size_t i = 0; i < c->set.n; i++) {
        const struct rule *rule = &c->set.rules[i];
        c->listed[i] = (struct classify_rule){
            .id = rule->id,
            .file = rule->file,
            .line = rule->line,
            .category = rule->category,
            .pattern = rule->pattern_text,
            .source = rule->source,
            .host = rule->host,
            .examples = rule->examples,
            .examples_n = rule->examples_n,
        };
    }
    return 0;
}

int classifier_load(const char *const *paths, size_t paths_n, struct classifier **ret,
                    struct err *e)
{
    struct classifier *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(e, -ENOMEM, "no memory for the rules");
    rule_set_init(&c->set);
    int rc = 0;
    for (size_t i = 0; i < paths_n && rc == 0; i++)
        rc = load_path(&c->set, paths[i], e);
    if (rc == 0)
        rc = rule_set_read(&c->set, "", str_of(shipped_rules, shipped_rules_n), e);
    if (rc == 0)
        rc = compile_all(c, e);
    if (rc == 0)
        rc = list_rules(c, e);
    if (rc < 0) {
        classifier_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void classifier_free(struct classifier *c)
{
    if (!c)
        return;
    rules_free(c->rules);
    rule_set_free(&c->set);
    free(c->listed);
    free(c);
}

const struct classify_rule *classifier_rule(const struct classifier *c, size_t i)
{
    return i < c->set.n ? &c->listed[i] : NULL;
}
