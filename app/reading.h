/* reading.h - a journal record -> report -> verdicts -> whose addresses: one db_message. */
#ifndef APP_READING_H
#define APP_READING_H

#include "classify/classify.h"
#include "db/db.h"
#include "returnpath/returnpath.h"
#include "spool/spool.h"

/* For one message and all that is read from it; 10,000 events at most come from one message. */
enum { READING_ARENA_MAX = 192 << 20, READING_EVENTS_MAX = 10000 };

/* True when a listed feedback source signed the message. from: the address in its From:. */
typedef bool (*reading_signed_fn)(void *ctx, struct arena *a, struct str message, struct str from,
                                  int64_t received_at);

struct reading {
    struct classifier *classifier;
    /* Of tokens inside; what stood in RCPT TO is recorded. trust_unverified is its set's. */
    struct returnpath_reader *returnpath;
    const struct str *token_headers; /* further fields of the returned message that hold tokens */
    size_t token_headers_n;
    reading_signed_fn is_signed; /* NULL: there is no listed source */
    void *is_signed_ctx;
    bool uncapped; /* verdicts as the rules give them, however sure the address is */
};

/* What recipient number i of the report says for itself: a report of failure may name recipients
 * that were delivered or are still being tried (RFC 3464 section 2.3.3). */
enum report_kind reading_kind(const struct report *r, size_t i);

/* Kinds that say why mail did not arrive. */
static inline bool reading_has_verdict(enum report_kind kind)
{
    return kind == REPORT_BOUNCE || kind == REPORT_DELAYED;
}

/* What the record says without reading its body: report NULL, no events. -ENOMEM. */
int reading_envelope(struct arena *a, const struct spool_record *record, struct db_message *ret,
                     struct err *e);

/* Reads the record's body and fills *ret, all of it in a or in the record. -ENOMEM: it needs more
 * than a may hold. */
int reading_message(const struct reading *reading, struct arena *a,
                    const struct spool_record *record, struct db_message *ret, struct err *e);

#endif
