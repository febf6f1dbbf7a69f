#include "receiver/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

static struct network network(const char *text)
{
    struct network n;
    if (!network_parse(str_c(text), &n))
        fail_msg("no network: %s", text);
    return n;
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage a;
    if (!network_address(text, 25, &a))
        fail_msg("no address: %s", text);
    return a;
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written; /* NULL: no network */
    } t[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1/32", "192.0.2.1"},
        {"192.0.2.0/24", "192.0.2.0/24"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"192.0.2.128/25", "192.0.2.128/25"},
        {"2001:DB8::/32", "2001:db8::/32"},
        {"::1", "::1"},
        {"::/0", "::/0"},
        {"192.0.2.1/24", NULL}, /* bits behind the prefix */
        {"192.0.2.129/25", NULL},
        {"2001:db8::1/64", NULL},
        {"192.0.2.0/33", NULL},
        {"::/129", NULL},
        {"192.0.2.0/", NULL},
        {"192.0.2.0/-1", NULL},
        {"192.0.2.0/0024", NULL},
        {"192.0.2", NULL},
        {"mx.example", NULL},
        {"", NULL},
        {"/8", NULL},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct network n;
        char written[NETWORK_TEXT];
        bool good = network_parse(str_c(t[i].text), &n);
        if (good != (t[i].written != NULL))
            fail_msg("%s: %d", t[i].text, good);
        if (!good)
            continue;
        network_format(&n, written);
        assert_string_equal(written, t[i].written);
    }
}

static void test_holds(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool holds;
    } t[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.0/25", "192.0.2.128", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "192.0.2.1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        /* The same client by another spelling. */
        {"192.0.2.0/24", "::ffff:192.0.2.7", true},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const struct network list[] = {network("203.0.113.1"), network(t[i].network)};
        struct sockaddr_storage a = address(t[i].address);
        if (network_holds(list + 1, 1, &a) != t[i].holds)
            fail_msg("%s in %s", t[i].address, t[i].network);
        assert_int_equal(network_holds(list, 2, &a), t[i].holds);
        assert_false(network_holds(NULL, 0, &a));
    }
}

static void test_client(void **state)
{
    (void)state;
    uint64_t a = 0, b = 1;
    struct sockaddr_storage one = address("2001:db8::1"), same = address("2001:db8::ffff:2");
    struct sockaddr_storage other = address("2001:db8:0:1::1"), four = address("192.0.2.1");
    struct sockaddr_storage mapped = address("::ffff:192.0.2.1"), none = {.ss_family = AF_UNIX};
    assert_true(network_client(&one, &a) && network_client(&same, &b));
    assert_true(a == b);
    assert_true(network_client(&other, &b));
    assert_true(a != b);
    assert_true(network_client(&four, &a) && network_client(&mapped, &b));
    assert_true(a == b);
    network_unmap(&mapped);
    assert_memory_equal(&mapped, &four, sizeof(four));
    assert_false(network_client(&none, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_holds),
                                       cmocka_unit_test(test_client)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
