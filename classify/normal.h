/* normal.h - a diagnostic as patterns see it: one line, continuation codes of a multi-line reply
 * taken out ("550-5.1.1 does not 550 5.1.1 exist" -> "550-5.1.1 does not exist"), typographic
 * apostrophes made plain, bytes that are no UTF-8 read as Latin-1; with a way back to the words as
 * they stood. */
#ifndef CLASSIFY_NORMAL_H
#define CLASSIFY_NORMAL_H

#include "base/str.h"

enum { NORMAL_BYTES = 8192 }; /* what lies behind is not looked at */

struct normal {
    char p[NORMAL_BYTES];
    uint16_t at[NORMAL_BYTES]; /* where each byte stood */
    size_t n;
    struct str original;
};

void normal_make(struct normal *norm, struct str text);
struct str normal_text(const struct normal *norm);

/* The original words behind [from, to) of the normal text. */
struct str normal_original(const struct normal *norm, size_t from, size_t to);

#endif
