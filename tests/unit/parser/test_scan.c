#include "parser/scan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_normalise(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        {"A: b\r\n\r\nc\r\n", "A: b\n\nc\n"},
        {"A: b\n\nc\n", "A: b\n\nc\n"},
        {"A: b\r\rc\r", "A: b\n\nc\n"},
        {"A: b\r\r\nC: d\r\r\n", "A: b\nC: d\n"},
        {"A: b\rx\r\nC: d\r\n\r\n", "A: b x\nC: d\n\n"},
        {"\r\n \r\nA: b\r\n", "A: b\n"},
        {"From x@y.example Mon\nA: b\n", "A: b\n"},
        {">From x@y.example Mon\nA: b\n", "A: b\n"},
        {"From: x@y.example\n", "From: x@y.example\n"},
        {"\r", ""},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char to[200];
        size_t n = scan_normalise(str_c(t[i].in), to);
        if (!str_eq(str_of(to, n), str_c(t[i].out)))
            fail_msg("case %zu: got \"%.*s\"", i, (int)n, to);
    }
    char to[4];
    assert_int_equal(scan_normalise(str_of("a\0b", 3), to), 3);
    assert_memory_equal(to, "a b", 3);
}

static void test_blind(void **state)
{
    char text[] = "From: a\nto : b\nX-To: c\nContent-Type: d\n\nSubject: e\nTotal\n f\nReply-To: g";
    (void)state;
    scan_blind(text, sizeof(text) - 1);
    assert_string_equal(text, "Xrom: a\nXo : b\nX-To: c\nContent-Type: d\n\nXubject: e\nXotal\n f\n"
                              "Xeply-To: g");
}

/* unit, n times, behind head. */
static struct str repeat(struct arena *a, const char *head, const char *unit, size_t n)
{
    size_t head_n = strlen(head), unit_n = strlen(unit);
    char *p = arena_alloc(a, head_n + n * unit_n);
    assert_non_null(p);
    memcpy(p, head, head_n);
    for (size_t i = 0; i < n; i++)
        memcpy(p + head_n + i * unit_n, unit, unit_n);
    return str_of(p, head_n + n * unit_n);
}

static void test_limits(void **state)
{
    static const struct report_limits limits = {.recipients = 10,
                                                .depth = 4,
                                                .parts = 20,
                                                .headers = 50,
                                                .header_bytes = 1000,
                                                .text_bytes = 100};
    static const struct {
        const char *head, *unit;
        size_t within, over; /* repetitions */
    } t[] = {
        {"", "A: b\n", 50, 51},
        {"A: b\n", " folded\n", 110, 130},
        {"Content-Type: multipart/mixed; boundary=x\n\n", "--x\n\n", 19, 20},
        {"Content-Type: multipart/mixed; boundary=\"x y\"\n\n", "--x y\n\n", 19, 20},
        /* Dashes that are no boundary are text. */
        {"Content-Type: multipart/mixed; boundary=x\n\n", "--y\n", 1000, SIZE_MAX},
        {"A: b\n\n", "--x\n", 1000, SIZE_MAX},
        /* A boundary that can't be read exactly: any line may be one. */
        {"Content-Type: multipart/mixed; boundary*=us-ascii''x%41\n\n", "--xA\n", 19, 20},
        {"Content-Type: multipart/mixed; boundary*0=x; boundary*1=A\n\n", "--xA\n", 17, 20},
        {"Content-Type: multipart/mixed; boundary=\"x\\A\"\n\n", "--xA\n", 19, 20},
        {"", "Content-Type: message/rfc822\n\n", 4, 5},
        {"", "content-type : text/x; a=\"message/rfc822\"\n\n", 4, 5},
        {"", "Content-Type: multipart/x; boundary=b\n\n--b\n", 4, 5},
        {"", "Content-Type: message (x) / rfc822\n\n", 4, 5},
        {"Content-Type: multipart/digest; boundary=x\n\n", "--x\n\nA: b\n\n", 9, 10},
        /* A line that only begins with a boundary closes nothing. */
        {"", "Content-Type: multipart/x; boundary=b\n\n--bb\n--b\n", 4, 5},
    };
    (void)state;
    struct arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        if (!scan_within(repeat(&a, t[i].head, t[i].unit, t[i].within), &limits))
            fail_msg("case %zu: %zu times is over", i, t[i].within);
        if (t[i].over != SIZE_MAX &&
            scan_within(repeat(&a, t[i].head, t[i].unit, t[i].over), &limits))
            fail_msg("case %zu: %zu times is within", i, t[i].over);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalise),
        cmocka_unit_test(test_blind),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
