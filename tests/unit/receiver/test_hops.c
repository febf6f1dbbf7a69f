#include "receiver/hops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

static void test_counts(void **state)
{
    (void)state;
    static const struct {
        struct str content;
        uint32_t n;
    } t[] = {
        {STR_INIT(""), 0},
        {STR_INIT("Received: x\r\n"), 1},
        {STR_INIT("received:"), 1},
        {STR_INIT("Received"), 0},
        {STR_INIT("Received : x\r\n"), 0},
        {STR_INIT(" Received: x\r\n"), 0},
        {STR_INIT("X-Received: x\r\nRECEIVED: y\r\n"), 1},
        {STR_INIT("Received: x\r\n\tReceived: folded\r\nReceived: y\r\n"), 2},
        {STR_INIT("Received: x\r\n\r\nReceived: body\r\n"), 1},
        {STR_INIT("\r\nReceived: body\r\n"), 0},
        {STR_INIT("\nReceived: body\r\n"), 0},
        {STR_INIT("\rReceived: behind a bare CR\r\nReceived: x\r\n"), 1},
        {STR_INIT("\r\rReceived: x\r\nReceived: x\r\n"), 1},
        {STR_INIT("Rec\r\neived: x\r\nReceived: y"), 1},
        {STR_INIT("Received\0: x\r\nReceived:\0"), 1},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        for (size_t cut = 0; cut <= t[i].content.n; cut++) {
            struct hops h = {0}, bytes = {0};
            hops_add(&h, str_sub(t[i].content, 0, cut));
            hops_add(&h, str_from(t[i].content, cut));
            assert_int_equal(h.n, t[i].n);
            for (size_t at = 0; at < t[i].content.n; at++)
                hops_add(&bytes, str_sub(t[i].content, at, at + 1));
            assert_int_equal(bytes.n, t[i].n);
        }
    }
}

static void test_loop(void **state)
{
    (void)state;
    struct hops h = {0};
    for (int i = 0; i < HOPS_MAX; i++)
        hops_add(&h, STR("Received: x\r\n"));
    assert_false(hops_is_loop(&h));
    hops_add(&h, STR("Received: x\r\n"));
    assert_true(hops_is_loop(&h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
