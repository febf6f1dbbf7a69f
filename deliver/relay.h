/* relay.h - a message to another mail server, by SMTP (RFC 5321). */
#ifndef DELIVER_RELAY_H
#define DELIVER_RELAY_H

#include "base/err.h"
#include "base/str.h"

struct relay;

struct relay_config {
    const char *server;   /* "mail.example.com:25", "[2001:db8::1]:25" */
    const char *hostname; /* said in EHLO */
    int64_t timeout;      /* microseconds for one message, connecting included */
    /* Asked about once a second while the server lets us wait: true gives up, with -EAGAIN. */
    bool (*stop)(void *ctx);
    void *stop_ctx;
};

/* Nothing is sent yet; messages after each other go over one connection. config is copied.
 * -ENOMEM. */
int relay_new(const struct relay_config *config, struct relay **ret, struct err *e);
void relay_free(struct relay *r);

/* from: reverse-path without <>, empty is the null one. Bare CR and LF in message go out as CRLF,
 * lest they end the message for a server that is not strict. STARTTLS is used where it is offered,
 * without a look at the certificate (RFC 7435): the server was named by hand, and plain text is
 * what the mail came in by. 0: the server has taken it. Else the server's words or the network's:
 *   -EAGAIN  the server can't be talked to now, no matter with which message
 *   -EBUSY   it does not want this message now (4xx)
 *   -EPERM   it does not want this message (5xx)
 *   -ENOMEM */
int relay_send(struct relay *r, struct str from, const char *to, struct str message, struct err *e);

#endif
