/* people.h - mail that a person must see: which it is, and where it goes (DIRECTORY is
 * spool.directory). What is durably in DIRECTORY/outbox goes on from there by deliverer.h. */
#ifndef APP_PEOPLE_H
#define APP_PEOPLE_H

#include "app/config.h"
#include "db/db.h"
#include "deliver/outbox.h"
#include "spool/spool.h"

struct people {
    const struct config *config;
    struct outbox *outbox;
};

int people_open(const struct config *c, struct people *ret, struct err *e);
void people_close(struct people *p);

/* Puts the message into the outbox once for each domain in which a person is to see it; nothing
 * when there is none. m is what was read from record. now: CLOCK_MONOTONIC. As outbox_put. */
int people_put(struct people *p, const struct spool_record *record, const struct db_message *m,
               int64_t now, struct err *e);

/* The domain as it is configured; NULL: it is no more. */
const struct config_domain *people_domain(const struct config *c, struct str name);

/* DIRECTORY/outbox. */
int people_outbox(const struct config *c, char path[PLACE_PATH], struct err *e);
/* DIRECTORY/mail/DOMAIN, or DIRECTORY/mail without domain: where the mail of domains goes that say
 * nothing, and what a relay will not take. */
int people_maildir(const struct config *c, const char *domain, char path[PLACE_PATH],
                   struct err *e);

/* Messages in the Maildirs of DIRECTORY/mail. */
int people_kept(const struct config *c, uint64_t *ret, struct err *e);

#endif
