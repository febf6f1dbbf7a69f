/* rules test: a person's own rules, held against their own examples. */
#include "app/command.h"
#include "classify/classify.h"

#include <errno.h>

enum { PATHS_MAX = 16 };

struct rules_count {
    size_t rules, examples, lost;
};

/* Every example must be won by its rule; the one that took it is named, with its words. */
static void test_rule(struct classifier *c, const struct classify_rule *rule, struct rules_count *n)
{
    n->rules++;
    for (size_t i = 0; i < rule->examples_n; i++) {
        struct report_recipient rcpt;
        struct verdict v = classify_reply(c, str_c(rule->examples[i]), str_c(rule->host), &rcpt);
        n->examples++;
        if (strcmp(v.rule, rule->id) == 0)
            continue;
        n->lost++;
        printf("%s:%u: %s: this example is won by %s (%s), by the words \"%.*s\": %s\n", rule->file,
               rule->line, rule->id, v.rule, verdict_category_name(v.category), STR_ARG(v.evidence),
               rule->examples[i]);
    }
}

static int rules_test(const struct command_line *l)
{
    const char *paths[PATHS_MAX];
    for (size_t i = 0; i < l->args_n; i++)
        paths[i] = l->args[i];
    struct classifier *c = NULL;
    struct err e;
    int rc = classifier_load(paths, l->args_n, &c, &e);
    if (rc < 0)
        return command_fail(l, EXIT_NO, "%s", e.text);
    struct rules_count n = {0};
    const struct classify_rule *rule;
    for (size_t i = 0; (rule = classifier_rule(c, i)); i++)
        if (*rule->file)
            test_rule(c, rule, &n);
    classifier_free(c);
    printf("%zu rules, %zu examples, %zu won by another rule\n", n.rules, n.examples, n.lost);
    return n.lost ? EXIT_NO : EXIT_GOOD;
}

const struct command commands_rules[] = {
    {"rules test",
     "PATH...",
     1,
     PATHS_MAX,
     "Hold your rules against their own examples",
     "PATH is a rule file or a directory of *.rules. They are read as the service would read "
     "them,\n"
     "before the shipped rules, and each example must be won by its own rule. Exit code 1 when a\n"
     "file is wrong, with file, line and what was expected, or when an example is lost.",
     {{NULL, NULL, NULL}},
     rules_test},
    {.name = NULL},
};
