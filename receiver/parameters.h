/* parameters.h - what stands behind the path of MAIL, and behind BDAT. Pure. */
#ifndef RECEIVER_PARAMETERS_H
#define RECEIVER_PARAMETERS_H

#include "receiver/reply.h"

struct smtp_parameters {
    uint64_t size; /* SIZE (RFC 1870); 0: not said */
    bool utf8;     /* SMTPUTF8 (RFC 6531) */
};

/* All parameters of MAIL, each at most once: SIZE, BODY (RFC 6152), and behind EHLO SMTPUTF8.
 * REPLY_MAIL_OK, or what is wrong with the first that is not. message_bytes: more is too big; 0 =
 * no limit. */
enum reply smtp_parameters_read(struct str rest, bool esmtp, uint64_t message_bytes,
                                struct smtp_parameters *ret);

/* "<octets> [LAST]" of BDAT (RFC 3030 section 2), LAST in any case. 0; 1: only the number is good;
 * -EINVAL: nothing can be known. A number that no uint64_t holds is UINT64_MAX. */
int smtp_chunk_read(struct str argument, uint64_t *ret_octets, bool *ret_last);

#endif
