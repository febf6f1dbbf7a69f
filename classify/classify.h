/* classify.h - a recipient of a report -> a verdict that names its rule and its words.
 *
 * Evidence is weighed in a fixed order: the report's Action, then rules for (operator, text), then
 * text rules, then the enhanced status code (RFC 3463 and the IANA registry), then the reply code.
 * 5xx alone is never hard. Same text, same verdict, on every machine. No I/O after loading. */
#ifndef CLASSIFY_CLASSIFY_H
#define CLASSIFY_CLASSIFY_H

#include "base/err.h"
#include "classify/verdict.h"
#include "parser/report.h"

struct classifier;

/* Reads the user's rules (paths: files, or directories whose *.rules are read in name order; may be
 * none), which come first, then those shipped inside the program. On failure *e names file, line
 * and what was expected: -EINVAL, or -Exxx of the file. */
int classifier_load(const char *const *paths, size_t paths_n, struct classifier **ret,
                    struct err *e);
void classifier_free(struct classifier *c);

/* The verdict on recipient number i of a report. Evidence points into the report. Not for several
 * threads at once on one classifier. */
struct verdict classify_recipient(struct classifier *c, const struct report *r, size_t i);

/* One bare SMTP reply, such as "550 5.1.1 <a@b.example>: user unknown"; host is the MX that said
 * it, or absent. The recipient read from the text goes to *ret (its strings point into text). */
struct verdict classify_reply(struct classifier *c, struct str text, struct str host,
                              struct report_recipient *ret);

/* Every rule in order of precedence, for `rules list`; NULL behind the last. */
struct classify_rule {
    const char *id;
    const char *file; /* "" for a shipped rule */
    unsigned line;
    enum verdict_category category;
    const char *pattern; /* all of them, joined by " | "; "" for a rule of codes alone */
    const char *source;
    const char *host;            /* the MX that gave the examples; NULL: they need none */
    const char *const *examples; /* each is a reply that this rule must win (classify_reply) */
    size_t examples_n;
};
const struct classify_rule *classifier_rule(const struct classifier *c, size_t i);

#endif
