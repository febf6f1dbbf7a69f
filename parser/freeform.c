/* Notices without a machine-readable part, by their general shape: an address with a reason behind
 * it, words that say "not delivered", and a returned message or a mail system as the sender. */
#include "parser/mailbox.h"
#include "parser/notice.h"
#include "parser/reader.h"
#include "parser/status.h"
#include "parser/text.h"

enum {
    NOTICE_BYTES = 64 * 1024,
    WORDS_BYTES = 16 * 1024,
    REASON_BYTES = 4096,
    CANDIDATES_MAX = 1024
};

static struct str header(const struct reader *r, struct str name)
{
    return fields_get(&r->mime->header, name);
}

static struct str line_at(struct str text, size_t at)
{
    return str_sub(text, at, str_chr(text, '\n', at));
}

/* How far around an address its line is looked at: notices are hostile too. */
enum { LINE_BYTES = 300 };

/* Start of the line that at stands in, LINE_BYTES away at most. */
static size_t line_start(struct str text, size_t at)
{
    size_t from = at > LINE_BYTES ? at - LINE_BYTES : 0;
    struct str before = str_sub(text, from, at);
    size_t newline = str_rchr(before, '\n');
    return newline < before.n ? from + newline + 1 : from;
}

/* The line that at stands in, LINE_BYTES to each side. */
static struct str line_around(struct str text, size_t at)
{
    size_t from = line_start(text, at);
    return line_at(str_sub(text, 0, at + LINE_BYTES), from);
}

static bool is_blank(struct str line)
{
    return str_trim(line).n == 0;
}

/* How an address stands in its line. */
enum stand {
    STAND_NONE,
    STAND_INSIDE,   /* somewhere in a sentence */
    STAND_TO,       /* behind "To:": the returned message's, most often */
    STAND_LABELLED, /* behind "user", "address" and the like */
    STAND_REPLY,    /* inside a quoted reply or its command */
    STAND_NAMED,    /* behind "Recipient:", "could not be delivered to" and the like */
    STAND_HEAD,     /* at the line's head, alone or with its reason behind it */
};

static bool only_marks(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(" \t<>()[]\"'*-=:;,.|#>\xe2\x80\xa2", s.p[i]) || s.p[i] == '\0')
            return false;
    return true;
}

/* True when the last line with words before at announces what follows: "...:" or "----- ... -----".
 */
static bool is_announced(struct str text, size_t at)
{
    size_t end = line_start(text, at);
    struct str before = str_trim(str_sub(text, end > LINE_BYTES ? end - LINE_BYTES : 0, end));
    return before.n > 0 && (before.p[before.n - 1] == ':' || before.p[before.n - 1] == '-');
}

/* "c=US;a= ;p=Example;o=Site;dda:SMTP=": the X.400 address around one (RFC 2156). */
static bool is_x400(struct str before)
{
    return (str_istarts(before, STR("c=")) || str_istarts(before, STR("/c=")) ||
            str_istarts(before, STR("/g="))) &&
           (str_iends(before, STR("dda:")) || str_iends(before, STR("dda:smtp=")) ||
            str_iends(before, STR("rfc-822=")));
}

/* "on Mon, 5 Jan 2026": Exchange's date behind an address. */
static bool is_dated(struct str rest)
{
    static const struct str days[] = {STR_INIT("mon"), STR_INIT("tue"), STR_INIT("wed"),
                                      STR_INIT("thu"), STR_INIT("fri"), STR_INIT("sat"),
                                      STR_INIT("sun")};
    if (!str_istarts(rest, STR("on ")))
        return false;
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++)
        if (str_istarts(str_from(rest, 3), days[i]))
            return true;
    return false;
}

/* "Recipient:", "Recipient: <". */
static bool ends_in_colon(struct str s)
{
    while (s.n > 0 && strchr("< \t\"'[(", s.p[s.n - 1]) && s.p[s.n - 1])
        s.n--;
    return s.n > 0 && s.p[s.n - 1] == ':';
}

/* True when the last word of s is that one. */
static bool ends_in_word(struct str s, struct str word)
{
    return str_iends(s, word) && (s.n == word.n || !ascii_is_alpha(s.p[s.n - word.n - 1]));
}

static enum stand stand_of(struct str text, struct str line, struct str address)
{
    size_t from = (size_t)(address.p - line.p), to = from + address.n;
    struct str before = str_trim(str_sub(line, 0, from)), after = str_from(line, to);
    while (after.n > 0 && strchr(">\"')]", after.p[0]) && after.p[0])
        after = str_from(after, 1);
    bool reply = reply_codes_find(line).reply > 0;
    if (only_marks(before) || is_x400(before)) {
        struct str rest = str_trim(after);
        if (rest.n == 0 || strchr(":;,(.-|=", rest.p[0]) || reply || is_dated(rest) ||
            (after.p[0] == '\t' || str_starts(after, STR("  "))) ||
            is_announced(text, (size_t)(line.p - text.p)))
            return STAND_HEAD;
        return STAND_LABELLED;
    }
    if (ends_in_word(before, STR("from")))
        return STAND_NONE; /* the sender */
    if (reply || str_ifind(before, STR("rcpt to"), 0) < before.n)
        return STAND_REPLY;
    if (str_ieq(before, STR("to: <")) || str_ieq(before, STR("to:")))
        return STAND_TO;
    return notice_is_recipient_label(before) ? STAND_NAMED
           : notice_is_label(before)         ? STAND_LABELLED
                                             : STAND_INSIDE;
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
        struct str line = line_around(notice, (size_t)(address.p - notice.p));
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
        struct str line = line_at(text, from);
        struct str other;
        size_t in_line = 0;
        if (is_blank(line)) {
            if (words && !announces)
                return from;
        } else if (from > at && mailbox_next(line, &in_line, &other) &&
                   !mailbox_eq(other, address) && stand_of(text, line, other) == STAND_HEAD) {
            return from;
        } else {
            struct str bare = str_trim(line);
            words |= !only_marks(line);
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
    size_t at = to, line_from = line_start(notice, from);
    while (at < notice.n && strchr(">\"')]:;, \t", notice.p[at]) && notice.p[at])
        at++;
    size_t end = paragraph_end(notice, at, address);
    /* The sentence or reply that the address stands inside of begins before it; "Recipient:" is
     * none. */
    struct str line = line_around(notice, from);
    struct str before = str_trim(str_sub(notice, line_from, from));
    enum stand stand = stand_of(notice, line, str_sub(notice, from, to));
    bool label = stand == STAND_TO || (stand == STAND_NAMED && ends_in_colon(before));
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
        if (reason.n == 0 || only_marks(reason))
            continue;
        struct status_codes codes = reply_codes_find(reason);
        struct str line = line_around(notice, from);
        bool head = stand_of(notice, line, str_sub(notice, from, at)) == STAND_HEAD;
        int worth = (codes.reply > 0 || codes.status.n > 0 ? 2 : 0) + head;
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
        struct str line = line_at(notice, at);
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
    to->diagnostic = reader_text(r, reason.n > 0 ? reason : str_sub(notice, 0, REASON_BYTES));
    codes = reply_codes_find(to->diagnostic);
    to->status = codes.status;
    to->reply_code = codes.reply;
}

/* "(expanded from: <a@b.example>)" behind the address: what the sender wrote, Sendmail. */
static struct str expanded_from(struct str notice, struct str address)
{
    size_t from = address_find(notice, address, 0) + address.n, at = from;
    while (at < notice.n && strchr("> \t\n", notice.p[at]) && notice.p[at])
        at++;
    struct str line = line_at(str_sub(notice, 0, at + LINE_BYTES), at), found;
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

/* A notice that names nobody: the words are kept; the envelope may tell whom they are about, and
 * the returned message when it went to one only. */
static void nobody_take(struct reader *r, struct str notice)
{
    struct report_recipient *to = reader_recipient_add(r);
    if (!to)
        return;
    words_take(r, to, notice, (struct str){NULL, 0});
    to->original_recipient = original_only_recipient(r);
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
    for (size_t i = 0; i < report->recipients_n; i++)
        report->recipients[i].action = delay ? REPORT_ACTION_DELAYED : REPORT_ACTION_FAILED;
    report->kind = delay ? REPORT_DELAYED : REPORT_BOUNCE;
    report->reader = "freeform";
    return true;
}
