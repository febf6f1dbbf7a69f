#include "classify/operator.h"

/* X(id, name) */
#define OPERATORS(X)                    \
    X(GOOGLE, "google")                 \
    X(OUTLOOK_COM, "outlook_com")       \
    X(MICROSOFT365, "microsoft365")     \
    X(YAHOO, "yahoo")                   \
    X(YAHOO_JP, "yahoo_jp")             \
    X(ICLOUD, "icloud")                 \
    X(PROOFPOINT, "proofpoint")         \
    X(MIMECAST, "mimecast")             \
    X(BARRACUDA, "barracuda")           \
    X(CISCO, "cisco")                   \
    X(SYMANTEC, "symantec")             \
    X(TRENDMICRO, "trendmicro")         \
    X(SOPHOS, "sophos")                 \
    X(MAILCHANNELS, "mailchannels")     \
    X(SPAMEXPERTS, "spamexperts")       \
    X(HORNETSECURITY, "hornetsecurity") \
    X(QQ, "qq")                         \
    X(NETEASE, "netease")               \
    X(ALIYUN, "aliyun")                 \
    X(SINA, "sina")                     \
    X(GMX, "gmx")                       \
    X(WEBDE, "webde")                   \
    X(IONOS, "ionos")                   \
    X(TONLINE, "tonline")               \
    X(FREENET, "freenet")               \
    X(ORANGE, "orange")                 \
    X(SFR, "sfr")                       \
    X(FREE, "free")                     \
    X(LAPOSTE, "laposte")               \
    X(LIBERO, "libero")                 \
    X(TIM, "tim")                       \
    X(MAILRU, "mailru")                 \
    X(YANDEX, "yandex")                 \
    X(RAMBLER, "rambler")               \
    X(UKRNET, "ukrnet")                 \
    X(SEZNAM, "seznam")                 \
    X(WP, "wp")                         \
    X(INTERIA, "interia")               \
    X(ONET, "onet")                     \
    X(ZOHO, "zoho")                     \
    X(PROTON, "proton")                 \
    X(FASTMAIL, "fastmail")             \
    X(COMCAST, "comcast")               \
    X(COX, "cox")                       \
    X(CHARTER, "charter")               \
    X(ATT, "att")                       \
    X(VERIZON, "verizon")               \
    X(EARTHLINK, "earthlink")           \
    X(GODADDY, "godaddy")               \
    X(RACKSPACE, "rackspace")           \
    X(MAILHOSTBOX, "mailhostbox")       \
    X(BT, "bt")                         \
    X(VIRGIN, "virgin")                 \
    X(TELSTRA, "telstra")               \
    X(UOL, "uol")                       \
    X(TERRA, "terra")                   \
    X(DOCOMO, "docomo")                 \
    X(KDDI, "kddi")                     \
    X(SOFTBANK, "softbank")             \
    X(BIGLOBE, "biglobe")               \
    X(NAVER, "naver")                   \
    X(FACEBOOK, "facebook")             \
    X(AMAZON_SES, "amazon_ses")         \
    X(WORKMAIL, "workmail")             \
    X(SENDGRID, "sendgrid")             \
    X(MAILGUN, "mailgun")               \
    X(SPARKPOST, "sparkpost")           \
    X(CLOUDFLARE, "cloudflare")

enum {
#define X(id, name) id,
    OPERATORS(X)
#undef X
        OPERATOR_COUNT
};

static const char *const names[] = {
#define X(id, name) [id] = (name),
    OPERATORS(X)
#undef X
};

/* The first zone that a host is within counts, so the narrower ones stand first. */
static const struct {
    struct str zone;
    int id;
} zones[] = {
    {STR_INIT("olc.protection.outlook.com"), OUTLOOK_COM},
    {STR_INIT("hotmail.com"), OUTLOOK_COM},
    {STR_INIT("live.com"), OUTLOOK_COM},
    {STR_INIT("msn.com"), OUTLOOK_COM},
    {STR_INIT("outlook.com"), MICROSOFT365},
    {STR_INIT("outlook.de"), MICROSOFT365},
    {STR_INIT("office365.us"), MICROSOFT365},
    {STR_INIT("mx.microsoft"), MICROSOFT365},
    {STR_INIT("partner.outlook.cn"), MICROSOFT365},
    {STR_INIT("google.com"), GOOGLE},
    {STR_INIT("googlemail.com"), GOOGLE},
    {STR_INIT("gmail.com"), GOOGLE},
    {STR_INIT("psmtp.com"), GOOGLE},
    {STR_INIT("yahoo.co.jp"), YAHOO_JP},
    {STR_INIT("yahoodns.net"), YAHOO},
    {STR_INIT("yahoo.com"), YAHOO},
    {STR_INIT("yahoo.net"), YAHOO},
    {STR_INIT("aol.com"), YAHOO},
    {STR_INIT("mail.icloud.com"), ICLOUD},
    {STR_INIT("icloud.com"), ICLOUD},
    {STR_INIT("mac.com"), ICLOUD},
    {STR_INIT("me.com"), ICLOUD},
    {STR_INIT("privaterelay.appleid.com"), ICLOUD},
    {STR_INIT("pphosted.com"), PROOFPOINT},
    {STR_INIT("ppe-hosted.com"), PROOFPOINT},
    {STR_INIT("gpphosted.com"), PROOFPOINT},
    {STR_INIT("mimecast.com"), MIMECAST},
    {STR_INIT("mimecast.co.za"), MIMECAST},
    {STR_INIT("mimecast-offshore.com"), MIMECAST},
    {STR_INIT("barracudanetworks.com"), BARRACUDA},
    {STR_INIT("cudamail.com"), BARRACUDA},
    {STR_INIT("iphmx.com"), CISCO},
    {STR_INIT("messagelabs.com"), SYMANTEC},
    {STR_INIT("in.tmes.trendmicro.com"), TRENDMICRO},
    {STR_INIT("trendmicro.com"), TRENDMICRO},
    {STR_INIT("trendmicro.eu"), TRENDMICRO},
    {STR_INIT("hydra.sophos.com"), SOPHOS},
    {STR_INIT("reflexion.net"), SOPHOS},
    {STR_INIT("mailchannels.net"), MAILCHANNELS},
    {STR_INIT("antispamcloud.com"), SPAMEXPERTS},
    {STR_INIT("hornetsecurity.com"), HORNETSECURITY},
    {STR_INIT("antispameurope.com"), HORNETSECURITY},
    {STR_INIT("qq.com"), QQ},
    {STR_INIT("foxmail.com"), QQ},
    {STR_INIT("163.com"), NETEASE},
    {STR_INIT("126.com"), NETEASE},
    {STR_INIT("netease.com"), NETEASE},
    {STR_INIT("188.com"), NETEASE},
    {STR_INIT("aliyun.com"), ALIYUN},
    {STR_INIT("mxhichina.com"), ALIYUN},
    {STR_INIT("sina.com.cn"), SINA},
    {STR_INIT("sina.com"), SINA},
    {STR_INIT("gmx.net"), GMX},
    {STR_INIT("gmx.com"), GMX},
    {STR_INIT("mail.com"), GMX},
    {STR_INIT("web.de"), WEBDE},
    {STR_INIT("kundenserver.de"), IONOS},
    {STR_INIT("1and1.com"), IONOS},
    {STR_INIT("ionos.com"), IONOS},
    {STR_INIT("t-online.de"), TONLINE},
    {STR_INIT("freenet.de"), FREENET},
    {STR_INIT("orange.fr"), ORANGE},
    {STR_INIT("wanadoo.fr"), ORANGE},
    {STR_INIT("sfr.fr"), SFR},
    {STR_INIT("sfr.net"), SFR},
    {STR_INIT("neuf.fr"), SFR},
    {STR_INIT("free.fr"), FREE},
    {STR_INIT("proxad.net"), FREE},
    {STR_INIT("laposte.net"), LAPOSTE},
    {STR_INIT("libero.it"), LIBERO},
    {STR_INIT("iol.it"), LIBERO},
    {STR_INIT("tim.it"), TIM},
    {STR_INIT("mail.ru"), MAILRU},
    {STR_INIT("yandex.ru"), YANDEX},
    {STR_INIT("yandex.net"), YANDEX},
    {STR_INIT("yandex.com"), YANDEX},
    {STR_INIT("rambler.ru"), RAMBLER},
    {STR_INIT("ukr.net"), UKRNET},
    {STR_INIT("seznam.cz"), SEZNAM},
    {STR_INIT("wp.pl"), WP},
    {STR_INIT("interia.pl"), INTERIA},
    {STR_INIT("onet.pl"), ONET},
    {STR_INIT("zoho.com"), ZOHO},
    {STR_INIT("zoho.eu"), ZOHO},
    {STR_INIT("zohomail.com"), ZOHO},
    {STR_INIT("protonmail.ch"), PROTON},
    {STR_INIT("messagingengine.com"), FASTMAIL},
    {STR_INIT("comcast.net"), COMCAST},
    {STR_INIT("cox.net"), COX},
    {STR_INIT("charter.net"), CHARTER},
    {STR_INIT("rr.com"), CHARTER},
    {STR_INIT("spectrum.net"), CHARTER},
    {STR_INIT("prodigy.net"), ATT},
    {STR_INIT("att.net"), ATT},
    {STR_INIT("verizon.net"), VERIZON},
    {STR_INIT("vzwpix.com"), VERIZON},
    {STR_INIT("vtext.com"), VERIZON},
    {STR_INIT("earthlink.net"), EARTHLINK},
    {STR_INIT("earthlink-vadesecure.net"), EARTHLINK},
    {STR_INIT("secureserver.net"), GODADDY},
    {STR_INIT("emailsrvr.com"), RACKSPACE},
    {STR_INIT("mailhostbox.com"), MAILHOSTBOX},
    {STR_INIT("btinternet.com"), BT},
    {STR_INIT("virginmedia.com"), VIRGIN},
    {STR_INIT("bigpond.com"), TELSTRA},
    {STR_INIT("uol.com.br"), UOL},
    {STR_INIT("terra.com.br"), TERRA},
    {STR_INIT("docomo.ne.jp"), DOCOMO},
    {STR_INIT("ezweb.ne.jp"), KDDI},
    {STR_INIT("au.com"), KDDI},
    {STR_INIT("softbank.jp"), SOFTBANK},
    {STR_INIT("softbank.ne.jp"), SOFTBANK},
    {STR_INIT("vodafone.ne.jp"), SOFTBANK},
    {STR_INIT("biglobe.ne.jp"), BIGLOBE},
    {STR_INIT("naver.com"), NAVER},
    {STR_INIT("facebook.com"), FACEBOOK},
    {STR_INIT("awsapps.com"), WORKMAIL},
    {STR_INIT("amazonses.com"), AMAZON_SES},
    {STR_INIT("amazonaws.com"), AMAZON_SES},
    {STR_INIT("sendgrid.net"), SENDGRID},
    {STR_INIT("mailgun.org"), MAILGUN},
    {STR_INIT("sparkpostmail.com"), SPARKPOST},
    {STR_INIT("mx.cloudflare.net"), CLOUDFLARE},
};

/* Words that only one operator says. */
static const struct {
    int id;
    const char *pattern;
} marks[] = {
    {GOOGLE, " - gsmtp"},
    {GOOGLE, "support\\.google\\.com/(mail|a)/"},
    {GOOGLE, "mail\\.google\\.com/support"},
    {GOOGLE, "the email account that you tried to reach"},
    {OUTLOOK_COM, "\\.olc\\.protection\\.outlook\\.com"},
    {OUTLOOK_COM, "postmaster\\.live\\.com|mail\\.live\\.com/mail/(troubleshooting|policies)"},
    {OUTLOOK_COM, "\\((SNT|BAY|COL|DUB|SG2)[A-Z0-9]*-[A-Z0-9-]+\\) unfortunately"},
    {MICROSOFT365, "\\.prod\\.(outlook|protection\\.outlook|exchangelabs)\\.com"},
    {MICROSOFT365, "sender\\.office\\.com|aka\\.ms/EXOSmtpErrors"},
    {YAHOO,
     "postmaster\\.(yahooinc|verizonmedia|yahoo|aol)\\.com|(help|senders)\\.yahoo(inc)?\\.com"},
    {YAHOO, "\\[(TSS|BL|PH|CON|GL|DU)\\d\\d\\]"},
    {YAHOO, "this user doesn't have an? [a-z0-9.-]+ account"},
    {YAHOO_JP, "yahoo-help\\.jp"},
    {ICLOUD, "support\\.apple\\.com/|postmaster\\.apple\\.com"},
    {PROOFPOINT, "\\.proofpoint\\.com|ppe-hosted|pphosted\\.com"},
    {MIMECAST, "mimecast\\.com|community\\.mimecast|local CT IP reputation"},
    {MIMECAST, "email rejected due to security policies"},
    {BARRACUDA, "barracudacentral\\.org|barracudanetworks\\.com"},
    {SYMANTEC, "messagelabs\\.com|symanteccloud"},
    {TRENDMICRO, "mail-abuse\\.(com|org)|ers\\.trendmicro"},
    {QQ, "(service|open)\\.mail\\.qq\\.com|help\\.mail\\.qq\\.com"},
    {NETEASE, "help\\.163\\.com|mail\\.163\\.com/help|qiye\\.163\\.com"},
    {GMX, "postmaster\\.gmx\\.(net|com)|postmaster\\.mail\\.com"},
    {WEBDE, "postmaster\\.web\\.de"},
    {IONOS, "postmaster\\.(1und1|1and1|kundenserver|ionos)\\."},
    {TONLINE, "postmaster\\.t-online\\.de|tosa(@|\\.)"},
    {ORANGE, "\\b(LPN|OFR|OUK|OPE|OME|OBE|OSU)\\d{3}_\\d{3}\\b|postmaster\\.orange"},
    {MAILRU, "help\\.mail\\.ru"},
    {YANDEX, "feedback\\.yandex|help\\.yandex|yandex\\.(ru|com)/support"},
    {COMCAST, "postmaster\\.comcast\\.net"},
    {COX, "AUP#|cox\\.(com|net)/"},
    {CHARTER, "charter\\.net|\\bAUP#(In|Out|I)-\\d+|spectrum\\.net"},
    {ATT, "(att|sbcglobal|bellsouth)\\.net"},
    {GODADDY, "x\\.co/(rlbounce|srbounce)|\\bIB\\d{3}\\b"},
    {MAILHOSTBOX, "support\\.mailhostbox\\.com"},
    {FACEBOOK, "postmaster\\.facebook\\.com"},
    {AMAZON_SES, "amazon ses did not send"},
    {LAPOSTE, "postmaster\\.laposte"},
    {VIRGIN, "postmaster\\.virginmedia"},
    {RACKSPACE, "emailsrvr\\.com"},
};

const char *operator_by_host(struct str host)
{
    size_t n = 0;
    host = str_trim(host);
    while (n < host.n && (ascii_is_alpha(host.p[n]) || ascii_is_digit(host.p[n]) ||
                          host.p[n] == '.' || host.p[n] == '-' || host.p[n] == '_'))
        n++;
    host = str_sub(host, 0, n);
    if (host.n > 0 && host.p[host.n - 1] == '.')
        host = str_sub(host, 0, host.n - 1);
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        struct str zone = zones[i].zone;
        if (str_iends(host, zone) && (host.n == zone.n || host.p[host.n - zone.n - 1] == '.'))
            return names[zones[i].id];
    }
    return NULL;
}

const char *operator_by_name(struct str name)
{
    for (size_t i = 0; i < OPERATOR_COUNT; i++)
        if (str_ieq(name, str_c(names[i])))
            return names[i];
    return NULL;
}

const char *operator_by_quoted_host(struct str text)
{
    size_t at = str_ifind(text, STR("host "), 0);
    if (at == text.n)
        return NULL;
    struct str host = str_from(text, at + 5);
    host = str_sub(host, 0, 255);
    size_t dot = str_chr(host, '.', 0), space = str_chr(host, ' ', 0);
    return dot < space ? operator_by_host(host) : NULL;
}

struct operator_mark operator_mark(size_t i)
{
    if (i >= sizeof(marks) / sizeof(marks[0]))
        return (struct operator_mark){0};
    return (struct operator_mark){names[marks[i].id], marks[i].pattern};
}

const char *operator_name(size_t i)
{
    return i < OPERATOR_COUNT ? names[i] : NULL;
}
