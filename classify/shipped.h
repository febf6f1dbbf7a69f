/* shipped.h - the rules inside the program. */
#ifndef CLASSIFY_SHIPPED_H
#define CLASSIFY_SHIPPED_H

#include "base/str.h"

/* classify/rules/shipped.rules as it is. */
struct str shipped_rules(void);

/* Its patterns and the operators' marks, compiled when the program was built: they take Vectorscan
 * a second or two, too long to wait for at every start. See rules_save. */
struct str shipped_database(void);

#endif
