/* What the top headers and the types of parts alone say: RFC 8098 (MDN), RFC 3834 (auto-replies),
 * RFC 2369/8058 (unsubscribe), RFC 7489 and 8460 (aggregates). */
#include "parser/reader.h"
#include "parser/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct str header(const struct reader *r, struct str name)
{
    return fields_get(&r->mime->header, name);
}

static bool has_part(const struct reader *r, struct str type)
{
    for (size_t i = 0; i < r->mime->parts_n; i++)
        if (r->mime->parts[i].in_message == MIME_TOP && str_eq(r->mime->parts[i].type, type))
            return true;
    return false;
}

static bool has_report_type(const struct reader *r, struct str type)
{
    for (size_t i = 0; i < r->mime->parts_n; i++)
        if (r->mime->parts[i].in_message == MIME_TOP && str_eq(r->mime->parts[i].report_type, type))
            return true;
    return false;
}

static bool is_receipt(const struct reader *r)
{
    return has_part(r, STR("message/disposition-notification")) ||
           has_part(r, STR("message/global-disposition-notification")) ||
           has_report_type(r, STR("disposition-notification"));
}

/* RFC 7489 section 7.2.1.1: "Report Domain: d Submitter: s Report-ID: <id>"; RFC 8460 section 5.3.
 */
static bool is_aggregate(const struct reader *r)
{
    if (has_report_type(r, STR("tlsrpt")) || has_part(r, STR("application/tlsrpt+gzip")) ||
        has_part(r, STR("application/tlsrpt+json")) ||
        !str_is_absent(header(r, STR("TLS-Report-Domain"))))
        return true;
    struct str subject = r->report->subject;
    return str_ifind(subject, STR("report domain:"), 0) < subject.n &&
           str_ifind(subject, STR("submitter:"), 0) < subject.n;
}

static struct str answer_drop(struct str subject)
{
    static const struct str prefixes[] = {STR_INIT("re:"), STR_INIT("fwd:"), STR_INIT("fw:"),
                                          STR_INIT("aw:")};
    for (size_t i = 0; i < COUNT(prefixes); i++)
        if (str_istarts(subject, prefixes[i])) {
            subject = str_trim(str_from(subject, prefixes[i].n));
            i = SIZE_MAX; /* from the first again; each round drops bytes */
        }
    return subject;
}

static bool is_unsubscribe(const struct reader *r)
{
    if (str_istarts(header(r, STR("X-Apple-Unsubscribe")), STR("true")))
        return true;
    /* What mailto: links of List-Unsubscribe put there, with a token at most behind it. */
    struct str subject = answer_drop(r->report->subject);
    struct str word = STR("unsubscribe");
    return str_istarts(subject, word) && subject.n < 200 &&
           (subject.n == word.n || !ascii_is_alpha(subject.p[word.n]));
}

/* Subjects of responders, as their defaults are in common languages. */
static const struct str auto_subjects[] = {
    STR_INIT("out of office"),
    STR_INIT("out of the office"),
    STR_INIT("automatic reply"),
    STR_INIT("automated reply"),
    STR_INIT("automatic response"),
    STR_INIT("auto-reply"),
    STR_INIT("autoreply"),
    STR_INIT("auto reply"),
    STR_INIT("auto response"),
    STR_INIT("auto-response"),
    STR_INIT("autoresponse"),
    STR_INIT("vacation"),
    STR_INIT("away from my mail"),
    STR_INIT("on vacation"),
    STR_INIT("on holiday"),
    STR_INIT("abwesenheit"),
    STR_INIT("abwesend"),
    STR_INIT("automatische antwort"),
    STR_INIT("r\xc3\xa9ponse automatique"),
    STR_INIT("absence du bureau"),
    STR_INIT("respuesta autom\xc3\xa1tica"),
    STR_INIT("fuera de la oficina"),
    STR_INIT("risposta automatica"),
    STR_INIT("fuori ufficio"),
    STR_INIT("resposta autom\xc3\xa1tica"),
    STR_INIT("automatisch antwoord"),
    STR_INIT("automatiskt svar"),
    STR_INIT("autosvar"),
    STR_INIT("autosvar:"),
    STR_INIT("\xe8\x87\xaa\xe5\x8a\xa8\xe5\x9b\x9e\xe5\xa4\x8d"), /* zh */
    STR_INIT("\xe8\x87\xaa\xe5\x8b\x95\xe5\xbf\x9c\xe7\xad\x94"), /* ja */
    STR_INIT("\xe4\xb8\x8d\xe5\x9c\xa8"),                         /* ja: absent */
    STR_INIT("\xd0\xb0\xd0\xb2\xd1\x82\xd0\xbe\xd0\xbe\xd1\x82\xd0\xb2\xd0\xb5\xd1\x82"), /* ru */
};

static bool is_auto_reply(const struct reader *r)
{
    struct str value = header(r, STR("Auto-Submitted"));
    if (str_istarts(value, STR("auto-replied")) || str_istarts(value, STR("auto-notified")))
        return true;
    static const struct str names[] = {STR_INIT("X-Autoreply"),       STR_INIT("X-Autorespond"),
                                       STR_INIT("X-Autoresponse"),    STR_INIT("X-Auto-Reply"),
                                       STR_INIT("X-Auto-Reply-From"), STR_INIT("X-Mail-Autoreply"),
                                       STR_INIT("X-Vacation")};
    for (size_t i = 0; i < COUNT(names); i++) {
        value = header(r, names[i]);
        if (!str_is_absent(value) && !str_ieq(value, STR("no")))
            return true;
    }
    value = header(r, STR("Precedence"));
    if (str_istarts(value, STR("auto_reply")) || str_istarts(value, STR("auto-reply")))
        return true;
    /* A person's mail may speak of vacation: the words must begin the subject. */
    struct str subject = answer_drop(r->report->subject);
    for (size_t i = 0; i < COUNT(auto_subjects); i++)
        if (str_istarts(subject, auto_subjects[i]))
            return true;
    return str_istarts(subject, STR("auto:"));
}

enum report_kind kind_by_headers(const struct reader *r)
{
    return is_receipt(r)       ? REPORT_RECEIPT
           : is_aggregate(r)   ? REPORT_AGGREGATE
           : is_unsubscribe(r) ? REPORT_UNSUBSCRIBE
           : is_auto_reply(r)  ? REPORT_AUTO_REPLY
                               : REPORT_OTHER;
}
