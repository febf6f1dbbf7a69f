/* names.h - private to db/: the words of the schema's enums, from the lists of the rooms that own
 * them (this room may not link those). */
#ifndef DB_NAMES_H
#define DB_NAMES_H

#include "attribute/attribution.h"
#include "base/str.h"
#include "classify/verdict.h"
#include "parser/report.h"

/* A value outside its list gives the absent string, so the row is refused, not made up. */
struct str name_of_kind(enum report_kind v);
struct str name_of_action(enum report_action v); /* absent for REPORT_ACTION_NONE */
struct str name_of_class(enum verdict_class v);
struct str name_of_category(enum verdict_category v);
struct str name_of_fault(enum verdict_fault v);
struct str name_of_confidence(enum verdict_confidence v);
struct str name_of_source(enum attribution_source v);
struct str name_of_verification(enum attribution_verification v);

#endif
