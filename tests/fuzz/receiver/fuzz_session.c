/* Any bytes from a client, at once and cut by the first bytes of the input: the same replies
 * and messages, every reply whole, no event behind the close, no more kept than the limits say. */
#include "base/buf.h"
#include "base/require.h"
#include "reader.h"
#include "receiver/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1 << 20, KEEP = 300 };

static const struct returnpath_domain list[] = {
    {.name = STR_INIT("a.example"), .accept = RETURNPATH_ACCEPT_ANY},
    {.name = STR_INIT("b.example"), .accept = RETURNPATH_ACCEPT_VERP},
};

struct trace {
    struct buf events; /* all that came out in order, a body at its end */
    struct buf body;
    bool closed;
    unsigned stored, recipients;
};

static void end(struct smtp_session *s, struct trace *t)
{
    static struct spool_recipient recipients[SPOOL_RECIPIENTS_MAX];
    struct spool_envelope e;
    smtp_session_envelope(s, recipients, &e);
    REQUIRE(e.recipients_n >= 1 && e.recipients_n <= 3 && e.helo.n > 0);
    REQUIRE(t->body.n <= KEEP && t->body.n <= e.size);
    REQUIRE(buf_add(&t->events, buf_str(&t->body)) == 0);
    buf_clear(&t->body);
    REQUIRE(smtp_session_truncated(s) == (e.size > KEEP));
    for (size_t i = 0; i < e.recipients_n; i++)
        REQUIRE(recipients[i].address.n > 0 && recipients[i].domain.n > 0);
    /* Each third message is not stored. */
    smtp_session_done(s, t->stored++ % 3 == 2 ? -28 : 0, STR("ID"));
}

static void play(struct smtp_session *s, struct str bytes, struct trace *t)
{
    struct smtp_event ev;
    smtp_session_feed(s, bytes);
    while (smtp_session_next(s, &ev)) {
        REQUIRE(!t->closed);
        if (ev.kind != SMTP_EV_BODY)
            REQUIRE(buf_add_byte(&t->events, (char)('0' + ev.kind)) == 0);
        switch (ev.kind) {
        case SMTP_EV_REPLY:
            REQUIRE(ev.bytes.n > 5 && ev.bytes.n <= REPLY_MAX);
            REQUIRE(ev.bytes.p[ev.bytes.n - 1] == '\n');
            REQUIRE(buf_add(&t->events, ev.bytes) == 0);
            break;
        case SMTP_EV_BODY:
            REQUIRE(ev.bytes.n > 0 && smtp_session_has_message(s));
            REQUIRE(buf_add(&t->body, ev.bytes) == 0);
            break;
        case SMTP_EV_DROP:
            REQUIRE(!smtp_session_body_grows(s));
            buf_clear(&t->body);
            break;
        case SMTP_EV_DATA:
            buf_clear(&t->body);
            break;
        case SMTP_EV_END:
            end(s, t);
            break;
        case SMTP_EV_MAIL:
            break;
        case SMTP_EV_RCPT:
            /* Each fifth recipient comes too soon. */
            if (t->recipients++ % 5 == 4)
                smtp_session_refuse(s, REPLY_ADDRESS_RECIPIENTS);
            break;
        case SMTP_EV_XCLIENT:
            REQUIRE(buf_add(&t->events, ev.bytes) == 0);
            break;
        case SMTP_EV_STARTTLS:
            REQUIRE(!t->closed && smtp_session_phase(s) == SMTP_PHASE_TLS);
            break;
        case SMTP_EV_CLOSE:
            t->closed = true;
            break;
        }
    }
    REQUIRE(t->body.n == 0 || t->closed || smtp_session_has_message(s));
    REQUIRE(smtp_session_rest(s).n == 0 || t->closed);
}

/* A handshake that was asked for in the first half ends before the second. */
static void play_halves(const struct smtp_config *config, struct str in, size_t step,
                        struct trace *t)
{
    struct smtp_session *s = smtp_session_new(config);
    REQUIRE(s);
    play(s, (struct str){0}, t);
    for (int i = 0; i < 2; i++) {
        struct str half = i == 0 ? str_sub(in, 0, in.n / 2) : str_from(in, in.n / 2);
        for (size_t at = 0; at < half.n; at += step)
            play(s, str_sub(half, at, at + step), t);
        if (smtp_session_phase(s) == SMTP_PHASE_TLS)
            smtp_session_secured(s);
    }
    smtp_session_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > MAX / 64)
        return 0;
    struct arena scratch = arena_make(64 * 1024);
    const struct smtp_config config = {
        .reader = reader_once(list, 2),
        .hostname = STR("mx"),
        .message_bytes = 1000,
        .keep_bytes = KEEP,
        .recipients = 3,
        .starttls = data[0] & 4,
        .tls_require = data[0] & 8,
        .xclient = data[0] & 64,
        .bad_commands = data[0] & 1 ? 0 : 5,
        .unknown_recipients = data[0] & 2 ? 0 : 3,
        .null_sender_recipients = data[0] & 16 ? 2 : 0,
        .bare_newlines = data[0] & 32,
        .scratch = &scratch,
    };
    struct str in = str_of(data + 2, size - 2);
    size_t step = 1 + data[1] % 61;
    struct trace whole = {0}, cut = {0};
    buf_init(&whole.events, 64 * MAX);
    buf_init(&cut.events, 64 * MAX);
    buf_init(&whole.body, MAX);
    buf_init(&cut.body, MAX);
    play_halves(&config, in, in.n, &whole);
    play_halves(&config, in, step, &cut);
    REQUIRE(str_eq(buf_str(&whole.events), buf_str(&cut.events)));
    buf_free(&whole.events);
    buf_free(&cut.events);
    buf_free(&whole.body);
    buf_free(&cut.body);
    arena_free(&scratch);
    return 0;
}
