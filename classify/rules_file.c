#include "classify/rule.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Where the reader stands, and the rule being read. */
struct reader {
    struct rule_set *set;
    const char *file;
    unsigned line;
    struct rule rule;
    bool open;         /* a rule has begun */
    bool has_category; /* and what it has seen */
    bool has_confidence, has_fault, has_weak;
    const char *patterns[RULE_LINES_MAX];
    unsigned pattern_lines[RULE_LINES_MAX];
    const char *examples[RULE_LINES_MAX];
    struct err *e;
};

#define FAIL_AT(r, at, ...) fail_at((r), (at), __VA_ARGS__)
#define FAIL(r, ...)        fail_at((r), (r)->line, __VA_ARGS__)

static int fail_at(struct reader *r, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fail_at(struct reader *r, unsigned line, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(r->e, -EINVAL, "%s:%u: %s", *r->file ? r->file : "shipped.rules", line, text);
}

static int no_memory(struct reader *r)
{
    return err_set(r->e, -ENOMEM, "no memory for the rules");
}

void rule_set_init(struct rule_set *set)
{
    *set = (struct rule_set){.arena = arena_make(64 << 20)};
}

void rule_set_free(struct rule_set *set)
{
    free(set->rules);
    arena_free(&set->arena);
    *set = (struct rule_set){.arena = arena_make(0)};
}

/* --- values -------------------------------------------------------------------------------- */

static int read_text(struct reader *r, struct str value, const char **ret)
{
    struct str copy = arena_str(&r->set->arena, value);
    if (str_is_absent(copy))
        return no_memory(r);
    *ret = copy.p;
    return 0;
}

static int read_category(struct reader *r, struct str value)
{
    if (r->has_category)
        return FAIL(r, "a second category; one was given above");
    if (!verdict_category_parse(value, &r->rule.category))
        return FAIL(r, "category \"%.*s\" is none; docs/categories.md lists them",
                    STR_ARG(str_sub(value, 0, 60)));
    r->has_category = true;
    return 0;
}

static int read_confidence(struct reader *r, struct str value)
{
    if (r->has_confidence)
        return FAIL(r, "a second confidence; one was given above");
    for (size_t i = 0; i < CONFIDENCE_COUNT; i++) {
        if (str_eq(value, str_c(verdict_confidence_name((enum verdict_confidence)i)))) {
            r->rule.confidence = (enum verdict_confidence)i;
            r->has_confidence = true;
            return 0;
        }
    }
    return FAIL(r, "confidence \"%.*s\": expected high, medium or low",
                STR_ARG(str_sub(value, 0, 60)));
}

static int read_fault(struct reader *r, struct str value)
{
    if (r->has_fault)
        return FAIL(r, "a second fault; one was given above");
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if (str_eq(value, str_c(verdict_fault_name((enum verdict_fault)i)))) {
            r->rule.fault = (enum verdict_fault)i;
            r->has_fault = true;
            return 0;
        }
    }
    return FAIL(r,
                "fault \"%.*s\": expected recipient, sender, message, network, provider or "
                "unknown",
                STR_ARG(str_sub(value, 0, 60)));
}

static int read_weak(struct reader *r, struct str value)
{
    if (r->has_weak)
        return FAIL(r, "a second weak; one was given above");
    if (!str_eq(value, STR("yes")) && !str_eq(value, STR("no")))
        return FAIL(r, "weak \"%.*s\": expected yes or no", STR_ARG(str_sub(value, 0, 60)));
    r->rule.weak = str_eq(value, STR("yes"));
    r->has_weak = true;
    return 0;
}

static int read_pattern(struct reader *r, struct str value)
{
    if (r->rule.patterns_n == RULE_LINES_MAX)
        return FAIL(r, "more than %d patterns in one rule", RULE_LINES_MAX);
    r->pattern_lines[r->rule.patterns_n] = r->line;
    int rc = read_text(r, value, &r->patterns[r->rule.patterns_n]);
    if (rc == 0)
        r->rule.patterns_n++;
    return rc;
}

static int read_example(struct reader *r, struct str value)
{
    if (r->rule.examples_n == RULE_LINES_MAX)
        return FAIL(r, "more than %d examples in one rule", RULE_LINES_MAX);
    int rc = read_text(r, value, &r->examples[r->rule.examples_n]);
    if (rc == 0)
        r->rule.examples_n++;
    return rc;
}

static int read_source(struct reader *r, struct str value)
{
    if (r->rule.source)
        return FAIL(r, "a second source; one was given above");
    return read_text(r, value, &r->rule.source);
}

static int read_host(struct reader *r, struct str value)
{
    if (r->rule.host)
        return FAIL(r, "a second host; one was given above");
    return read_text(r, value, &r->rule.host);
}

/* The next of the words that spaces or commas part. */
static bool next_word(struct str *rest, struct str *ret)
{
    while (rest->n > 0 && (ascii_is_space(rest->p[0]) || rest->p[0] == ','))
        *rest = str_from(*rest, 1);
    size_t n = 0;
    while (n < rest->n && !ascii_is_space(rest->p[n]) && rest->p[n] != ',')
        n++;
    *ret = str_sub(*rest, 0, n);
    *rest = str_from(*rest, n);
    return n > 0;
}

static int read_operator(struct reader *r, struct str value)
{
    struct str word;
    while (next_word(&value, &word)) {
        const char *name = operator_by_name(word);
        if (!name)
            return FAIL(r, "operator \"%.*s\" is none; docs/rules.md lists them",
                        STR_ARG(str_sub(word, 0, 60)));
        if (r->rule.operators_n == RULE_CONDITIONS_MAX)
            return FAIL(r, "more than %d operators in one rule", RULE_CONDITIONS_MAX);
        r->rule.operators[r->rule.operators_n++] = name;
    }
    return 0;
}

static bool parse_reply_span(struct str word, struct reply_span *ret)
{
    unsigned from = 0, to = 0;
    if (word.n != 3 || (word.p[0] != '2' && word.p[0] != '4' && word.p[0] != '5'))
        return false;
    for (size_t i = 0; i < 3; i++) {
        bool any = word.p[i] == 'x';
        if (!any && !ascii_is_digit(word.p[i]))
            return false;
        from = from * 10 + (any ? 0 : (unsigned)(word.p[i] - '0'));
        to = to * 10 + (any ? 9 : (unsigned)(word.p[i] - '0'));
    }
    *ret = (struct reply_span){(uint16_t)from, (uint16_t)to};
    return true;
}

static int read_code(struct reader *r, struct str value)
{
    struct str word;
    while (next_word(&value, &word)) {
        struct reply_span span;
        if (!parse_reply_span(word, &span))
            return FAIL(r, "code \"%.*s\": expected a reply code such as 550, 55x or 4xx",
                        STR_ARG(str_sub(word, 0, 60)));
        if (r->rule.replies_n == RULE_CONDITIONS_MAX)
            return FAIL(r, "more than %d codes in one rule", RULE_CONDITIONS_MAX);
        r->rule.replies[r->rule.replies_n++] = span;
    }
    return 0;
}

static int read_command(struct reader *r, struct str value)
{
    struct str word;
    while (next_word(&value, &word)) {
        enum smtp_command command = smtp_command_by_name(word);
        if (!command)
            return FAIL(r,
                        "command \"%.*s\": expected connect, ehlo, starttls, auth, mail, rcpt or "
                        "data",
                        STR_ARG(str_sub(word, 0, 60)));
        r->rule.commands |= 1u << command;
    }
    return 0;
}

static bool parse_part(struct str part, uint16_t *ret)
{
    uint32_t value;
    if (!str_to_u32(part, &value) || value > 999)
        return false;
    *ret = (uint16_t)value;
    return true;
}

static bool parse_status_span(struct str word, struct status_span *ret)
{
    struct str class = str_cut(&word, '.'), subject = str_cut(&word, '.'), detail = word;
    struct status_span span = {0};
    if (str_eq(class, STR("2")) || str_eq(class, STR("4")) || str_eq(class, STR("5")))
        span.class = (uint8_t)(class.p[0] - '0');
    else if (!str_eq(class, STR("x")))
        return false;
    if (str_eq(subject, STR("x")))
        span.any_subject = true;
    else if (!parse_part(subject, &span.subject))
        return false;
    if (str_eq(detail, STR("x"))) {
        span.to = 999;
    } else {
        struct str from = str_cut(&detail, '-');
        if (!parse_part(from, &span.from))
            return false;
        span.to = span.from;
        if (detail.n > 0 && (!parse_part(detail, &span.to) || span.to < span.from))
            return false;
    }
    *ret = span;
    return true;
}

bool status_span_has(const struct status_span *span, struct status s)
{
    return s.class != 0 && (span->class == 0 || span->class == s.class) &&
           (span->any_subject || span->subject == s.subject) && span->from <= s.detail &&
           s.detail <= span->to;
}

static int read_status(struct reader *r, struct str value)
{
    struct str word;
    while (next_word(&value, &word)) {
        struct status_span span;
        if (!parse_status_span(word, &span))
            return FAIL(r, "status \"%.*s\": expected such as 5.1.1, x.2.2, 5.7.x or 5.7.606-649",
                        STR_ARG(str_sub(word, 0, 60)));
        if (r->rule.statuses_n == RULE_CONDITIONS_MAX)
            return FAIL(r, "more than %d statuses in one rule", RULE_CONDITIONS_MAX);
        r->rule.statuses[r->rule.statuses_n++] = span;
    }
    return 0;
}

static const struct {
    struct str name;
    int (*read)(struct reader *r, struct str value);
} keys[] = {
    {STR_INIT("category"), read_category},
    {STR_INIT("pattern"), read_pattern},
    {STR_INIT("operator"), read_operator},
    {STR_INIT("status"), read_status},
    {STR_INIT("code"), read_code},
    {STR_INIT("command"), read_command},
    {STR_INIT("confidence"), read_confidence},
    {STR_INIT("fault"), read_fault},
    {STR_INIT("weak"), read_weak},
    {STR_INIT("source"), read_source},
    {STR_INIT("host"), read_host},
    {STR_INIT("example"), read_example},
};

/* --- rules --------------------------------------------------------------------------------- */

static const char **copy_list(struct reader *r, const char **list, size_t n)
{
    const char **copy = ARENA_ARRAY(&r->set->arena, n, const char *);
    if (copy && n > 0)
        memcpy(copy, list, n * sizeof(*copy));
    return copy;
}

static const char *join_patterns(struct reader *r)
{
    struct str all = STR("");
    for (size_t i = 0; i < r->rule.patterns_n; i++)
        all = i == 0 ? str_c(r->patterns[0])
                     : arena_fmt(&r->set->arena, "%.*s | %s", STR_ARG(all), r->patterns[i]);
    return all.p;
}

/* Ends the rule being read, if any. */
static int rule_end(struct reader *r)
{
    struct rule_set *set = r->set;
    struct rule *rule = &r->rule;
    if (!r->open)
        return 0;
    r->open = false;
    if (!r->has_category)
        return FAIL_AT(r, rule->line, "rule %s has no category", rule->id);
    if (rule->patterns_n + rule->operators_n + rule->statuses_n + rule->replies_n +
            rule->commands ==
        0)
        return FAIL_AT(r, rule->line, "rule %s has no pattern and no other condition", rule->id);
    if (!rule->source)
        return FAIL_AT(r, rule->line, "rule %s has no source", rule->id);
    if (rule->examples_n == 0)
        return FAIL_AT(r, rule->line, "rule %s has no example", rule->id);
    if (!r->has_fault)
        rule->fault = verdict_category_fault(rule->category);
    rule->patterns = copy_list(r, r->patterns, rule->patterns_n);
    rule->examples = copy_list(r, r->examples, rule->examples_n);
    rule->pattern_lines = ARENA_ARRAY(&set->arena, rule->patterns_n, unsigned);
    rule->pattern_text = join_patterns(r);
    if (arena_failed(&set->arena) || !rule->patterns || !rule->examples || !rule->pattern_lines)
        return no_memory(r);
    if (rule->patterns_n > 0)
        memcpy(rule->pattern_lines, r->pattern_lines, rule->patterns_n * sizeof(unsigned));
    if (set->n == RULES_MAX)
        return FAIL_AT(r, rule->line, "more than %d rules", RULES_MAX);
    if (set->n == set->room) {
        size_t room = set->room ? set->room * 2 : 256;
        struct rule *more = reallocarray(set->rules, room, sizeof(*more));
        if (!more)
            return no_memory(r);
        set->rules = more;
        set->room = room;
    }
    set->rules[set->n++] = *rule;
    return 0;
}

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (!ascii_is_alpha(id.p[i]) && !ascii_is_digit(id.p[i]) &&
            (id.p[i] == '\0' || !strchr("-_.", id.p[i])))
            return false;
    return id.n > 0 && id.n <= 64;
}

static int rule_begin(struct reader *r, struct str id)
{
    int rc = rule_end(r);
    if (rc < 0)
        return rc;
    if (!is_id(id))
        return FAIL(r, "rule \"%.*s\": expected an id of 1 to 64 letters, digits, '-', '_', '.'",
                    STR_ARG(str_sub(id, 0, 80)));
    /* An id is stored with every event; ids of codes must stay apart from those of rules. */
    if (str_starts(id, STR("status-")) || str_starts(id, STR("reply-")) ||
        str_starts(id, STR("action-")) || str_eq(id, STR("none")))
        return FAIL(r, "rule \"%.*s\": ids none, status-..., reply-... and action-... are taken",
                    STR_ARG(id));
    r->rule = (struct rule){.file = r->file, .line = r->line, .confidence = CONFIDENCE_HIGH};
    r->open = true;
    r->has_category = r->has_confidence = r->has_fault = r->has_weak = false;
    return read_text(r, id, &r->rule.id);
}

static int read_line(struct reader *r, struct str line)
{
    bool indented = line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
    struct str rest = str_trim(line);
    if (rest.n == 0 || rest.p[0] == '#')
        return 0;
    size_t n = 0;
    while (n < rest.n && !ascii_is_space(rest.p[n]))
        n++;
    struct str key = str_sub(rest, 0, n), value = str_trim(str_from(rest, n));
    if (!indented) {
        if (!str_eq(key, STR("rule")))
            return FAIL(r, "\"%.*s\" at the start of a line: expected \"rule ID\"",
                        STR_ARG(str_sub(key, 0, 60)));
        return rule_begin(r, value);
    }
    if (!r->open)
        return FAIL(r, "\"%.*s\" before the first rule", STR_ARG(str_sub(key, 0, 60)));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!str_eq(key, keys[i].name))
            continue;
        if (value.n == 0)
            return FAIL(r, "key %.*s has no value", STR_ARG(key));
        return keys[i].read(r, value);
    }
    return FAIL(r,
                "unknown key \"%.*s\"; keys are category, pattern, operator, status, code, "
                "command, confidence, fault, weak, source, host, example",
                STR_ARG(str_sub(key, 0, 60)));
}

static int by_id(const void *a, const void *b)
{
    const struct rule *const *x = a, *const *y = b;
    int order = strcmp((*x)->id, (*y)->id);
    return order != 0 ? order : (*x > *y) - (*x < *y);
}

/* No two rules share an id, but a user's rule replaces the shipped one of its id. */
static int check_ids(struct reader *r)
{
    struct rule_set *set = r->set;
    struct rule **sorted = calloc(set->n ? set->n : 1, sizeof(struct rule *));
    if (!sorted)
        return no_memory(r);
    for (size_t i = 0; i < set->n; i++)
        sorted[i] = &set->rules[i];
    qsort(sorted, set->n, sizeof(struct rule *), by_id);
    int rc = 0;
    struct rule *first = NULL; /* the first of those with the id looked at */
    for (size_t i = 0; i < set->n && rc == 0; i++) {
        struct rule *rule = sorted[i];
        if (!first || strcmp(first->id, rule->id) != 0)
            first = rule;
        else if (*first->file && !*rule->file)
            rule->replaced = true;
        else
            rc = FAIL_AT(r, rule->line, "rule %s stands already at %s:%u", rule->id,
                         *first->file ? first->file : "shipped.rules", first->line);
    }
    free(sorted);
    return rc;
}

int rule_set_read(struct rule_set *set, const char *file, struct str text, struct err *e)
{
    struct reader *r = calloc(1, sizeof(*r));
    struct str copy = arena_str(&set->arena, str_c(file));
    int rc = 0;
    if (!r || str_is_absent(copy)) {
        free(r);
        return err_set(e, -ENOMEM, "no memory for the rules");
    }
    r->set = set;
    r->file = copy.p;
    r->e = e;
    if (text.n > RULES_FILE_BYTES)
        rc = FAIL(r, "%zu bytes; a rule file has at most %d", text.n, RULES_FILE_BYTES);
    struct str line;
    while (rc == 0 && str_line(&text, &line)) {
        r->line++;
        if (line.n > RULES_LINE_BYTES)
            rc = FAIL(r, "a line of %zu bytes; at most %d", line.n, RULES_LINE_BYTES);
        else if (str_chr(line, '\0', 0) < line.n)
            rc = FAIL(r, "a NUL byte");
        else if (!str_is_utf8(line))
            rc = FAIL(r, "not UTF-8");
        else
            rc = read_line(r, line);
    }
    if (rc == 0)
        rc = rule_end(r);
    if (rc == 0)
        rc = check_ids(r);
    free(r);
    return rc;
}
