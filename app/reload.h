/* reload.h - the configuration file read anew while a role runs. */
#ifndef APP_RELOAD_H
#define APP_RELOAD_H

#include "app/config.h"

/* Reads the file of first again, and the keys that sign return paths. What can't change while the
 * role runs (fixed: keys and lists of the table, NULL behind the last) keeps its value of first,
 * which must outlive *ret; each that differs in the file is logged by its name. Negative after all
 * mistakes were logged, each with file, line and what was expected. */
int reload_config(const struct config *first, const char *const *fixed, struct config **ret);

/* The log as c wants it, for a role (kept, not copied). */
void reload_log(const struct config *c, const char *role);

#endif
