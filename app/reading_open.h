/* reading_open.h - what a command needs to read messages as a worker does: rules, keys, feedback
 * sources, from the configuration; and recipients as that reads them today. */
#ifndef APP_READING_OPEN_H
#define APP_READING_OPEN_H

#include "app/config.h"
#include "app/feedback.h"
#include "app/reading.h"

struct reading_kit {
    struct reading reading;
    struct feedback *feedback; /* NULL: no source is listed */
};

/* Reads the keys, into c->returnpath, and the rules: of a file or directory in place of those of
 * the configuration (NULL: those). Close it also after a failure. */
int reading_open(struct config *c, const char *rules, struct reading_kit *ret, struct err *e);
void reading_close(struct reading_kit *k);

/* The rules that the configuration names, alone. */
int reading_rules(const struct config *c, struct classifier **ret, struct err *e);

/* An envelope recipient as the configuration reads it, on the day on which it came (days since
 * 1970-01-01). -EHOSTUNREACH, -EINVAL: none of ours, and ret has the address alone; -ENOMEM. */
int reading_recipient(struct returnpath_reader *reader, struct arena *a, struct str address,
                      uint32_t day, struct spool_recipient *ret);

#endif
