#include "parser/notice.h"

#include "parser/text.h"

#define COUNT(a)         (sizeof(a) / sizeof((a)[0]))
#define ANY(text, table) text_has_any(text, table, COUNT(table))

bool notice_is_mta(struct str from_value, struct str address)
{
    static const struct str locals[] = {
        STR_INIT("mailer-daemon"),   STR_INIT("mailerdaemon"),
        STR_INIT("mailer_daemon"),   STR_INIT("postmaster"),
        STR_INIT("mail-daemon"),     STR_INIT("maildaemon"),
        STR_INIT("mdaemon"),         STR_INIT("mailsupport"),
        STR_INIT("mail-delivery"),   STR_INIT("bounce-notification"),
        STR_INIT("delivery-status"), STR_INIT("mail_delivery"),
        STR_INIT("post_master"),     STR_INIT("post-master"),
        STR_INIT("mail.daemon"),
    };
    static const struct str names[] = {
        STR_INIT("mail delivery s"),       STR_INIT("mail delivery sub"),
        STR_INIT("mailer-daemon"),         STR_INIT("mailer daemon"),
        STR_INIT("mail administrator"),    STR_INIT("postmaster"),
        STR_INIT("mail delivery service"), STR_INIT("system administrator"),
        STR_INIT("mail delivery agent"),   STR_INIT("internet mail delivery"),
        STR_INIT("mail system"),           STR_INIT("delivery subsystem"),
        STR_INIT("mail delivery"),         STR_INIT("mailservice"),
        STR_INIT("mail server"),           STR_INIT("ndr administrator"),
        STR_INIT("delivery notification"), STR_INIT("email delivery"),
    };
    for (size_t i = 0; i < COUNT(locals); i++)
        if (str_istarts(address, locals[i]))
            return true;
    return ANY(from_value, names);
}

bool notice_is_subject(struct str subject)
{
    static const struct str words[] = {
        STR_INIT("undeliver"), STR_INIT("undelivered"), STR_INIT("delivery status"),
        STR_INIT("delivery fail"), STR_INIT("failed delivery"), STR_INIT("delivery error"),
        STR_INIT("delivery problem"), STR_INIT("delivery report"), STR_INIT("delivery notif"),
        STR_INIT("delivery unsuccess"), STR_INIT("delivery has failed"),
        STR_INIT("delivery delayed"), STR_INIT("message delayed"), STR_INIT("mail delayed"),
        STR_INIT("delayed mail"), STR_INIT("returned mail"), STR_INIT("mail returned"),
        STR_INIT("returned to sender"), STR_INIT("return to sender"), STR_INIT("failure notice"),
        STR_INIT("failure delivery"), STR_INIT("mail delivery"), STR_INIT("mail system error"),
        STR_INIT("mail failure"), STR_INIT("mail could not"), STR_INIT("mail error"),
        STR_INIT("message could not be delivered"), STR_INIT("could not be delivered"),
        STR_INIT("not delivered"), STR_INIT("unable to deliver"), STR_INIT("nondeliver"),
        STR_INIT("non-deliver"), STR_INIT("non deliver"), STR_INIT("ndn:"),
        STR_INIT("bounced mail"), STR_INIT("returning message"), STR_INIT("rejected mail"),
        STR_INIT("mail rejected"), STR_INIT("message rejected"), STR_INIT("user unknown"),
        STR_INIT("unknown user"), STR_INIT("message status"), STR_INIT("failed mail"),
        STR_INIT("message delivery"), STR_INIT("returned message"), STR_INIT("message not del"),
        STR_INIT("unzustellbar"), STR_INIT("unbekannter empf"), STR_INIT("non remis"),
        STR_INIT("non distribu"),
        STR_INIT("\xc3\xa9"
                 "chec de la remise"),
        STR_INIT("no se puede entregar"), STR_INIT("no entregado"), STR_INIT("mancato recapito"),
        STR_INIT("warning: could not send"), STR_INIT("warning: message"),
        STR_INIT("mail not delivered"), STR_INIT("transmission failure"),
        STR_INIT("\xe9\x80\x80\xe4\xbf\xa1"), /* zh: returned mail */
        STR_INIT("delivery (failure)"), STR_INIT("was not delivered"), STR_INIT("bounce"),
        STR_INIT("loop alert"), STR_INIT("loop back warning"), STR_INIT("wird nicht zugestellt"),
        STR_INIT("zustellung fehlgeschlagen"), STR_INIT("nicht zustellbar"),
        STR_INIT("zustellungsfehler"), STR_INIT("zustellungsproblem"),
        STR_INIT("zur\xc3\xbc"
                 "ckgewiesen"),
        STR_INIT("\xc3\xa9"
                 "chec de remise"),
        STR_INIT("\xc3\xa9"
                 "chec de distribution"),
        STR_INIT("message non d\xc3\xa9livr\xc3\xa9"), STR_INIT("no se ha podido entregar"),
        STR_INIT("no se pudo entregar"), STR_INIT("error de entrega"),
        STR_INIT("no se puede enviar"), STR_INIT("consegna non riuscita"),
        STR_INIT("messaggio non consegnato"), STR_INIT("errore di consegna"),
        STR_INIT("falha na entrega"), STR_INIT("n\xc3\xa3o entregue"),
        STR_INIT("n\xc3\xa3o foi entregue"), STR_INIT("onbestelbaar"), STR_INIT("niet bezorgd"),
        STR_INIT("niet afgeleverd"), STR_INIT("kunde inte levereras"),
        STR_INIT("kunne ikke leveres"), STR_INIT("nie mo\xc5\xbcna dostarczy"),
        STR_INIT("niedostarczon"), STR_INIT("nedoru\xc4\x8diteln"),
        STR_INIT("k\xc3\xa9zbes\xc3\xadthetetlen"), STR_INIT("teslim edilemedi"),
        STR_INIT("iletilemedi"),
        /* ru: not delivered, undelivered, delivery failure */
        STR_INIT("\xd0\xbd\xd0\xb5 \xd0\xb4\xd0\xbe\xd1\x81\xd1\x82\xd0\xb0\xd0\xb2"
                 "\xd0\xbb\xd0\xb5\xd0\xbd\xd0\xbe"),
        STR_INIT("\xd0\xb5\xd0\xb4\xd0\xbe\xd1\x81\xd1\x82\xd0\xb0\xd0\xb2"
                 "\xd0\xbb\xd0\xb5\xd0\xbd\xd0\xbd"),
        STR_INIT("\xe6\x8a\x95\xe9\x80\x92\xe5\xa4\xb1\xe8\xb4\xa5"), /* zh: delivery failed */
        STR_INIT("\xe6\x8a\x95\xe9\x81\x9e\xe5\xa4\xb1\xe6\x95\x97"), /* the same, traditional */
        STR_INIT("\xe6\x97\xa0\xe6\xb3\x95\xe6\x8a\x95\xe9\x80\x92"), /* zh: can't deliver */
        STR_INIT("\xe9\x85\x8d\xe4\xbf\xa1\xe4\xb8\x8d\xe8\x83\xbd"), /* ja: undeliverable */
        STR_INIT("\xe9\x85\x8d\xe4\xbf\xa1\xe3\x82\xa8\xe3\x83\xa9"), /* ja: delivery error */
        STR_INIT("\xe9\x80\x81\xe4\xbf\xa1\xe3\x82\xa8\xe3\x83\xa9"), /* ja: sending error */
        STR_INIT("\xe5\xae\x9b\xe5\x85\x88\xe4\xb8\x8d\xe6\x98\x8e"), /* ja: unknown address */
        STR_INIT("\xeb\xb0\x98\xec\x86\xa1"),                         /* ko: returned */
    };
    return ANY(subject, words);
}

bool notice_is_failure(struct str text)
{
    static const struct str words[] = {
        STR_INIT("could not be delivered"),
        STR_INIT("couldn't be delivered"),
        STR_INIT("can not be delivered"),
        STR_INIT("cannot be delivered"),
        STR_INIT("can't be delivered"),
        STR_INIT("was not delivered"),
        STR_INIT("were not delivered"),
        STR_INIT("not been delivered"),
        STR_INIT("not yet been delivered"),
        STR_INIT("wasn't able to deliver"),
        STR_INIT("was not able to deliver"),
        STR_INIT("unable to deliver"),
        STR_INIT("could not deliver"),
        STR_INIT("couldn't deliver"),
        STR_INIT("cannot deliver"),
        STR_INIT("failed to deliver"),
        STR_INIT("delivery failed"),
        STR_INIT("delivery has failed"),
        STR_INIT("delivery to the following"),
        STR_INIT("delivery to these"),
        STR_INIT("delivery of the message"),
        STR_INIT("deliver your message"),
        STR_INIT("delivering your m"),
        STR_INIT("error delivering"),
        STR_INIT("not a valid user"),
        STR_INIT("delivery of your message"),
        STR_INIT("delivery attempt"),
        STR_INIT("delivery error"),
        STR_INIT("delivery failure"),
        STR_INIT("did not reach"),
        STR_INIT("didn't reach"),
        STR_INIT("undeliverable"),
        STR_INIT("undelivered"),
        STR_INIT("permanent error"),
        STR_INIT("permanent fatal error"),
        STR_INIT("permanent delivery"),
        STR_INIT("fatal error"),
        STR_INIT("transcript of session"),
        STR_INIT("session transcript"),
        STR_INIT("unable to be delivered"),
        STR_INIT("returned message"),
        STR_INIT("message is being returned"),
        STR_INIT("is returned to you"),
        STR_INIT("has been returned"),
        STR_INIT("was returned"),
        STR_INIT("returning message"),
        STR_INIT("returned mail"),
        STR_INIT("delivery report"),
        STR_INIT("failed recipient"),
        STR_INIT("failed addresses"),
        STR_INIT("failed address"),
        STR_INIT("recipient unknown"),
        STR_INIT("unknown user"),
        STR_INIT("user unknown"),
        STR_INIT("unknown recipient"),
        STR_INIT("no such user"),
        STR_INIT("not listed in"),
        STR_INIT("was rejected"),
        STR_INIT("has been rejected"),
        STR_INIT("been blocked"),
        STR_INIT("following errors"),
        STR_INIT("following error"),
        STR_INIT("following reason"),
        STR_INIT("following recipient"),
        STR_INIT("following address"),
        STR_INIT("rejecting your"),
        STR_INIT("could not be sent"),
        STR_INIT("cannot be sent"),
        STR_INIT("can't be sent"),
        STR_INIT("not be able to send"),
        STR_INIT("unable to send"),
        STR_INIT("no se pudo entregar"),
        STR_INIT("nicht zugestellt"),
        STR_INIT("nicht ausgeliefert"),
        STR_INIT("konnte nicht"),
        STR_INIT("n'a pas pu"),
        STR_INIT("n'a pu"),
        STR_INIT("pas \xc3\xa9t\xc3\xa9 remis"),
        STR_INIT("non \xc3\xa8 stato"),
        STR_INIT("nicht zustellbar"),
        STR_INIT("nicht zugestellt"),
        STR_INIT("nicht weitergeleitet"),
        STR_INIT("non remis"),
        STR_INIT("pas pu \xc3\xaatre"),
        STR_INIT("n'a pas \xc3\xa9t\xc3\xa9"),
        STR_INIT("impossible de remettre"),
        STR_INIT("no se ha podido"),
        STR_INIT("no pudo ser entregado"),
        STR_INIT("no pudo entregarse"),
        STR_INIT("impossibile consegnare"),
        STR_INIT("non consegnat"),
        STR_INIT("n\xc3\xa3o p\xc3\xb4"
                 "de ser"),
        STR_INIT("n\xc3\xa3o foi poss\xc3\xadvel"),
        STR_INIT("n\xc3\xa3o foi entregue"),
        STR_INIT("kon niet worden"),
        STR_INIT("niet bezorgd"),
        STR_INIT("niet afgeleverd"),
        STR_INIT("kunde inte"),
        STR_INIT("kunne ikke leveres"),
        STR_INIT("nie mo\xc5\xbc"),
        STR_INIT("nie zosta\xc5\x82"),
        STR_INIT("teslim edilem"),
        STR_INIT("\xd0\xbd\xd0\xb5 \xd0\xb4\xd0\xbe\xd1\x81\xd1\x82\xd0\xb0\xd0\xb2"
                 "\xd0\xbb\xd0\xb5\xd0\xbd"), /* ru: not delivered */
        STR_INIT("\xd0\xbd\xd0\xb5 \xd0\xbc\xd0\xbe\xd0\xb6\xd0\xb5\xd1\x82 "
                 "\xd0\xb1\xd1\x8b\xd1\x82\xd1\x8c"), /* ru: can't be */
        STR_INIT("\xd0\xbd\xd0\xb5 \xd1\x83\xd0\xb4\xd0\xb0\xd0\xbb\xd0\xbe\xd1\x81"
                 "\xd1\x8c"),                                         /* ru: did not succeed */
        STR_INIT("\xe6\x8a\x95\xe9\x80\x92\xe5\xa4\xb1\xe8\xb4\xa5"), /* zh: delivery failed */
        STR_INIT("\xe9\x80\x80\xe4\xbf\xa1"),                         /* zh: returned mail */
        STR_INIT("\xe6\x9c\xaa\xe8\x83\xbd\xe9\x80\x81\xe8\xbe\xbe"), /* zh: not reached */
        STR_INIT("\xe5\xb1\x8a\xe3\x81\x91\xe3\x82\x89\xe3\x82\x8c"), /* ja: can't reach */
        STR_INIT("\xe5\xb1\x8a\xe3\x81\x8d\xe3\x81\xbe\xe3\x81\x9b"), /* ja: does not reach */
        STR_INIT("\xe6\x97\xa0\xe6\xb3\x95\xe6\x8a\x95\xe9\x80\x92"),
        STR_INIT("\xe9\x80\x81\xe4\xbf\xa1\xe3\x81\xa7\xe3\x81\x8d"),
        STR_INIT("\xe9\x85\x8d\xe4\xbf\xa1\xe3\x81\xa7\xe3\x81\x8d"),
    };
    return ANY(text, words);
}

bool notice_is_delay(struct str subject, struct str text)
{
    static const struct str subjects[] = {STR_INIT("delayed"), STR_INIT("warning: could not send"),
                                          STR_INIT("delivery delay"), STR_INIT("(delay)")};
    static const struct str words[] = {
        STR_INIT("you do not need to resend"),
        STR_INIT("you don't need to resend"),
        STR_INIT("warning message only"),
        STR_INIT("will continue to be"),
        STR_INIT("will be retried"),
        STR_INIT("will keep trying"),
        STR_INIT("will continue trying"),
        STR_INIT("continue to try"),
        STR_INIT("no action is required"),
        STR_INIT("has not yet been delivered"),
        STR_INIT("will be attempted again"),
        STR_INIT("still being tried"),
        STR_INIT("delivery attempts will continue"),
        STR_INIT("will retry for"),
        STR_INIT("will try again"),
        STR_INIT("will be returned if"),
    };
    static const struct str ended[] = {STR_INIT("giving up"), STR_INIT("given up"),
                                       STR_INIT("permanent error"), STR_INIT("gave up"),
                                       STR_INIT("permanently")};
    if (ANY(text, ended))
        return false;
    return ANY(subject, subjects) || ANY(text, words);
}

bool notice_is_contact(struct str line)
{
    static const struct str words[] = {STR_INIT("contact"),
                                       STR_INIT("postmaster"),
                                       STR_INIT("question"),
                                       STR_INIT("assistance"),
                                       STR_INIT("for help"),
                                       STR_INIT("send mail to"),
                                       STR_INIT("further information"),
                                       STR_INIT("mailer-daemon"),
                                       STR_INIT("support@"),
                                       STR_INIT("abuse@"),
                                       STR_INIT("message-id:"),
                                       STR_INIT("message-id <"),
                                       STR_INIT("message id"),
                                       STR_INIT("for more information"),
                                       STR_INIT("complain")};
    return ANY(line, words);
}

bool notice_is_recipient_label(struct str before)
{
    static const struct str words[] = {
        STR_INIT("recipient"),
        STR_INIT("delivered to"),
        STR_INIT("deliver to"),
        STR_INIT("delivering to"),
        STR_INIT("delivery to"),
        STR_INIT("delivering your"),
        STR_INIT("deliver your"),
        STR_INIT("deliver message to"),
        STR_INIT("deliver mail to"),
        STR_INIT("rcpt_to"),
        STR_INIT("addressee"),
        STR_INIT("failed address"),
        STR_INIT("could not be sent to"),
        STR_INIT("message to"),
        STR_INIT("mail to"),
    };
    return !notice_is_contact(before) && ANY(before, words);
}

bool notice_is_label(struct str before)
{
    static const struct str words[] = {
        STR_INIT("recipient"), STR_INIT("rcpt to"),     STR_INIT("rcpt_to"),  STR_INIT("addressee"),
        STR_INIT("deliver"),   STR_INIT("user"),        STR_INIT("mailbox"),  STR_INIT("address"),
        STR_INIT("unknown"),   STR_INIT("failed"),      STR_INIT("intended"), STR_INIT("sent to"),
        STR_INIT("send to"),   STR_INIT("send it to"),  STR_INIT("destinat"), STR_INIT("account"),
        STR_INIT("reach"),     STR_INIT("empf"),        STR_INIT("an:"),      STR_INIT("to:"),
        STR_INIT("reject"),    STR_INIT("message to"),  STR_INIT("mail to"),  STR_INIT("e-mail to"),
        STR_INIT("return"),    STR_INIT("envelope to"), STR_INIT("error"),
    };
    return ANY(before, words);
}
