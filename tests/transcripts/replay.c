/* replay.c - plays one transcript against the SMTP session. Usage: replay_transcript FILE
 *
 *   # ...                 a comment; empty lines mean nothing
 *   C: bytes              the client sends bytes and <CR><LF>
 *   C+ bytes              ... without <CR><LF>
 *   C*300: bytes          ... 300 times (also C*300+)
 *   S: reply              the next reply line begins so (S*300: 300 times)
 *   @limit NAME NUMBER    message_bytes, keep_bytes, recipients, bad_commands,
 *                         unknown_recipients; before the first C
 *   @refuse-recipients NUMBER  all but that many recipients are refused: too many in this minute
 *   @xclient              the peer may use XCLIENT
 *   @helo NAME            of the last message
 *   @client ADDRESS       what XCLIENT said last
 *   T:                    the TLS handshake that STARTTLS asked for is done here
 *   @starttls             it is offered
 *   @implicit-tls         TLS from the first byte on
 *   @tls-require          no mail without TLS
 *   @protocol WORD        of the last message: SMTP, ESMTP, ESMTPS
 *   @store NUMBER...      what storing says, message by message (-28 is -ENOSPC); then 0
 *   @refuse-mail          each MAIL is refused: no room
 *   @stored NUMBER        that many messages were given to be stored; must stand in each file
 *   @from ADDRESS         reverse-path of the last one ("<>": null)
 *   @to ADDRESS...        recipients of the last one
 *   @size NUMBER          its size
 *   @truncated            only its front was kept
 *   @body bytes           its content
 *   @closed               the session closed the connection
 *
 * Escapes in bytes: \r \n \t \0 \\ \xHH. Played line by line, when each S must come at its place,
 * then byte by byte, all at once, and cut in two at every byte: always the same replies. */
#include "base/buf.h"
#include "base/require.h"
#include "receiver/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 1 << 20, BYTES_MAX = 1 << 20, STEPS_MAX = 4096, STORES_MAX = 16 };

struct step {
    bool is_client;
    size_t from, to; /* in client or expected */
};

struct transcript {
    struct smtp_config config;
    struct buf client, expected; /* expected: lines ended by \n */
    struct step steps[STEPS_MAX];
    size_t steps_n;
    int64_t stores[STORES_MAX];
    size_t stores_n;
    bool refuse_mail, truncated, closed, implicit;
    size_t secured_at;                /* in client; SIZE_MAX: never */
    int64_t stored, size, recipients; /* -1: not said */
    struct str from, to, body, protocol, named, helo;
    struct buf body_bytes;
};

struct outcome {
    struct buf replies; /* lines ended by \r\n */
    struct buf body, last;
    struct buf envelope; /* from, then recipients, each with a space behind it */
    int64_t stored;
    uint64_t size;
    bool truncated, closed, secured;
    int64_t recipients;
    char protocol[16], client[64], helo[256];
};

static const struct returnpath_domain domain_list[] = {
    {.name = STR_INIT("any.example"), .accept = RETURNPATH_ACCEPT_ANY},
    {.name = STR_INIT("rp.example"), .accept = RETURNPATH_ACCEPT_VERP},
};
static const struct returnpath_domains domains = {domain_list, 2};

static int die(const char *what, struct str detail)
{
    fprintf(stderr, "%s: %.*s\n", what, STR_ARG(detail));
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
    t->steps[t->steps_n++] = (struct step){who == 'C', from, to->n};
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
        else if (str_eq(limit, STR("bad_commands")))
            t->config.bad_commands = (uint32_t)value;
        else if (str_eq(limit, STR("unknown_recipients")))
            t->config.unknown_recipients = (uint32_t)value;
        else
            die("unknown limit", limit);
    } else if (str_eq(name, STR("@store"))) {
        while (rest.n > 0 && t->stores_n < STORES_MAX)
            t->stores[t->stores_n++] = number(str_cut(&rest, ' '));
    } else if (str_eq(name, STR("@refuse-mail"))) {
        t->refuse_mail = true;
    } else if (str_eq(name, STR("@stored"))) {
        t->stored = number(rest);
    } else if (str_eq(name, STR("@size"))) {
        t->size = number(rest);
    } else if (str_eq(name, STR("@from"))) {
        t->from = rest;
    } else if (str_eq(name, STR("@to"))) {
        t->to = rest;
    } else if (str_eq(name, STR("@body"))) {
        unescape(&t->body_bytes, rest);
        t->body = STR("given");
    } else if (str_eq(name, STR("@truncated"))) {
        t->truncated = true;
    } else if (str_eq(name, STR("@starttls"))) {
        t->config.starttls = true;
    } else if (str_eq(name, STR("@implicit-tls"))) {
        t->implicit = true;
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

static void read_transcript(struct transcript *t, struct str text)
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
}

static void outcome_free(struct outcome *o)
{
    buf_free(&o->replies);
    buf_free(&o->body);
    buf_free(&o->last);
    buf_free(&o->envelope);
}

static void store(const struct transcript *t, struct smtp_session *s, struct outcome *o)
{
    static struct spool_recipient list[SPOOL_RECIPIENTS_MAX];
    struct spool_envelope e;
    smtp_session_envelope(s, list, &e);
    buf_clear(&o->envelope);
    REQUIRE(buf_fmt(&o->envelope, "%.*s ", STR_ARG(e.mail_from)) == 0);
    for (size_t i = 0; i < e.recipients_n; i++)
        REQUIRE(buf_fmt(&o->envelope, "%.*s ", STR_ARG(list[i].address)) == 0);
    snprintf(o->helo, sizeof(o->helo), "%.*s", STR_ARG(e.helo));
    snprintf(o->protocol, sizeof(o->protocol), "%.*s", STR_ARG(e.protocol));
    buf_clear(&o->last);
    REQUIRE(buf_add(&o->last, buf_str(&o->body)) == 0);
    o->size = e.size;
    o->truncated = smtp_session_truncated(s);
    size_t i = (size_t)o->stored++;
    smtp_session_done(s, i < t->stores_n ? (int)t->stores[i] : 0, STR("ID"));
}

/* Does what the session says until all bytes are used. */
static void play(const struct transcript *t, struct smtp_session *s, struct str bytes,
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
            if (t->refuse_mail)
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
    struct str rest = smtp_session_rest(s);
    REQUIRE(rest.n == 0 || o->closed);
}

/* Plays these bytes of the client, and the end of the handshake where it stands among them. */
static void play_range(const struct transcript *t, struct smtp_session *s, size_t from, size_t to,
                       struct outcome *o)
{
    struct str bytes = buf_str(&t->client);
    if (!o->secured && t->secured_at >= from && t->secured_at < to) {
        play(t, s, str_sub(bytes, from, t->secured_at), o);
        if (smtp_session_phase(s) != SMTP_PHASE_TLS)
            die("T: without STARTTLS", STR(""));
        smtp_session_secured(s);
        o->secured = true;
        from = t->secured_at;
    }
    /* A copy of its own lets ASan see a session that keeps a pointer to what was fed. */
    char *copy = malloc(to - from + 1);
    REQUIRE(copy);
    if (to > from)
        memcpy(copy, bytes.p + from, to - from);
    play(t, s, str_of(copy, to - from), o);
    free(copy);
}

/* Each expected line is the front of the reply line in its place. */
static void compare_replies(const struct buf *expected, size_t expected_n, const struct buf *got,
                            const char *how)
{
    struct str want = str_sub(buf_str(expected), 0, expected_n), have = buf_str(got);
    while (want.n > 0 || have.n > 0) {
        struct str w = str_cut(&want, '\n'), h = str_cut(&have, '\n');
        if (h.n == 0 || h.p[h.n - 1] != '\r' || !str_starts(h, w) || w.n == 0) {
            fprintf(stderr, "%s: expected \"%.*s\", got \"%.*s\"\n", how, STR_ARG(w), STR_ARG(h));
            exit(1);
        }
    }
}

static void compare(const struct transcript *t, const struct outcome *o, const char *how)
{
    compare_replies(&t->expected, t->expected.n, &o->replies, how);
    if (o->stored != t->stored) {
        fprintf(stderr, "%s: %lld messages stored, expected %lld\n", how, (long long)o->stored,
                (long long)t->stored);
        exit(1);
    }
    if (t->closed != o->closed)
        die(how, o->closed ? STR("closed the connection") : STR("did not close the connection"));
    if (t->size >= 0 && (uint64_t)t->size != o->size) {
        fprintf(stderr, "%s: size %llu\n", how, (unsigned long long)o->size);
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
    if (t->protocol.n > 0 && !str_eq(t->protocol, str_c(o->protocol)))
        die(how, str_c(o->protocol));
    struct str to = buf_str(&o->envelope), from = str_cut(&to, ' ');
    if (t->from.n > 0 && !str_eq(t->from, from.n > 0 ? from : STR("<>")))
        die(how, from);
    if (t->to.n > 0 && !str_eq(t->to, str_trim(to)))
        die(how, to);
}

static struct smtp_session *session_start(const struct transcript *t, struct outcome *o)
{
    outcome_init(o);
    struct smtp_session *s = smtp_session_new(&t->config);
    REQUIRE(s);
    if (t->implicit)
        smtp_session_secured(s);
    play(t, s, (struct str){0}, o);
    return s;
}

static void play_lines(const struct transcript *t)
{
    struct outcome o;
    struct smtp_session *s = session_start(t, &o);
    for (size_t i = 0; i < t->steps_n; i++) {
        const struct step *step = &t->steps[i];
        if (step->is_client)
            play_range(t, s, step->from, step->to, &o);
        else if (i + 1 == t->steps_n || t->steps[i + 1].is_client)
            compare_replies(&t->expected, step->to, &o.replies, "line by line");
    }
    compare(t, &o, "line by line");
    smtp_session_free(s);
    outcome_free(&o);
}

static void play_bytes(const struct transcript *t)
{
    struct outcome o;
    struct smtp_session *s = session_start(t, &o);
    for (size_t i = 0; i < t->client.n; i++)
        play_range(t, s, i, i + 1, &o);
    compare(t, &o, "byte by byte");
    smtp_session_free(s);
    outcome_free(&o);
}

static void play_cut(const struct transcript *t, size_t at)
{
    struct outcome o;
    struct smtp_session *s = session_start(t, &o);
    play_range(t, s, 0, at, &o);
    play_range(t, s, at, t->client.n, &o);
    char how[64];
    snprintf(how, sizeof(how), "cut at byte %zu", at);
    compare(t, &o, how);
    smtp_session_free(s);
    outcome_free(&o);
}

int main(int argc, char **argv)
{
    static struct transcript t;
    static char text[FILE_MAX];
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f) {
        fprintf(stderr, "usage: %s FILE\n", argv[0]);
        return 2;
    }
    size_t n = fread(text, 1, sizeof(text), f);
    fclose(f);
    struct arena scratch = arena_make(64 * 1024);
    t.config = (struct smtp_config){
        .domains = &domains,
        .hostname = STR("mx.example"),
        .message_bytes = 1000000,
        .keep_bytes = 100000,
        .recipients = 100,
        .bad_commands = 20,
        .scratch = &scratch,
    };
    t.stored = t.size = t.recipients = -1;
    t.secured_at = SIZE_MAX;
    buf_init(&t.client, BYTES_MAX);
    buf_init(&t.expected, BYTES_MAX);
    buf_init(&t.body_bytes, BYTES_MAX);
    read_transcript(&t, str_of(text, n));
    play_lines(&t);
    play_bytes(&t);
    /* Every cut of a short transcript; of a long one a few hundred, spread over it. */
    size_t stride = t.client.n / 4000 + 1;
    for (size_t at = 0; at <= t.client.n; at += stride)
        play_cut(&t, at);
    buf_free(&t.client);
    buf_free(&t.expected);
    buf_free(&t.body_bytes);
    arena_free(&scratch);
    return 0;
}
