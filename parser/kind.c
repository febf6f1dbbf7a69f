/* What the top headers and the types of parts alone say: RFC 8098 (MDN), RFC 3834 (auto-replies),
 * RFC 2369/8058 (unsubscribe), RFC 7489 and 8460 (aggregates). */
#include "parser/mailbox.h"
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

/* Without "Re:" and its like, in common languages; true when there was one. */
static bool answer_drop(struct str *subject)
{
    static const struct str prefixes[] = {STR_INIT("re:"),
                                          STR_INIT("fwd:"),
                                          STR_INIT("fw:"),
                                          STR_INIT("aw:"),
                                          STR_INIT("sv:"),
                                          STR_INIT("vs:"),
                                          STR_INIT("antw:"),
                                          STR_INIT("tr:"),
                                          STR_INIT("res:"),
                                          STR_INIT("rif:"),
                                          STR_INIT("odp:"),
                                          STR_INIT("ynt:"),
                                          STR_INIT("wg:"),
                                          STR_INIT("\xe5\x9b\x9e\xe5\xa4\x8d:"),
                                          STR_INIT("\xe7\xad\x94\xe5\xa4\x8d:")};
    size_t before = subject->n;
    for (size_t i = 0; i < COUNT(prefixes); i++)
        if (str_istarts(*subject, prefixes[i])) {
            *subject = str_trim(str_from(*subject, prefixes[i].n));
            i = SIZE_MAX; /* from the first again; each round drops bytes */
        }
    return subject->n < before;
}

/* Non-ASCII letters compare as they stand, in both cases where a writer's program may choose. */
static const struct str unsubscribe_words[] = {
    STR_INIT("unsubscribe"),
    STR_INIT("unsubscription"),
    STR_INIT("opt-out"),
    STR_INIT("optout"),
    STR_INIT("opt out"),
    STR_INIT("signoff"),
    STR_INIT("remove me"),
    STR_INIT("abmelden"),
    STR_INIT("abmeldung"),
    STR_INIT("newsletter abbestellen"),
    STR_INIT("austragen"),
    STR_INIT("d\xc3\xa9sinscription"),
    STR_INIT("d\xc3\xa9sinscrire"),
    STR_INIT("d\xc3\xa9sabonnement"),
    STR_INIT("d\xc3\xa9sabonner"),
    STR_INIT("desinscription"),
    STR_INIT("desabonnement"),
    STR_INIT("se d\xc3\xa9sabonner"),
    STR_INIT("se d\xc3\xa9sinscrire"),
    STR_INIT("me d\xc3\xa9sinscrire"),
    STR_INIT("darse de baja"),
    STR_INIT("dar de baja"),
    STR_INIT("darme de baja"),
    STR_INIT("cancelar suscripci\xc3\xb3n"),
    STR_INIT("cancelar la suscripci\xc3\xb3n"),
    STR_INIT("desuscribir"),
    STR_INIT("disiscri"),
    STR_INIT("cancella iscrizione"),
    STR_INIT("cancellami"),
    STR_INIT("annulla iscrizione"),
    STR_INIT("descadastrar"),
    STR_INIT("cancelar inscri\xc3\xa7\xc3\xa3o"),
    STR_INIT("cancelar subscri\xc3\xa7\xc3\xa3o"),
    STR_INIT("cancelar assinatura"),
    STR_INIT("uitschrijven"),
    STR_INIT("afmelden"),
    STR_INIT("afmelding"),
    STR_INIT("avregistrera"),
    STR_INIT("avprenumerera"),
    STR_INIT("avsluta prenumeration"),
    STR_INIT("afmeld"),
    STR_INIT("avmeld"),
    STR_INIT("peruuta tilaus"),
    STR_INIT("wypisz"),
    STR_INIT("rezygnacja"),
    STR_INIT("odhl\xc3\xa1sit"),
    STR_INIT("leiratkoz\xc3\xa1s"),
    STR_INIT("dezabonare"),
    STR_INIT("abonelikten \xc3\xa7\xc4\xb1k"),
    /* ru, in both cases of its first letter: "to unsubscribe", "unsubscription" */
    STR_INIT("\xd0\xbe\xd1\x82\xd0\xbf\xd0\xb8\xd1\x81"),
    STR_INIT("\xd0\x9e\xd1\x82\xd0\xbf\xd0\xb8\xd1\x81"),
    STR_INIT("\xd0\x9e\xd0\xa2\xd0\x9f\xd0\x98\xd0\xa1"),
    STR_INIT("\xe9\x80\x80\xe8\xae\xa2"),                         /* zh */
    STR_INIT("\xe9\x80\x80\xe8\xa8\x82"),                         /* zh, traditional */
    STR_INIT("\xe5\x8f\x96\xe6\xb6\x88\xe8\xae\xa2\xe9\x98\x85"), /* zh: cancel subscription */
    STR_INIT("\xe5\x8f\x96\xe6\xb6\x88\xe8\xa8\x82\xe9\x96\xb1"), /* the same, traditional */
    STR_INIT("\xe9\x85\x8d\xe4\xbf\xa1\xe5\x81\x9c\xe6\xad\xa2"), /* ja: stop sending */
    STR_INIT("\xe9\x85\x8d\xe4\xbf\xa1\xe8\xa7\xa3\xe9\x99\xa4"), /* ja: end sending */
    STR_INIT("\xe8\xb3\xbc\xe8\xaa\xad\xe8\xa7\xa3\xe9\x99\xa4"), /* ja: end subscription */
    STR_INIT("\xec\x88\x98\xec\x8b\xa0\xea\xb1\xb0\xeb\xb6\x80"), /* ko: refuse reception */
    STR_INIT("\xea\xb5\xac\xeb\x8f\x85\xec\xb7\xa8\xec\x86\x8c"), /* ko: cancel subscription */
    STR_INIT("\xea\xb5\xac\xeb\x8f\x85 \xec\xb7\xa8\xec\x86\x8c"),
};

static bool is_unsubscribe(const struct reader *r)
{
    if (str_istarts(header(r, STR("X-Apple-Unsubscribe")), STR("true")))
        return true;
    /* What mailto: links of List-Unsubscribe put there, with a token at most behind it. */
    struct str subject = r->report->subject;
    answer_drop(&subject);
    if (subject.n >= 200)
        return false;
    for (size_t i = 0; i < COUNT(unsubscribe_words); i++) {
        struct str word = unsubscribe_words[i];
        bool stem = (unsigned char)word.p[0] >= 0x80 || str_eq(word, STR("disiscri"));
        if (str_istarts(subject, word) &&
            (subject.n == word.n || stem || !ascii_is_alpha(subject.p[word.n])))
            return true;
    }
    return str_ieq(subject, STR("stop")) || str_ieq(subject, STR("remove"));
}

bool kind_is_unsubscribe_address(const struct reader *r)
{
    static const struct str locals[] = {STR_INIT("unsub"), STR_INIT("optout"), STR_INIT("opt-out"),
                                        STR_INIT("list-unsub"), STR_INIT("abmelden")};
    struct str to = mailbox_first(&r->mime->scratch, header(r, STR("To")));
    for (size_t i = 0; i < COUNT(locals); i++)
        if (str_istarts(to, locals[i]))
            return true;
    return false;
}

/* Subjects that responders write by default, and hardly anybody by hand. */
static const struct str auto_subjects[] = {
    STR_INIT("out of office"),
    STR_INIT("out of the office"),
    STR_INIT("out-of-office"),
    STR_INIT("automatic reply"),
    STR_INIT("automated reply"),
    STR_INIT("automated response"),
    STR_INIT("automatic response"),
    STR_INIT("auto-reply"),
    STR_INIT("autoreply"),
    STR_INIT("auto reply"),
    STR_INIT("auto response"),
    STR_INIT("auto-response"),
    STR_INIT("autoresponse"),
    STR_INIT("autoresponder"),
    STR_INIT("[auto-reply]"),
    STR_INIT("[autoreply]"),
    STR_INIT("[auto reply]"),
    STR_INIT("vacation reply"),
    STR_INIT("vacation response"),
    STR_INIT("away from my mail"),
    STR_INIT("abwesenheitsnotiz"),
    STR_INIT("abwesenheitsnachricht"),
    STR_INIT("abwesenheitsbenachrichtigung"),
    STR_INIT("automatische antwort"),
    STR_INIT("automatische abwesenheits"),
    STR_INIT("r\xc3\xa9ponse automatique"),
    STR_INIT("r\xc3\xa9ponse d'absence"),
    STR_INIT("message d'absence"),
    STR_INIT("absence du bureau"),
    STR_INIT("absent(e) du bureau"),
    STR_INIT("respuesta autom\xc3\xa1tica"),
    STR_INIT("resposta autom\xc3\xa0tica"),
    STR_INIT("fuera de la oficina"),
    STR_INIT("fuera de oficina"),
    STR_INIT("risposta automatica"),
    STR_INIT("fuori ufficio"),
    STR_INIT("resposta autom\xc3\xa1tica"),
    STR_INIT("fora do escrit\xc3\xb3rio"),
    STR_INIT("ausente do escrit\xc3\xb3rio"),
    STR_INIT("automatisch antwoord"),
    STR_INIT("afwezigheidsbericht"),
    STR_INIT("automatiskt svar"),
    STR_INIT("automatisk svar"),
    STR_INIT("autosvar"),
    STR_INIT("fr\xc3\xa5nvaromeddelande"),
    STR_INIT("frav\xc3\xa6rsbesked"),
    STR_INIT("automaattinen vastaus"),
    STR_INIT("autom. vastaus"),
    STR_INIT("odpowied\xc5\xba automatyczna"),
    STR_INIT("automatyczna odpowied\xc5\xba"),
    STR_INIT("automatick\xc3\xa1 odpov"),
    STR_INIT("automatikus v\xc3\xa1lasz"),
    STR_INIT("r\xc4\x83spuns automat"),
    STR_INIT("otomatik yan\xc4\xb1t"),
    STR_INIT("\xe8\x87\xaa\xe5\x8a\xa8\xe5\x9b\x9e\xe5\xa4\x8d"),  /* zh */
    STR_INIT("\xe8\x87\xaa\xe5\x8b\x95\xe5\x9b\x9e\xe8\xa6\x86"),  /* zh, traditional */
    STR_INIT("\xe8\x87\xaa\xe5\x8b\x95\xe5\xbf\x9c\xe7\xad\x94"),  /* ja */
    STR_INIT("\xe8\x87\xaa\xe5\x8b\x95\xe8\xbf\x94\xe4\xbf\xa1"),  /* ja */
    STR_INIT("\xec\x9e\x90\xeb\x8f\x99 \xed\x9a\x8c\xec\x8b\xa0"), /* ko */
    STR_INIT("\xec\x9e\x90\xeb\x8f\x99\xed\x9a\x8c\xec\x8b\xa0"),
    STR_INIT("\xd0\xb0\xd0\xb2\xd1\x82\xd0\xbe\xd0\xbe\xd1\x82\xd0\xb2\xd0\xb5\xd1\x82"), /* ru */
    STR_INIT("\xd0\x90\xd0\xb2\xd1\x82\xd0\xbe\xd0\xbe\xd1\x82\xd0\xb2\xd0\xb5\xd1\x82"),
    STR_INIT("\xd0\x90\xd0\xb2\xd1\x82\xd0\xbe\xd0\xbc\xd0\xb0\xd1\x82\xd0\xb8\xd1\x87\xd0\xb5"
             "\xd1\x81\xd0\xba\xd0\xb8\xd0\xb9 \xd0\xbe\xd1\x82\xd0\xb2\xd0\xb5\xd1\x82"), /* ru */
};

/* Words that people write too: only where the header speaks of a machine. */
static const struct str absence_words[] = {
    STR_INIT("vacation"),
    STR_INIT("holiday"),
    STR_INIT("out of office"),
    STR_INIT("out of the office"),
    STR_INIT("away from"),
    STR_INIT("on leave"),
    STR_INIT("annual leave"),
    STR_INIT("maternity leave"),
    STR_INIT("sabbatical"),
    STR_INIT("not in the office"),
    STR_INIT("i am away"),
    STR_INIT("i'm away"),
    STR_INIT("absen"),
    STR_INIT("abwesen"),
    STR_INIT("im urlaub"),
    STR_INIT("nicht im b\xc3\xbcro"),
    STR_INIT("en vacances"),
    STR_INIT("en cong\xc3\xa9"),
    STR_INIT("vacaciones"),
    STR_INIT("ausente"),
    STR_INIT("assente"),
    STR_INIT("in ferie"),
    STR_INIT("f\xc3\xa9rias"),
    STR_INIT("afwezig"),
    STR_INIT("met vakantie"),
    STR_INIT("semester"),
    STR_INIT("urlop"),
    STR_INIT("poza biurem"),
    STR_INIT("thank you for your e"),
    STR_INIT("thank you for contacting"),
    STR_INIT("we have received your"),
    STR_INIT("no longer in use"),
    STR_INIT("no longer with"),
    STR_INIT("\xe4\xb8\x8d\xe5\x9c\xa8"),                                  /* ja: absent */
    STR_INIT("\xe4\xbc\x91\xe6\x9a\x87"),                                  /* ja: leave */
    STR_INIT("\xe4\xbc\x91\xe5\x81\x87"),                                  /* zh: leave */
    STR_INIT("\xd0\xb2 \xd0\xbe\xd1\x82\xd0\xbf\xd1\x83\xd1\x81\xd0\xba"), /* ru: on leave */
};

/* Challenge-responses: the sender is asked to prove that he is one. */
static const struct str challenge_words[] = {
    STR_INIT("please confirm your message"), STR_INIT("confirm your message"),
    STR_INIT("confirm your email"),          STR_INIT("please confirm your email"),
    STR_INIT("your message awaits"),         STR_INIT("sender verification"),
    STR_INIT("requires verification"),       STR_INIT("verification required"),
    STR_INIT("verify your message"),         STR_INIT("requires confirmation"),
    STR_INIT("confirmation required"),       STR_INIT("requires authentication"),
    STR_INIT("authentication required"),     STR_INIT("waiting for authorization"),
    STR_INIT("awaiting authorization"),      STR_INIT("please authenticate"),
    STR_INIT("waiting for your approval"),   STR_INIT("anti-spam confirmation"),
    STR_INIT("you are not on my"),
};

static bool says_reply(struct str value)
{
    return str_istarts(value, STR("auto_reply")) || str_istarts(value, STR("auto-reply")) ||
           str_istarts(value, STR("autoreply"));
}

/* Fields that only responders write. */
static bool is_responder(const struct reader *r)
{
    struct str value = header(r, STR("Auto-Submitted"));
    if (str_istarts(value, STR("auto-replied")) || str_istarts(value, STR("auto-notified")) ||
        str_ifind(value, STR("vacation"), 0) < value.n)
        return true;
    static const struct str names[] = {
        STR_INIT("X-Autoreply"),       STR_INIT("X-Autorespond"),
        STR_INIT("X-Autoresponse"),    STR_INIT("X-Autoresponder"),
        STR_INIT("X-Auto-Reply"),      STR_INIT("X-Auto-Reply-From"),
        STR_INIT("X-AutoReply-From"),  STR_INIT("X-Mail-Autoreply"),
        STR_INIT("X-Vacation"),        STR_INIT("X-Autoreply-Domain"),
        STR_INIT("X-Auto-Responder"),  STR_INIT("X-Spamarrest-Noauth"),
        STR_INIT("X-Zoho-Autoreply"),  STR_INIT("X-Vacation-Reply"),
        STR_INIT("X-Yahoo-Autoreply"), STR_INIT("X-FC-MachineGenerated"),
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        value = header(r, names[i]);
        if (!str_is_absent(value) && !str_ieq(value, STR("no")) && !str_ieq(value, STR("false")))
            return true;
    }
    struct str agent = header(r, STR("X-Delivery-Agent"));
    return says_reply(header(r, STR("Precedence"))) || says_reply(header(r, STR("X-Precedence"))) ||
           str_istarts(agent, STR("TMDA")) ||
           str_ieq(header(r, STR("X-Autogenerated")), STR("reply"));
}

/* What speaks for a machine, though not for a responder alone. */
static bool is_machine(const struct reader *r)
{
    struct str value = header(r, STR("Auto-Submitted"));
    if (!str_is_absent(value) && !str_istarts(value, STR("no")))
        return true;
    value = header(r, STR("Precedence"));
    return str_eq(header(r, STR("Return-Path")), STR("<>")) || str_ieq(value, STR("bulk")) ||
           str_ieq(value, STR("junk")) ||
           !str_is_absent(header(r, STR("X-Auto-Response-Suppress")));
}

static bool is_auto_reply(const struct reader *r)
{
    if (is_responder(r))
        return true;
    struct str subject = r->report->subject;
    bool answer = answer_drop(&subject);
    /* The words must begin the subject: a person's mail may speak of them. */
    for (size_t i = 0; i < COUNT(auto_subjects); i++)
        if (str_istarts(subject, auto_subjects[i]))
            return true;
    if (str_istarts(subject, STR("auto:")))
        return true;
    /* Notes: "Kim Doe is out of the office (returning 5 January)". */
    if (!answer && str_ifind(subject, STR(" is out of the office"), 0) < subject.n)
        return true;
    return is_machine(r) && str_is_absent(header(r, STR("List-Id"))) &&
           str_is_absent(header(r, STR("List-Unsubscribe"))) &&
           (text_has_any(subject, absence_words, COUNT(absence_words)) ||
            text_has_any(subject, challenge_words, COUNT(challenge_words)));
}

enum report_kind kind_by_headers(const struct reader *r)
{
    return is_receipt(r)       ? REPORT_RECEIPT
           : is_aggregate(r)   ? REPORT_AGGREGATE
           : is_unsubscribe(r) ? REPORT_UNSUBSCRIBE
           : is_auto_reply(r)  ? REPORT_AUTO_REPLY
                               : REPORT_OTHER;
}
