/* Whole replies as hosts are documented to give them, each with the categories that are right for
 * it: tests/unit/classify/replies.tsv, lines of "category[|category...] TAB reply". They are not
 * the rules' own examples: what is measured here is whether the rules carry over. */
#include "classify/classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool is_right(struct str wanted, struct str category)
{
    while (wanted.n)
        if (str_eq(str_cut(&wanted, '|'), category))
            return true;
    return false;
}

static void test_known_replies(void **state)
{
    (void)state;
    struct err e;
    struct classifier *c = NULL;
    if (classifier_load(NULL, 0, &c, &e) < 0)
        fail_msg("%s", e.text);
    FILE *f = fopen(TEST_SOURCE_DIR "/tests/unit/classify/replies.tsv", "r");
    assert_non_null(f);
    char *line = NULL;
    size_t room = 0, n = 0, wrong = 0;
    for (ssize_t got; (got = getline(&line, &room, f)) > 0; n++) {
        struct str reply = str_trim(str_of(line, (size_t)got));
        struct str wanted = str_cut(&reply, '\t');
        struct report_recipient rcpt;
        struct verdict v = classify_reply(c, reply, (struct str){NULL, 0}, &rcpt);
        if (is_right(wanted, str_c(verdict_category_name(v.category))))
            continue;
        print_error("%zu: expected %.*s, got %s by %s: %.*s\n", n + 1, STR_ARG(wanted),
                    verdict_category_name(v.category), v.rule, STR_ARG(reply));
        wrong++;
    }
    free(line);
    fclose(f);
    classifier_free(c);
    assert_true(n >= 600);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_replies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
