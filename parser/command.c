/* Which SMTP command the remote side answered with its refusal. The fields of RFC 3464 have no room
 * for it; the words of the reporter, or its transcript in the notice for people, may tell. */
#include "parser/reader.h"
#include "parser/stand.h"
#include "parser/status.h"

/* The server's reply on a transcript's line ("<<< 550 ..."); absent when it is none. */
static struct str server_reply(struct str line)
{
    static const struct str marks[] = {STR_INIT("<<< "), STR_INIT("<-- ")};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (str_starts(line, marks[i]))
            return str_trim(str_from(line, marks[i].n));
    return (struct str){NULL, 0};
}

/* The client's command on such a line; NONE when it is none. */
static enum smtp_command client_command(struct str line)
{
    static const struct str marks[] = {STR_INIT(">>> "), STR_INIT("--> ")};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (str_starts(line, marks[i]))
            return smtp_command_leading(str_from(line, marks[i].n));
    return SMTP_COMMAND_NONE;
}

/* Behind ">>> DATA" Sendmail shows the replies to all that it had sent by then (RFC 2920). Where
 * DATA itself is refused for want of recipients, or Sendmail says "... User unknown" of one, the
 * reply in front answered RCPT. rest begins behind that reply. */
static bool was_pipelined(struct str rest)
{
    enum { LINES_MAX = 12 };
    struct str line;
    for (size_t n = 0; n < LINES_MAX && str_line(&rest, &line); n++) {
        line = str_trim(line);
        struct str reply = server_reply(line);
        if (str_istarts(reply, STR("503")) || str_istarts(reply, STR("554 5.5.1")))
            return true;
        if (reply.n == 0 && (str_find(line, STR("... User unknown"), 0) < line.n ||
                             str_find(line, STR("... Deferred: "), 0) < line.n))
            return true;
        if (line.n == 0 || client_command(line))
            return false;
    }
    return false;
}

/* The command in front of the reply that words quote. */
static enum smtp_command by_transcript(struct str notice, struct str words)
{
    enum { HEAD_BYTES = 60, HEAD_MIN = 3, BEFORE_BYTES = 40 }; /* "(reason: " */
    enum smtp_command command = SMTP_COMMAND_NONE;
    if (str_find(notice, STR(">>> "), 0) == notice.n &&
        str_find(notice, STR("--> "), 0) == notice.n)
        return SMTP_COMMAND_NONE;
    struct str begin = str_sub(words, 0, BEFORE_BYTES + HEAD_BYTES), rest = notice, line;
    while (str_line(&rest, &line)) {
        line = str_trim(line);
        enum smtp_command sent = client_command(line);
        struct str head = str_trim(str_sub(server_reply(line), 0, HEAD_BYTES));
        if (sent)
            command = sent;
        else if (command && head.n >= HEAD_MIN &&
                 str_starts(str_from(words, str_find(begin, head, 0)), head))
            return command == SMTP_COMMAND_DATA && was_pipelined(rest) ? SMTP_COMMAND_RCPT
                                                                       : command;
    }
    return SMTP_COMMAND_NONE;
}

/* "-------SMTP command" and the command on the next line: m-FILTER. */
static enum smtp_command by_heading(struct str notice)
{
    static const struct str heading = STR_INIT("SMTP command\n");
    size_t at = str_find(notice, heading, 0);
    return at < notice.n ? smtp_command_leading(stand_line(notice, at + heading.n))
                         : SMTP_COMMAND_NONE;
}

/* The words that a notice has on this recipient go on where the report's fields end: Postfix's "(in
 * reply to end of DATA command)", Exim's "after RCPT TO:". */
static enum smtp_command by_reason(struct str notice, const struct report_recipient *to)
{
    if (!smtp_command_find(notice))
        return SMTP_COMMAND_NONE;
    struct str reason = freeform_reason(notice, to->final_recipient);
    return reply_codes_find(reason).reply == to->reply_code ? smtp_command_find(reason)
                                                            : SMTP_COMMAND_NONE;
}

void command_read(const struct reader *r, struct report_recipient *to, struct str notice)
{
    to->command = smtp_command_find(to->diagnostic);
    if (!to->command)
        to->command = by_transcript(notice, to->diagnostic);
    if (!to->command && to->reply_code != 0)
        to->command = by_reason(notice, to);
    if (!to->command && r->report->recipients_n == 1)
        to->command = by_heading(notice);
}
