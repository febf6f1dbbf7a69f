/* ingest.h - a line of a sender's own records -> what it says of each recipient. Pure: no file, no
 * clock. What one line alone does not say (Message-ID, sender, why a message that expired was
 * deferred) is remembered from lines before it, within bounds. */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "base/arena.h"
#include "base/err.h"

/* A longer line is none that these programs write. */
enum { INGEST_LINE_MAX = 64 << 10 };

/* Names are those of the command line, and of column reader in the database. */
#define INGEST_FORMATS(X)                                             \
    X(INGEST_POSTFIX, "postfix-log", "syslog lines of Postfix")       \
    X(INGEST_KUMOMTA, "kumomta-json", "JSON lines of KumoMTA's logs") \
    X(INGEST_POWERMTA, "powermta-csv", "accounting files of PowerMTA, CSV")

enum ingest_format {
#define X(id, name, meaning) id,
    INGEST_FORMATS(X)
#undef X
        INGEST_FORMAT_COUNT
};
const char *ingest_format_name(enum ingest_format f);
/* False (untouched) when name is none. */
bool ingest_format_parse(struct str name, enum ingest_format *ret);

enum ingest_kind {
    INGEST_OTHER,    /* nothing about a recipient, or what comes to us as mail as well */
    INGEST_SENT,     /* the next host took it */
    INGEST_BOUNCED,  /* refused for good */
    INGEST_DEFERRED, /* to be tried again */
    INGEST_EXPIRED,  /* given up after its time in the queue */
};

/* All strings are valid UTF-8 without control characters; absent when the line does not say. */
struct ingest_record {
    enum ingest_kind kind;
    int64_t time; /* microseconds since the epoch */
    struct str recipient;
    struct str orig_to; /* before aliases were followed */
    struct str sender;  /* envelope; "" is the null sender */
    struct str queue_id;
    struct str message_id; /* without <> */
    struct str host;       /* that wrote the line */
    struct str remote_host, remote_ip;
    struct str text; /* the remote words, or the mail server's own */
    struct str command;
    struct str status; /* "5.1.1": the remote words' own, else the record's */
    uint16_t reply_code;
    struct str tenant, campaign;
    struct str evidence; /* the lines that it is made from */
};

/* What one line gives; one record for each recipient that it names. */
enum { INGEST_RECORDS_MAX = 1000 };
struct ingest_records {
    const struct ingest_record *list;
    size_t n;
    bool cut; /* it names more than INGEST_RECORDS_MAX */
};

/* What stands in no line of syslog. The caller may change it between lines. */
struct ingest_clock {
    int year;       /* of the first line; 0: the latest in which a line is not after `latest` */
    int64_t latest; /* no line was written later (and a day) */
    /* A local time, given as if it were UTC, as UTC. NULL: it is UTC. */
    int64_t (*zone)(int64_t local);
};

struct ingest_reader;

/* clock is referred to. -ENOMEM. */
int ingest_reader_new(enum ingest_format format, const struct ingest_clock *clock,
                      struct ingest_reader **ret);
void ingest_reader_free(struct ingest_reader *r);

/* One line without its end; no records for one of no interest. *ret lives in a and in line.
 * -EINVAL: it can't be read, *e says what was expected; -ENOMEM. */
int ingest_read(struct ingest_reader *r, struct arena *a, struct str line,
                struct ingest_records *ret, struct err *e);

#endif
