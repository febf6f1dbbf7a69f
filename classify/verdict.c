#include "classify/verdict.h"

#include "base/require.h"

static const char *const class_names[] = {
#define X(id, name, meaning, effect) [id] = (name),
    VERDICT_CLASSES(X)
#undef X
};

static const char *const fault_names[] = {
#define X(id, name) [id] = (name),
    VERDICT_FAULTS(X)
#undef X
};

static const char *const confidence_names[] = {
#define X(id, name, meaning) [id] = (name),
    VERDICT_CONFIDENCES(X)
#undef X
};

static const struct {
    const char *name;
    enum verdict_class class;
    enum verdict_fault fault;
} categories[] = {
#define X(id, name, cls, fault, meaning) [CATEGORY_##id] = {(name), CLASS_##cls, FAULT_##fault},
    VERDICT_CATEGORIES(X)
#undef X
};

const char *verdict_class_name(enum verdict_class c)
{
    REQUIRE((size_t)c < CLASS_COUNT);
    return class_names[c];
}

const char *verdict_category_name(enum verdict_category c)
{
    REQUIRE((size_t)c < CATEGORY_COUNT);
    return categories[c].name;
}

const char *verdict_fault_name(enum verdict_fault f)
{
    REQUIRE((size_t)f < FAULT_COUNT);
    return fault_names[f];
}

const char *verdict_confidence_name(enum verdict_confidence c)
{
    REQUIRE((size_t)c < CONFIDENCE_COUNT);
    return confidence_names[c];
}

enum verdict_class verdict_category_class(enum verdict_category c)
{
    REQUIRE((size_t)c < CATEGORY_COUNT);
    return categories[c].class;
}

enum verdict_fault verdict_category_fault(enum verdict_category c)
{
    REQUIRE((size_t)c < CATEGORY_COUNT);
    return categories[c].fault;
}

bool verdict_category_parse(struct str name, enum verdict_category *ret)
{
    for (size_t i = 0; i < CATEGORY_COUNT; i++) {
        if (str_eq(name, str_c(categories[i].name))) {
            *ret = (enum verdict_category)i;
            return true;
        }
    }
    return false;
}
