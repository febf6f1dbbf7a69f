#include "classify/classifier.h"

#include "base/require.h"
#include "classify/fingerprint.h"

/* One weighing of evidence. */
struct weighing {
    struct classifier *c;
    const struct evidence *ev;
    struct codes_found found;
    struct status inner; /* of the innermost reply in the text; class 0: none */
    const char *mx_operator;
    bool scanned;
    const struct rule *rule; /* that decided; NULL: a code did */
};

static bool has_operator(const struct rule *rule, const char *mx_operator)
{
    for (size_t i = 0; i < rule->operators_n; i++)
        if (rule->operators[i] == mx_operator)
            return true;
    return rule->operators_n == 0;
}

static bool has_reply(const struct rule *rule, const struct weighing *w)
{
    for (size_t i = 0; i < rule->replies_n; i++) {
        const struct reply_span *span = &rule->replies[i];
        if ((span->from <= w->ev->reply && w->ev->reply <= span->to) ||
            (span->from <= w->found.inner_reply && w->found.inner_reply <= span->to))
            return true;
    }
    return rule->replies_n == 0;
}

static bool has_status(const struct rule *rule, const struct weighing *w)
{
    for (size_t i = 0; i < rule->statuses_n; i++)
        if (status_span_has(&rule->statuses[i], w->inner) ||
            status_span_has(&rule->statuses[i], w->ev->status))
            return true;
    return rule->statuses_n == 0;
}

static bool has_command(const struct rule *rule, const struct weighing *w)
{
    return rule->commands == 0 || (rule->commands >> w->ev->command & 1) != 0;
}

/* The first rule in order that the text and its conditions give; NULL: none does. */
static const struct rule *find_rule(struct weighing *w, bool weak, bool expired, size_t *ret_from,
                                    size_t *ret_to)
{
    const struct rule_set *set = &w->c->set;
    for (size_t i = 0; i < set->n; i++) {
        const struct rule *rule = &set->rules[i];
        size_t from = 0, to = 0;
        if (rule->replaced || rule->weak != weak || (rule->category == CATEGORY_EXPIRED) != expired)
            continue;
        if (rule->patterns_n > 0 &&
            (!w->scanned || !rules_hit(w->c->rules, (unsigned)i, &from, &to)))
            continue;
        if (!has_operator(rule, w->mx_operator) || !has_reply(rule, w) || !has_status(rule, w) ||
            !has_command(rule, w))
            continue;
        *ret_from = from;
        *ret_to = to;
        return rule;
    }
    return NULL;
}

static struct verdict verdict_of(enum verdict_category category, enum verdict_confidence confidence,
                                 const char *rule, struct str evidence)
{
    return (struct verdict){
        .class = verdict_category_class(category),
        .category = category,
        .fault = verdict_category_fault(category),
        .confidence = confidence,
        .rule = rule,
        .evidence = evidence,
    };
}

static struct verdict verdict_of_rule(struct weighing *w, const struct rule *rule, size_t from,
                                      size_t to)
{
    struct str words = rule->patterns_n > 0 ? normal_original(&w->c->normal, from, to)
                       : rule->statuses_n > 0 && w->found.inner.n > 0 ? w->found.inner
                                                                      : w->ev->status_text;
    struct verdict v = verdict_of(rule->category, rule->confidence, rule->id, words);
    v.fault = rule->fault;
    w->rule = rule;
    return v;
}

/* "status-5.1.1" -> "5.1.1": the code as words, where the message has none to point at. */
static struct str code_of(const char *rule)
{
    struct str s = str_c(rule);
    return str_from(s, str_chr(s, '-', 0) + 1);
}

static bool by_status(const struct weighing *w, struct verdict *ret)
{
    const struct evidence *ev = w->ev;
    const struct code_meaning *m = codes_status(w->inner);
    struct status s = w->inner;
    struct str words = w->found.inner;
    /* The innermost reply knows best; x.0.0 and the like say nothing, then the field may. */
    if (!m && ev->status.class != 0) {
        m = codes_status(ev->status);
        s = ev->status;
        words = ev->status_text;
    }
    if (!m)
        return false;
    uint16_t reply = w->found.inner_reply ? w->found.inner_reply : ev->reply;
    bool agrees = reply / 100 == s.class;
    *ret = verdict_of(m->category, agrees ? CONFIDENCE_MEDIUM : CONFIDENCE_LOW, m->rule,
                      words.n > 0 ? words : code_of(m->rule));
    return true;
}

static bool by_reply(const struct weighing *w, struct verdict *ret)
{
    const struct code_meaning *m = codes_reply(w->ev->reply);
    if (!m)
        return false;
    *ret = verdict_of(m->category, CONFIDENCE_LOW, m->rule, code_of(m->rule));
    return true;
}

/* A scan that fails for memory leaves codes to decide: worse, but never a hard verdict by a text
 * that was not read. */
static void look_at(struct weighing *w, struct str text)
{
    normal_make(&w->c->normal, text);
    w->scanned = rules_scan(w->c->rules, normal_text(&w->c->normal));
    codes_find(normal_text(&w->c->normal), &w->found);
    w->inner = (struct status){0};
    if (w->found.inner.n > 0)
        codes_parse(w->found.inner, &w->inner);
}

/* Strings that codes_find took from the normal text back into the caller's. */
static struct str original_of(const struct normal *norm, struct str part)
{
    if (part.n == 0)
        return (struct str){NULL, 0};
    size_t from = (size_t)(part.p - norm->p);
    return normal_original(norm, from, from + part.n);
}

static const char *operator_by_words(const struct weighing *w)
{
    const char *name = operator_by_quoted_host(normal_text(&w->c->normal));
    for (size_t i = 0; !name && w->scanned && operator_mark(i).name; i++) {
        size_t from, to;
        if (rules_hit(w->c->rules, (unsigned)(w->c->set.n + i), &from, &to))
            name = operator_mark(i).name;
    }
    return name;
}

/* Behind a reply that says only "expired": the last attempt's own words, if the text quotes them.
 * Absent when there is no such part. */
static struct str inner_reason(struct str text, struct str last_transient)
{
    static const struct str markers[] = {
        STR_INIT("last transfail:"),  STR_INIT("last error:"),        STR_INIT("last reason:"),
        STR_INIT("last smtp error:"), STR_INIT("most recent error:"), STR_INIT("last response:"),
    };
    for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
        size_t at = str_ifind(text, markers[i], 0);
        if (at < text.n)
            return str_trim(str_from(text, at + markers[i].n));
    }
    return last_transient;
}

/* Limits of today's MTAs begin at 25 (Sendmail) and 30 (Exim); mail that arrives has a dozen. */
enum { HOPS_LOOP = 25 };

static bool weigh(struct weighing *w, struct verdict *ret)
{
    size_t from, to;
    w->rule = NULL;
    const struct rule *rule = find_rule(w, false, false, &from, &to);
    if (rule) {
        *ret = verdict_of_rule(w, rule, from, to);
        return true;
    }
    const struct rule *gave_up = find_rule(w, false, true, &from, &to);
    if (by_status(w, ret) && (!gave_up || ret->category != CATEGORY_EXPIRED)) {
        ret->evidence = w->found.inner.p == ret->evidence.p && ret->evidence.p
                            ? original_of(&w->c->normal, ret->evidence)
                            : ret->evidence;
        return true;
    }
    if (gave_up) {
        *ret = verdict_of_rule(w, gave_up, from, to);
        return true;
    }
    rule = find_rule(w, true, false, &from, &to);
    if (rule) {
        *ret = verdict_of_rule(w, rule, from, to);
        return true;
    }
    if (by_reply(w, ret))
        return true;
    /* Exim gives no reason at all for what has come through too many hosts. */
    if (w->ev->text.n > 0 || w->ev->hops < HOPS_LOOP)
        return false;
    *ret = verdict_of(CATEGORY_ROUTING_LOOP, CONFIDENCE_MEDIUM, "original-hops", STR("Received"));
    return true;
}

static void become(struct verdict *v, enum verdict_category category)
{
    v->category = category;
    v->class = verdict_category_class(category);
    v->fault = verdict_category_fault(category);
    v->confidence = CONFIDENCE_MEDIUM;
}

/* A hard reason told by a temporary reply, while the mail is still being tried, is not the last
 * word: the condition as it stands now. */
static void not_final(struct verdict *v)
{
    if (v->class != CLASS_HARD)
        return;
    enum verdict_category category = CATEGORY_SOFT_OTHER;
    if (v->category == CATEGORY_BAD_DOMAIN)
        category = CATEGORY_DNS_TEMPORARY;
    else if (v->category == CATEGORY_HOST_NO_MAIL)
        category = CATEGORY_HOST_UNAVAILABLE;
    else if (v->category == CATEGORY_MAILBOX_DISABLED)
        category = CATEGORY_MAILBOX_SUSPENDED;
    become(v, category);
}

/* What a refusal may mean depends on the command that it answers (RFC 5321 section 4.3.2). Before
 * RCPT no mailbox has been named: the words are about the sender. Behind DATA the mailbox had been
 * accepted: "user unknown" is then said by a filter, of the person or of the provider, as often as
 * by a gateway that knows no better, and nobody is to lose mail by it unless the status says 5.1.z
 * too. A rule that names an operator or commands knows better. */
static void by_command(struct verdict *v, const struct weighing *w)
{
    enum smtp_command command = w->ev->command;
    if (v->class != CLASS_HARD || !command || command == SMTP_COMMAND_RCPT ||
        (w->rule && (w->rule->operators_n > 0 || w->rule->commands)))
        return;
    bool of_mailbox = v->category == CATEGORY_BAD_MAILBOX ||
                      v->category == CATEGORY_MAILBOX_MOVED ||
                      v->category == CATEGORY_BAD_ADDRESS_SYNTAX;
    struct status s = w->inner.class ? w->inner : w->ev->status;
    if (command != SMTP_COMMAND_DATA) {
        if (of_mailbox || v->category == CATEGORY_MAILBOX_DISABLED)
            become(v, command == SMTP_COMMAND_MAIL ? CATEGORY_SENDER_REFUSED : CATEGORY_POLICY);
        else if (v->category == CATEGORY_BAD_DOMAIN && command != SMTP_COMMAND_CONNECT)
            become(v, CATEGORY_SENDER_REFUSED);
    } else if (of_mailbox && s.subject != 1) {
        become(v, CATEGORY_RECIPIENT_REFUSED);
    } else if (v->category != CATEGORY_MAILBOX_DISABLED && v->confidence == CONFIDENCE_HIGH) {
        v->confidence = CONFIDENCE_MEDIUM;
    }
}

static bool is_temporary(const struct weighing *w)
{
    if (w->ev->reply)
        return w->ev->reply / 100 == 4;
    return w->inner.class ? w->inner.class == 4 : w->ev->status.class == 4;
}

struct verdict classify_evidence(struct classifier *c, const struct evidence *ev)
{
    struct weighing w = {.c = c, .ev = ev};
    struct verdict v;
    look_at(&w, ev->text);
    w.mx_operator = ev->mx_operator ? ev->mx_operator : operator_by_words(&w);
    if (!w.mx_operator)
        w.mx_operator = ev->reporting_operator;
    if (ev->action == REPORT_ACTION_DELIVERED || ev->action == REPORT_ACTION_RELAYED ||
        ev->action == REPORT_ACTION_EXPANDED) {
        v = verdict_of(CATEGORY_UNDETERMINED, CONFIDENCE_HIGH, "action-delivered",
                       STR("delivered"));
        goto out;
    }
    bool temporary = is_temporary(&w);
    size_t from, to;
    struct weighing inner = w;
    const struct rule *gave_up = find_rule(&w, false, true, &from, &to);
    struct str reason = {NULL, 0};
    if (gave_up) {
        reason =
            original_of(&c->normal, inner_reason(normal_text(&c->normal), w.found.last_transient));
        v = verdict_of_rule(&w, gave_up, from, to);
    }
    if (!str_is_absent(reason) && reason.n < c->normal.original.n) {
        /* What was quoted last decides alone, if it decides anything. */
        struct verdict deeper;
        look_at(&inner, reason);
        if (weigh(&inner, &deeper) && deeper.category != CATEGORY_EXPIRED) {
            v = deeper;
            w.rule = inner.rule;
            temporary = temporary || inner.found.reply / 100 == 4 || inner.inner.class == 4;
            goto hard;
        }
        look_at(&w, ev->text);
    }
    if (!weigh(&w, &v))
        v = verdict_of(CATEGORY_UNDETERMINED, CONFIDENCE_LOW, "none", (struct str){NULL, 0});
hard:
    by_command(&v, &w);
    if (ev->action == REPORT_ACTION_DELAYED || (temporary && !ev->final))
        not_final(&v);
    else if (temporary && v.class == CLASS_HARD) {
        /* Given up on a condition that was called temporary. A name that did not resolve may
         * resolve tomorrow; a mailbox that was not there is so with less certainty. */
        if (v.category == CATEGORY_BAD_DOMAIN || v.category == CATEGORY_HOST_NO_MAIL)
            not_final(&v);
        else if (v.confidence == CONFIDENCE_HIGH)
            v.confidence = CONFIDENCE_MEDIUM;
    }
out:
    v.mx_operator = w.mx_operator;
    v.fingerprint = fingerprint(ev->text);
    if (v.class == CLASS_BLOCK)
        v.listing = listing_find(ev->text);
    return v;
}

static bool is_bounce(enum report_kind kind)
{
    return kind == REPORT_BOUNCE || kind == REPORT_DELAYED || kind == REPORT_DELIVERED;
}

/* The remote words are a reply code and no more: "550", "smtp; 550", "(reason: 550)". */
static bool is_bare_code(struct str text)
{
    bool digits = false;
    struct str rest = text;
    while (rest.n > 0) {
        struct str word = str_cut(&rest, ' ');
        while (word.n > 0 && strchr("(:;)-", word.p[word.n - 1]))
            word.n--;
        while (word.n > 0 && word.p[0] == '(')
            word = str_from(word, 1);
        uint32_t code;
        if (word.n == 3 && str_to_u32(word, &code))
            digits = true;
        else if (word.n > 0 && !str_ieq(word, STR("reason")) && !str_ieq(word, STR("smtp")))
            return false;
    }
    return digits;
}

struct verdict classify_recipient(struct classifier *c, const struct report *r, size_t i)
{
    REQUIRE(i < r->recipients_n);
    const struct report_recipient *rcpt = &r->recipients[i];
    if (!is_bounce(r->kind)) {
        struct verdict v =
            verdict_of(CATEGORY_UNDETERMINED, CONFIDENCE_LOW, "none", (struct str){NULL, 0});
        v.fingerprint = fingerprint(rcpt->diagnostic);
        return v;
    }
    struct evidence ev = {
        .text = rcpt->diagnostic,
        .status_text = rcpt->status,
        .reply = rcpt->reply_code,
        .command = rcpt->command,
        .hops = r->original.hops,
        .action = rcpt->action,
        .mx_operator = operator_by_host(rcpt->remote_mta),
        .reporting_operator = rcpt->remote_mta.n == 0 ? operator_by_host(r->reporting_mta) : NULL,
    };
    if (ev.action == REPORT_ACTION_NONE && r->kind == REPORT_DELAYED)
        ev.action = REPORT_ACTION_DELAYED;
    if (ev.action == REPORT_ACTION_NONE && r->kind == REPORT_DELIVERED)
        ev.action = REPORT_ACTION_DELIVERED;
    ev.final = ev.action != REPORT_ACTION_DELAYED;
    if (!codes_parse(rcpt->status, &ev.status))
        ev.status = (struct status){0};
    /* Sendmail makes 5.1.1 out of a remote 550 that says nothing: no more is known than that. */
    if (is_bare_code(rcpt->diagnostic))
        ev.status.subject = ev.status.detail = 0;
    return classify_evidence(c, &ev);
}
