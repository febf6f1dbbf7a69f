/* Any message, by DATA with its dots stuffed and by BDAT in chunks that its first bytes size:
 * stored by both with the same octets, or by none. */
#include "base/buf.h"
#include "base/require.h"
#include "reader.h"
#include "receiver/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1 << 14, BYTES_MAX = 64 * MAX, KEEP = 1500 };

static const struct returnpath_domain list[] = {
    {.name = STR_INIT("a.example"), .accept = RETURNPATH_ACCEPT_ANY},
};

struct result {
    struct buf body;
    bool stored, truncated;
    uint64_t size;
};

static void end(struct smtp_session *s, struct result *r)
{
    static struct spool_recipient recipients[SPOOL_RECIPIENTS_MAX];
    struct spool_envelope e;
    REQUIRE(!r->stored);
    smtp_session_envelope(s, recipients, &e);
    r->stored = true;
    r->truncated = smtp_session_truncated(s);
    r->size = e.size;
    smtp_session_done(s, 0, STR("ID"));
}

static void play(const struct smtp_config *config, struct str bytes, struct result *r)
{
    struct smtp_session *s = smtp_session_new(config);
    struct smtp_event ev;
    REQUIRE(s);
    smtp_session_feed(s, bytes);
    while (smtp_session_next(s, &ev)) {
        if (ev.kind == SMTP_EV_BODY)
            REQUIRE(buf_add(&r->body, ev.bytes) == 0);
        else if (ev.kind == SMTP_EV_DATA || ev.kind == SMTP_EV_DROP)
            buf_clear(&r->body);
        else if (ev.kind == SMTP_EV_END)
            end(s, r);
        else
            REQUIRE(ev.kind == SMTP_EV_REPLY || ev.kind == SMTP_EV_MAIL || ev.kind == SMTP_EV_RCPT);
    }
    REQUIRE(smtp_session_phase(s) == SMTP_PHASE_COMMAND && smtp_session_rest(s).n == 0);
    smtp_session_free(s);
}

static void begin(struct buf *bytes)
{
    buf_init(bytes, BYTES_MAX);
    REQUIRE(buf_add(bytes, STR("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@a.example>\r\n")) == 0);
}

static void by_data(const struct smtp_config *config, struct str in, struct result *r)
{
    struct buf bytes;
    begin(&bytes);
    REQUIRE(buf_add(&bytes, STR("DATA\r\n")) == 0);
    for (size_t i = 0; i < in.n; i++) {
        bool start = i == 0 || (i >= 2 && in.p[i - 2] == '\r' && in.p[i - 1] == '\n');
        if (start && in.p[i] == '.')
            REQUIRE(buf_add_byte(&bytes, '.') == 0);
        REQUIRE(buf_add_byte(&bytes, in.p[i]) == 0);
    }
    REQUIRE(buf_add(&bytes, STR(".\r\n")) == 0);
    play(config, buf_str(&bytes), r);
    buf_free(&bytes);
}

static void by_chunks(const struct smtp_config *config, struct str in, const uint8_t sizes[4],
                      struct result *r)
{
    struct buf bytes;
    begin(&bytes);
    for (unsigned i = 0; in.n > 0; i++) {
        struct str piece = str_sub(in, 0, 1 + sizes[i % 4] + (size_t)sizes[(i + 1) % 4] % 4 * 300);
        in = str_from(in, piece.n);
        REQUIRE(buf_fmt(&bytes, "BDAT %zu\r\n", piece.n) == 0);
        REQUIRE(buf_add(&bytes, piece) == 0);
    }
    REQUIRE(buf_add(&bytes, STR("BDAT 0 LAST\r\n")) == 0);
    play(config, buf_str(&bytes), r);
    buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5 || size > MAX)
        return 0;
    struct arena scratch = arena_make(64 * 1024);
    const struct smtp_config config = {
        .reader = reader_once(list, 1),
        .hostname = STR("mx"),
        .message_bytes = 2000,
        .keep_bytes = KEEP,
        .recipients = 1,
        .bare_newlines = data[0] & 1,
        .scratch = &scratch,
    };
    struct buf in;
    buf_init(&in, MAX + 2);
    REQUIRE(buf_add(&in, str_of(data + 5, size - 5)) == 0);
    if (in.n > 0 && (in.n < 2 || in.p[in.n - 2] != '\r' || in.p[in.n - 1] != '\n'))
        REQUIRE(buf_add(&in, STR("\r\n")) == 0);
    struct result a = {0}, b = {0};
    buf_init(&a.body, MAX);
    buf_init(&b.body, MAX);
    by_data(&config, buf_str(&in), &a);
    by_chunks(&config, buf_str(&in), data + 1, &b);
    REQUIRE(a.stored == b.stored && a.size == b.size && a.truncated == b.truncated);
    REQUIRE(!a.stored || str_eq(buf_str(&a.body), buf_str(&b.body)));
    buf_free(&a.body);
    buf_free(&b.body);
    buf_free(&in);
    arena_free(&scratch);
    return 0;
}
