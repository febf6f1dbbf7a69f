/* config_file.h - the configuration as bytes: where it is, and whether it may be one. */
#ifndef APP_CONFIG_FILE_H
#define APP_CONFIG_FILE_H

#include "base/err.h"

#include <stddef.h>

/* All of a regular file of bounded size that does not nest deeper than any configuration; the
 * caller frees *ret_text. On failure *e.text is what is wrong, without the path. */
int config_file_read(const char *path, char **ret_text, size_t *ret_n, struct err *e);

#endif
