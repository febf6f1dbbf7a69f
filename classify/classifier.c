#include "classify/classifier.h"

#include "classify/patterns.h"
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

/* Two groups: the user's rules, and what is shipped, which was compiled when the program was. */
static int compile_all(struct classifier *c, size_t user_n, struct err *e)
{
    struct rules_group groups[2] = {{.saved = {NULL, 0}}, {.saved = shipped_database()}};
    struct rules_pattern *user = patterns_of(&c->set, 0, user_n, false, &groups[0].n);
    struct rules_pattern *shipped = patterns_of(&c->set, user_n, c->set.n, true, &groups[1].n);
    groups[0].patterns = user;
    groups[1].patterns = shipped;
    int rc = user && shipped ? rules_make(groups, 2, c->set.n + patterns_marks(), &c->rules, e)
                             : err_set(e, -ENOMEM, "no memory for the rules");
    free(user);
    free(shipped);
    return rc;
}

static int list_rules(struct classifier *c, struct err *e)
{
    c->listed = calloc(c->set.n ? c->set.n : 1, sizeof(*c->listed));
    if (!c->listed)
        return err_set(e, -ENOMEM, "no memory for the rules");
    for (size_t i = 0; i < c->set.n; i++) {
        const struct rule *rule = &c->set.rules[i];
        if (rule->replaced)
            continue;
        c->listed[c->listed_n++] = (struct classify_rule){
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
    size_t user_n = c->set.n;
    if (rc == 0)
        rc = rule_set_read(&c->set, "", shipped_rules(), e);
    if (rc == 0)
        rc = compile_all(c, user_n, e);
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
    return i < c->listed_n ? &c->listed[i] : NULL;
}
