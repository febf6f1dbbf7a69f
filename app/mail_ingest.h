/* mail_ingest.h - stored mail, into the database by the path of mail on port 25. */
#ifndef APP_MAIL_INGEST_H
#define APP_MAIL_INGEST_H

#include "app/ingest_batch.h"
#include "app/reading.h"

#include <signal.h>

struct mail_ingest {
    struct ingest_batch *batch;
    struct reading *reading;
    struct str rcpt, mail_from; /* of all messages; absent: as their headers tell */
    int64_t received;           /* of those whose headers do not tell; CLOCK_UNKNOWN: none */
    volatile sig_atomic_t *stop;
};

/* Reads a file, mbox, Maildir or folder, or "-". Negative: it can't go on, after a message. */
int mail_ingest(struct mail_ingest *g, const char *path);

/* The envelope as the headers at a message's front tell it. Strings lie in message. */
enum { MAIL_ENVELOPE_RCPT_MAX = 16 };
struct mail_envelope {
    /* Delivered-To and X-Original-To, as they stand; the topmost first. */
    struct str rcpt[MAIL_ENVELOPE_RCPT_MAX];
    size_t rcpt_n;
    struct str mail_from; /* of Return-Path; absent: there is none */
    int64_t received;     /* the topmost Received, else Date; CLOCK_UNKNOWN: neither tells */
};
void mail_envelope_read(struct str message, struct mail_envelope *ret);

/* "Tue, 24 Nov 2026 01:02:03 +0100 (CET)" (RFC 5322 section 3.3, obsolete zones too). */
bool mail_date_read(struct str text, int64_t *ret);

#endif
