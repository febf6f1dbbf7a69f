#include "classify/patterns.h"

#include <stdlib.h>

size_t patterns_marks(void)
{
    size_t n = 0;
    while (operator_mark(n).name)
        n++;
    return n;
}

struct rules_pattern *patterns_of(const struct rule_set *set, size_t from, size_t to, bool marks,
                                  size_t *ret_n)
{
    size_t n = marks ? patterns_marks() : 0;
    for (size_t i = from; i < to; i++)
        n += set->rules[i].patterns_n;
    struct rules_pattern *patterns = calloc(n ? n : 1, sizeof(*patterns));
    if (!patterns)
        return NULL;
    n = 0;
    for (size_t i = from; i < to; i++) {
        const struct rule *rule = &set->rules[i];
        for (size_t k = 0; k < rule->patterns_n; k++)
            patterns[n++] = (struct rules_pattern){rule->patterns[k], (unsigned)i, rule->file,
                                                   rule->pattern_lines[k]};
    }
    for (size_t i = 0; marks && operator_mark(i).name; i++)
        patterns[n++] =
            (struct rules_pattern){operator_mark(i).pattern, (unsigned)(set->n + i), "", 0};
    *ret_n = n;
    return patterns;
}
