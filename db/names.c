#include "db/names.h"

#define NAME_2(id, name)                      STR_INIT(name),
#define NAME_3(id, name, meaning)             STR_INIT(name),
#define NAME_4(id, name, meaning, effect)     STR_INIT(name),
#define NAME_5(id, name, cls, fault, meaning) STR_INIT(name),

static const struct str kinds[] = {REPORT_KINDS(NAME_3)};
static const struct str actions[] = {REPORT_ACTIONS(NAME_2)};
static const struct str classes[] = {VERDICT_CLASSES(NAME_4)};
static const struct str categories[] = {VERDICT_CATEGORIES(NAME_5)};
static const struct str faults[] = {VERDICT_FAULTS(NAME_2)};
static const struct str confidences[] = {VERDICT_CONFIDENCES(NAME_3)};
static const struct str sources[] = {ATTRIBUTION_SOURCES(NAME_3)};
static const struct str verifications[] = {ATTRIBUTION_VERIFICATIONS(NAME_3)};

#define PICK(list, v) \
    ((size_t)(v) < sizeof(list) / sizeof((list)[0]) ? (list)[v] : (struct str){NULL, 0})

struct str name_of_kind(enum report_kind v)
{
    return PICK(kinds, v);
}

struct str name_of_action(enum report_action v)
{
    return v == REPORT_ACTION_NONE ? (struct str){NULL, 0} : PICK(actions, v);
}

struct str name_of_class(enum verdict_class v)
{
    return PICK(classes, v);
}

struct str name_of_category(enum verdict_category v)
{
    return PICK(categories, v);
}

struct str name_of_fault(enum verdict_fault v)
{
    return PICK(faults, v);
}

struct str name_of_confidence(enum verdict_confidence v)
{
    return PICK(confidences, v);
}

struct str name_of_source(enum attribution_source v)
{
    return PICK(sources, v);
}

struct str name_of_verification(enum attribution_verification v)
{
    return PICK(verifications, v);
}
