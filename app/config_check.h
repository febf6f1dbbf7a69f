/* config_check.h - telling mistakes, and what no single value shows: how keys fit together. */
#ifndef APP_CONFIG_CHECK_H
#define APP_CONFIG_CHECK_H

#include "app/config.h"

/* At most so many mistakes are told in one run, then one line says that there are more. */
enum { CONFIG_MISTAKES_MAX = 100 };

struct config_report {
    const char *file;
    config_say_fn say;
    void *ctx;
    unsigned mistakes;
};

/* value absent: nothing to show. line 0: the key does not stand in the file. */
void config_report_at(struct config_report *r, unsigned line, unsigned column, const char *key,
                      struct str value, const char *expected);
void config_report_warning(struct config_report *r, unsigned line, unsigned column, const char *key,
                           const char *text);

/* Where each domain's mail for people goes: one place, that is not this host. */
void config_check_people(const struct config *c, struct config_report *r);

/* Domains, keys or listeners twice, sizes that do not fit into each other. Without keep_given
 * (spool.keep_bytes stands in the file) its default is lowered to what segments hold. */
int config_check(struct config *c, bool keep_given, struct config_report *r);

#endif
