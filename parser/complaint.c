/* Complaints from before RFC 5965: Microsoft's JMRP ("complaint about message from <IP>", the
 * recipient in X-HmXmrOriginalRecipient), AOL's scomp ("Email Feedback Report for IP <IP>"). Both
 * are the whole message as a part behind a subject with the sending host's address. */
#include "parser/mailbox.h"
#include "parser/reader.h"

enum { FIELDS_MAX = 1000, ADDRESS_BYTES = 45 };

static bool is_ip_char(char c)
{
    return ascii_is_digit(c) || c == '.' || c == ':' || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

/* The IP address that s begins with; absent when it is none. */
static struct str ip_leading(struct str s)
{
    size_t n = 0, marks = 0;
    while (n < s.n && n <= ADDRESS_BYTES && is_ip_char(s.p[n]))
        marks += s.p[n] == '.' || s.p[n] == ':', n++;
    bool ends = n == s.n || ascii_is_space(s.p[n]) || s.p[n] == ']';
    return marks >= 2 && n >= 3 && n <= ADDRESS_BYTES && ends ? str_sub(s, 0, n)
                                                              : (struct str){NULL, 0};
}

/* The sending host in a subject of one of the forms; absent when it has another. */
static struct str subject_ip(struct str subject)
{
    static const struct str forms[] = {STR_INIT("complaint about message from "),
                                       STR_INIT("email feedback report for ip "),
                                       STR_INIT("feedback report for ip ")};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (str_istarts(subject, forms[i])) {
            struct str rest = str_trim(str_from(subject, forms[i].n));
            return ip_leading(str_starts(rest, STR("[")) ? str_from(rest, 1) : rest);
        }
    return (struct str){NULL, 0};
}

static void recipient_take(struct reader *r, const struct fields *header)
{
    static const struct str names[] = {STR_INIT("X-HmXmrOriginalRecipient"),
                                       STR_INIT("X-Original-Recipient")};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct str address = mailbox_first(r->a, fields_get(header, names[i]));
        if (str_is_absent(address) || reader_recipient_find(r, address))
            continue;
        struct report_recipient *to = reader_recipient_add(r);
        if (to)
            to->original_recipient = address;
    }
}

bool complaint_read(struct reader *r)
{
    const struct mime *m = r->mime;
    struct str ip = subject_ip(r->report->subject);
    if (ip.n == 0)
        return false;
    const struct mime_part *returned = NULL;
    for (size_t i = 0; i < m->parts_n && !returned; i++)
        if (m->parts[i].in_message == MIME_TOP &&
            (str_eq(m->parts[i].type, STR("message/rfc822")) ||
             str_eq(m->parts[i].type, STR("text/rfc822-headers"))))
            returned = &m->parts[i];
    if (!returned)
        return false;
    struct fields header;
    if (fields_read_header(&r->mime->scratch, returned->body, FIELDS_MAX, &header) < 0)
        return false;
    recipient_take(r, &m->header);
    recipient_take(r, &header);
    r->report->source_ip = reader_text(r, ip);
    r->report->feedback_type = arena_str(r->a, STR("abuse"));
    r->report->kind = REPORT_COMPLAINT;
    r->report->reader = "complaint";
    return true;
}
