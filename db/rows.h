/* rows.h - private to db/: messages as the array parameters of bouncemx.write_messages. */
#ifndef DB_ROWS_H
#define DB_ROWS_H

#include "db/db.h"
#include "db/encode.h"
#include "db/pg.h"

/* Longest text kept of each sort, in bytes; more is cut. */
enum {
    ROWS_WORD_MAX = 1000,  /* names, addresses, ids */
    ROWS_TEXT_MAX = 16384, /* diagnostics and the like */
    ROWS_KEY_MAX = 1000,   /* an address_key over it is none: it must fit an index entry */
};

/* X(column, type), in the order of the function's parameters. */
#define MESSAGE_COLUMNS(X)                  \
    X(M_ID, ENCODE_UUID)                    \
    X(M_RECEIVED_AT, ENCODE_TIMESTAMPTZ)    \
    X(M_CLIENT_ADDRESS, ENCODE_TEXT)        \
    X(M_HELO, ENCODE_TEXT)                  \
    X(M_PROTOCOL, ENCODE_TEXT)              \
    X(M_TLS, ENCODE_TEXT)                   \
    X(M_MAIL_FROM, ENCODE_TEXT)             \
    X(M_RCPT_TO, ENCODE_TEXT)               \
    X(M_SIZE, ENCODE_INT8)                  \
    X(M_TRUNCATED, ENCODE_BOOL)             \
    X(M_KIND, ENCODE_TEXT)                  \
    X(M_READER, ENCODE_TEXT)                \
    X(M_SUBJECT, ENCODE_TEXT)               \
    X(M_HEADER_FROM, ENCODE_TEXT)           \
    X(M_REPORTING_MTA, ENCODE_TEXT)         \
    X(M_ORIGINAL_MESSAGE_ID, ENCODE_TEXT)   \
    X(M_FEEDBACK_TYPE, ENCODE_TEXT)         \
    X(M_USER_AGENT, ENCODE_TEXT)            \
    X(M_CONTENT_HASH, ENCODE_BYTEA)         \
    X(M_ENVELOPE_ID, ENCODE_TEXT)           \
    X(M_ARRIVAL_DATE, ENCODE_TEXT)          \
    X(M_SOURCE_IP, ENCODE_TEXT)             \
    X(M_ORIGINAL_FROM, ENCODE_TEXT)         \
    X(M_ORIGINAL_TO, ENCODE_TEXT)           \
    X(M_ORIGINAL_RETURN_PATH, ENCODE_TEXT)  \
    X(M_ORIGINAL_DATE, ENCODE_TEXT)         \
    X(M_ORIGINAL_SUBJECT_HASH, ENCODE_INT8) \
    X(M_FEEDBACK_ID, ENCODE_TEXT)           \
    X(M_LIST_ID, ENCODE_TEXT)               \
    X(M_LIST_UNSUBSCRIBE, ENCODE_TEXT)      \
    X(M_CFBL_ADDRESS, ENCODE_TEXT)          \
    X(M_CFBL_FEEDBACK_ID, ENCODE_TEXT)      \
    X(M_DKIM_DOMAIN, ENCODE_TEXT)           \
    X(M_RAW, ENCODE_BYTEA)

#define EVENT_COLUMNS(X)                  \
    X(E_ID, ENCODE_UUID)                  \
    X(E_RECEIVED_AT, ENCODE_TIMESTAMPTZ)  \
    X(E_KIND, ENCODE_TEXT)                \
    X(E_TENANT, ENCODE_TEXT)              \
    X(E_STREAM, ENCODE_TEXT)              \
    X(E_ADDRESS, ENCODE_TEXT)             \
    X(E_ADDRESS_KEY, ENCODE_TEXT)         \
    X(E_FINAL_RECIPIENT, ENCODE_TEXT)     \
    X(E_SOURCE, ENCODE_TEXT)              \
    X(E_VERIFIED, ENCODE_BOOL)            \
    X(E_FORWARDED, ENCODE_BOOL)           \
    X(E_TRUSTED, ENCODE_BOOL)             \
    X(E_CLASS, ENCODE_TEXT)               \
    X(E_CATEGORY, ENCODE_TEXT)            \
    X(E_FAULT, ENCODE_TEXT)               \
    X(E_CONFIDENCE, ENCODE_TEXT)          \
    X(E_RULE, ENCODE_TEXT)                \
    X(E_MX_OPERATOR, ENCODE_TEXT)         \
    X(E_ACTION, ENCODE_TEXT)              \
    X(E_STATUS, ENCODE_TEXT)              \
    X(E_REPLY_CODE, ENCODE_INT2)          \
    X(E_DIAGNOSTIC, ENCODE_TEXT)          \
    X(E_EVIDENCE_TEXT, ENCODE_TEXT)       \
    X(E_FINGERPRINT, ENCODE_INT8)         \
    X(E_REPORTING_MTA, ENCODE_TEXT)       \
    X(E_REMOTE_MTA, ENCODE_TEXT)          \
    X(E_ORIGINAL_MESSAGE_ID, ENCODE_TEXT) \
    X(E_FEEDBACK_TYPE, ENCODE_TEXT)       \
    X(E_VERIFICATION, ENCODE_TEXT)        \
    X(E_TOKEN, ENCODE_TEXT)               \
    X(E_TOKEN_ID, ENCODE_TEXT)            \
    X(E_TOKEN_DAY, ENCODE_DATE)           \
    X(E_CAMPAIGN, ENCODE_TEXT)            \
    X(E_COUNTS, ENCODE_BOOL)              \
    X(E_CAPPED, ENCODE_BOOL)              \
    X(E_CONTENT, ENCODE_BYTEA)            \
    X(E_LAST_ATTEMPT, ENCODE_TEXT)        \
    X(E_RETRY_UNTIL, ENCODE_TEXT)         \
    X(E_FINAL_LOG_ID, ENCODE_TEXT)        \
    X(E_LISTED_ADDRESS, ENCODE_TEXT)      \
    X(E_BLOCKLIST, ENCODE_TEXT)           \
    X(E_LOOKUP_URL, ENCODE_TEXT)

enum rows_column {
#define X(id, type) id,
    MESSAGE_COLUMNS(X) EVENT_COLUMNS(X)
#undef X
        ROWS_COLUMNS
};

struct rows {
    struct array column[ROWS_COLUMNS];
};

void rows_init(struct rows *r);
void rows_free(struct rows *r);

/* How many of the n messages go into one transaction, at least 1: bounded in bytes and events, so
 * that neither we nor the server need memory without bound. */
size_t rows_fit(const struct db_message *messages, size_t n);

/* Replaces what r holds. -EINVAL when a message has more events than ids, or is over what one
 * parameter can hold; -ENOMEM. */
int rows_encode(struct rows *r, const struct db_message *messages, size_t n, struct err *e);

/* Adds the columns as parameters. */
void rows_parameters(const struct rows *r, struct pg_parameters *p);

/* Writes "<head>$<first>, ...<tail>" with a place for each column. */
void rows_sql(char *sql, size_t room, const char *head, unsigned first, const char *tail);

/* As much of a message's body as is kept as evidence. */
struct str rows_body(const struct db_message *m);
/* A word that may be missing: empty counts as absent. */
struct str rows_word(struct str s);

#endif
