#include "attribute/attribute.h"

#include <errno.h>

static const char *const source_names[] = {
#define X(id, name, meaning) [id] = (name),
    ATTRIBUTION_SOURCES(X)
#undef X
};

static const char *const verification_names[] = {
#define X(id, name, meaning) [id] = (name),
    ATTRIBUTION_VERIFICATIONS(X)
#undef X
};

const char *attribution_source_name(enum attribution_source s)
{
    return (size_t)s < ATTRIBUTION_SOURCE_COUNT ? source_names[s] : "";
}

const char *attribution_verification_name(enum attribution_verification v)
{
    return (size_t)v < ATTRIBUTION_VERIFICATION_COUNT ? verification_names[v] : "";
}

int attribute_message_open(struct returnpath_reader *reader, struct arena *a,
                           const struct returnpath *envelope, const struct report *report,
                           bool real_sender, uint32_t today, struct attribute_message *ret)
{
    struct attribute_message m = {
        .envelope = envelope, .report = report, .real_sender = real_sender};
    struct str domain = envelope->domain ? envelope->domain->name : (struct str){NULL, 0};
    m.delivered = report->recipients_cut;
    for (size_t i = 0; i < report->recipients_n; i++) {
        enum report_action action = report->recipients[i].action;
        m.delivered |= action == REPORT_ACTION_DELIVERED || action == REPORT_ACTION_RELAYED ||
                       action == REPORT_ACTION_EXPANDED;
    }
    if (inside_read(reader, a, report, domain, today, &m.inside) < 0)
        return -ENOMEM;
    *ret = m;
    return 0;
}

static bool is_for_unsubscribing(const struct returnpath *r)
{
    return r->proof == RETURNPATH_VALID && r->kind == RETURNPATH_UNSUBSCRIBE;
}

enum report_kind attribute_kind(const struct attribute_message *m, enum report_kind kind)
{
    if (kind != REPORT_OTHER)
        return kind;
    return is_for_unsubscribing(m->envelope) || is_for_unsubscribing(&m->inside.subject.says)
               ? REPORT_UNSUBSCRIBE
               : kind;
}

/* Which tokens such mail is sent to. */
static enum returnpath_kind purpose_of(enum report_kind kind)
{
    switch (kind) {
    case REPORT_COMPLAINT:
    case REPORT_NOT_SPAM:
        return RETURNPATH_COMPLAINT;
    case REPORT_UNSUBSCRIBE:
        return RETURNPATH_UNSUBSCRIBE;
    default:
        return RETURNPATH_BOUNCE;
    }
}

/* Senders of complaints and unsubscribes have an address; who reports a bounce has none (RFC 3464
 * section 2). */
static bool has_real_sender(enum report_kind kind)
{
    return purpose_of(kind) != RETURNPATH_BOUNCE;
}

static enum attribution_verification verification_of(enum returnpath_proof proof)
{
    switch (proof) {
    case RETURNPATH_VALID:
        return ATTRIBUTION_TOKEN_VALID;
    case RETURNPATH_EXPIRED:
        return ATTRIBUTION_EXPIRED;
    case RETURNPATH_EARLY:
        return ATTRIBUTION_EARLY;
    case RETURNPATH_UNKNOWN_KEY:
        return ATTRIBUTION_UNKNOWN_KEY;
    case RETURNPATH_WRONG_PURPOSE:
        return ATTRIBUTION_WRONG_PURPOSE;
    case RETURNPATH_UNSIGNED:
        return ATTRIBUTION_UNSIGNED;
    default: /* also a number of a later version in the journal: no reason to believe it */
        return ATTRIBUTION_FORGED;
    }
}

/* What is named for one event, each by who names it. */
struct names {
    struct named envelope, original, final;
};

static int names_read(const struct attribute_message *m, struct arena *a, size_t i,
                      struct names *ret)
{
    struct str original = {NULL, 0}, final = {NULL, 0};
    /* Forwarders rewrite To:, so what was guessed from a returned message is nobody's address. */
    if (i < m->report->recipients_n && !m->report->recipients[i].guessed) {
        original = m->report->recipients[i].original_recipient;
        final = m->report->recipients[i].final_recipient;
    }
    if (named_is_redacted(original))
        original = (struct str){NULL, 0};
    if (named_is_redacted(final))
        final = (struct str){NULL, 0};
    if (named_read(a, m->envelope->recipient, &ret->envelope) < 0 ||
        named_read(a, original, &ret->original) < 0 || named_read(a, final, &ret->final) < 0)
        return -ENOMEM;
    return 0;
}

static void set_address(struct attribution *r, const struct named *whose,
                        enum attribution_source source)
{
    r->address = whose->text;
    r->key = whose->key;
    r->source = source;
}

/* The event belongs to whose return path it was, wherever the report came to. */
static void set_owner(struct attribution *r, const struct returnpath *address)
{
    const struct returnpath_domain *d = address->domain;
    r->tenant = address->tenant.n > 0 || !d ? address->tenant : d->tenant;
    r->stream = address->stream.n > 0 || !d ? address->stream : d->stream;
    r->campaign = address->campaign;
    r->message_id = address->message_id;
}

static enum attribution_source unsigned_source(const struct returnpath *r)
{
    return r->source == RETURNPATH_SOURCE_PATTERN ? ATTRIBUTION_PATTERN : ATTRIBUTION_VERP;
}

/* The first of those that can be an address, else the first text: a report may say
 * "Original-Recipient: rfc822; unknown". */
static bool set_unsigned(struct attribution *r, const struct attribute_message *m,
                         enum report_kind kind, const struct names *n)
{
    /* A bounce goes to the return path; a complaint goes elsewhere, and holds it. */
    static const struct inside_address none;
    const struct inside_address *inside =
        purpose_of(kind) == RETURNPATH_COMPLAINT ? &m->inside.return_path : &none;
    const struct {
        const struct named *named;
        enum attribution_source source;
        const struct returnpath *owner;
    } order[] = {
        {&n->envelope, unsigned_source(m->envelope), m->envelope},
        {&inside->whose, unsigned_source(&inside->says), &inside->says},
        {&n->original, ATTRIBUTION_ORIGINAL, m->envelope},
        {&n->final, ATTRIBUTION_FINAL, m->envelope},
    };
    for (int must_be_address = 1; must_be_address >= 0; must_be_address--)
        for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
            if (!str_is_absent(order[k].named->text) &&
                (!must_be_address || !str_is_absent(order[k].named->key))) {
                set_address(r, order[k].named, order[k].source);
                set_owner(r, order[k].owner);
                return true;
            }
    return false;
}

/* A token that fits rules the event. fits: it was made for mail of this kind, or may be any. */
static void set_token(struct attribution *r, const struct returnpath *token,
                      const struct named *whose, bool fits, enum attribution_source source)
{
    r->verification = verification_of(token->proof);
    if (r->verification == ATTRIBUTION_TOKEN_VALID && !fits)
        r->verification = ATTRIBUTION_WRONG_PURPOSE;
    if (!str_is_absent(whose->text))
        set_address(r, whose, source);
    if (r->verification != ATTRIBUTION_TOKEN_VALID)
        return;
    r->source = source;
    r->token = token->token;
    r->day = token->day;
    if (token->source == RETURNPATH_SOURCE_OPAQUE) {
        r->verification = ATTRIBUTION_WAITING;
        r->token_id = token->token_id;
    }
}

static void choose(struct attribution *r, const struct attribute_message *m, enum report_kind kind,
                   const struct names *n)
{
    const struct returnpath *envelope = m->envelope;
    bool unsubscribe = kind == REPORT_UNSUBSCRIBE;
    /* Who unsubscribes writes to the address or puts it into the Subject; the token of a message
     * that is merely quoted says that it was sent, not that its recipient wants out. */
    const struct inside_address *inside = unsubscribe ? &m->inside.subject : &m->inside.returned;
    bool fits = !unsubscribe || inside->says.kind == RETURNPATH_UNSUBSCRIBE;
    set_owner(r, envelope);
    if (envelope->proof != RETURNPATH_UNSIGNED) {
        set_token(r, envelope, &n->envelope, envelope->kind == purpose_of(kind), ATTRIBUTION_TOKEN);
        if (r->source == ATTRIBUTION_NONE)
            set_unsigned(r, m, kind, n);
    } else if (inside->says.proof == RETURNPATH_VALID && fits) {
        set_token(r, &inside->says, &inside->whose, true, ATTRIBUTION_RETURNED_TOKEN);
        set_owner(r, &inside->says);
        /* Whoever a mail was forwarded to can read these, and they live for more than a year: they
         * prove that the mail was sent, not that this is the answer of where it went. */
        r->medium = purpose_of(kind) == RETURNPATH_BOUNCE && inside->says.kind != RETURNPATH_BOUNCE;
    } else if (!set_unsigned(r, m, kind, n) && inside->says.proof != RETURNPATH_UNSIGNED) {
        set_token(r, &inside->says, &inside->whose, fits, ATTRIBUTION_RETURNED_TOKEN);
    }
}

/* The report speaks of somebody else than the one it is attributed to, or of several: what was
 * bounced went on from the first address to others. */
static bool is_forwarded(const struct attribution *r, const struct attribute_message *m,
                         const struct names *n)
{
    const struct named whose = {r->address, r->key};
    const struct inside_address *inside = &m->inside.returned;
    return m->report->recipients_n > 1 || m->report->recipients_cut || m->inside.several ||
           named_differ(&n->original, &whose) || named_differ(&n->final, &whose) ||
           named_differ(&n->original, &n->final) ||
           (inside->says.proof == RETURNPATH_VALID && named_differ(&inside->whose, &whose));
}

static bool is_in_report(const struct attribution *r, const struct attribute_message *m,
                         const struct names *n)
{
    return !str_is_absent(r->key) &&
           (str_eq(r->key, n->original.key) || str_eq(r->key, n->final.key) ||
            str_eq(r->key, m->inside.return_path.whose.key));
}

int attribute_recipient(const struct attribute_message *m, struct arena *a, enum report_kind kind,
                        size_t i, struct attribution *ret)
{
    struct attribution r = {.source = ATTRIBUTION_NONE, .verification = ATTRIBUTION_UNSIGNED};
    struct names names;
    if (names_read(m, a, i, &names) < 0)
        return -ENOMEM;
    choose(&r, m, kind, &names);
    bool odd_sender = m->real_sender && !has_real_sender(kind);
    bool proven =
        r.verification == ATTRIBUTION_TOKEN_VALID || r.verification == ATTRIBUTION_WAITING;
    r.verified = attribution_is_verified(r.verification);
    r.forwarded = is_forwarded(&r, m, &names);
    r.medium |= r.forwarded || odd_sender;
    r.counts = !m->delivered && (!odd_sender || proven);
    r.in_report = is_in_report(&r, m, &names);
    *ret = r;
    return 0;
}
