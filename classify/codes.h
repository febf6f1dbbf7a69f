/* codes.h - enhanced mail system status codes (RFC 3463) and SMTP reply codes, found in text and
 * looked up. Details go up to 999: Microsoft's have three digits, outside the IANA registry. */
#ifndef CLASSIFY_CODES_H
#define CLASSIFY_CODES_H

#include "classify/verdict.h"

struct status {
    uint8_t class; /* 2, 4, 5; 0: none */
    uint16_t subject;
    uint16_t detail;
};

/* The whole of text is a status, perhaps with a comment behind a space: "5.1.1 (no such user)". */
bool codes_parse(struct str text, struct status *ret);

/* What a text says by numbers. */
struct codes_found {
    uint16_t reply;    /* of the first reply in it: 421, 550 ...; 0: none */
    struct str status; /* of the first reply in it; else the first status anywhere */
    struct str inner;  /* of the last reply in it that has one: what the innermost host said */
    uint16_t inner_reply;
    struct str last_transient; /* from the last 4yz reply to the end of the text */
};
void codes_find(struct str text, struct codes_found *ret);

struct code_meaning {
    const char *rule; /* "status-5.1.1", "reply-421"; the code begins behind the '-' */
    enum verdict_category category;
};

/* NULL when the registry's words say nothing about a reason (such as 5.0.0). */
const struct code_meaning *codes_status(struct status s);
/* NULL when nothing follows from the reply code alone. Never a hard category. */
const struct code_meaning *codes_reply(uint16_t reply);

#endif
