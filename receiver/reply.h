/* reply.h - every reply that the receiver can give, in one table.
 *
 * Columns: name, reply code, enhanced code (RFC 3463; empty where RFC 2034 section 3 has none:
 * greeting, EHLO, HELO, 3xx), text, where it comes from. "{}" in a text stands for the argument. */
#ifndef RECEIVER_REPLY_H
#define RECEIVER_REPLY_H

#include "base/str.h"

#define REPLIES(X)                                                                                 \
    X(GREETING, "220", "", "{} ESMTP bouncemx", "RFC 5321 4.3.1")                                  \
    X(TLS_GO, "220", "2.0.0", "Begin the TLS handshake", "RFC 3207 4")                             \
    X(HELO_OK, "250", "", "{}", "RFC 5321 4.1.1.1")                                                \
    X(MAIL_OK, "250", "2.1.0", "Sender accepted", "RFC 5321 4.1.1.2")                              \
    X(RCPT_OK, "250", "2.1.5", "Recipient accepted", "RFC 5321 4.1.1.3")                           \
    X(DATA_GO, "354", "", "Send the message, end with <CR><LF>.<CR><LF>", "RFC 5321 4.1.1.4")      \
    X(STORED, "250", "2.0.0", "{} stored", "RFC 5321 6.1")                                         \
    X(CHUNK_OK, "250", "2.0.0", "Chunk taken", "RFC 3030 2")                                       \
    X(RSET_OK, "250", "2.0.0", "Forgotten", "RFC 5321 4.1.1.5")                                    \
    X(NOOP_OK, "250", "2.0.0", "Still here", "RFC 5321 4.1.1.9")                                   \
    X(VRFY_NO, "252", "2.5.2", "Not verified; send and see", "RFC 5321 3.5.3")                     \
    X(HELP_TEXT, "214", "2.0.0",                                                                   \
      "EHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT", "RFC 5321 4.1.1.8")       \
    X(QUIT_OK, "221", "2.0.0", "{} closes the connection", "RFC 5321 4.1.1.10")                    \
    X(STOPPING, "421", "4.3.2", "{} is stopping, try again later", "RFC 5321 3.8")                 \
    X(TIMED_OUT, "421", "4.4.2", "{} waited too long for you", "RFC 5321 4.5.3.2")                 \
    X(SESSION_LONG, "421", "4.4.2", "{} limits the length of a session", "RFC 5321 3.8")           \
    X(CONNECTIONS_MANY, "421", "4.3.2", "{} has too many connections, try again later",            \
      "RFC 5321 3.8")                                                                              \
    X(ADDRESS_CONNECTIONS, "421", "4.7.0", "{} has too many connections from your address",        \
      "RFC 5321 3.8")                                                                              \
    X(UNKNOWN_MANY, "421", "4.7.0", "{} was asked for too many addresses that are not here",       \
      "RFC 5321 7.9")                                                                              \
    X(DATA_SLOW, "421", "4.4.2", "{} gets the message too slowly", "RFC 5321 4.5.3.2")             \
    X(EARLY_TALKER, "421", "4.7.0", "{} was spoken to before its greeting", "RFC 5321 4.3.1")      \
    X(BAD_COMMANDS, "421", "4.7.0", "{} saw too many errors", "RFC 5321 4.3.2")                    \
    X(LINE_ENDLESS, "421", "4.7.0", "{} saw a line without an end", "RFC 5321 4.5.3.1.4")          \
    X(MEMORY_NONE, "421", "4.3.0", "{} is out of memory, try again later", "RFC 5321 3.8")         \
    X(SPOOL_FULL, "452", "4.3.1", "No room to store mail now, try again later",                    \
      "RFC 5321 4.5.3.1.10")                                                                       \
    X(MEMORY_FULL, "452", "4.3.1", "No memory for this message now, try again later",              \
      "RFC 5321 4.2.3")                                                                            \
    X(RCPT_MANY, "452", "4.5.3", "Too many recipients, send the rest in another message",          \
      "RFC 5321 4.5.3.1.10")                                                                       \
    X(RCPT_MANY_NULL, "452", "4.5.3",                                                              \
      "Too many recipients for a report, send the rest in another one", "RFC 5321 4.5.3.1.10")     \
    X(ADDRESS_MESSAGES, "451", "4.7.1",                                                            \
      "Too many messages from your address in this minute, try again later", "RFC 5321 7.8")       \
    X(ADDRESS_RECIPIENTS, "451", "4.7.1",                                                          \
      "Too many recipients from your address in this minute, try again later", "RFC 5321 7.8")     \
    X(SPOOL_FAILED, "451", "4.3.0", "Could not store the message, try again later",                \
      "RFC 5321 4.2.3")                                                                            \
    X(LOCAL_ERROR, "451", "4.3.0", "Local error, try again later", "RFC 5321 4.2.3")               \
    X(UNKNOWN_COMMAND, "500", "5.5.2", "Command not recognised", "RFC 5321 4.2.4")                 \
    X(LINE_LONG, "500", "5.5.2", "Command line too long", "RFC 5321 4.5.3.1.4")                    \
    X(LINE_BARE, "500", "5.5.2", "A command ends in <CR><LF>; neither stands alone in it",         \
      "RFC 5321 2.3.8")                                                                            \
    X(LINE_CONTROL, "500", "5.5.2", "Control character in a command", "RFC 5321 4.1.2")            \
    X(HELO_SYNTAX, "501", "5.5.4", "Expected one host name or address literal",                    \
      "RFC 5321 4.1.1.1")                                                                          \
    X(MAIL_SYNTAX, "501", "5.5.4", "Expected MAIL FROM:<address>", "RFC 5321 4.1.1.2")             \
    X(RCPT_SYNTAX, "501", "5.5.4", "Expected RCPT TO:<address>", "RFC 5321 4.1.1.3")               \
    X(MAIL_ADDRESS, "501", "5.1.7", "Not an address (sender)", "RFC 5321 4.1.2")                   \
    X(RCPT_ADDRESS, "501", "5.1.3", "Not an address (recipient)", "RFC 5321 4.1.2")                \
    X(CHUNK_SYNTAX, "501", "5.5.4", "Expected BDAT <octets> [LAST]", "RFC 3030 2")                 \
    X(BODY_OTHER, "501", "5.5.4", "BODY is 7BIT or 8BITMIME", "RFC 6152 2")                        \
    X(PARAMETER_SYNTAX, "501", "5.5.4", "Malformed parameter", "RFC 5321 4.1.2")                   \
    X(ARGUMENT_NEEDED, "501", "5.5.4", "An argument is needed", "RFC 5321 4.3.2")                  \
    X(ARGUMENT_EXTRA, "501", "5.5.4", "No argument expected", "RFC 5321 4.3.2")                    \
    X(XCLIENT_SYNTAX, "501", "5.5.4", "Expected XCLIENT NAME=value, known and in xtext",           \
      "Postfix XCLIENT_README")                                                                    \
    X(NOT_IMPLEMENTED, "502", "5.5.1", "Command not implemented", "RFC 5321 4.2.4")                \
    X(HELO_FIRST, "503", "5.5.1", "Say EHLO first", "RFC 5321 4.1.4")                              \
    X(TLS_ON, "503", "5.5.1", "TLS is on already", "RFC 3207 4.2")                                 \
    X(MAIL_NESTED, "503", "5.5.1", "A sender was given already; RSET forgets it",                  \
      "RFC 5321 4.1.4")                                                                            \
    X(XCLIENT_LATE, "503", "5.5.1", "Not within a mail transaction; RSET ends it",                 \
      "Postfix XCLIENT_README")                                                                    \
    X(MAIL_FIRST, "503", "5.5.1", "Say MAIL first", "RFC 5321 3.3")                                \
    X(RCPT_FIRST, "503", "5.5.1", "Say RCPT first", "RFC 5321 3.3")                                \
    X(CHUNK_BEGUN, "503", "5.5.1", "The message has begun; BDAT LAST ends it, RSET forgets it",    \
      "RFC 3030 2")                                                                                \
    X(CHUNK_FAILED, "503", "5.5.1", "A chunk was refused; RSET forgets the message", "RFC 3030 2") \
    X(TLS_FIRST, "530", "5.7.0", "Must issue a STARTTLS command first", "RFC 3207 4")              \
    X(PARAMETER_UNKNOWN, "555", "5.5.4", "Parameter not offered by EHLO", "RFC 5321 4.1.1.11")     \
    X(BODY_BINARY, "555", "5.5.4", "BINARYMIME is not offered", "RFC 3030 3")                      \
    X(XCLIENT_DENIED, "550", "5.7.0", "You may not speak for others", "Postfix XCLIENT_README")    \
    X(RELAY_DENIED, "550", "5.7.1", "We take no mail for this address", "RFC 5321 3.6.2")          \
    X(RCPT_UNKNOWN, "550", "5.1.1", "No such address here", "RFC 5321 3.3")                        \
    X(RCPT_TOKEN, "550", "5.7.1", "This address is not, or no longer, one of ours",                \
      "RFC 5321 3.3")                                                                              \
    X(DATA_BARE, "550", "5.6.0", "A line of the message does not end in <CR><LF>",                 \
      "RFC 5321 2.3.8")                                                                            \
    X(TOO_BIG, "552", "5.3.4", "Message too big", "RFC 1870 6")                                    \
    X(CHUNK_HUGE, "552", "5.3.4", "{} reads no chunk of that size and closes the connection",      \
      "RFC 1870 6")                                                                                \
    X(ADDRESS_NOT_ASCII, "553", "5.6.7", "This address needs the parameter SMTPUTF8 of MAIL",      \
      "RFC 6531 3.5")                                                                              \
    X(LOOP, "554", "5.4.6", "Too many Received lines: the message goes round in a loop",           \
      "RFC 5321 6.3")                                                                              \
    X(NO_SERVICE, "554", "5.7.1", "No SMTP service for your address", "RFC 5321 3.1")              \
    X(RCPT_NONE, "554", "5.5.1", "No recipient was accepted", "RFC 5321 3.3")

enum reply {
#define X(name, code, enhanced, text, rfc) REPLY_##name,
    REPLIES(X)
#undef X
        REPLY_EHLO_OK, /* many lines: reply_ehlo */
    REPLY_COUNT
};

/* 220 ... 555. */
unsigned reply_code(enum reply r);

/* Bytes that any reply fits whose argument has at most 255. */
enum { REPLY_MAX = 512 };

/* The reply as it goes to the wire, <CR><LF> included: a constant when its text has no argument,
 * else written to room. arg is cut where room ends. Never REPLY_EHLO_OK. */
struct str reply_wire(enum reply r, struct str arg, char room[REPLY_MAX]);

/* What EHLO says beside the extensions that are always offered. */
struct reply_offer {
    uint64_t message_bytes; /* 0 is said as "SIZE 0": no fixed maximum (RFC 1870 section 4) */
    uint32_t recipients;    /* RCPTMAX (RFC 9422 section 4.2); nothing limits mails: no MAILMAX */
    bool starttls;
    bool xclient;
};

/* The answer to EHLO: the host name of at most 253 octets, then one line an extension (RFC 5321
 * section 4.1.1.1). */
struct str reply_ehlo(struct str hostname, const struct reply_offer *offer, char room[REPLY_MAX]);

#endif
