/* text.h - what is kept of a message's words: one line of valid UTF-8, bounded. */
#ifndef PARSER_TEXT_H
#define PARSER_TEXT_H

#include "base/arena.h"

/* A copy in a of raw as one line: charset-decoded (see charset.h), every run of white space and
 * control characters one space, none at the ends, at most max bytes. Absent stays absent. */
struct str text_line(struct arena *a, struct str raw, struct str charset, size_t max);

/* True when every byte is below 0x80. */
bool text_is_ascii(struct str s);

/* True when any of the words, written in lower case, occurs in text in any case. */
bool text_has_any(struct str text, const struct str *words, size_t words_n);

/* The text of an HTML body: tags dropped, block ends as line ends, the common entities decoded.
 * For HTML-only notices. At most max bytes; lives in a. */
struct str text_from_html(struct arena *a, struct str html, size_t max);

#endif
