/* certificate.h - what a certificate file says of itself, for those who publish it in the DNS. */
#ifndef RECEIVER_CERTIFICATE_H
#define RECEIVER_CERTIFICATE_H

#include "base/err.h"
#include "base/str.h"

struct certificate;

enum { CERTIFICATE_CHAIN_MAX = 10, CERTIFICATE_HEX = 64 + 1 };

/* Reads a PEM file: the certificate, then those it was signed with. -ENOENT, -EACCES ...; -EINVAL:
 * it holds no certificate, or too many; -ENOMEM. */
int certificate_load(const char *path, struct certificate **ret, struct err *e);
void certificate_free(struct certificate *c);

/* It is for this host name (RFC 6125). */
bool certificate_is_for(const struct certificate *c, const char *host);
/* Seconds since 1970 behind which it is not valid any more; 0 when that can't be read. */
int64_t certificate_end(const struct certificate *c);

/* A TLSA record holds for what the server shows: usage 3 its own certificate, usage 2 one behind it
 * in the file. Other usages are not for mail (RFC 7672 section 3.1.3). RFC 6698 section 2.1. */
bool certificate_has_tlsa(const struct certificate *c, unsigned usage, unsigned selector,
                          unsigned matching, struct str data);
/* Data of the record "3 1 1": SHA-256 of the public key, in hex. False: it can't be computed. */
bool certificate_key_digest(const struct certificate *c, char hex[CERTIFICATE_HEX]);

#endif
