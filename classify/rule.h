/* rule.h - one rule as data: what docs/rules.md describes, read by rules_file.c. */
#ifndef CLASSIFY_RULE_H
#define CLASSIFY_RULE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/smtp_command.h"
#include "classify/codes.h"
#include "classify/operator.h"

enum {
    RULES_FILE_BYTES = 4 << 20, /* of one rule file */
    RULES_LINE_BYTES = 2048,
    RULES_MAX = 10000,        /* rules in all files together */
    RULE_LINES_MAX = 64,      /* patterns, or examples, of one rule */
    RULE_CONDITIONS_MAX = 16, /* values of one status, code or operator line */
};

/* "5.1.1", "x.2.2", "5.x.x", "5.7.606-649" */
struct status_span {
    uint8_t class; /* 0: any */
    bool any_subject;
    uint16_t subject;
    uint16_t from, to;
};

/* "550", "55x", "4xx" */
struct reply_span {
    uint16_t from, to;
};

struct rule {
    const char *id;
    const char *file; /* "" for a shipped rule */
    unsigned line;
    enum verdict_category category;
    enum verdict_confidence confidence;
    enum verdict_fault fault;
    bool replaced; /* shipped, and a user's rule has its id: as if it were not there */
    bool weak;     /* counts only where the enhanced status says nothing */
    const char **patterns;
    unsigned *pattern_lines;
    size_t patterns_n;
    const char *operators[RULE_CONDITIONS_MAX]; /* names of the operator table */
    size_t operators_n;
    struct status_span statuses[RULE_CONDITIONS_MAX];
    size_t statuses_n;
    struct reply_span replies[RULE_CONDITIONS_MAX];
    size_t replies_n;
    unsigned commands; /* a bit for each; 0: any, and where it is not known */
    const char *source;
    const char *host; /* the MX that said the examples; NULL: they need none */
    const char **examples;
    size_t examples_n;
    const char *pattern_text; /* all patterns, joined by " | " */
};

struct rule_set {
    struct arena arena;
    struct rule *rules; /* malloc'd, in order of precedence */
    size_t n, room;
};

void rule_set_init(struct rule_set *set);
void rule_set_free(struct rule_set *set);

/* Adds the rules of text, which came from file (shown in errors; "" for the shipped ones), behind
 * those of the set. 0, -EINVAL with file, line and what was expected, or -ENOMEM. After an error
 * the set may hold some of them and is only good for freeing. */
int rule_set_read(struct rule_set *set, const char *file, struct str text, struct err *e);

bool status_span_has(const struct status_span *span, struct status s);

#endif
