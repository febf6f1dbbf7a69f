/* attribute.h - envelope + report -> attribution. Pure. */
#ifndef ATTRIBUTE_ATTRIBUTE_H
#define ATTRIBUTE_ATTRIBUTE_H

#include "attribute/attribution.h"
#include "parser/report.h"
#include "returnpath/returnpath.h"

/* Whose address recipient number i of the report is. i == report->recipients_n == 0 asks for the
 * message itself (an unsubscribe, a complaint that names nobody). A recipient that was only guessed
 * from the returned message is as good as none. Strings live in a or in the
 * arguments. 0 or -ENOMEM. */
int attribute_recipient(struct arena *a, const struct returnpath *envelope,
                        const struct report *report, size_t i, struct attribution *ret);

#endif
