/* verp.h - what a plain (unsigned) variable envelope return path says. Pure.
 *
 * Shapes that are known, in the order in which they are tried; the first that fits counts:
 *
 *   bounces+n-hex-user=domain          SendGrid
 *   bounce+hex.hex-user=domain         Mailgun
 *   prefix+user==a==domain==list...    Sympa
 *   prefix+bounce_hash                 Mautic: names nobody, but a message
 *   id-000000 (a long hex id)          Amazon SES: names nobody, but a message
 *   list-return-n-user=domain          ezmlm; "-return-<digits>-" stands before any '+'
 *   prefix+user=domain                 Mailman, Postfix and qmail XVERP: all behind the first '+'
 *   prefix-list-n-user=domain          n all digits, list without '-'
 *   prefix-user=domain                 all behind the first '-'
 *
 * A prefix holds no '+'. The recipient's domain holds no '=', so it stands behind the last one. The
 * recipient's local part may itself hold '-', '=' and '+', so some addresses can be read in two
 * ways. What is chosen, and what is misread for it:
 *
 *   p+a+b=d, p+a-b=d, p+a=b=d    a+b, a-b, a=b: '+' ends the prefix for good. A prefix with a '+'
 *                                in it is misread.
 *   p-a+b=d                      b, not a+b: such senders should mint with '+' or ezmlm's form.
 *   p-a-7-b=d                    b (list a, number 7), not a-7-b.
 *   p-q-a=d                      q-a: a prefix with a '-' in it is misread.
 *   bounces+1-f-a=d              a: a recipient 1-f-a behind the prefix "bounces" is misread.
 *   bounce+f.f-a=d               a, likewise.
 *
 * XVERP with other delimiters (MAIL FROM:<> XVERP=[-=]) has endless shapes: a pattern of the user's
 * reads them (pattern.h), as it does ids of other systems.
 *
 * Nothing vouches for the result: it is only as good as whoever wrote the address. */
#ifndef RETURNPATH_VERP_H
#define RETURNPATH_VERP_H

#include "base/address.h"

struct verp {
    struct address recipient; /* both absent: it names nobody */
    struct str message_id;    /* absent: it names no message */
};

/* Reads a local part (quotes removed). True, and slices of local; false (untouched) when it has no
 * known shape. */
bool verp_read(struct str local, struct verp *ret);

/* Whether both parts are such as a recipient has that mail was sent to over the Internet: no
 * quotes, controls or specials in the local part; a host name of two labels or more. */
bool verp_is_recipient(const struct address *a);

#endif
