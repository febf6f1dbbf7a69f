/* scan.h - a look at a message's shape before GMime builds objects of it.
 *
 * GMime takes some hundred bytes for each part and header field and slows with depth, so a message
 * that is over a limit must not reach it. One flat pass; where the exact shape can't be told (a
 * boundary in an encoded parameter), what is counted is more than GMime would build, not less. */
#ifndef PARSER_SCAN_H
#define PARSER_SCAN_H

#include "parser/report.h"

/* A copy of message for the parser, of at most message.n bytes, in to: LF line ends, NUL as space,
 * without blank lines and an mbox "From " line in front. Lone CR are line ends when there are more
 * of them than LF, spaces otherwise. A boundary= on a line of its own
 * that should be folded is put behind the line before. Returns its length. */
size_t scan_normalise(struct str message, char *to);

/* Renames, in a copy that only GMime sees, the fields that it would decode at once and with
 * recursion (addresses; "((((" ends its stack) or at a cost (subjects). Every line that could be
 * one, wherever it stands: what GMime takes for a header is then no question. */
void scan_blind(char *bytes, size_t n);

/* True when the (normalised) message is within the limits. */
bool scan_within(struct str message, const struct report_limits *limits);

#endif
