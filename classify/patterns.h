/* patterns.h - the patterns of rules and of the operators' marks, as rules.h wants them. */
#ifndef CLASSIFY_PATTERNS_H
#define CLASSIFY_PATTERNS_H

#include "classify/rule.h"
#include "classify/rules.h"

/* Patterns of the rules [from, to) of a set; owner: the rule's place in the set. With marks, those
 * of the operator table follow; owner: set->n + i. malloc'd; NULL when memory ended. */
struct rules_pattern *patterns_of(const struct rule_set *set, size_t from, size_t to, bool marks,
                                  size_t *ret_n);

size_t patterns_marks(void);

#endif
