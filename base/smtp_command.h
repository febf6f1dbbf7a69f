/* smtp_command.h - the SMTP command that a reply answered, and the words by which mail systems tell
 * it: "(in reply to end of DATA command)", "after RCPT TO:<a@b.example>:", ">>> DATA". */
#ifndef BASE_SMTP_COMMAND_H
#define BASE_SMTP_COMMAND_H

#include "base/str.h"

/* In the order in which they are said. DATA is the command and the text behind it, BDAT too. Names
 * are those of JSON, rules and docs. */
#define SMTP_COMMANDS(X)                 \
    X(SMTP_COMMAND_NONE, "")             \
    X(SMTP_COMMAND_CONNECT, "connect")   \
    X(SMTP_COMMAND_EHLO, "ehlo")         \
    X(SMTP_COMMAND_STARTTLS, "starttls") \
    X(SMTP_COMMAND_AUTH, "auth")         \
    X(SMTP_COMMAND_MAIL, "mail")         \
    X(SMTP_COMMAND_RCPT, "rcpt")         \
    X(SMTP_COMMAND_DATA, "data")

enum smtp_command {
#define X(id, name) id,
    SMTP_COMMANDS(X)
#undef X
        SMTP_COMMAND_COUNT
};

/* "" for SMTP_COMMAND_NONE. */
const char *smtp_command_name(enum smtp_command command);
/* SMTP_COMMAND_NONE when name is none. */
enum smtp_command smtp_command_by_name(struct str name);

/* The command that line begins with, as a client sends it ("RCPT TO:<a@b.example>"). */
enum smtp_command smtp_command_leading(struct str line);

/* The command that a mail system's own words in text name first; NONE when they name none. */
enum smtp_command smtp_command_find(struct str text);

#endif
