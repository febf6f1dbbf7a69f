/* classifier.h - inside of struct classifier, for the files of this room. */
#ifndef CLASSIFY_CLASSIFIER_H
#define CLASSIFY_CLASSIFIER_H

#include "classify/classify.h"
#include "classify/normal.h"
#include "classify/rule.h"
#include "classify/rules.h"

struct classifier {
    struct rule_set set;
    struct rules *rules;          /* owners: the rules of set, then the operator marks */
    struct classify_rule *listed; /* as classify.h shows them */
    size_t listed_n;
    struct normal normal; /* the text being looked at */
};

/* What is known of one recipient, however it was learned. */
struct evidence {
    struct str text;
    struct status status; /* the report's Status field; class 0: none */
    struct str status_text;
    uint16_t reply;
    enum smtp_command command; /* that the reply answered; NONE: not known */
    unsigned hops;             /* of the returned message; 0: not known */
    enum report_action action;
    bool final;                     /* given up: a temporary reply is the last word, too */
    const char *mx_operator;        /* by host names; NULL: look for it in the text */
    const char *reporting_operator; /* of who wrote the report; the last resort */
};

struct verdict classify_evidence(struct classifier *c, const struct evidence *ev);

#endif
