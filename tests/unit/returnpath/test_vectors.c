/* tests/golden/token-vectors.json, which every implementation is held to: each vector is one line.
 */
#include "base/clock.h"
#include "returnpath/returnpath.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;
static struct returnpath_reader *reader;
static char *text;
static size_t text_n;

static int hex(char c)
{
    return ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;
}

/* The value of a key in a line; absent: null, or no such key. Of escapes those that stand there:
 * \" and \uNNNN below U+0100. */
static struct str value(struct str line, const char *key)
{
    struct str mark = arena_fmt(&arena, "\"%s\": \"", key);
    size_t at = str_find(line, mark, 0);
    if (at == line.n)
        return (struct str){NULL, 0};
    char *out = arena_alloc(&arena, line.n + 1);
    size_t n = 0;
    assert_non_null(out);
    for (at += mark.n; at < line.n && line.p[at] != '"'; at++) {
        if (line.p[at] != '\\') {
            out[n++] = line.p[at];
        } else if (line.p[++at] == 'u') {
            unsigned c = (unsigned)(hex(line.p[at + 3]) << 4 | hex(line.p[at + 4]));
            out[n++] = (char)(0xc0 | c >> 6);
            out[n++] = (char)(0x80 | (c & 0x3f));
            at += 4;
        } else {
            out[n++] = line.p[at];
        }
    }
    return str_of(out, n);
}

static uint32_t day_of(struct str line, const char *key)
{
    uint32_t day;
    assert_true(clock_day_read(value(line, key), &day));
    return day;
}

/* The next vector of a section; false behind its last. */
static bool next(struct str *rest, struct str *ret)
{
    return str_line(rest, ret) && str_starts(*ret, STR("    {"));
}

static struct str section(const char *name)
{
    struct str mark = arena_fmt(&arena, "  \"%s\": [\n", name);
    size_t at = str_find(str_of(text, text_n), mark, 0);
    assert_true(at < text_n);
    return str_from(str_of(text, text_n), at + mark.n);
}

static int setup(void **state)
{
    (void)state;
    static const struct returnpath_domain domains[] = {
        {.name = STR_INIT("bounces.example.com"), .accept = RETURNPATH_ACCEPT_ANY},
        {.name = STR_INIT("b.example.net"), .accept = RETURNPATH_ACCEPT_ANY},
    };
    struct returnpath_key keys[RETURNPATH_KEYS_MAX];
    struct returnpath_set_config config = {
        .domains = domains, .domains_n = 2, .keys = keys, .keys_n = 0};
    struct returnpath_set *set;
    struct str line;
    struct err e;
    arena = arena_make(16 << 20);
    FILE *in = fopen(TEST_SOURCE_DIR "/tests/golden/token-vectors.json", "r");
    assert_non_null(in);
    text = malloc(1 << 20);
    assert_non_null(text);
    text_n = fread(text, 1, 1 << 20, in);
    fclose(in);
    for (struct str rest = section("keys"); next(&rest, &line); config.keys_n++) {
        struct str digits = value(line, "hex");
        char *secret = arena_alloc(&arena, digits.n / 2);
        for (size_t i = 0; i < digits.n / 2; i++)
            secret[i] = (char)(hex(digits.p[2 * i]) << 4 | hex(digits.p[2 * i + 1]));
        bool ends = !str_is_absent(value(line, "until"));
        keys[config.keys_n] = (struct returnpath_key){
            *value(line, "id").p, str_of(secret, digits.n / 2), ends ? day_of(line, "until") : 0};
    }
    assert_int_equal(returnpath_set_new(&config, &set, &e), 0);
    assert_int_equal(returnpath_reader_new(set, &reader), 0);
    returnpath_set_unref(set);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    returnpath_reader_free(reader);
    arena_free(&arena);
    free(text);
    return 0;
}

static void test_mint(void **state)
{
    (void)state;
    struct str line;
    size_t n = 0;
    for (struct str rest = section("mint"); next(&rest, &line); n++) {
        char purpose = *value(line, "purpose").p;
        struct returnpath_mint mint = {.kind = purpose == 'b'   ? RETURNPATH_BOUNCE
                                               : purpose == 'c' ? RETURNPATH_COMPLAINT
                                                                : RETURNPATH_UNSUBSCRIBE,
                                       .domain = value(line, "domain"),
                                       .recipient = value(line, "recipient"),
                                       .token_id = value(line, "id"),
                                       .stream = value(line, "stream"),
                                       .day = day_of(line, "day"),
                                       .key_id = *value(line, "key").p};
        struct str want = value(line, "address"), got = {NULL, 0};
        struct err e = {0};
        int rc = returnpath_mint(reader, &arena, &mint, &got, &e);
        if ((rc < 0) != str_is_absent(want) || !str_eq(got, want))
            fail_msg("%.*s: %.*s %s", STR_ARG(line), STR_ARG(got), e.text);
    }
    assert_true(n > 30);
}

static void test_read(void **state)
{
    (void)state;
    struct str line;
    size_t n = 0;
    for (struct str rest = section("read"); next(&rest, &line); n++) {
        struct returnpath got = {.kind = RETURNPATH_BOUNCE};
        int rc =
            returnpath_read(reader, &arena, value(line, "address"), day_of(line, "today"), &got);
        struct str want = value(line, "proof");
        if (rc < 0 || !str_eq(str_c(returnpath_proof_name(got.proof)), want) ||
            got.verified != str_eq(want, STR("valid")) ||
            !str_eq(got.recipient, value(line, "recipient")) ||
            !str_eq(got.token_id, value(line, "id")))
            fail_msg("%.*s: %d, %s, %.*s", STR_ARG(line), rc, returnpath_proof_name(got.proof),
                     STR_ARG(got.recipient));
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mint),
        cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
