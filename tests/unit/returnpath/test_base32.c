#include "returnpath/base32.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* RFC 4648 section 10, where five octets or a multiple are encoded. */
static void test_encode(void **state)
{
    (void)state;
    static const struct {
        const char *octets, *text;
    } t[] = {{"", ""}, {"fooba", "mzxw6ytb"}, {"foobafooba", "mzxw6ytbmzxw6ytb"}};
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char got[32];
        size_t n = strlen(t[i].octets);
        base32_encode((const unsigned char *)t[i].octets, n, got);
        assert_memory_equal(got, t[i].text, n / 5 * 8);
    }
    char zeros[8], ones[8];
    base32_encode((const unsigned char[5]){0}, 5, zeros);
    base32_encode((const unsigned char[5]){255, 255, 255, 255, 255}, 5, ones);
    assert_memory_equal(zeros, "aaaaaaaa", 8);
    assert_memory_equal(ones, "77777777", 8);
}

static void test_alphabet(void **state)
{
    (void)state;
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    int known = 0;
    for (int c = 0; c < 256; c++)
        known += base32_value((char)c) >= 0;
    assert_int_equal(known, 32 + 26); /* letters in both cases */
    for (int i = 0; i < 32; i++)
        assert_int_equal(base32_value(alphabet[i]), i);
    assert_int_equal(base32_value('Z'), 25);
    assert_true(base32_is(STR("aZ27")) && base32_is(STR("")));
    assert_false(base32_is(STR("a1")) || base32_is(STR("a8")) || base32_is(STR("a=")));
}

static void test_numbers(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 32768; n++) {
        char text[3];
        base32_number(n, 3, text);
        assert_int_equal(base32_to_number(str_of(text, 3)), (int32_t)n);
    }
    assert_int_equal(base32_to_number(STR("aab")), 1);
    assert_int_equal(base32_to_number(STR("BAA")), 1024);
    assert_int_equal(base32_to_number(STR("a1b")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_alphabet),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
