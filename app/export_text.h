/* export_text.h - rows of the list as lines of a file: our own columns, or a provider's. */
#ifndef APP_EXPORT_TEXT_H
#define APP_EXPORT_TEXT_H

#include "base/buf.h"
#include "base/err.h"
#include "db/import.h"

/* X(id, name). own is csv. */
#define EXPORT_FORMATS(X)            \
    X(EXPORT_OWN, "own")             \
    X(EXPORT_CSV, "csv")             \
    X(EXPORT_NDJSON, "ndjson")       \
    X(EXPORT_SES, "ses")             \
    X(EXPORT_SENDGRID, "sendgrid")   \
    X(EXPORT_MAILGUN, "mailgun")     \
    X(EXPORT_POSTMARK, "postmark")   \
    X(EXPORT_SPARKPOST, "sparkpost") \
    X(EXPORT_MAILCHIMP, "mailchimp")

enum export_format {
#define X(id, name) id,
    EXPORT_FORMATS(X)
#undef X
        EXPORT_FORMATS_N
};

/* False (untouched): it is none. */
bool export_format_parse(struct str name, enum export_format *ret);

/* SendGrid, Mailgun and Mailchimp keep a list for each reason, so that a file of theirs is of one
 * kind. */
bool export_is_of_one_kind(enum export_format f);

/* The first line. Our own carries the cursor: NDJSON as an object, CSV as the name of a last column
 * that is empty in every row, so that readers of CSV need not know of it. kind: of the rows, where
 * the format is of one kind. 0, or what buf_add returns. */
int export_header(enum export_format f, struct str kind, struct str cursor, int64_t now,
                  struct buf *out);
/* One row as a line; nothing when the format can't say such a row, or it is of another kind:
 * *ret_said is false. */
int export_row(enum export_format f, struct str kind, const struct str cells[EXPORT_COLUMNS],
               struct buf *out, bool *ret_said);

#endif
