/* classify, explain, rules list: verdicts without network and database. */
#include "app/command.h"
#include "app/json.h"
#include "app/mailbox.h"
#include "app/progress.h"
#include "app/reading.h"
#include "app/table.h"
#include "base/clock.h"
#include "classify/classify.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { RULES_MAX = 16, TABLE_ROWS = 500, LINE_MAX_BYTES = 64 << 10 };

struct classify_run {
    const struct command_line *line;
    struct classifier *classifier;
    struct arena arena;
    struct table *table; /* NULL: JSON */
    struct progress progress;
    uint64_t messages;
    bool failed;
};

/* --rules FILE,DIRECTORY,...: NULL list when not given. */
static int load_rules(const struct command_line *l, struct classifier **ret)
{
    const char *paths[RULES_MAX];
    size_t n = 0;
    struct arena a = arena_make(1 << 20);
    struct str rest = str_c(command_value(l, "--rules"));
    struct err e;
    int rc = 0;
    while (rc == 0 && rest.n) {
        struct str path = arena_str(&a, str_cut(&rest, ','));
        if (n == RULES_MAX || str_is_absent(path))
            rc = err_set(&e, -EINVAL, "--rules: expected at most %d paths", RULES_MAX);
        else
            paths[n++] = path.p;
    }
    if (rc == 0)
        rc = classifier_load(paths, n, ret, &e);
    arena_free(&a);
    return rc < 0 ? command_fail(l, rc, "%s", e.text) : 0;
}

/* ---- classify ---- */

static void verdict_json(struct json *o, const struct verdict *v)
{
    struct str none = {NULL, 0};
    json_text(o, "class", v ? str_c(verdict_class_name(v->class)) : none);
    json_text(o, "category", v ? str_c(verdict_category_name(v->category)) : none);
    json_text(o, "fault", v ? str_c(verdict_fault_name(v->fault)) : none);
    json_bool(o, "hard", v && v->class == CLASS_HARD);
    json_text(o, "confidence", v ? str_c(verdict_confidence_name(v->confidence)) : none);
    json_text(o, "rule", v ? str_c(v->rule) : none);
    json_text(o, "operator", v ? str_c(v->mx_operator) : none);
}

static void reply_code_json(struct json *o, unsigned code)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", code);
    json_fact(o, "reply_code", code ? str_c(text) : STR(""));
}

static struct str first_of(struct str a, struct str b)
{
    return a.n ? a : b;
}

static int print_json(struct classify_run *c, const char *name, const struct report *r)
{
    struct json *o = json_new();
    json_text(o, "file", str_c(name));
    json_text(o, "kind", str_c(report_kind_name(r->kind)));
    struct json *list = json_list(o, "recipients");
    for (size_t i = 0; i < r->recipients_n; i++) {
        const struct report_recipient *p = &r->recipients[i];
        struct verdict verdict;
        const struct verdict *v = NULL;
        if (reading_has_verdict(reading_kind(r, i))) {
            verdict = classify_recipient(c->classifier, r, i);
            v = &verdict;
        }
        struct json *item = json_item(list);
        json_fact(item, "address", first_of(p->original_recipient, p->final_recipient));
        json_fact(item, "final_recipient", p->final_recipient);
        json_fact(item, "status", p->status);
        reply_code_json(item, p->reply_code);
        json_fact(item, "action", str_c(report_action_name(p->action)));
        json_fact(item, "command", str_c(smtp_command_name(p->command)));
        verdict_json(item, v);
        json_fact(item, "diagnostic", p->diagnostic);
    }
    json_fact(o, "original_message_id", r->original.message_id);
    json_fact(o, "feedback_type", r->feedback_type);
    json_fact(o, "reporting_mta", r->reporting_mta);
    return json_print(o, stdout);
}

static int print_row(struct classify_run *c, const char *name, const struct report *r, size_t i)
{
    const struct report_recipient *p = i < r->recipients_n ? &r->recipients[i] : NULL;
    enum report_kind kind = p ? reading_kind(r, i) : r->kind;
    struct str dash = {NULL, 0};
    struct str cells[8] = {str_c(name), str_c(report_kind_name(kind)), dash, dash, dash, dash, dash,
                           dash};
    if (p) {
        cells[2] = first_of(p->original_recipient, p->final_recipient);
        cells[6] = p->status.n ? p->status : dash;
        cells[7] = p->diagnostic.n ? p->diagnostic : dash;
    }
    if (p && reading_has_verdict(kind)) {
        struct verdict v = classify_recipient(c->classifier, r, i);
        cells[3] = str_c(verdict_class_name(v.class));
        cells[4] = str_c(verdict_category_name(v.category));
        cells[5] = str_c(v.rule);
    }
    return table_row(c->table, cells);
}

static int one_message(void *ctx, const char *name, struct str bytes, bool cut)
{
    struct classify_run *c = ctx;
    struct report *r;
    struct err e;
    int rc = report_read(&c->arena, bytes, &report_limits_default, &r, &e);
    if (rc < 0) {
        c->failed = true;
        command_fail(c->line, 0, "%s: %s", name, e.text);
        arena_reset(&c->arena);
        return 0;
    }
    if (cut)
        command_fail(c->line, 0, "%s: larger than %d octets; only its front was read", name,
                     MAILBOX_MESSAGE_MAX);
    if (!c->table)
        rc = print_json(c, name, r);
    else
        for (size_t i = 0; rc == 0 && (i < r->recipients_n || i == 0); i++)
            rc = print_row(c, name, r, i);
    if (c->table && table_rows(c->table) >= TABLE_ROWS)
        table_flush(c->table, stdout);
    arena_reset(&c->arena);
    c->messages++;
    progress_step(&c->progress, c->messages, 0, clock_monotonic());
    if (rc == 0 && ferror(stdout))
        rc = -EIO;
    return rc;
}

static void one_problem(void *ctx, const struct err *e)
{
    struct classify_run *c = ctx;
    c->failed = true;
    command_fail(c->line, 0, "%s", e->text);
}

static int classify(const struct command_line *l)
{
    static const char *const columns[] = {"FILE",     "KIND", "RECIPIENT", "CLASS",
                                          "CATEGORY", "RULE", "STATUS",    "DIAGNOSTIC"};
    struct classify_run c = {.line = l, .arena = arena_make(READING_ARENA_MAX)};
    if (load_rules(l, &c.classifier) < 0)
        return EXIT_NO;
    report_init();
    int rc = 0;
    if (!command_flag(l, "--json") && !(c.table = table_new(columns, 8)))
        rc = -ENOMEM;
    c.progress = progress_start("messages", clock_monotonic());
    /* The bar and a table on one terminal would write over each other. */
    if (isatty(STDOUT_FILENO))
        c.progress.on = false;
    const struct mailbox m = {one_message, one_problem, &c};
    for (size_t i = 0; rc == 0 && i < l->args_n; i++)
        rc = mailbox_walk(&m, l->args[i]);
    progress_end(&c.progress);
    if (c.table)
        table_flush(c.table, stdout);
    table_free(c.table);
    arena_free(&c.arena);
    classifier_free(c.classifier);
    if (rc < 0 && rc != -EIO) /* the end of command_main tells what writing met */
        command_fail(l, 0, "%s", strerrordesc_np(-rc));
    return rc < 0 || c.failed ? EXIT_NO : EXIT_GOOD;
}

/* ---- explain ---- */

static void explain_people(const struct verdict *v, const struct report_recipient *p,
                           struct str text, struct arena *a)
{
    const struct {
        const char *name;
        struct str value;
    } facts[] = {
        {"reply", text},
        {"class", str_c(verdict_class_name(v->class))},
        {"category", str_c(verdict_category_name(v->category))},
        {"fault", str_c(verdict_fault_name(v->fault))},
        {"confidence", str_c(verdict_confidence_name(v->confidence))},
        {"rule", str_c(v->rule)},
        {"because of", v->evidence},
        {"status", p->status},
        {"answers", str_c(smtp_command_name(p->command))},
        {"operator", str_c(v->mx_operator)},
        {"address", p->final_recipient},
        {"listed", v->listing.address},
        {"blocklist", v->listing.list},
        {"see", v->listing.url},
    };
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        struct str shown = table_clean(a, facts[i].value);
        if (facts[i].value.n)
            printf("%-11s %.*s\n", facts[i].name, STR_ARG(shown));
    }
}

static int explain_one(const struct command_line *l, struct classifier *c, struct str text,
                       bool again)
{
    struct report_recipient p = {0};
    struct verdict v = classify_reply(c, text, str_c(command_value(l, "--host")), &p);
    if (!command_flag(l, "--json")) {
        struct arena a = arena_make(1 << 20);
        if (again)
            putchar('\n');
        explain_people(&v, &p, text, &a);
        arena_free(&a);
        return 0;
    }
    struct json *o = json_new();
    json_text(o, "text", text);
    json_fact(o, "status", p.status);
    reply_code_json(o, p.reply_code);
    json_fact(o, "command", str_c(smtp_command_name(p.command)));
    verdict_json(o, &v);
    json_text(o, "listed_address", v.listing.address);
    json_text(o, "blocklist", v.listing.list);
    json_text(o, "lookup_url", v.listing.url);
    return json_print(o, stdout);
}

/* One reply a line; a line that is too long is cut, its rest is no reply of its own. */
static int explain_stdin(const struct command_line *l, struct classifier *c)
{
    char *line = malloc(LINE_MAX_BYTES);
    if (!line)
        return -ENOMEM;
    size_t n = 0;
    int rc = 0, byte;
    bool again = false;
    do {
        byte = getc_unlocked(stdin);
        if (byte != '\n' && byte != EOF) {
            if (n < LINE_MAX_BYTES)
                line[n++] = (char)byte;
            continue;
        }
        struct str text = str_trim(str_of(line, n));
        if (text.n) {
            rc = explain_one(l, c, text, again);
            again = true;
        }
        n = 0;
    } while (rc == 0 && byte != EOF);
    if (rc == 0 && ferror(stdin))
        rc = -EIO;
    free(line);
    return rc;
}

static int explain(const struct command_line *l)
{
    struct classifier *c = NULL;
    if (load_rules(l, &c) < 0)
        return EXIT_NO;
    int rc = 0;
    if (l->args_n == 0) {
        rc = explain_stdin(l, c);
    } else {
        /* Without quotes the shell has cut the reply into words. */
        struct arena a = arena_make(4 << 20);
        struct str text = str_c(l->args[0]);
        for (size_t i = 1; i < l->args_n; i++)
            text = arena_fmt(&a, "%.*s %s", STR_ARG(text), l->args[i]);
        rc = str_is_absent(text) ? -ENOMEM : explain_one(l, c, str_trim(text), false);
        arena_free(&a);
    }
    classifier_free(c);
    if (rc < 0)
        return command_fail(l, EXIT_NO, "%s", strerrordesc_np(-rc));
    return EXIT_GOOD;
}

/* ---- rules list ---- */

static int rules_list(const struct command_line *l)
{
    static const char *const columns[] = {"RULE", "CATEGORY", "FROM", "PATTERN"};
    struct classifier *c = NULL;
    if (load_rules(l, &c) < 0)
        return EXIT_NO;
    struct table *t = table_new(columns, 4);
    struct arena a = arena_make(16 << 20);
    int rc = t ? 0 : -ENOMEM;
    const struct classify_rule *rule;
    for (size_t i = 0; rc == 0 && (rule = classifier_rule(c, i)); i++) {
        const char *category = verdict_category_name(rule->category);
        if (command_flag(l, "--json")) {
            struct json *o = json_new();
            json_text(o, "rule", str_c(rule->id));
            json_text(o, "category", str_c(category));
            json_fact(o, "file", str_c(rule->file));
            json_int(o, "line", rule->line);
            json_fact(o, "pattern", str_c(rule->pattern));
            json_fact(o, "source", str_c(rule->source));
            rc = json_print(o, stdout);
            continue;
        }
        struct str from = rule->file && *rule->file ? arena_fmt(&a, "%s:%u", rule->file, rule->line)
                                                    : STR("shipped");
        rc = table_row(
            t, (const struct str[]){str_c(rule->id), str_c(category), from, str_c(rule->pattern)});
    }
    if (t)
        table_flush(t, stdout);
    table_free(t);
    arena_free(&a);
    classifier_free(c);
    return rc < 0 ? command_fail(l, EXIT_NO, "%s", strerrordesc_np(-rc)) : EXIT_GOOD;
}

#define OPTION_RULES                                                                              \
    {                                                                                             \
        "--rules", "PATHS", "rule files or directories of yours, separated by commas, read first" \
    }

const struct command commands_classify[] = {
    {"classify",
     "PATH...",
     1,
     UINT32_MAX,
     "Say what stored messages report, and the verdict",
     "PATH is a message, an mbox, a Maildir, a folder (files in name order, folders entered) or -\n"
     "for standard input. Needs no configuration, network or database. With --json one object a\n"
     "message, in the order of the input:\n"
     "  {file, kind, recipients: [{address, final_recipient, status, reply_code, action, class,\n"
     "  category, fault, hard, confidence, rule, operator, diagnostic}], original_message_id,\n"
     "  feedback_type, reporting_mta}; what a message does not say is null.\n"
     "Exit code 1 when a PATH can't be read; the others are classified all the same.",
     {COMMAND_JSON, OPTION_RULES},
     classify},
    {"explain",
     "[TEXT...]",
     0,
     UINT32_MAX,
     "Give the verdict on one bare SMTP reply",
     "TEXT is a reply such as \"550 5.1.1 <a@b.example>: user unknown\"; without it one reply a\n"
     "line is read from standard input. With --json one object a reply: {text, status,\n"
     "reply_code, class, category, fault, hard, confidence, rule, operator, listed_address,\n"
     "blocklist, lookup_url}.",
     {{"--host", "MX", "the host that said it: some providers mean other things by the same words"},
      COMMAND_JSON,
      OPTION_RULES},
     explain},
    {"rules list",
     "",
     0,
     0,
     "List the rules in the order in which they are tried",
     "Your own rules (--rules) come first, then those shipped with the program.",
     {COMMAND_JSON, OPTION_RULES},
     rules_list},
    {.name = NULL},
};
