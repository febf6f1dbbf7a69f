/* received.h - the trace line that stands in front of a stored message (RFC 5321 section 4.4).
 * Pure.
 */
#ifndef RECEIVER_RECEIVED_H
#define RECEIVER_RECEIVED_H

#include "base/buf.h"
#include "spool/spool.h"

/* Adds "Received: ...<CR><LF>". Bytes of helo that could end the line or a comment become '?'; the
 * recipient is named only when it is the only one (RFC 5321 section 7.2); the
 * cipher stands in a tls clause (RFC 8314 section 4.3). 0, -ENOBUFS or -ENOMEM.
 */
int received_write(struct buf *out, const struct spool_envelope *envelope, struct str hostname);

#endif
