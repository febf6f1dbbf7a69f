/* set.h - the fields of a set and of a reader, for this room only. */
#ifndef RETURNPATH_SET_H
#define RETURNPATH_SET_H

#include "returnpath/pattern.h"
#include "returnpath/returnpath.h"
#include "returnpath/token.h"

#include <stdatomic.h>

struct returnpath_set {
    _Atomic unsigned references;
    struct arena arena;                /* all that config pointed to */
    struct returnpath_domain *domains; /* sorted by name */
    size_t domains_n;
    struct token_key *keys;
    size_t keys_n;
    struct pattern *patterns;
    size_t patterns_n;
    struct token_lifetimes lifetimes;
};

struct returnpath_reader {
    struct returnpath_set *set;
    struct token_signer *signer;
    struct pattern_matcher *matcher; /* NULL: the set has no patterns */
};

#endif
