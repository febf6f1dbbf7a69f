/* The loader of rule files: what it reads, and how it says what is wrong. */
#include "classify/classify.h"
#include "classify/rule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "rule a\n  category policy\n  pattern x\n  source s\n"

static const struct {
    const char *name;
    struct str text;
    const char *error; /* the whole of it; NULL: none */
} cases[] = {
    {"a whole rule", STR_INIT(HEAD "  example x\n"), NULL},
    {"CRLF, tabs, comments, no end",
     STR_INIT(
         "# c\r\nrule a\r\n\tcategory policy\r\n\t# c\r\n\tpattern x\r\n\tsource s\r\n\texample x"),
     NULL},
    {"nothing", STR_INIT(""), NULL},
    {"codes alone",
     STR_INIT("rule a\n  category policy\n  status 5.7.x, x.7.606-649\n"
              "  code 550 55x 4xx\n  source s\n  example x\n"),
     NULL},
    {"unknown key", STR_INIT("rule a\n  colour red\n"),
     "f:2: unknown key \"colour\"; keys are category, pattern, operator, status, code, command, "
     "confidence, fault, weak, source, host, example"},
    {"a command alone",
     STR_INIT("rule a\n  category policy\n  command ehlo, mail\n  source s\n  example x\n"), NULL},
    {"unknown command", STR_INIT("rule a\n  command VRFY\n"),
     "f:2: command \"VRFY\": expected connect, ehlo, starttls, auth, mail, rcpt or data"},
    {"unknown category", STR_INIT("rule a\n  category policies\n"),
     "f:2: category \"policies\" is none; docs/categories.md lists them"},
    {"two categories", STR_INIT("rule a\n  category policy\n  category virus\n"),
     "f:3: a second category; one was given above"},
    {"no value", STR_INIT("rule a\n  pattern \n"), "f:2: key pattern has no value"},
    {"no id", STR_INIT("rule\n"),
     "f:1: rule \"\": expected an id of 1 to 64 letters, digits, '-', '_', '.'"},
    {"bad id", STR_INIT("rule a b\n"),
     "f:1: rule \"a b\": expected an id of 1 to 64 letters, digits, '-', '_', '.'"},
    {"taken id", STR_INIT("rule status-x\n"),
     "f:1: rule \"status-x\": ids none, status-..., reply-... and action-... are taken"},
    {"key outside", STR_INIT("  pattern x\n"), "f:1: \"pattern\" before the first rule"},
    {"not indented", STR_INIT("rule a\npattern x\n"),
     "f:2: \"pattern\" at the start of a line: expected \"rule ID\""},
    {"duplicate id", STR_INIT(HEAD "  example x\n" HEAD "  example x\n"),
     "f:6: rule a stands already at f:1"},
    {"no example", STR_INIT(HEAD), "f:1: rule a has no example"},
    {"no source", STR_INIT("rule a\n  category policy\n  pattern x\n  example x\n"),
     "f:1: rule a has no source"},
    {"no category", STR_INIT("rule a\n  pattern x\n  source s\n  example x\n"),
     "f:1: rule a has no category"},
    {"no condition", STR_INIT("rule a\n  category policy\n  source s\n  example x\n"),
     "f:1: rule a has no pattern and no other condition"},
    {"bad confidence", STR_INIT("rule a\n  confidence sure\n"),
     "f:2: confidence \"sure\": expected high, medium or low"},
    {"bad fault", STR_INIT("rule a\n  fault mine\n"),
     "f:2: fault \"mine\": expected recipient, sender, message, network, provider or unknown"},
    {"bad weak", STR_INIT("rule a\n  weak maybe\n"), "f:2: weak \"maybe\": expected yes or no"},
    {"bad code", STR_INIT("rule a\n  code 550 5x\n"),
     "f:2: code \"5x\": expected a reply code such as 550, 55x or 4xx"},
    {"bad status", STR_INIT("rule a\n  status 5.1.1 5.1\n"),
     "f:2: status \"5.1\": expected such as 5.1.1, x.2.2, 5.7.x or 5.7.606-649"},
    {"status range the wrong way", STR_INIT("rule a\n  status 5.7.9-1\n"),
     "f:2: status \"5.7.9-1\": expected such as 5.1.1, x.2.2, 5.7.x or 5.7.606-649"},
    {"bad operator", STR_INIT("rule a\n  operator googel\n"),
     "f:2: operator \"googel\" is none; docs/rules.md lists them"},
    {"NUL", STR_INIT("rule a\n  pattern x\0y\n"), "f:2: a NUL byte"},
    {"not UTF-8", STR_INIT("rule a\n  pattern \xff\n"), "f:2: not UTF-8"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rule_set set;
        struct err e = {0};
        rule_set_init(&set);
        int rc = rule_set_read(&set, "f", cases[i].text, &e);
        if (rc != (cases[i].error ? -EINVAL : 0) ||
            (cases[i].error && strcmp(e.text, cases[i].error) != 0))
            fail_msg("%s: %d \"%s\"", cases[i].name, rc, e.text);
        rule_set_free(&set);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct rule_set set;
    struct err e;
    char *text = malloc(RULES_FILE_BYTES + 1);
    assert_non_null(text);
    memset(text, '#', RULES_FILE_BYTES + 1);

    rule_set_init(&set);
    assert_int_equal(rule_set_read(&set, "f", str_of(text, RULES_LINE_BYTES), &e), 0);
    assert_int_equal(rule_set_read(&set, "f", str_of(text, RULES_LINE_BYTES + 1), &e), -EINVAL);
    assert_string_equal(e.text, "f:1: a line of 2049 bytes; at most 2048");
    assert_int_equal(rule_set_read(&set, "f", str_of(text, RULES_FILE_BYTES + 1), &e), -EINVAL);
    assert_string_equal(e.text, "f:0: 4194305 bytes; a rule file has at most 4194304");
    rule_set_free(&set);

    size_t n = 0;
    for (unsigned i = 0; i <= RULES_MAX; i++)
        n += (size_t)snprintf(text + n, RULES_FILE_BYTES - n,
                              "rule r%u\n  category policy\n  code 550\n  source s\n  example x\n",
                              i);
    rule_set_init(&set);
    assert_int_equal(rule_set_read(&set, "f", str_of(text, n), &e), -EINVAL);
    assert_string_equal(e.text, "f:50001: more than 10000 rules");
    rule_set_free(&set);

    static const char *const keys[] = {"pattern", "example"};
    for (size_t k = 0; k < 2; k++) {
        n = (size_t)snprintf(text, 100, "rule a\n");
        for (unsigned i = 0; i <= RULE_LINES_MAX; i++)
            n += (size_t)snprintf(text + n, 100, "  %s x\n", keys[k]);
        rule_set_init(&set);
        assert_int_equal(rule_set_read(&set, "f", str_of(text, n), &e), -EINVAL);
        assert_non_null(strstr(e.text, "more than 64"));
        rule_set_free(&set);
    }
    free(text);
}

static void test_memory_ends(void **state)
{
    (void)state;
    struct str text = STR(HEAD "  pattern y\n  example x\n  host h\n");
    for (uint64_t n = 0;; n++) {
        struct rule_set set;
        struct err e;
        rule_set_init(&set);
        arena_fail_at(&set.arena, n);
        int rc = rule_set_read(&set, "f", text, &e);
        bool failed = arena_failed(&set.arena);
        rule_set_free(&set);
        assert_int_equal(rc, failed ? -ENOMEM : 0);
        if (!failed)
            break;
        assert_true(n < 100);
    }
}

/* --- user rules through the whole classifier ------------------------------------------------ */

static char folder[64];

static void put(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void drop(const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/bouncemx-rules-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int load(struct classifier **c, struct err *e)
{
    const char *paths[] = {folder};
    return classifier_load(paths, 1, c, e);
}

static void test_user_rules(void **state)
{
    (void)state;
    struct classifier *c;
    struct err e;
    struct report_recipient rcpt;
    put("20.rules", "rule mine-2\n  category policy\n  pattern zebra\n  source s\n  example x\n");
    put("10.rules", "rule mine-1\n  category virus\n  pattern zebra crossing|user unknown\n"
                    "  fault sender\n  confidence low\n  source s\n  example x\n"
                    "rule virus\n  category too_big\n  pattern giraffe\n  source s\n  example x\n");
    put("readme", "not read");
    if (load(&c, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(classifier_rule(c, 0)->id, "mine-1");
    assert_string_equal(classifier_rule(c, 1)->id, "virus");
    assert_int_equal(classifier_rule(c, 1)->line, 8);
    assert_string_equal(classifier_rule(c, 2)->id, "mine-2");
    struct verdict v = classify_reply(c, STR("550 5.1.1 user unknown"), STR(""), &rcpt);
    assert_string_equal(v.rule, "mine-1");
    assert_int_equal(v.fault, FAULT_SENDER);
    assert_int_equal(v.confidence, CONFIDENCE_LOW);
    v = classify_reply(c, STR("550 zebra"), STR(""), &rcpt);
    assert_string_equal(v.rule, "mine-2");
    /* The user's rule "virus" stands for the shipped one. */
    v = classify_reply(c, STR("550 giraffe"), STR(""), &rcpt);
    assert_string_equal(v.rule, "virus");
    v = classify_reply(c, STR("550 virus found"), STR(""), &rcpt);
    assert_string_not_equal(v.rule, "virus");
    size_t virus = 0;
    for (size_t i = 0; classifier_rule(c, i); i++)
        virus += strcmp(classifier_rule(c, i)->id, "virus") == 0;
    assert_int_equal(virus, 1);
    /* All shipped rules that were not replaced are still there. */
    v = classify_reply(c, STR("552 mailbox full"), STR(""), &rcpt);
    assert_string_equal(v.rule, "full-mailbox");
    classifier_free(c);
    drop("10.rules");
    drop("20.rules");
    drop("readme");
}

static void check_load_error(const char *want)
{
    struct classifier *c = NULL;
    struct err e;
    assert_int_not_equal(load(&c, &e), 0);
    assert_null(c);
    const char *got = strstr(e.text, folder);
    if (!got || strcmp(got + strlen(folder), want) != 0)
        fail_msg("\"%s\", want ...\"%s\"", e.text, want);
}

static void test_user_errors(void **state)
{
    (void)state;
    struct err e;
    struct classifier *c;
    put("a.rules", "rule a\n  category policy\n  pattern (x\n  source s\n  example x\n");
    check_load_error("/a.rules:3: pattern \"(x\": Missing close parenthesis for group started at "
                     "index 0.");
    put("a.rules", "rule a\n  category policy\n  pattern x*\n  source s\n  example x\n");
    check_load_error("/a.rules:3: pattern \"x*\": Pattern matches empty buffer; use "
                     "HS_FLAG_ALLOWEMPTY to enable support.");
    put("a.rules", "rule a\n  category policy\n  pattern x ...  ... y\n  source s\n  example x\n");
    check_load_error("/a.rules:3: nothing beside \" ... \" in a pattern");
    put("a.rules", "rule a\n  category policy\n  pattern x|y ... z\n  source s\n  example x\n");
    check_load_error(
        "/a.rules:3: '|' beside \" ... \" in a pattern: expected parentheses around the "
        "alternatives, or a pattern line for each");
    put("a.rules", HEAD "  pattern [|(] ... (a|b) ... \\|\n  example x\n");
    if (load(&c, &e) < 0)
        fail_msg("%s", e.text);
    classifier_free(c);
    put("a.rules", HEAD "  example x\n");
    put("b.rules", HEAD "  example x\n");
    assert_int_equal(load(&c, &e), -EINVAL);
    assert_non_null(strstr(e.text, "b.rules:1: rule a stands already at "));
    drop("a.rules");
    drop("b.rules");
    assert_int_equal(mkdir(folder, 0700), -1);
    char path[160];
    snprintf(path, sizeof(path), "%s/missing", folder);
    const char *paths[] = {path};
    assert_int_equal(classifier_load(paths, 1, &c, &e), -ENOENT);
    assert_non_null(strstr(e.text, "missing: No such file or directory"));
    snprintf(path, sizeof(path), "%s/p.rules", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_load_error("/p.rules: expected a regular file");
    drop("p.rules");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory_ends), cmocka_unit_test(test_user_rules),
        cmocka_unit_test(test_user_errors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
