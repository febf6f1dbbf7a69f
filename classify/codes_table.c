/* What the codes say by themselves: the IANA registry of enhanced status codes (RFC 3463, 5248 and
 * later), Microsoft's three-digit details, and SMTP reply codes (RFC 5321 section 4.2.3).
 *
 * The first row that matches counts. A code alone is weak evidence: where it is also used for other
 * reasons in the field, the row names the reason that does less harm. */
#include "classify/codes.h"

enum { ANY = 0 };

struct row {
    uint8_t class;
    uint16_t subject, from, to;
    struct code_meaning meaning;
};

#define CODE(c, s, d, text, category)           \
    {                                           \
        c, s, d, d,                             \
        {                                       \
            "status-" text, CATEGORY_##category \
        }                                       \
    }
#define SPAN(c, s, a, b, text, category)        \
    {                                           \
        c, s, a, b,                             \
        {                                       \
            "status-" text, CATEGORY_##category \
        }                                       \
    }

static const struct row rows[] = {
    /* X.1: addresses */
    CODE(5, 1, 1, "5.1.1", BAD_MAILBOX),
    CODE(4, 1, 1, "4.1.1", SOFT_OTHER),
    CODE(5, 1, 2, "5.1.2", BAD_DOMAIN),
    CODE(4, 1, 2, "4.1.2", DNS_TEMPORARY),
    CODE(5, 1, 3, "5.1.3", BAD_ADDRESS_SYNTAX),
    CODE(ANY, 1, 4, "x.1.4", SOFT_OTHER),
    CODE(5, 1, 6, "5.1.6", MAILBOX_MOVED),
    CODE(4, 1, 6, "4.1.6", SOFT_OTHER),
    CODE(ANY, 1, 7, "x.1.7", SENDER_REFUSED),
    CODE(ANY, 1, 8, "x.1.8", SENDER_REFUSED),
    CODE(5, 1, 10, "5.1.10", HOST_NO_MAIL),       /* RFC 7505; Exchange means bad_mailbox */
    CODE(ANY, 1, 20, "x.1.20", MALFORMED),        /* Microsoft: several From: addresses */
    CODE(ANY, 1, 90, "x.1.90", RATE_LIMITED),     /* Microsoft: sender's daily recipients */
    SPAN(5, 1, 350, 351, "5.1.35x", BAD_MAILBOX), /* Microsoft: what a remote host answered */
    /* X.2: mailboxes */
    CODE(ANY, 2, 0, "x.2.0", SOFT_OTHER),
    CODE(ANY, 2, 1, "x.2.1", MAILBOX_SUSPENDED), /* also said for rates: text decides on hard */
    CODE(ANY, 2, 2, "x.2.2", MAILBOX_FULL),
    CODE(ANY, 2, 3, "x.2.3", TOO_BIG),
    CODE(ANY, 2, 4, "x.2.4", SOFT_OTHER),
    SPAN(ANY, 2, 121, 122, "x.2.12x", RECIPIENT_RATE), /* Microsoft */
    /* X.3: the receiving system */
    CODE(ANY, 3, 0, "x.3.0", SYSTEM_ERROR),
    CODE(ANY, 3, 1, "x.3.1", SYSTEM_FULL),
    CODE(ANY, 3, 2, "x.3.2", HOST_UNAVAILABLE),
    CODE(ANY, 3, 3, "x.3.3", PROTOCOL_ERROR),
    CODE(ANY, 3, 4, "x.3.4", TOO_BIG),
    CODE(ANY, 3, 5, "x.3.5", SYSTEM_ERROR),
    /* X.4: network and routing */
    CODE(ANY, 4, 0, "x.4.0", CONNECTION_FAILURE),
    CODE(ANY, 4, 1, "x.4.1", CONNECTION_FAILURE),
    CODE(ANY, 4, 2, "x.4.2", CONNECTION_FAILURE),
    CODE(ANY, 4, 3, "x.4.3", DNS_TEMPORARY),
    CODE(ANY, 4, 4, "x.4.4", DNS_TEMPORARY),
    CODE(ANY, 4, 5, "x.4.5", HOST_UNAVAILABLE),
    CODE(ANY, 4, 6, "x.4.6", ROUTING_LOOP),
    CODE(ANY, 4, 7, "x.4.7", EXPIRED),
    CODE(ANY, 4, 14, "x.4.14", ROUTING_LOOP),
    CODE(ANY, 4, 300, "x.4.300", EXPIRED), /* Microsoft from here on */
    CODE(5, 4, 310, "5.4.310", BAD_DOMAIN),
    CODE(4, 4, 310, "4.4.310", DNS_TEMPORARY),
    SPAN(ANY, 4, 311, 312, "x.4.31x", DNS_TEMPORARY),
    SPAN(ANY, 4, 313, 319, "x.4.31x", CONNECTION_FAILURE),
    /* X.5: protocol */
    CODE(ANY, 5, 1, "x.5.1", PROTOCOL_ERROR),
    CODE(ANY, 5, 2, "x.5.2", PROTOCOL_ERROR),
    CODE(ANY, 5, 3, "x.5.3", TOO_MANY_RECIPIENTS),
    SPAN(ANY, 5, 4, 6, "x.5.4", PROTOCOL_ERROR),
    /* X.6: content */
    CODE(ANY, 6, 0, "x.6.0", MALFORMED),
    CODE(ANY, 6, 1, "x.6.1", ATTACHMENT_REFUSED),
    SPAN(ANY, 6, 2, 5, "x.6.2", CHARSET_UNSUPPORTED),
    CODE(ANY, 6, 6, "x.6.6", SYSTEM_ERROR),
    SPAN(ANY, 6, 7, 10, "x.6.7", CHARSET_UNSUPPORTED), /* RFC 6531 */
    CODE(ANY, 6, 11, "x.6.11", MALFORMED),             /* Microsoft: bare line feeds */
    /* X.7: security and policy */
    SPAN(ANY, 7, 0, 1, "x.7.1", POLICY),
    CODE(ANY, 7, 2, "x.7.2", RECIPIENT_RESTRICTED),
    SPAN(ANY, 7, 3, 4, "x.7.3", POLICY),
    SPAN(ANY, 7, 5, 6, "x.7.5", POLICY),
    CODE(ANY, 7, 7, "x.7.7", POLICY),
    SPAN(ANY, 7, 8, 9, "x.7.8", AUTH_REQUIRED),
    SPAN(ANY, 7, 10, 11, "x.7.10", TLS_FAILURE),
    CODE(ANY, 7, 12, "x.7.12", AUTH_REQUIRED),
    CODE(ANY, 7, 13, "x.7.13", MAILBOX_SUSPENDED),
    CODE(ANY, 7, 14, "x.7.14", RELAY_DENIED),
    CODE(ANY, 7, 15, "x.7.15", POLICY),
    CODE(ANY, 7, 16, "x.7.16", TOO_BIG),
    SPAN(5, 7, 17, 18, "5.7.17", MAILBOX_MOVED), /* RFC 7293: another owner since */
    SPAN(ANY, 7, 17, 19, "x.7.19", SYSTEM_ERROR),
    SPAN(ANY, 7, 20, 24, "x.7.20", AUTH_FAILURE), /* RFC 7372 */
    CODE(ANY, 7, 25, "x.7.25", PTR_MISSING),
    CODE(ANY, 7, 26, "x.7.26", AUTH_FAILURE),
    CODE(ANY, 7, 27, "x.7.27", SENDER_REFUSED), /* RFC 7505 */
    CODE(ANY, 7, 28, "x.7.28", RATE_LIMITED),
    CODE(ANY, 7, 29, "x.7.29", AUTH_FAILURE),
    CODE(ANY, 7, 30, "x.7.30", TLS_FAILURE),   /* RFC 8689 */
    CODE(ANY, 7, 57, "x.7.57", AUTH_REQUIRED), /* Microsoft from here on */
    CODE(ANY, 7, 64, "x.7.64", RELAY_DENIED),
    SPAN(ANY, 7, 121, 139, "x.7.12x", RECIPIENT_RESTRICTED),
    CODE(ANY, 7, 230, "x.7.230", POLICY),
    SPAN(ANY, 7, 320, 329, "x.7.32x", TLS_FAILURE),
    CODE(ANY, 7, 350, "x.7.350", SPAM_CONTENT),
    SPAN(5, 7, 501, 504, "5.7.501", SENDER_REFUSED),
    CODE(5, 7, 505, "5.7.505", RECIPIENT_REFUSED),
    CODE(5, 7, 506, "5.7.506", POLICY),
    CODE(5, 7, 507, "5.7.507", RECIPIENT_REFUSED),
    CODE(5, 7, 509, "5.7.509", AUTH_FAILURE),
    CODE(5, 7, 510, "5.7.510", POLICY),
    CODE(5, 7, 511, "5.7.511", IP_REPUTATION),
    CODE(5, 7, 512, "5.7.512", MALFORMED),
    CODE(5, 7, 513, "5.7.513", IP_REPUTATION),
    CODE(5, 7, 515, "5.7.515", AUTH_FAILURE),
    SPAN(5, 7, 606, 649, "5.7.606", IP_REPUTATION),
    CODE(5, 7, 705, "5.7.705", RATE_LIMITED),
    CODE(5, 7, 708, "5.7.708", IP_REPUTATION),
    SPAN(5, 7, 700, 750, "5.7.7xx", SENDER_REFUSED),
    SPAN(4, 7, 500, 699, "4.7.5xx", RATE_LIMITED),
    SPAN(4, 7, 850, 899, "4.7.85x", RATE_LIMITED),
};

const struct code_meaning *codes_status(struct status s)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].subject == s.subject && rows[i].from <= s.detail && s.detail <= rows[i].to &&
            (rows[i].class == ANY ? s.class == 4 || s.class == 5 : rows[i].class == s.class))
            return &rows[i].meaning;
    return NULL;
}

static const struct {
    uint16_t reply;
    struct code_meaning meaning;
} replies[] = {
    {421, {"reply-421", CATEGORY_HOST_UNAVAILABLE}},
    {422, {"reply-422", CATEGORY_MAILBOX_FULL}},
    {432, {"reply-432", CATEGORY_RECIPIENT_RATE}},
    {441, {"reply-441", CATEGORY_CONNECTION_FAILURE}},
    {442, {"reply-442", CATEGORY_CONNECTION_FAILURE}},
    {446, {"reply-446", CATEGORY_ROUTING_LOOP}},
    {447, {"reply-447", CATEGORY_EXPIRED}},
    {451, {"reply-451", CATEGORY_SYSTEM_ERROR}},
    {452, {"reply-452", CATEGORY_SYSTEM_FULL}},
    {454, {"reply-454", CATEGORY_TLS_FAILURE}}, /* RFC 3207 section 4 */
    {455, {"reply-455", CATEGORY_PROTOCOL_ERROR}},
    {500, {"reply-500", CATEGORY_PROTOCOL_ERROR}},
    {501, {"reply-501", CATEGORY_PROTOCOL_ERROR}},
    {502, {"reply-502", CATEGORY_PROTOCOL_ERROR}},
    {503, {"reply-503", CATEGORY_PROTOCOL_ERROR}},
    {504, {"reply-504", CATEGORY_PROTOCOL_ERROR}},
    {523, {"reply-523", CATEGORY_TOO_BIG}},
    {530, {"reply-530", CATEGORY_AUTH_REQUIRED}}, /* RFC 4954 section 6 */
    {534, {"reply-534", CATEGORY_AUTH_REQUIRED}},
    {535, {"reply-535", CATEGORY_AUTH_REQUIRED}},
    {538, {"reply-538", CATEGORY_TLS_FAILURE}},
    {541, {"reply-541", CATEGORY_POLICY}},
    {552, {"reply-552", CATEGORY_MAILBOX_FULL}},
    {555, {"reply-555", CATEGORY_PROTOCOL_ERROR}},
};

const struct code_meaning *codes_reply(uint16_t reply)
{
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
        if (replies[i].reply == reply)
            return &replies[i].meaning;
    return NULL;
}
