/* fields.h - header fields and groups of them, read by our own code: the reports' machine-readable
 * parts are leaf parts for GMime. RFC 5322 section 2.2, RFC 3464 section 2.1. */
#ifndef PARSER_FIELDS_H
#define PARSER_FIELDS_H

#include "base/arena.h"

struct field {
    struct str name;
    struct str value; /* as it stands: line ends of folded lines inside */
    bool after_blank; /* a blank line stands between it and the field before */
};

struct fields {
    struct field *v;
    size_t n;
    bool cut;   /* there were more than max */
    size_t end; /* index in the text behind what was read */
};

/* One header: up to the first blank line. A line that is neither a field nor a continuation is
 * passed over, three in a row end the header (end stands before them). Lines end in CRLF, LF or
 * CR. 0 or -ENOMEM. All strings are parts of text. */
int fields_read_header(struct arena *a, struct str text, size_t max, struct fields *ret);

/* All groups of text. A line that is no field continues the one before: some writers break a
 * value without folding it. */
int fields_read_groups(struct arena *a, struct str text, size_t max, struct fields *ret);

/* Number of the first field with that name (any case) at or after from; f->n when there is none. */
size_t fields_find(const struct fields *f, struct str name, size_t from);
/* Its value, trimmed; absent when there is none. */
struct str fields_get(const struct fields *f, struct str name);

#endif
