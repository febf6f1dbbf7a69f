#include "receiver/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *code, *enhanced, *text, *rfc;
} table[] = {
#define X(name, code, enhanced, text, rfc) [REPLY_##name] = {code, enhanced, text, rfc},
    REPLIES(X)
#undef X
};

/* RFC 2034 section 4: the first digit of both codes is the same; 3xx, greeting, HELO have none. */
static void test_table(void **state)
{
    (void)state;
    for (enum reply r = 0; r < REPLY_EHLO_OK; r++) {
        assert_int_equal(strlen(table[r].code), 3);
        uint32_t code;
        assert_true(str_to_u32(str_c(table[r].code), &code));
        assert_int_equal(code, reply_code(r));
        assert_true(str_starts(str_c(table[r].rfc), STR("RFC ")) ||
                    str_starts(str_c(table[r].rfc), STR("Postfix ")));
        bool plain = r == REPLY_GREETING || r == REPLY_HELO_OK || code / 100 == 3;
        assert_int_equal(plain, table[r].enhanced[0] == '\0');
        if (!plain)
            assert_int_equal(table[r].enhanced[0], table[r].code[0]);
    }
}

/* Every reply is a row of docs/smtp.md, and every row there a reply. Rows that are missing are said
 * as they have to be. */
static void test_documented(void **state)
{
    (void)state;
    static char text[64 * 1024];
    FILE *f = fopen(TEST_SOURCE_DIR "/docs/smtp.md", "rb");
    assert_non_null(f);
    struct str page = str_of(text, fread(text, 1, sizeof(text), f));
    fclose(f);
    size_t rows = 0, missing = 0;
    for (enum reply r = 0; r < REPLY_EHLO_OK; r++) {
        char row[300];
        snprintf(row, sizeof(row), "\n| %s%s%s | `%s` | %s |\n", table[r].code,
                 table[r].enhanced[0] ? " " : "", table[r].enhanced, table[r].text, table[r].rfc);
        if (str_find(page, str_c(row), 0) == page.n) {
            fprintf(stderr, "%s", row + 1);
            missing++;
        }
    }
    struct str rest = str_from(page, str_find(page, STR("\n## Replies\n"), 0)), line;
    while (str_line(&rest, &line))
        rows += line.n > 2 && str_starts(line, STR("| ")) && ascii_is_digit(line.p[2]);
    assert_int_equal(missing, 0);
    assert_int_equal(rows, REPLY_EHLO_OK);

    char room[REPLY_MAX];
    rest = reply_ehlo(STR("mx.example"), &(struct reply_offer){1, 1, true, true}, room);
    str_line(&rest, &line); /* the host name */
    while (str_line(&rest, &line)) {
        char row[100];
        struct str words = str_from(line, 4), keyword = str_cut(&words, ' ');
        snprintf(row, sizeof(row), "\n| %.*s |", STR_ARG(keyword));
        if (str_find(page, str_c(row), 0) == page.n)
            fail_msg("docs/smtp.md has no row \"%s\"", row + 1);
    }
}

static void test_wire(void **state)
{
    (void)state;
    char room[REPLY_MAX], longest[256];
    memset(longest, 'x', sizeof(longest));
    for (enum reply r = 0; r < REPLY_EHLO_OK; r++) {
        struct str wire = reply_wire(r, str_of(longest, 255), room);
        assert_true(wire.n < REPLY_MAX);
        assert_true(str_starts(wire, str_c(table[r].code)));
        assert_memory_equal(wire.p + wire.n - 2, "\r\n", 2);
        assert_int_equal(str_find(wire, STR("\r\n"), 0), wire.n - 2);
        assert_int_equal(str_find(wire, STR("{}"), 0), wire.n);
        struct str behind = str_from(wire, 4), enhanced = str_c(table[r].enhanced);
        if (enhanced.n > 0) {
            assert_true(str_starts(behind, enhanced));
            behind = str_from(behind, enhanced.n + 1);
        }
        struct str text = str_c(table[r].text);
        size_t hole = str_find(text, STR("{}"), 0);
        assert_true(str_starts(behind, str_sub(text, 0, hole)));
        if (hole == text.n)
            assert_int_equal(behind.n, text.n + 2);
        else
            assert_int_equal(behind.n, text.n - 2 + 255 + 2);
    }
    char huge[REPLY_MAX];
    memset(huge, 'y', sizeof(huge));
    assert_int_equal(reply_wire(REPLY_STORED, str_of(huge, sizeof(huge)), room).n, REPLY_MAX);
    assert_true(str_eq(reply_wire(REPLY_STORED, STR("ID"), room), STR("250 2.0.0 ID stored\r\n")));
    assert_true(str_eq(reply_wire(REPLY_HELO_OK, (struct str){0}, room), STR("250 \r\n")));
}

static void test_ehlo(void **state)
{
    (void)state;
    char room[REPLY_MAX];
    assert_true(str_eq(
        reply_ehlo(STR("mx.example"), &(struct reply_offer){10485760, 100, false, false}, room),
        STR("250-mx.example\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n"
            "250-SMTPUTF8\r\n250-CHUNKING\r\n250-LIMITS RCPTMAX=100\r\n"
            "250 ENHANCEDSTATUSCODES\r\n")));
    assert_true(
        str_eq(reply_ehlo(STR("mx.example"), &(struct reply_offer){0, 1, true, false}, room),
               STR("250-mx.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n"
                   "250-SMTPUTF8\r\n250-CHUNKING\r\n250-LIMITS RCPTMAX=1\r\n250-STARTTLS\r\n"
                   "250 ENHANCEDSTATUSCODES\r\n")));
    /* At its longest it still fits. */
    char longest[253];
    memset(longest, 'x', sizeof(longest));
    assert_true(
        str_iends(reply_ehlo(str_of(longest, sizeof(longest)),
                             &(struct reply_offer){UINT64_MAX, UINT32_MAX, true, true}, room),
                  STR("ENHANCEDSTATUSCODES\r\n")));
    assert_int_equal(reply_code(REPLY_EHLO_OK), 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_documented),
        cmocka_unit_test(test_wire),
        cmocka_unit_test(test_ehlo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
