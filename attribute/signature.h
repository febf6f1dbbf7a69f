/* signature.h - what a message says of its DKIM signatures, before any of it is believed.
 *
 * Splits a message into header fields and body, reads DKIM-Signature fields, and says which of them
 * may not count whatever their key says. Pure. RFC 6376. */
#ifndef ATTRIBUTE_SIGNATURE_H
#define ATTRIBUTE_SIGNATURE_H

#include "base/arena.h"

enum {
    SIGNATURE_FIELDS_MAX = 1000,
    SIGNATURE_HEADER_MAX = 256 * 1024, /* octets of all fields together */
    SIGNATURE_FIELD_MAX = 16 * 1024,   /* octets of one DKIM-Signature */
};

struct signature_field {
    struct str name; /* without ':' */
    struct str text; /* the whole field, folded as it came, without the CRLF behind it */
};

struct signature_message {
    struct signature_field *fields;
    size_t fields_n;
    struct str body; /* behind the empty line */
};

/* NULL, or why no signature of it can be checked: line ends other than CRLF, a field that is none,
 * more than the limits. Fields live in a, their text in message. -> "out of memory" too. */
const char *signature_split(struct arena *a, struct str message, struct signature_message *ret);

struct signature {
    struct str domain;   /* d=, lower-case */
    struct str selector; /* s=, lower-case */
    struct str signs;    /* h=, as it stands */
};

/* Reads one DKIM-Signature field. NULL, or why it can't count, judged at the time received:
 * broken tags; an algorithm other than rsa-sha256 and ed25519-sha256 (RFC 8301, 8463); a body
 * length l=, behind which anybody may write (RFC 6376 section 8.2); expired (x=) or from the future
 * (t=). *ret (in a) is set as soon as d= could be read, so that the reason can be told to whom it
 * matters; absent d= else. */
const char *signature_read(struct arena *a, const struct signature_field *field, int64_t received,
                           struct signature *ret);

/* NULL, or why the signature leaves open what the message says: From must be signed, and so must
 * each of the fields that decide how the body is read, none of which may stand twice (RFC 6376
 * sections 5.4 and 8.15). */
const char *signature_covers(const struct signature *s, const struct signature_message *m);

#endif
