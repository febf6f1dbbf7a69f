/* Any content, in one piece and cut in three by its first two bytes: the same result, and the same
 * as a byte-wise reading of RFC 5321 section 4.5.2; then as chunks, where no dot counts. */
#include "base/buf.h"
#include "base/require.h"
#include "receiver/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1 << 20 };

struct result {
    struct buf content;
    bool ended, bare;
    size_t rest;
};

static void feed(struct smtp_data *d, struct str piece, struct result *r)
{
    struct str got;
    enum smtp_data_step step;
    if (r->ended) {
        r->rest += piece.n;
        return;
    }
    while ((step = smtp_data_next(d, &piece, &got)) == SMTP_DATA_CONTENT) {
        REQUIRE(got.n > 0);
        REQUIRE(buf_add(&r->content, got) == 0);
    }
    r->ended = step == SMTP_DATA_END;
    r->rest = piece.n;
    r->bare = d->bare;
}

/* The slow reading: looks at the three or four bytes around each place. */
static void reference(struct str in, struct result *r)
{
    for (size_t i = 0; i < in.n; i++) {
        bool start = i == 0 || (i >= 2 && in.p[i - 2] == '\r' && in.p[i - 1] == '\n');
        if (start && in.p[i] == '.') {
            if (i + 2 < in.n && in.p[i + 1] == '\r' && in.p[i + 2] == '\n') {
                r->ended = true;
                r->rest = in.n - i - 3;
                return;
            }
            /* Not known yet whether it ends here. */
            if (i + 1 == in.n || (i + 2 == in.n && in.p[i + 1] == '\r'))
                return;
            continue;
        }
        bool lf = in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r');
        bool cr = in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] != '\n';
        r->bare |= lf || cr;
        REQUIRE(buf_add_byte(&r->content, in.p[i]) == 0);
    }
}

static void chunks(struct str in, size_t one, size_t two)
{
    struct smtp_data d;
    smtp_data_begin(&d);
    smtp_chunk_add(&d, str_sub(in, 0, one));
    smtp_chunk_add(&d, str_sub(in, one, two));
    smtp_chunk_add(&d, str_from(in, two));
    bool bare = false;
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] == '\n')
            bare |= i == 0 || in.p[i - 1] != '\r';
        else
            bare |= i > 0 && in.p[i - 1] == '\r';
    REQUIRE(d.bare == bare);
    REQUIRE(smtp_chunk_is_open(&d) == (in.n > 0 && in.p[in.n - 1] == '\r'));
}

static void same(const struct result *a, const struct result *b)
{
    REQUIRE(a->ended == b->ended && a->bare == b->bare && a->rest == b->rest);
    REQUIRE(str_eq(buf_str(&a->content), buf_str(&b->content)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > MAX)
        return 0;
    struct str in = str_of(data + 2, size - 2);
    size_t one = in.n ? data[0] % (in.n + 1) : 0, two = in.n ? data[1] % (in.n + 1) : 0;
    if (one > two) {
        size_t swap = one;
        one = two;
        two = swap;
    }
    struct result whole = {0}, cut = {0}, slow = {0};
    buf_init(&whole.content, MAX);
    buf_init(&cut.content, MAX);
    buf_init(&slow.content, MAX);
    struct smtp_data d;
    smtp_data_begin(&d);
    feed(&d, in, &whole);
    smtp_data_begin(&d);
    feed(&d, str_sub(in, 0, one), &cut);
    feed(&d, str_sub(in, one, two), &cut);
    feed(&d, str_from(in, two), &cut);
    reference(in, &slow);
    same(&whole, &cut);
    same(&whole, &slow);
    chunks(in, one, two);
    buf_free(&whole.content);
    buf_free(&cut.content);
    buf_free(&slow.content);
    return 0;
}
