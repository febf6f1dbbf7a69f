/* One bare SMTP reply, as a log line or a person gives it. */
#include "classify/classifier.h"

#include "base/address.h"

static bool is_address_byte(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && !strchr("<>()[],;\"'", c);
}

/* The address around the '@' at i, without punctuation at its ends; absent when it is none. */
static struct str address_around(struct str text, size_t i)
{
    size_t from = i, to = i + 1;
    while (from > 0 && i - from < ADDRESS_LOCAL_MAX && is_address_byte(text.p[from - 1]))
        from--;
    while (to < text.n && to - i <= ADDRESS_DOMAIN_MAX && is_address_byte(text.p[to]))
        to++;
    while (to > i && (text.p[to - 1] == '.' || text.p[to - 1] == ':' || text.p[to - 1] == '?' ||
                      text.p[to - 1] == '!'))
        to--;
    /* "RCPT=a@b", "to:a@b" */
    for (size_t k = from; k < i; k++)
        if (text.p[k] == ':' || (text.p[k] == '=' && k - from <= 4))
            from = k + 1;
    struct address parts;
    struct str found = str_sub(text, from, to);
    return address_split(found, &parts) && str_chr(parts.domain, '.', 0) < parts.domain.n
               ? found
               : (struct str){NULL, 0};
}

/* Words beside an address that make it the sender's. */
static bool is_sender(struct str text, struct str address)
{
    size_t from = (size_t)(address.p - text.p);
    struct str before = str_trim(str_sub(text, from > 24 ? from - 24 : 0, from));
    struct str after = str_sub(text, from + address.n, from + address.n + 40);
    while (before.n > 0 && strchr("<(:\"'= ", before.p[before.n - 1]))
        before.n--;
    return str_iends(before, STR("from")) || str_iends(before, STR("sender")) ||
           str_iends(before, STR("contact")) || str_iends(before, STR("mail to")) ||
           str_iends(before, STR("reports to")) || str_iends(before, STR("e-mail")) ||
           str_ifind(after, STR("sender"), 0) < after.n;
}

static struct str recipient_in(struct str text)
{
    for (size_t at = str_chr(text, '@', 0); at < text.n; at = str_chr(text, '@', at + 1)) {
        struct str found = address_around(text, at);
        if (!str_is_absent(found) && !is_sender(text, found))
            return found;
    }
    return (struct str){NULL, 0};
}

struct verdict classify_reply(struct classifier *c, struct str text, struct str host,
                              struct report_recipient *ret)
{
    text = str_trim(text);
    struct codes_found found;
    codes_find(str_sub(text, 0, NORMAL_BYTES), &found);
    *ret = (struct report_recipient){
        .final_recipient = recipient_in(str_sub(text, 0, NORMAL_BYTES)),
        .status = found.status,
        .reply_code = found.reply,
        .command = smtp_command_find(str_sub(text, 0, NORMAL_BYTES)),
        .diagnostic = text,
        .remote_mta = host,
    };
    struct evidence ev = {
        .text = text,
        .status_text = found.status,
        .reply = found.reply,
        .command = ret->command,
        .mx_operator = operator_by_host(host),
    };
    if (!codes_parse(found.status, &ev.status))
        ev.status = (struct status){0};
    return classify_evidence(c, &ev);
}
