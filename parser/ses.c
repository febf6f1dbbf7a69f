/* Amazon SES notifications that SNS sends as mail: a JSON object, bare or as the string "Message"
 * of another. https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
 * Only strings by their keys are looked for, in flat passes: no JSON of ours nests. */
#include "parser/mailbox.h"
#include "parser/reader.h"
#include "parser/status.h"

enum { NOTICE_BYTES = 256 * 1024 };

/* One level of string escapes undone. A \u escape stays: addresses and codes have none. */
static struct str unescape(struct arena *a, struct str text)
{
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    if (!out)
        return (struct str){NULL, 0};
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\' && i + 1 < text.n && text.p[i + 1] != 'u') {
            c = text.p[++i];
            c = c == 'n' || c == 'r' || c == 't' ? ' ' : c;
        }
        out[n++] = c;
    }
    return str_of(out, n);
}

static size_t skip_space(struct str text, size_t at)
{
    while (at < text.n && ascii_is_space(text.p[at]))
        at++;
    return at;
}

/* Index behind "key" and its colon; text.n when there is none. quoted: with the quotes. */
static size_t value_at(struct str text, struct str quoted)
{
    size_t at = str_find(text, quoted, 0);
    if (at == text.n)
        return at;
    at = skip_space(text, at + quoted.n);
    return at < text.n && text.p[at] == ':' ? skip_space(text, at + 1) : text.n;
}

/* The string value of the key, escapes undone. */
static struct str string_of(struct reader *r, struct str text, struct str quoted)
{
    size_t at = value_at(text, quoted);
    if (at >= text.n || text.p[at] != '"')
        return (struct str){NULL, 0};
    size_t end = at + 1;
    while (end < text.n && text.p[end] != '"')
        end += text.p[end] == '\\' ? 2 : 1;
    return unescape(&r->mime->scratch, str_sub(text, at + 1, end));
}

static void recipients_take(struct reader *r, struct str list, enum report_action action)
{
    struct str key = STR("\"emailAddress\"");
    for (size_t at = 0; (at = str_find(list, key, at)) < list.n;) {
        /* One object: from its address to the next one's. The address stands first in what SES
         * writes; an object's other members follow it. */
        size_t next = str_find(list, key, at + key.n);
        struct str object = str_sub(list, at, next);
        at = next;
        struct str address = mailbox_typed(r->a, string_of(r, object, key));
        struct report_recipient *to = str_is_absent(address) ? NULL : reader_recipient_add(r);
        if (!to)
            continue;
        to->final_recipient = address;
        to->action = action;
        struct str words = string_of(r, object, STR("\"diagnosticCode\""));
        size_t semicolon = str_chr(words, ';', 0);
        if (str_istarts(words, STR("smtp;")))
            words = str_from(words, semicolon + 1);
        to->diagnostic = reader_text(r, words);
        struct status_codes codes = reply_codes_find(to->diagnostic);
        to->reply_code = codes.reply;
        to->status = reader_text(r, status_leading(string_of(r, object, STR("\"status\""))));
        if (str_is_absent(to->status))
            to->status = codes.status;
    }
}

/* The array of the key, without what follows it. */
static struct str array_of(struct str text, struct str quoted)
{
    size_t at = value_at(text, quoted);
    if (at >= text.n || text.p[at] != '[')
        return (struct str){NULL, 0};
    size_t end = at + 1;
    for (bool inside = false; end < text.n && (inside || text.p[end] != ']'); end++) {
        if (text.p[end] == '\\')
            end++;
        else if (text.p[end] == '"')
            inside = !inside;
    }
    return str_sub(text, at, end);
}

static bool bounce_take(struct reader *r, struct str text)
{
    recipients_take(r, array_of(text, STR("\"bouncedRecipients\"")), REPORT_ACTION_FAILED);
    r->report->reporting_mta = reader_host(r, string_of(r, text, STR("\"reportingMTA\"")));
    r->report->kind = REPORT_BOUNCE;
    return r->report->recipients_n > 0;
}

static bool complaint_take(struct reader *r, struct str text)
{
    struct str type = string_of(r, text, STR("\"complaintFeedbackType\""));
    recipients_take(r, array_of(text, STR("\"complainedRecipients\"")), REPORT_ACTION_NONE);
    r->report->feedback_type = reader_text(r, type.n > 0 ? type : STR("abuse"));
    r->report->user_agent = reader_text(r, string_of(r, text, STR("\"userAgent\"")));
    r->report->kind = str_eq(type, STR("not-spam"))       ? REPORT_NOT_SPAM
                      : str_eq(type, STR("auth-failure")) ? REPORT_AUTH_REPORT
                                                          : REPORT_COMPLAINT;
    return true;
}

/* Here the addresses are an array of strings. */
static bool delivery_take(struct reader *r, struct str text)
{
    struct str list = array_of(text, STR("\"recipients\"")), address;
    for (size_t at = 0; mailbox_next(list, &at, &address);) {
        struct str copy = mailbox_copy(r->a, address);
        struct report_recipient *to = str_is_absent(copy) ? NULL : reader_recipient_add(r);
        if (r->report->recipients_cut)
            break;
        if (!to)
            continue;
        to->final_recipient = copy;
        to->action = REPORT_ACTION_DELIVERED;
    }
    r->report->kind = REPORT_DELIVERED;
    return r->report->recipients_n > 0;
}

bool ses_read(struct reader *r)
{
    struct str text = str_trim(reader_notice(r, NOTICE_BYTES, NULL));
    /* The whole text is the object: words in front are a person's. */
    if (text.n == 0 || text.p[0] != '{')
        return false;
    if (str_find(text, STR("\\\"notificationType\\\""), 0) < text.n ||
        str_find(text, STR("\\\"eventType\\\""), 0) < text.n)
        text = unescape(&r->mime->scratch, text);
    struct str type = string_of(r, text, STR("\"notificationType\""));
    if (str_is_absent(type))
        type = string_of(r, text, STR("\"eventType\""));
    bool known = str_eq(type, STR("Bounce"))      ? bounce_take(r, text)
                 : str_eq(type, STR("Complaint")) ? complaint_take(r, text)
                 : str_eq(type, STR("Delivery"))  ? delivery_take(r, text)
                                                  : false;
    if (!known) {
        r->report->kind = REPORT_OTHER;
        return false;
    }
    r->report->original.message_id = reader_text(r, string_of(r, text, STR("\"messageId\"")));
    r->report->original.from = mailbox_first(r->a, string_of(r, text, STR("\"source\"")));
    r->report->reader = "ses";
    return true;
}
