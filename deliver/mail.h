/* mail.h - one message on its way to the person who answers for a domain. */
#ifndef DELIVER_MAIL_H
#define DELIVER_MAIL_H

#include "base/str.h"

/* "<id of the message>-<number of the first of its recipients in the domain>". */
enum { MAIL_NAME = 48, MAIL_DOMAIN_MAX = 253 };

struct mail {
    char name[MAIL_NAME]; /* the same whenever the message is read again */
    struct str domain;    /* of ours, a lower-case A-label */
    struct str to;        /* the address in it, as the client gave it */
    struct str from;      /* reverse-path without <>; empty: null */
    int64_t received_at;  /* microseconds since the epoch */
    uint64_t size;        /* octets that the client sent */
    bool truncated;       /* body is only the front of them */
    struct str body;      /* as received: CRLF line ends */
};

#endif
