/* report_json.h - a struct report as one JSON object: what golden tests compare, and what the
 * corpus scorer reads. */
#ifndef TESTS_SUPPORT_REPORT_JSON_H
#define TESTS_SUPPORT_REPORT_JSON_H

#include "parser/report.h"

#include <stdio.h>

/* pretty: a line a member, absent ones left out. Otherwise one line. */
void report_json(FILE *f, const char *file, const struct report *r, bool pretty);

#endif
