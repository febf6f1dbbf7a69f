/* log_ingest.h - a sender's log, from a file or a pipe, into the database. */
#ifndef APP_LOG_INGEST_H
#define APP_LOG_INGEST_H

#include "app/ingest_batch.h"
#include "app/log_message.h"

#include <signal.h>

struct log_ingest {
    struct ingest_batch *batch;
    struct log_reading reading;
    struct ingest_reader *reader;
    struct ingest_clock clock; /* the reader's */
    bool delays;               /* deferrals become events */
    bool deliveries;           /* deliveries are told */
    volatile sig_atomic_t *stop;
};

/* Reads PATH, or "-", to its end or until *stop. What a pipe brings is written within a second.
 * Negative: it can't go on, after a message. */
int log_ingest(struct log_ingest *g, const char *path);

#endif
