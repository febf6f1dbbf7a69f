/* verp.h - the recipient that a plain (unsigned) variable envelope return path names. Pure.
 *
 * Read are, with the recipient's domain after the last '=' (a domain holds none):
 *
 *   list-return-n-user=domain    ezmlm; "-return-<digits>-" stands before any '+'
 *   prefix+user=domain           Mailman, Postfix and qmail XVERP: all behind the first '+'
 *   prefix-list-n-user=domain    n all digits, list without '-'
 *   prefix-user=domain           all behind the first '-'
 *
 * tried in this order. The recipient's local part may itself hold '-', '=' and '+', so some
 * addresses can be read in two ways. What is chosen, and what is misread for it:
 *
 *   p+a+b=d, p+a-b=d, p+a=b=d    a+b, a-b, a=b: '+' ends the prefix for good. A prefix with a '+'
 * in it is misread. p-a+b=d                      b, not a+b: such senders should mint with '+' or
 * ezmlm's form. p-a-7-b=d                    b (list a, number 7), not a-7-b. p-q-a=d q-a: a prefix
 * with a '-' in it is misread.
 *
 * Nothing vouches for the result: it is only as good as whoever wrote the address. */
#ifndef RETURNPATH_VERP_H
#define RETURNPATH_VERP_H

#include "base/address.h"

/* Reads a local part (quotes removed). True and both parts, slices of local; false (untouched) when
 * it names nobody. */
bool verp_read(struct str local, struct address *ret);

#endif
