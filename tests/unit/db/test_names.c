#include "tests/unit/db/support.h"

#include "db/names.h"

/* The words of a list in its order, as PostgreSQL's enum must have them; an empty word is NULL in
 * SQL and has no label. */
static void same_words(struct db *db, const char *type, const char *const *names, size_t n)
{
    char expected[2048] = "", sql[300];
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        if (names[i][0])
            at += (size_t)snprintf(expected + at, sizeof(expected) - at, "%s%s", at ? " " : "",
                                   names[i]);
    assert_true(at < sizeof(expected));
    snprintf(sql, sizeof(sql),
             "SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum "
             "WHERE enumtypid = 'bouncemx.%s'::regtype",
             type);
    assert_value(db, sql, expected);
}

#define WORD_2(id, name)                      name,
#define WORD_3(id, name, meaning)             name,
#define WORD_4(id, name, meaning, effect)     name,
#define WORD_5(id, name, cls, fault, meaning) name,
#define SAME(db, type, list, word)                                        \
    do {                                                                  \
        static const char *const names_[] = {list(word)};                 \
        same_words(db, type, names_, sizeof(names_) / sizeof(names_[0])); \
    } while (0)

static void test_enums(void **state)
{
    (void)state;
    struct db *db = test_schema("t_names");
    SAME(db, "event_kind", REPORT_KINDS, WORD_3);
    SAME(db, "event_action", REPORT_ACTIONS, WORD_2);
    SAME(db, "bounce_class", VERDICT_CLASSES, WORD_4);
    SAME(db, "bounce_category", VERDICT_CATEGORIES, WORD_5);
    SAME(db, "bounce_fault", VERDICT_FAULTS, WORD_2);
    SAME(db, "bounce_confidence", VERDICT_CONFIDENCES, WORD_3);
    SAME(db, "address_source", ATTRIBUTION_SOURCES, WORD_3);
    SAME(db, "verification", ATTRIBUTION_VERIFICATIONS, WORD_3);
    db_free(db);
}

static void test_out_of_list(void **state)
{
    (void)state;
    assert_true(str_eq(name_of_class(CLASS_HARD), STR("hard")));
    assert_true(str_eq(name_of_category(CATEGORY_UNDETERMINED), STR("undetermined")));
    assert_true(str_is_absent(name_of_action(REPORT_ACTION_NONE)));
    assert_true(str_is_absent(name_of_kind(REPORT_KIND_COUNT)));
    assert_true(str_is_absent(name_of_category((enum verdict_category) - 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enums),
        cmocka_unit_test(test_out_of_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
