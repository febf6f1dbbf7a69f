/* data.h - the content between "354" and the end of data (RFC 5321 section 4.5.2), or of chunks
 * (RFC 3030). Pure.
 *
 * Only <CR><LF>.<CR><LF> ends it, the first <CR><LF> being the end of the DATA line when the
 * content is empty. A <CR> or <LF> alone is content, never the end of a line: a dot behind it is no
 * stuffed dot and no end. It is remembered, since a peer that reads such bytes as line ends would
 * see another message (SMTP smuggling). */
#ifndef RECEIVER_DATA_H
#define RECEIVER_DATA_H

#include "base/str.h"

enum smtp_data_at {
    SMTP_DATA_LINE = 0, /* at the start of a line */
    SMTP_DATA_DOT,      /* behind a dot at the start of a line */
    SMTP_DATA_DOT_CR,
    SMTP_DATA_TEXT,
    SMTP_DATA_CR,
};

struct smtp_data {
    enum smtp_data_at at;
    bool bare; /* a <CR> or <LF> stood alone */
};

enum smtp_data_step { SMTP_DATA_MORE, SMTP_DATA_CONTENT, SMTP_DATA_END };

static inline void smtp_data_begin(struct smtp_data *d)
{
    *d = (struct smtp_data){0};
}

/* Takes bytes from the front of *in. SMTP_DATA_CONTENT: *ret_content is the next stretch of
 * content, dots unstuffed, never empty: a part of the input, or a constant. SMTP_DATA_END: the end
 * was read, *in is what follows it. SMTP_DATA_MORE: *in is used up. */
enum smtp_data_step smtp_data_next(struct smtp_data *d, struct str *in, struct str *ret_content);

/* Content of chunks, where no dot means anything: only looks for what stands alone, over the ends
 * of chunks too. */
void smtp_chunk_add(struct smtp_data *d, struct str content);
/* A <CR> ends what was added: alone, when nothing follows. */
static inline bool smtp_chunk_is_open(const struct smtp_data *d)
{
    return d->at == SMTP_DATA_CR;
}

#endif
