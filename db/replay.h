/* replay.h - events that were read again: how they would be stored, and their new verdicts written.
 *
 * Behind it: bouncemx.replay_apply (migrations/0028_replay.sql). Errors: those of db.h. */
#ifndef DB_REPLAY_H
#define DB_REPLAY_H

#include "db/db.h"

/* X(id, column): what a replay writes of an event. Those before REPLAY_COMPARED decide whether it
 * has changed. */
#define DB_REPLAY_COLUMNS(X)             \
    X(REPLAY_KIND, "kind")               \
    X(REPLAY_CLASS, "class")             \
    X(REPLAY_CATEGORY, "category")       \
    X(REPLAY_FAULT, "fault")             \
    X(REPLAY_CONFIDENCE, "confidence")   \
    X(REPLAY_RULE, "rule")               \
    X(REPLAY_MX_OPERATOR, "mx_operator") \
    X(REPLAY_STATUS, "status")           \
    X(REPLAY_REPLY_CODE, "reply_code")   \
    X(REPLAY_DIAGNOSTIC, "diagnostic")   \
    X(REPLAY_EVIDENCE, "evidence_text")  \
    X(REPLAY_FINGERPRINT, "fingerprint") \
    X(REPLAY_LISTED, "listed_address")   \
    X(REPLAY_BLOCKLIST, "blocklist")     \
    X(REPLAY_LOOKUP_URL, "lookup_url")

enum db_replay_column {
#define X(id, name) id,
    DB_REPLAY_COLUMNS(X)
#undef X
        REPLAY_COLUMNS,
    REPLAY_COMPARED = REPLAY_LISTED
};

struct db_replay_event {
    struct id id;
    int64_t received_at;
    struct str content; /* what one without a token is known by; absent: it has one */
    struct str texts[REPLAY_COLUMNS];
};

/* The columns of an event as they would be stored, as text; NULL is the absent string. In a:
 * -ENOMEM. */
int db_replay_texts(struct arena *a, const struct db_event *event, struct str ret[REPLAY_COLUMNS]);
/* The final recipient that a report names, likewise. */
int db_replay_recipient(struct arena *a, const struct db_event *event, struct str *ret);
/* What an event without a token is known by, from its message and whose it is. -ENOMEM. */
int db_replay_content(struct arena *a, struct str message, struct str tenant, struct str stream,
                      struct str key, struct str *ret);

struct db_replay_job {
    struct id id; /* of the row in table audit */
    struct str object, reason, actor;
    bool dry; /* all is taken back again */
};

struct db_replay_counts {
    uint64_t changed;             /* events */
    uint64_t came, gone, altered; /* rows of the list */
};

/* Writes the events, and lets the list follow, in one transaction. Adds to *counts; *ret_effects,
 * in a, is what each event does now, a word each with a space between. */
int db_replay_apply(struct db *db, struct arena *a, const struct db_replay_job *job,
                    const struct db_replay_event *events, size_t n, int64_t now,
                    struct db_replay_counts *counts, struct str *ret_effects, struct err *e);

#endif
