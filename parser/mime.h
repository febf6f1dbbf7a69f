/* mime.h - message bytes -> a flat list of parts in the order they stand. The only file that knows
 * GMime is mime.c; what it gives is copied out or points into the message's own bytes. */
#ifndef PARSER_MIME_H
#define PARSER_MIME_H

#include "parser/fields.h"
#include "parser/report.h"

enum { MIME_TOP = SIZE_MAX };

struct mime_part {
    struct str type; /* "text/plain", lower-case */
    struct str charset;
    struct str report_type; /* of multipart/report, lower-case */
    /* Decoded bytes, of at most MIME_BODY_MAX: of text/ and message/ parts and of those whose type
     * says nothing; empty for multiparts and others. Of a returned message its header. */
    struct str body;
    size_t parent;     /* index, or MIME_TOP */
    size_t in_message; /* index of the message/ part that this one is inside of, or MIME_TOP */
};

enum { MIME_BODY_MAX = 1 << 20 };

struct mime {
    struct arena scratch; /* all of it lives here, until mime_close */
    struct str bytes;     /* normalised (see scan.h) */
    struct fields header;
    struct mime_part *parts;
    size_t parts_n;
    bool over; /* over a limit, or GMime could not read it: there is only the header */
};

void mime_init(void);

/* 0 or -ENOMEM; mime_close in either case. scratch must be made by the caller. */
int mime_open(struct mime *m, struct str message, const struct report_limits *limits);
void mime_close(struct mime *m);

/* The value of a top header, decoded (RFC 2047) to one line of at most max bytes in a; absent when
 * there is none. */
struct str mime_header(struct arena *a, const struct fields *header, struct str name, size_t max);

#endif
