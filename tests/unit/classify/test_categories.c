/* docs/categories.md is what the lists of verdict.h say. Written anew by
 * BOUNCEMX_WRITE_DOCS=1 unit_classify_categories. */
#include "base/buf.h"
#include "classify/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *name, *meaning, *effect;
} classes[] = {
#define X(id, name, meaning, effect) {(name), (meaning), (effect)},
    VERDICT_CLASSES(X)
#undef X
};

static const struct {
    const char *name, *meaning;
} confidences[] = {
#define X(id, name, meaning) {(name), (meaning)},
    VERDICT_CONFIDENCES(X)
#undef X
};

static const struct {
    const char *name, *meaning;
} categories[] = {
#define X(id, name, cls, fault, meaning) {(name), (meaning)},
    VERDICT_CATEGORIES(X)
#undef X
};

static void write_text(struct buf *b)
{
    int rc = buf_fmt(b, "<!-- Made from classify/verdict.h; a test keeps it in step. -->\n"
                        "# Verdicts\n\nA bounce has one class (what it means for the address), one "
                        "category (why), whose fault it is, and\na confidence. How they are found: "
                        "[rules.md](rules.md).\n\n## Classes\n\n"
                        "| class | meaning | effect on the address |\n|---|---|---|\n");
    for (size_t i = 0; i < CLASS_COUNT; i++)
        rc |= buf_fmt(b, "| `%s` | %s | %s |\n", classes[i].name, classes[i].meaning,
                      classes[i].effect);
    rc |= buf_fmt(b,
                  "\n## Categories\n\n| category | class | fault | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < CATEGORY_COUNT; i++) {
        enum verdict_category c = (enum verdict_category)i;
        rc |= buf_fmt(b, "| `%s` | %s | %s | %s |\n", categories[i].name,
                      verdict_class_name(verdict_category_class(c)),
                      verdict_fault_name(verdict_category_fault(c)), categories[i].meaning);
    }
    rc |= buf_fmt(b, "\n## Confidence\n\n| confidence | meaning |\n|---|---|\n");
    for (size_t i = 0; i < CONFIDENCE_COUNT; i++)
        rc |= buf_fmt(b, "| `%s` | %s |\n", confidences[i].name, confidences[i].meaning);
    assert_int_equal(rc, 0);
}

static void test_document(void **state)
{
    (void)state;
    static const char path[] = TEST_SOURCE_DIR "/docs/categories.md";
    static char text[1 << 16];
    struct buf want;
    buf_init(&want, sizeof(text) - 1);
    write_text(&want);
    if (getenv("BOUNCEMX_WRITE_DOCS")) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        assert_int_equal(fwrite(want.p, 1, want.n, out), want.n);
        assert_int_equal(fclose(out), 0);
    }
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof(text), f);
    fclose(f);
    if (!str_eq(str_of(text, n), buf_str(&want)))
        fail_msg("%s differs from verdict.h; run this test with BOUNCEMX_WRITE_DOCS=1", path);
    buf_free(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_document)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
