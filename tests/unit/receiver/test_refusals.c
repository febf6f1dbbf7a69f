#include "receiver/network.h"
#include "receiver/refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

struct told {
    char text[256];
};

static void each(void *ctx, const char *address, uint64_t refusals)
{
    struct told *t = ctx;
    size_t n = strlen(t->text);
    snprintf(t->text + n, sizeof(t->text) - n, "%s %llu;", address ? address : "others",
             (unsigned long long)refusals);
}

static bool note(struct refusals *r, const char *address, int64_t minute)
{
    struct sockaddr_storage a;
    assert_true(network_address(address, 0, &a));
    return refusals_note(r, &a, address, minute);
}

static const char *tell(struct refusals *r, int64_t minute, struct told *t)
{
    t->text[0] = '\0';
    refusals_tell(r, minute, each, t);
    return t->text;
}

static void test_first_of_a_minute(void **state)
{
    (void)state;
    struct refusals *r;
    struct told t;
    assert_int_equal(refusals_new(64, &r), 0);
    assert_string_equal(tell(r, 1, &t), "");
    assert_true(note(r, "192.0.2.1", 1));
    assert_false(note(r, "192.0.2.1", 1));
    assert_false(note(r, "192.0.2.1", 1));
    assert_true(note(r, "192.0.2.2", 1));
    /* One customer's /64 is one client. */
    assert_true(note(r, "2001:db8::1", 1));
    assert_false(note(r, "2001:db8::2", 1));
    assert_true(note(r, "2001:db8:0:1::1", 1));
    /* Told once, when the minute is over. */
    assert_string_equal(tell(r, 1, &t), "");
    const char *text = tell(r, 2, &t);
    assert_non_null(strstr(text, "192.0.2.1 2;"));
    assert_non_null(strstr(text, "2001:db8::1 1;"));
    assert_null(strstr(text, "192.0.2.2"));
    assert_string_equal(tell(r, 2, &t), "");
    assert_true(note(r, "192.0.2.1", 2));
    /* What a minute has left over is not lost in the next one. */
    assert_false(note(r, "192.0.2.1", 2));
    assert_true(note(r, "192.0.2.1", 3));
    assert_string_equal(tell(r, 3, &t), "192.0.2.1 1;");
    refusals_free(r);
    refusals_free(NULL);
}

static void test_full(void **state)
{
    (void)state;
    struct refusals *r;
    struct told t;
    char address[32];
    unsigned logged = 0;
    assert_int_equal(refusals_new(8, &r), 0);
    assert_string_equal(tell(r, 1, &t), "");
    for (int i = 1; i <= 20; i++) {
        snprintf(address, sizeof(address), "192.0.2.%d", i);
        logged += note(r, address, 1);
    }
    assert_int_equal(logged, 8);
    assert_string_equal(tell(r, 2, &t), "others 12;");
    /* Places of minutes that are over are free. */
    assert_true(note(r, "198.51.100.1", 2));
    refusals_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_first_of_a_minute),
                                       cmocka_unit_test(test_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
