#include "receiver/data.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* rest: what follows the end; NULL: the end has not come. */
static const struct {
    const char *in, *content, *rest;
    bool bare;
} cases[] = {
    {"", "", NULL, false},
    {".\r\n", "", "", false},
    {".\r\nQUIT\r\n", "", "QUIT\r\n", false},
    {"a\r\n.\r\n", "a\r\n", "", false},
    {"a\r\n..\r\n.\r\n", "a\r\n.\r\n", "", false},
    {"a\r\n.b\r\n.\r\n", "a\r\nb\r\n", "", false},
    {"...\r\n.\r\n", "..\r\n", "", false},
    {".", "", NULL, false},
    {".\r", "", NULL, false},
    {"a.\r\n.\r\n", "a.\r\n", "", false},
    {"\r\n\r\n.\r\n", "\r\n\r\n", "", false},
    {"a\r\n.\r\n.\r\n", "a\r\n", ".\r\n", false},
    /* a <CR> or <LF> alone ends nothing */
    {"a\n.\n", "a\n.\n", NULL, true},
    {"a\n.\r\n", "a\n.\r\n", NULL, true},
    {"a\n.\r\n.\r\n", "a\n.\r\n", "", true},
    {"a\r\n.\n", "a\r\n\n", NULL, true},
    {"a\r\n.\r", "a\r\n", NULL, false},
    {"a\r\n.\rb", "a\r\n\rb", NULL, true},
    {"a\r\n.\r\r\n", "a\r\n\r\r\n", NULL, true},
    {"a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", "", true},
    {"a\r.\r\n", "a\r.\r\n", NULL, true},
    {"a\r.\r", "a\r.\r", NULL, true},
    {"a\r\r\n.\r\n", "a\r\r\n", "", true},
    {"\n.\r\n", "\n.\r\n", NULL, true},
    {"\r.\r\n", "\r.\r\n", NULL, true},
    {"a\r", "a\r", NULL, false},
    {"a\rb\r\n.\r\n", "a\rb\r\n", "", true},
};

static void run(struct str in, const size_t *cuts, size_t cuts_n, struct buf *content,
                struct str *ret_rest, bool *ret_ended, bool *ret_bare)
{
    struct smtp_data d;
    smtp_data_begin(&d);
    buf_clear(content);
    *ret_ended = false;
    *ret_rest = (struct str){0};
    size_t from = 0;
    for (size_t i = 0; i <= cuts_n && !*ret_ended; i++) {
        size_t to = i < cuts_n ? cuts[i] : in.n;
        struct str piece = str_sub(in, from, to), got;
        from = to;
        for (;;) {
            enum smtp_data_step step = smtp_data_next(&d, &piece, &got);
            if (step == SMTP_DATA_CONTENT) {
                assert_true(got.n > 0);
                assert_int_equal(buf_add(content, got), 0);
                continue;
            }
            *ret_ended = step == SMTP_DATA_END;
            break;
        }
        *ret_rest = *ret_ended ? str_of(piece.p, in.n - (size_t)(piece.p - in.p)) : piece;
    }
    *ret_bare = d.bare;
}

static void check(size_t i, const size_t *cuts, size_t cuts_n, struct buf *content)
{
    struct str rest;
    bool ended, bare;
    run(str_c(cases[i].in), cuts, cuts_n, content, &rest, &ended, &bare);
    if (!str_eq(buf_str(content), str_c(cases[i].content)) || ended != (cases[i].rest != NULL) ||
        (ended && !str_eq(rest, str_c(cases[i].rest))) || bare != cases[i].bare)
        fail_msg("case %zu, %zu cuts (first %zu): content \"%.*s\" ended %d bare %d", i, cuts_n,
                 cuts_n ? cuts[0] : 0, STR_ARG(buf_str(content)), ended, bare);
}

static void test_cases(void **state)
{
    (void)state;
    struct buf content;
    buf_init(&content, 1 << 16);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = strlen(cases[i].in), every[32];
        assert_true(n < 32);
        check(i, NULL, 0, &content);
        for (size_t cut = 0; cut < n; cut++) {
            every[cut] = cut;
            check(i, &cut, 1, &content);
        }
        check(i, every, n, &content);
    }
    buf_free(&content);
}

/* In chunks no dot means anything; what stands alone is found over every cut. */
static void test_chunks(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool bare, open;
    } t[] = {
        {"", false, false},
        {".\r\n", false, false},
        {"a\r\n.\r\n", false, false},
        {"a\r\n..\r\nb", false, false},
        {"a\r", false, true},
        {".\r", false, true},
        {"a\r\n\r", false, true},
        {"\n", true, false},
        {"a\n.\r\n", true, false},
        {"a\r.\r\n", true, false},
        {"a\r\n.\r\r\n", true, false},
        {"a\r\r", true, true},
        {"\r\r\n", true, false},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        for (size_t cut = 0; cut <= strlen(t[i].in); cut++) {
            struct smtp_data d;
            smtp_data_begin(&d);
            smtp_chunk_add(&d, str_sub(str_c(t[i].in), 0, cut));
            smtp_chunk_add(&d, str_from(str_c(t[i].in), cut));
            if (d.bare != t[i].bare || smtp_chunk_is_open(&d) != t[i].open)
                fail_msg("case %zu cut at %zu: bare %d", i, cut, d.bare);
        }
}

/* Content without a dot at the start of a line is one stretch, however many lines it has. */
static void test_blocks(void **state)
{
    (void)state;
    static char text[64 * 1024];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : 'x';
    struct smtp_data d;
    smtp_data_begin(&d);
    struct str in = str_of(text, sizeof(text)), got;
    assert_int_equal(smtp_data_next(&d, &in, &got), SMTP_DATA_CONTENT);
    assert_ptr_equal(got.p, text);
    assert_int_equal(got.n, sizeof(text));
    assert_int_equal(smtp_data_next(&d, &in, &got), SMTP_DATA_MORE);
    assert_false(d.bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
