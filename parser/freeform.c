/* Notices without a machine-readable part, by their general shape: an address with a reason behind
 * it, words that say "not delivered", and a returned message or a mail system as the sender. */
#include "base/address.h"
#include "parser/mailbox.h"
#include "parser/notice.h"
#include "parser/reader.h"
#include "parser/stand.h"
#include "parser/status.h"
#include "parser/text.h"

enum {
    NOTICE_BYTES = 64 * 1024,
    WORDS_BYTES = 16 * 1024,
    REASON_BYTES = 4096,
    CANDIDATES_MAX = 1024,
    COMMANDS_MAX = 64, /* recipients for whom the notice is searched once more */
};

static struct str header(const struct reader *r, struct str name)
{
    return fields_get(&r->mime->header, name);
}

struct candidate {
    struct str address;
    enum stand stand;
};

/* Addresses that are never a failed recipient: the reporter's own and the roles that people are
 * told to write to. */
static bool is_reporter(const struct reader *r, struct str address)
{
    static const struct str roles[] = {STR_INIT("postmaster@"), STR_INIT("mailer-daemon@"),
                                       STR_INIT("abuse@"), STR_INIT("support@"),
                                       STR_INIT("helpdesk@")};
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (str_istarts(address, roles[i]))
            return true;
    return mailbox_eq(address, r->report->from);
}

/* The addresses of notice, the best stand of each; found has room for CANDIDATES_MAX. */
static size_t candidates_find(const struct reader *r, struct str notice, struct str sender,
                              struct candidate *found)
{
    enum { LOOKS_MAX = 4096 };
    size_t n = 0, at = 0;
    struct str address;
    for (size_t looks = 0; looks < LOOKS_MAX && mailbox_next(notice, &at, &address); looks++) {
        size_t i = 0;
        while (i < n && !mailbox_eq(found[i].address, address))
            i++;
        if (i == CANDIDATES_MAX || (i < n && found[i].stand == STAND_HEAD))
            continue;
        struct str line = stand_line_around(notice, (size_t)(address.p - notice.p));
        enum stand stand = stand_of(notice, line, address);
        if (stand == STAND_NONE)
            continue;
        if (stand < STAND_NAMED &&
            (is_reporter(r, address) || mailbox_eq(address, sender) || notice_is_contact(line) ||
             str_istarts(str_trim(line), STR("from"))))
            continue;
        if (i == n)
            found[n++] = (struct candidate){address, stand};
        else if (stand > found[i].stand)
            found[i].stand = stand;
    }
    return n;
}

/* End of the paragraph that begins at: a blank line that no "...:" stands before, or a line with an
 * address at its head that is not this one. */
static size_t paragraph_end(struct str text, size_t at, struct str address)
{
    bool words = false, announces = false;
    text = str_sub(text, 0, at + REASON_BYTES);
    for (size_t from = at; from < text.n;) {
        struct str line = stand_line(text, from);
        struct str other;
        size_t in_line = 0;
        if (stand_is_blank(line)) {
            if (words && !announces)
                return from;
        } else if (from > at && mailbox_next(line, &in_line, &other) &&
                   !mailbox_eq(other, address) && stand_of(text, line, other) == STAND_HEAD) {
            return from;
        } else {
            struct str bare = str_trim(line);
            words |= !stand_is_marks(line);
            announces = bare.p[bare.n - 1] == ':'; /* "because:" */
        }
        from += line.n + 1;
    }
    return text.n;
}

/* Without the lines in front that only say what follows: dashes, our side's commands. */
static struct str preamble_drop(struct str reason)
{
    static const struct str heads[] = {STR_INIT("---"), STR_INIT("... while talking"),
                                       STR_INIT("while talking"), STR_INIT(">>> ")};
    for (;;) {
        reason = str_trim(reason);
        size_t i = 0;
        while (i < sizeof(heads) / sizeof(heads[0]) && !str_istarts(reason, heads[i]))
            i++;
        size_t end = str_chr(reason, '\n', 0);
        if (i == sizeof(heads) / sizeof(heads[0]) || end == reason.n)
            return str_starts(reason, STR("<<< ")) ? str_from(reason, 4) : reason;
        reason = str_from(reason, end + 1);
    }
}

/* The reason behind the address at notice[from, to). */
static struct str reason_behind(struct str notice, size_t from, size_t to, struct str address)
{
    size_t at = to, line_from = stand_line_start(notice, from);
    while (at < notice.n && strchr(">\"')]:;, \t", notice.p[at]) && notice.p[at])
        at++;
    size_t end = paragraph_end(notice, at, address);
    /* The sentence or reply that the address stands inside of begins before it; "Recipient:" is
     * none. */
    struct str line = stand_line_around(notice, from);
    struct str before = str_trim(str_sub(notice, line_from, from));
    enum stand stand = stand_of(notice, line, str_sub(notice, from, to));
    bool label = stand == STAND_TO || (stand == STAND_NAMED && stand_ends_in_colon(before));
    if (reply_codes_find(line).reply > 0 || (stand != STAND_HEAD && !label))
        at = line_from;
    return str_sub(preamble_drop(str_sub(notice, at, end)), 0, REASON_BYTES);
}

/* The next place where the address stands. Case is folded only in short notices: this is done
 * for each recipient. */
static size_t address_find(struct str notice, struct str address, size_t from)
{
    enum { FOLDED_BYTES = 8 * 1024 };
    size_t at = str_find(notice, address, from);
    return at == notice.n && notice.n <= FOLDED_BYTES ? str_ifind(notice, address, from) : at;
}

/* The address stands in a copy of the returned message's To:, between other fields of it. */
static bool is_echo(struct str notice, size_t at)
{
    static const struct str names[] = {STR_INIT("from:"), STR_INIT("subject:"), STR_INIT("date:"),
                                       STR_INIT("sent:"), STR_INIT("message-id:")};
    size_t from = stand_line_start(notice, at);
    struct str line = stand_line(notice, from);
    if (!str_istarts(str_trim(line), STR("to:")))
        return false;
    struct str beside[] = {
        str_trim(stand_line(notice, from > 0 ? stand_line_start(notice, from - 1) : 0)),
        str_trim(stand_line(notice, from + line.n + 1))};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
            if (str_istarts(beside[i], names[k]))
                return true;
    return false;
}

struct str freeform_reason(struct str notice, struct str address)
{
    enum { LOOKS_MAX = 16 };
    struct str best = {NULL, 0};
    int best_worth = -1;
    if (address.n == 0)
        return best;
    for (size_t at = 0, n = 0; n < LOOKS_MAX && (at = address_find(notice, address, at)) < notice.n;
         n++) {
        size_t from = at;
        at += address.n;
        struct str reason = reason_behind(notice, from, at, address);
        if (reason.n == 0 || stand_is_marks(reason))
            continue;
        struct status_codes codes = reply_codes_find(reason);
        struct str line = stand_line_around(notice, from);
        bool head = stand_of(notice, line, str_sub(notice, from, at)) == STAND_HEAD;
        int worth =
            is_echo(notice, from) ? 0 : (codes.reply > 0 || codes.status.n > 0 ? 2 : 0) + head + 1;
        if (worth > best_worth) {
            best = reason;
            best_worth = worth;
        }
    }
    return best;
}

struct str freeform_coded(struct str notice)
{
    for (size_t at = 0; at < notice.n;) {
        struct str line = stand_line(notice, at);
        struct status_codes codes = reply_codes_find(line);
        if (codes.reply > 0 || codes.status.n > 0)
            return str_sub(notice, at, paragraph_end(notice, at, (struct str){NULL, 0}));
        at += line.n + 1;
    }
    return (struct str){NULL, 0};
}

/* True when text names an address that is neither this one nor the notice's own receiver. */
static bool names_another(struct reader *r, struct str text, struct str address)
{
    struct str to = mailbox_first(&r->mime->scratch, header(r, STR("To"))), other;
    for (size_t at = 0; mailbox_next(text, &at, &other);)
        if (!mailbox_eq(other, address) && !mailbox_eq(other, to))
            return true;
    return false;
}

/* The words about one recipient, and the codes in them. Without codes of its own it has the
 * notice's first, unless those are about somebody else. */
static void words_take(struct reader *r, struct report_recipient *to, struct str notice,
                       struct str reason)
{
    struct status_codes codes = reply_codes_find(reason);
    if (codes.reply == 0 && codes.status.n == 0) {
        if (!r->coded_known)
            r->coded = freeform_coded(notice);
        r->coded_known = true;
        if (r->coded.n > 0 && (reason.n == 0 || !names_another(r, r->coded, to->final_recipient)))
            reason = r->coded;
    }
    /* A long list without reasons needs the notice's beginning only: a bound. */
    enum { LIST = 8, LIST_BYTES = 512 };
    size_t room = r->report->recipients_n > LIST ? LIST_BYTES : REASON_BYTES;
    to->diagnostic = reader_text(r, reason.n > 0 ? reason : str_sub(notice, 0, room));
    codes = reply_codes_find(to->diagnostic);
    to->status = codes.status;
    to->reply_code = codes.reply;
}

/* "(expanded from: <a@b.example>)" behind the address: what the sender wrote, Sendmail. */
static struct str expanded_from(struct str notice, struct str address)
{
    /* Most are a part of the notice: no search for each of many. */
    bool inside = notice.n > 0 && address.p >= notice.p && address.p < notice.p + notice.n;
    size_t at = inside ? (size_t)(address.p - notice.p) : address_find(notice, address, 0);
    at += address.n;
    while (at < notice.n && strchr("> \t\n", notice.p[at]) && notice.p[at])
        at++;
    struct str line = stand_line(str_sub(notice, 0, at + STAND_LINE_BYTES), at), found;
    size_t in_line = 0;
    if (!str_istarts(line, STR("(expanded from:")) || !mailbox_next(line, &in_line, &found))
        return (struct str){NULL, 0};
    return found;
}

static void recipient_take(struct reader *r, struct str notice, struct str address)
{
    struct str copy = mailbox_copy(r->a, address);
    if (str_is_absent(copy) || reader_recipient_find(r, copy))
        return;
    struct report_recipient *to = reader_recipient_add(r);
    if (!to)
        return;
    to->final_recipient = copy;
    struct str reason = freeform_reason(notice, address);
    to->original_recipient = mailbox_copy(r->a, expanded_from(notice, address));
    words_take(r, to, notice, reason);
}

/* The one address of the subject that is nobody's who speaks. */
static struct str subject_recipient(struct reader *r)
{
    struct str to = mailbox_first(&r->mime->scratch, header(r, STR("To")));
    struct str found = {NULL, 0}, address;
    size_t n = 0;
    for (size_t at = 0; mailbox_next(r->report->subject, &at, &address);)
        if (!is_reporter(r, address) && !mailbox_eq(address, to)) {
            found = address;
            n++;
        }
    return n == 1 ? mailbox_copy(r->a, found) : (struct str){NULL, 0};
}

/* "... to the following recipients ...:" and a name alone on the next line: a mailbox of the one
 * who speaks, who left his domain out. */
static struct str bare_recipient(struct reader *r, struct str notice)
{
    enum { LINES_MAX = 200, NAME_BYTES = 64 };
    struct str domain = str_from(r->report->from, str_rchr(r->report->from, '@'));
    struct str rest = notice, line, none = {NULL, 0};
    bool announced = false;
    for (size_t n = 0; domain.n > 1 && n < LINES_MAX && str_line(&rest, &line); n++) {
        struct str bare = str_trim(line);
        if (bare.n == 0)
            continue;
        size_t end = 0;
        while (end < bare.n &&
               (ascii_is_alpha(bare.p[end]) || ascii_is_digit(bare.p[end]) ||
                strchr("._-+", bare.p[end])) &&
               bare.p[end])
            end++;
        if (announced && end == bare.n && end <= NAME_BYTES && ascii_is_space(line.p[0])) {
            char address[ADDRESS_MAX + 1];
            int n_address =
                snprintf(address, sizeof(address), "%.*s%.*s", STR_ARG(bare), STR_ARG(domain));
            bool fits = n_address > 0 && (size_t)n_address < sizeof(address);
            return fits ? mailbox_copy(r->a, str_of(address, (size_t)n_address)) : none;
        }
        announced = bare.p[bare.n - 1] == ':' &&
                    (announced || str_ifind(line, STR("recipient"), 0) < line.n ||
                     str_ifind(line, STR("user"), 0) < line.n);
    }
    return none;
}

/* A notice that names nobody: the words are kept; the envelope may tell whom they are about, and
 * the subject, or the returned message when it went to one only. */
static void nobody_take(struct reader *r, struct str notice)
{
    struct report_recipient *to = reader_recipient_add(r);
    if (!to)
        return;
    words_take(r, to, notice, (struct str){NULL, 0});
    to->final_recipient = subject_recipient(r);
    if (str_is_absent(to->final_recipient))
        to->final_recipient = bare_recipient(r, notice);
    if (str_is_absent(to->final_recipient)) {
        to->original_recipient = original_only_recipient(r);
        to->guessed = !str_is_absent(to->original_recipient);
    }
}

/* X-Failed-Recipients: a list (Exim, Google). */
static void failed_recipients(struct reader *r, struct str notice, struct str list)
{
    size_t at = 0;
    struct str address;
    while (!r->report->recipients_cut && mailbox_next(list, &at, &address))
        recipient_take(r, notice, address);
}

/* The addresses that stand best, in front of the others in found; their number. */
static size_t candidates_best(const struct reader *r, struct str notice, struct candidate *found)
{
    struct str sender = mailbox_first(&r->mime->scratch, header(r, STR("To")));
    size_t n = candidates_find(r, notice, sender, found), kept = 0;
    enum stand best = STAND_NONE;
    for (size_t i = 0; i < n; i++)
        if (found[i].stand > best)
            best = found[i].stand;
    for (size_t i = 0; i < n; i++)
        if (found[i].stand == best)
            found[kept++] = found[i];
    return kept;
}

static void text_recipients(struct reader *r, struct str notice)
{
    struct candidate *found = ARENA_ARRAY(&r->mime->scratch, CANDIDATES_MAX, struct candidate);
    size_t n = found ? candidates_best(r, notice, found) : 0;
    for (size_t i = 0; i < n; i++)
        recipient_take(r, notice, found[i].address);
}

struct str freeform_only_recipient(struct reader *r, struct str notice)
{
    struct candidate *found = ARENA_ARRAY(&r->mime->scratch, CANDIDATES_MAX, struct candidate);
    size_t n =
        found ? candidates_best(r, str_sub(notice, 0, original_marker(notice, NULL)), found) : 0;
    return n == 1 && found[0].stand >= STAND_REPLY ? found[0].address : (struct str){NULL, 0};
}

static bool has_returned_part(const struct reader *r)
{
    for (size_t i = 0; i < r->mime->parts_n; i++)
        if (r->mime->parts[i].in_message == MIME_TOP && r->mime->parts[i].parent != MIME_TOP &&
            (str_eq(r->mime->parts[i].type, STR("message/rfc822")) ||
             str_eq(r->mime->parts[i].type, STR("text/rfc822-headers"))))
            return true;
    return false;
}

static bool is_labelled_report(const struct reader *r)
{
    for (size_t i = 0; i < r->mime->parts_n; i++)
        if (r->mime->parts[i].in_message == MIME_TOP &&
            str_eq(r->mime->parts[i].report_type, STR("delivery-status")))
            return true;
    return false;
}

/* What speaks for a notice. */
struct evidence {
    bool mta;      /* a mail system is the sender */
    bool subject;  /* announces it */
    bool words;    /* the text says that mail was not delivered */
    bool returned; /* a returned message is there */
    bool labelled; /* its own type or header says it */
};

static bool is_notice(const struct evidence *e)
{
    if (!e->words && !e->subject && !e->labelled && !e->returned)
        return false;
    return e->labelled || (e->mta && (e->subject || e->returned || e->words)) ||
           (e->subject && e->returned && e->words);
}

bool freeform_read(struct reader *r)
{
    struct report *report = r->report;
    struct str failed = header(r, STR("X-Failed-Recipients"));
    struct evidence e = {
        .mta = notice_is_mta(header(r, STR("From")), report->from) ||
               str_eq(header(r, STR("Return-Path")), STR("<>")) ||
               !str_is_absent(header(r, STR("X-MLServer"))), /* a list server's refusal (fml) */
        .subject = notice_is_subject(report->subject),
        .labelled = failed.n > 0 || is_labelled_report(r),
    };
    /* Ordinary mail is not searched for words. */
    if (!e.mta && !e.subject && !e.labelled)
        return false;
    struct str text = reader_notice(r, NOTICE_BYTES, NULL);
    size_t marker = original_marker(text, NULL);
    struct str notice = str_sub(text, 0, marker);
    e.words = notice_is_failure(str_sub(notice, 0, WORDS_BYTES));
    e.returned = marker < text.n || has_returned_part(r);
    if (!is_notice(&e))
        return false;
    /* A report's fields may stand in its text: the MIME structure was lost on the way. */
    if (dsn_read_text(r, notice))
        return true;
    failed_recipients(r, notice, failed);
    if (report->recipients_n == 0)
        text_recipients(r, notice);
    if (report->recipients_n == 0 && dsn_read_nested(r))
        return true;
    /* One that names nobody stays a notice when the words, or what it returns,
     * and the sender say so. */
    if (report->recipients_n == 0) {
        bool said = e.words || (e.subject && e.returned);
        if (!said ||
            !((e.mta && (e.subject || e.returned)) || (e.subject && e.returned && e.words)))
            return false;
        nobody_take(r, notice);
    }
    bool delay = notice_is_delay(report->subject, str_sub(notice, 0, WORDS_BYTES));
    for (size_t i = 0; i < report->recipients_n; i++) {
        report->recipients[i].action = delay ? REPORT_ACTION_DELAYED : REPORT_ACTION_FAILED;
        if (i < COMMANDS_MAX)
            command_read(r, &report->recipients[i], notice);
    }
    report->kind = delay ? REPORT_DELAYED : REPORT_BOUNCE;
    report->reader = "freeform";
    return true;
}
