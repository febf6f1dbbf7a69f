/* log_message.h - a record of a sender's log -> verdict -> whose address: one db_message. */
#ifndef APP_LOG_MESSAGE_H
#define APP_LOG_MESSAGE_H

#include "app/config.h"
#include "classify/classify.h"
#include "db/db.h"
#include "ingest/ingest.h"

struct log_reading {
    const struct config *config;
    struct classifier *classifier;
    struct returnpath_reader *returnpath;
    enum ingest_format format;
    struct str tenant, stream; /* of all records; absent: as the configuration tells */
};

struct log_owner {
    struct str tenant, stream, campaign;
};

/* Whose mail a record is about: by the reading's own words, else by the sender's address when its
 * domain is one of ours, else by the record's tenant, else by the only tenant that the
 * configuration knows. -ENOENT: none of these tells; -ENOMEM. */
int log_owner(const struct log_reading *r, struct arena *a, const struct ingest_record *record,
              struct log_owner *ret);

/* The address as the list has it: before aliases were followed. */
struct str log_address(const struct ingest_record *record);

/* The same for the same record. All of *ret lives in a and in the record. -ENOMEM. */
int log_message(const struct log_reading *r, struct arena *a, const struct ingest_record *record,
                const struct log_owner *owner, struct db_message *ret);

#endif
