/* providers.h - whose columns a file of suppressions has, and what a record of it means as a row of
 * the list. docs/import.md has the tables. */
#ifndef APP_PROVIDERS_H
#define APP_PROVIDERS_H

#include "app/records.h"
#include "base/arena.h"
#include "classify/classify.h"
#include "db/import.h"

#define PROVIDERS(X)                   \
    X(PROVIDER_OWN, "own")             \
    X(PROVIDER_SES, "ses")             \
    X(PROVIDER_SENDGRID, "sendgrid")   \
    X(PROVIDER_MAILGUN, "mailgun")     \
    X(PROVIDER_POSTMARK, "postmark")   \
    X(PROVIDER_SPARKPOST, "sparkpost") \
    X(PROVIDER_MAILCHIMP, "mailchimp")

enum provider {
#define X(id, name) id,
    PROVIDERS(X)
#undef X
        PROVIDER_COUNT
};

/* Of providers who keep a list for each reason: which of them a file is. */
#define PROVIDER_LISTS(X)                \
    X(LIST_ROWS_SAY, "-")                \
    X(LIST_BOUNCES, "bounces")           \
    X(LIST_BLOCKS, "blocks")             \
    X(LIST_INVALID, "invalid_emails")    \
    X(LIST_COMPLAINTS, "complaints")     \
    X(LIST_UNSUBSCRIBES, "unsubscribes") \
    X(LIST_CLEANED, "cleaned")

enum provider_list {
#define X(id, name) id,
    PROVIDER_LISTS(X)
#undef X
        LIST_COUNT
};

/* Why a record gives no row. */
#define IMPORT_REFUSALS(X)                                                                   \
    X(REFUSED_UNREADABLE, "unreadable", "could not be read")                                 \
    X(REFUSED_ADDRESS, "address", "name no address")                                         \
    X(REFUSED_TIME, "time", "have a time that is none")                                      \
    X(REFUSED_WORD, "word", "have a word that is not known there")                           \
    X(REFUSED_NOT_SUPPRESSED, "not_suppressed", "do not say that the address is suppressed") \
    X(REFUSED_PENDING, "pending", "wait for the circuit breaker there")                      \
    X(REFUSED_OVER, "over", "have ended")                                                    \
    X(REFUSED_ALLOWED, "allowed", "are on the allow-list")                                   \
    X(REFUSED_ERASED, "erased", "are of people who were erased")

enum import_refusal {
#define X(id, name, meaning) id,
    IMPORT_REFUSALS(X)
#undef X
        REFUSAL_COUNT
};

struct provider_reader {
    enum provider provider;
    enum provider_list list;
    struct str tenant, stream; /* where the file says none */
    struct str scope;          /* absent: by the kind */
    struct str reason;         /* absent: the file's words */
    int64_t now;
    struct classifier *classifier; /* for the words of remote hosts; NULL: they stay words */
};

const char *provider_name(enum provider p);
const char *provider_list_name(enum provider_list l);
const char *import_refusal_name(enum import_refusal r);
const char *import_refusal_meaning(enum import_refusal r);
/* False (untouched) when it is none; complaints are also called spam_reports. */
bool provider_parse(struct str name, enum provider *ret);
bool provider_list_parse(struct str name, enum provider_list *ret);

/* Finds out by the names of the columns, and the file's name where they do not tell. given: what
 * the command line says; NULL: nothing. -EINVAL with words. */
int provider_detect(const struct records *r, struct str file, const enum provider *given,
                    const enum provider_list *given_list, enum provider *ret,
                    enum provider_list *ret_list, struct err *e);

/* 0, or -EBADMSG: refused, *why and the text say so ("\"x\": expected ..."). *ret lives in a and in
 * the record. */
int provider_read(const struct provider_reader *p, struct arena *a, const struct record *r,
                  struct db_import_row *ret, enum import_refusal *why, struct err *e);

#endif
