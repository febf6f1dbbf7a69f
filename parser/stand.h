/* stand.h - how an address stands in its line of a notice: what makes it a failed recipient's. */
#ifndef PARSER_STAND_H
#define PARSER_STAND_H

#include "base/str.h"

/* How far around an address its line is looked at: notices are hostile too. */
enum { STAND_LINE_BYTES = 300 };

/* How an address stands in its line. */
enum stand {
    STAND_NONE,
    STAND_INSIDE,   /* somewhere in a sentence */
    STAND_TO,       /* behind "To:": the returned message's, most often */
    STAND_LABELLED, /* behind "user", "address" and the like */
    STAND_REPLY,    /* inside a quoted reply or its command */
    STAND_NAMED,    /* behind "Recipient:", "could not be delivered to" and the like */
    STAND_HEAD,     /* at the line's head, alone or with its reason behind it */
};

/* address is a part of line, and line of text. */
enum stand stand_of(struct str text, struct str line, struct str address);

/* From at to the line's end. */
struct str stand_line(struct str text, size_t at);
/* Start of the line that at stands in, STAND_LINE_BYTES away at most. */
size_t stand_line_start(struct str text, size_t at);
/* The line that at stands in, STAND_LINE_BYTES to each side. */
struct str stand_line_around(struct str text, size_t at);

bool stand_is_blank(struct str line);
/* Brackets, quotes, bullets and the like only. */
bool stand_is_marks(struct str s);
/* "Recipient:", "Recipient: <". */
bool stand_ends_in_colon(struct str s);

#endif
