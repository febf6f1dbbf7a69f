#include "transcript.h"

#include "base/require.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 1 << 20 };

static const struct str open_list[] = {STR_INIT("fbl")};
static const struct returnpath_domain domain_list[] = {
    {.name = STR_INIT("any.example"), .accept = RETURNPATH_ACCEPT_ANY},
    {.name = STR_INIT("rp.example"), .accept = RETURNPATH_ACCEPT_VERP},
    {.name = STR_INIT("signed.example"),
     .accept = RETURNPATH_ACCEPT_SIGNED,
     .stream = STR_INIT("main"),
     .open = open_list,
     .open_n = 1},
};
/* As in tests/fuzz/returnpath/corpus.py, which made the tokens. */
enum { TODAY = 20000 };
static const struct returnpath_key key = {.id = 'k',
                                          .secret = STR_INIT("0123456789abcdef0123456789abcdef")};
static const struct returnpath_set_config returnpath = {
    .domains = domain_list, .domains_n = 3, .keys = &key, .keys_n = 1};

/* Whose file is read or played. */
static const char *file_name = "";

static int die(const char *what, struct str detail)
{
    fprintf(stderr, "%s: %s: %.*s\n", file_name, what, STR_ARG(detail));
    exit(1);
}

static int hex(char c)
{
    c = ascii_lower(c);
    return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void unescape(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\') {
            if (++i == s.n)
                die("escape at the end", s);
            c = s.p[i];
            if (c == 'x' && i + 2 < s.n + 0 && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
                c = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
                i += 2;
            } else if (c == 'r' || c == 'n' || c == 't' || c == '0' || c == '\\') {
                c = c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : '\\';
            } else {
                die("unknown escape", s);
            }
        }
        REQUIRE(buf_add_byte(out, c) == 0);
    }
}

static int64_t number(struct str s)
{
    uint64_t value;
    bool minus = s.n > 0 && s.p[0] == '-';
    if (!str_to_u64(str_from(s, minus), &value) || value > INT32_MAX)
        die("not a number", s);
    return minus ? -(int64_t)value : (int64_t)value;
}

static void read_line(struct transcript *t, char who, struct str line)
{
    uint64_t times = 1;
    line = str_from(line, 1);
    if (line.n > 0 && line.p[0] == '*') {
        size_t end = 1;
        while (end < line.n && ascii_is_digit(line.p[end]))
            end++;
        times = (uint64_t)number(str_sub(line, 1, end));
        line = str_from(line, end);
    }
    bool crlf = str_starts(line, STR(":"));
    if (!crlf && !(who == 'C' && str_starts(line, STR("+"))))
        die("expected ':' or '+'", line);
    line = str_from(line, line.n > 1 && line.p[1] == ' ' ? 2 : 1);
    struct buf *to = who == 'C' ? &t->client : &t->expected;
    size_t from = to->n;
    for (uint64_t i = 0; i < times; i++) {
        unescape(to, line);
        REQUIRE(buf_add(to, who == 'S' ? STR("\n") : crlf ? STR("\r\n") : STR("")) == 0);
    }
    REQUIRE(t->steps_n < STEPS_MAX);
    t->steps[t->steps_n++] = (struct transcript_step){who == 'C', from, to->n};
}

static void read_directive(struct transcript *t, struct str line)
{
    struct str rest = line, name = str_cut(&rest, ' ');
    if (str_eq(name, STR("@limit"))) {
        struct str limit = str_cut(&rest, ' ');
        uint64_t value = (uint64_t)number(rest);
        if (str_eq(limit, STR("message_bytes")))
            t->config.message_bytes = value;
        else if (str_eq(limit, STR("keep_bytes")))
            t->config.keep_bytes = value;
        else if (str_eq(limit, STR("recipients")))
            t->config.recipients = (uint32_t)value;
        else if (str_eq(limit, STR("null_sender_recipients")))
            t->config.null_sender_recipients = (uint32_t)value;
        else if (str_eq(limit, STR("bad_commands")))
            t->config.bad_commands = (uint32_t)value;
        else if (str_eq(limit, STR("unknown_recipients")))
            t->config.unknown_recipients = (uint32_t)value;
        else
            die("unknown limit", limit);
    } else if (str_eq(name, STR("@store"))) {
        while (rest.n > 0 && t->stores_n < STORES_MAX)
            t->stores[t->stores_n++] = number(str_cut(&rest, ' '));
    } else if (str_eq(name, STR("@bare-newlines"))) {
        t->config.bare_newlines = true;
    } else if (str_eq(name, STR("@room"))) {
        t->room = number(rest);
    } else if (str_eq(name, STR("@stored"))) {
        t->stored = number(rest);
    } else if (str_eq(name, STR("@size"))) {
        t->size = number(rest);
    } else if (str_eq(name, STR("@from"))) {
        t->from = rest;
    } else if (str_eq(name, STR("@to"))) {
        t->to = rest;
    } else if (str_eq(name, STR("@says"))) {
        t->says = rest;
    } else if (str_eq(name, STR("@body"))) {
        unescape(&t->body_bytes, rest);
        t->body = STR("given");
    } else if (str_eq(name, STR("@truncated"))) {
        t->truncated = true;
    } else if (str_eq(name, STR("@starttls"))) {
        t->config.starttls = true;
    } else if (str_eq(name, STR("@implicit-tls"))) {
        t->implicit = true;
    } else if (str_eq(name, STR("@in-clear"))) {
        t->in_clear = true;
    } else if (str_eq(name, STR("@tls-require"))) {
        t->config.tls_require = true;
    } else if (str_eq(name, STR("@xclient"))) {
        t->config.xclient = true;
    } else if (str_eq(name, STR("@helo"))) {
        t->helo = rest;
    } else if (str_eq(name, STR("@client"))) {
        t->named = rest;
    } else if (str_eq(name, STR("@refuse-recipients"))) {
        t->recipients = number(rest);
    } else if (str_eq(name, STR("@protocol"))) {
        t->protocol = rest;
    } else if (str_eq(name, STR("@closed"))) {
        t->closed = true;
    } else {
        die("unknown directive", line);
    }
}

static void read_text(struct transcript *t, struct str text)
{
    struct str line;
    while (str_line(&text, &line)) {
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (line.p[0] == '@')
            read_directive(t, line);
        else if (line.p[0] == 'C' || line.p[0] == 'S')
            read_line(t, line.p[0], line);
        else if (str_eq(line, STR("T:")) && t->secured_at == SIZE_MAX)
            t->secured_at = t->client.n;
        else
            die("unknown line", line);
    }
    if (t->stored < 0)
        die("no @stored in it", STR(""));
}

static void outcome_init(struct outcome *o)
{
    *o = (struct outcome){0};
    buf_init(&o->replies, BYTES_MAX);
    buf_init(&o->body, BYTES_MAX);
    buf_init(&o->last, BYTES_MAX);
    buf_init(&o->envelope, BYTES_MAX);
    buf_init(&o->says, BYTES_MAX);
}

void outcome_free(struct outcome *o)
{
    buf_free(&o->replies);
    buf_free(&o->body);
    buf_free(&o->last);
    buf_free(&o->envelope);
    buf_free(&o->says);
}

static void store(const struct transcript *t, struct smtp_session *s, struct outcome *o)
{
    static struct spool_recipient list[SPOOL_RECIPIENTS_MAX];
    struct spool_envelope e;
    smtp_session_envelope(s, list, &e);
    buf_clear(&o->envelope);
    buf_clear(&o->says);
    REQUIRE(buf_fmt(&o->envelope, "%.*s ", STR_ARG(e.mail_from)) == 0);
    for (size_t i = 0; i < e.recipients_n; i++) {
        const struct spool_recipient *r = &list[i];
        REQUIRE(buf_fmt(&o->envelope, "%.*s ", STR_ARG(r->address)) == 0);
        REQUIRE(r->verified == (r->proof == RETURNPATH_VALID));
        REQUIRE(buf_fmt(&o->says, "%s/%.*s/%.*s/%u/%.*s ",
                        returnpath_proof_name((enum returnpath_proof)r->proof),
                        STR_ARG(r->recipient), STR_ARG(r->token_id), r->day,
                        STR_ARG(r->stream)) == 0);
    }
    snprintf(o->helo, sizeof(o->helo), "%.*s", STR_ARG(e.helo));
    snprintf(o->protocol, sizeof(o->protocol), "%.*s", STR_ARG(e.protocol));
    buf_clear(&o->last);
    REQUIRE(buf_add(&o->last, buf_str(&o->body)) == 0);
    buf_clear(&o->body);
    o->size = e.size;
    o->truncated = smtp_session_truncated(s);
    size_t i = (size_t)o->stored++;
    smtp_session_done(s, i < t->stores_n ? (int)t->stores[i] : 0, STR("ID"));
}

void transcript_feed(const struct transcript *t, struct smtp_session *s, struct str bytes,
                     struct outcome *o)
{
    struct smtp_event ev;
    smtp_session_feed(s, bytes);
    while (smtp_session_next(s, &ev)) {
        REQUIRE(!o->closed);
        switch (ev.kind) {
        case SMTP_EV_REPLY:
            REQUIRE(buf_add(&o->replies, ev.bytes) == 0);
            break;
        case SMTP_EV_MAIL:
            if (t->room < (int64_t)ev.size)
                smtp_session_refuse(s, REPLY_SPOOL_FULL);
            break;
        case SMTP_EV_RCPT:
            if (t->recipients >= 0 && o->recipients++ >= t->recipients)
                smtp_session_refuse(s, REPLY_ADDRESS_RECIPIENTS);
            break;
        case SMTP_EV_XCLIENT:
            snprintf(o->client, sizeof(o->client), "%.*s", STR_ARG(ev.bytes));
            break;
        case SMTP_EV_DATA:
        case SMTP_EV_DROP:
            buf_clear(&o->body);
            break;
        case SMTP_EV_BODY:
            REQUIRE(ev.bytes.n > 0 && buf_add(&o->body, ev.bytes) == 0);
            break;
        case SMTP_EV_END:
            store(t, s, o);
            break;
        case SMTP_EV_STARTTLS:
            break; /* until T: comes, the session throws away what it is fed */
        case SMTP_EV_CLOSE:
            o->closed = true;
            break;
        }
    }
    /* Whose message is stored, refused or given up must hold nothing for it. */
    REQUIRE(o->body.n == 0 || o->closed || smtp_session_has_message(s));
    struct str rest = smtp_session_rest(s);
    REQUIRE(rest.n == 0 || o->closed);
}

/* Each expected line is the front of the reply line in its place. */
void transcript_compare_replies(const struct transcript *t, size_t expected_n,
                                const struct buf *got, const char *how)
{
    struct str want = str_sub(buf_str(&t->expected), 0, expected_n), have = buf_str(got);
    while (want.n > 0 || have.n > 0) {
        struct str w = str_cut(&want, '\n'), h = str_cut(&have, '\n');
        if (h.n == 0 || h.p[h.n - 1] != '\r' || !str_starts(h, w) || w.n == 0) {
            fprintf(stderr, "%s: %s: expected \"%.*s\", got \"%.*s\"\n", file_name, how, STR_ARG(w),
                    STR_ARG(h));
            exit(1);
        }
    }
}

void transcript_compare(const struct transcript *t, const struct outcome *o, bool inside_tls,
                        const char *how)
{
    transcript_compare_replies(t, t->expected.n, &o->replies, how);
    if (o->stored != t->stored) {
        fprintf(stderr, "%s: %s: %lld messages stored, expected %lld\n", file_name, how,
                (long long)o->stored, (long long)t->stored);
        exit(1);
    }
    if (t->closed != o->closed)
        die(how, o->closed ? STR("closed the connection") : STR("did not close the connection"));
    if (t->size >= 0 && (uint64_t)t->size != o->size) {
        fprintf(stderr, "%s: %s: size %llu\n", file_name, how, (unsigned long long)o->size);
        exit(1);
    }
    if (o->stored > 0 && t->truncated != o->truncated)
        die(how, STR("truncated or not"));
    if (t->body.n > 0 && !str_eq(buf_str(&t->body_bytes), buf_str(&o->last)))
        die(how, buf_str(&o->last));
    if (t->named.n > 0 && !str_eq(t->named, str_c(o->client)))
        die(how, str_c(o->client));
    if (t->helo.n > 0 && !str_eq(t->helo, str_c(o->helo)))
        die(how, str_c(o->helo));
    /* RFC 3848, RFC 6531 section 4.3: an S behind all but "SMTP". */
    struct str protocol = str_c(o->protocol);
    if (inside_tls && !str_eq(protocol, STR("SMTP")) && o->stored > 0) {
        if (protocol.p[protocol.n - 1] != 'S')
            die(how, protocol);
        protocol.n--;
    }
    if (t->protocol.n > 0 && !str_eq(t->protocol, protocol))
        die(how, protocol);
    struct str to = buf_str(&o->envelope), from = str_cut(&to, ' ');
    if (t->from.n > 0 && !str_eq(t->from, from.n > 0 ? from : STR("<>")))
        die(how, from);
    if (t->says.n > 0 && !str_eq(t->says, str_trim(buf_str(&o->says))))
        die("the addresses say something else", buf_str(&o->says));
    if (t->to.n > 0 && !str_eq(t->to, str_trim(to)))
        die(how, to);
}

struct smtp_session *transcript_start(const struct transcript *t, bool tls, struct outcome *o)
{
    outcome_init(o);
    struct smtp_session *s = smtp_session_new(&t->config);
    REQUIRE(s);
    if (tls)
        smtp_session_secured(s);
    transcript_feed(t, s, (struct str){0}, o);
    return s;
}

struct transcript *transcript_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct transcript *t = calloc(1, sizeof(*t));
    REQUIRE(t);
    file_name = path;
    if (!f)
        die("no such file", STR(""));
    buf_init(&t->text, FILE_MAX);
    REQUIRE(buf_reserve(&t->text, FILE_MAX) == 0);
    t->text.n = fread(t->text.p, 1, FILE_MAX, f);
    fclose(f);
    t->scratch = arena_make(64 * 1024);
    struct returnpath_set *set = NULL;
    REQUIRE(returnpath_set_new(&returnpath, &set, NULL) == 0);
    REQUIRE(returnpath_reader_new(set, &t->reader) == 0);
    returnpath_set_unref(set);
    t->config = (struct smtp_config){
        .reader = t->reader,
        .today = TODAY,
        .hostname = STR("mx.example"),
        .message_bytes = 1000000,
        .keep_bytes = 100000,
        .recipients = 100,
        .bad_commands = 20,
        .scratch = &t->scratch,
    };
    t->stored = t->size = t->recipients = -1;
    t->room = INT64_MAX;
    t->secured_at = SIZE_MAX;
    buf_init(&t->client, BYTES_MAX);
    buf_init(&t->expected, BYTES_MAX);
    buf_init(&t->body_bytes, BYTES_MAX);
    read_text(t, buf_str(&t->text));
    return t;
}

void transcript_free(struct transcript *t)
{
    buf_free(&t->text);
    buf_free(&t->client);
    buf_free(&t->expected);
    buf_free(&t->body_bytes);
    returnpath_reader_free(t->reader);
    arena_free(&t->scratch);
    free(t);
}
