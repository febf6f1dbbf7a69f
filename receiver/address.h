/* address.h - the argument of MAIL FROM: and RCPT TO: (RFC 5321 sections 4.1.1.2 and 4.1.2). Pure.
 */
#ifndef RECEIVER_ADDRESS_H
#define RECEIVER_ADDRESS_H

#include "base/arena.h"

enum smtp_path_kind {
    SMTP_PATH_REVERSE, /* may be null: <> */
    SMTP_PATH_FORWARD, /* may be <postmaster> */
};

/* Reads "<...>" at the front of *rest: an optional source route, which is ignored (RFC 5321
 * appendix C), then a mailbox. Spaces before it are skipped, since many clients send them. Dots
 * anywhere in a local part are taken: old mail systems made such mailboxes, and return paths name
 * them. Beyond ASCII UTF-8 is taken in local parts and domains (RFC 6531 section 3.3): whether it
 * may be is for the caller to say. 0: *ret is the mailbox without <> (empty: null), *rest what
 * follows '>'. -EINVAL: no path stands there; -EBADMSG: the path is no address; -ENOMEM: scratch,
 * which nothing of the result lives in, is full. */
int smtp_path_read(struct arena *scratch, struct str *rest, enum smtp_path_kind kind,
                   struct str *ret);
bool smtp_path_is_ascii(struct str path);

/* The next " KEYWORD[=value]" of *rest. 1: read; 0: *rest is at its end; -EINVAL: malformed.
 * A value that is not given is absent. */
int smtp_parameter_read(struct str *rest, struct str *ret_keyword, struct str *ret_value);

#endif
