#include "receiver/peers.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage ret = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        ret.ss_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        ret.ss_family = AF_INET6;
    }
    return ret;
}

static struct peers *table(unsigned places)
{
    struct peers *p = NULL;
    assert_int_equal(peers_new(places, &p), 0);
    return p;
}

static void test_connections(void **state)
{
    (void)state;
    struct peers *p = table(1000);
    struct sockaddr_storage a = address("192.0.2.1"), b = address("192.0.2.2");
    struct peer *first, *second, *third, *other;
    assert_true(peers_enter(p, &a, 2, 0, &first));
    assert_true(peers_enter(p, &a, 2, 0, &second));
    assert_ptr_equal(first, second);
    assert_false(peers_enter(p, &a, 2, 0, &third));
    assert_null(third);
    /* Minutes go by, connections stay. */
    assert_false(peers_enter(p, &a, 2, 7, &third));
    assert_true(peers_enter(p, &b, 2, 0, &other));
    peers_leave(p, first);
    assert_true(peers_enter(p, &a, 2, 0, &third));
    assert_true(peers_enter(p, &a, 0, 0, &first));
    peers_leave(p, first);
    peers_leave(p, second);
    peers_leave(p, third);
    peers_leave(p, other);
    peers_leave(p, NULL);
    peers_free(p);
    peers_free(NULL);
}

static void test_networks(void **state)
{
    (void)state;
    struct peers *p = table(1000);
    struct sockaddr_storage a = address("2001:db8:1:2::1"), same = address("2001:db8:1:2:9:8:7:6"),
                            other = address("2001:db8:1:3::1"), v4 = address("0.0.0.1");
    struct peer *peer, *none;
    assert_true(peers_enter(p, &a, 1, 0, &peer));
    assert_false(peers_enter(p, &same, 1, 0, &none));
    assert_true(peers_enter(p, &other, 1, 0, &peer));
    assert_true(peers_enter(p, &v4, 1, 0, &peer));
    struct sockaddr_storage unix_one = {.ss_family = AF_UNIX};
    assert_true(peers_enter(p, &unix_one, 1, 0, &none));
    assert_null(none);
    peers_free(p);
}

static void test_messages(void **state)
{
    (void)state;
    struct peers *p = table(8);
    struct sockaddr_storage a = address("192.0.2.1");
    struct peer *peer, *again;
    assert_true(peers_enter(p, &a, 0, 5, &peer));
    assert_true(peers_message(p, peer, 2, 5));
    assert_true(peers_message(p, peer, 2, 5));
    assert_false(peers_message(p, peer, 2, 5));
    assert_true(peers_message(p, peer, 0, 5));
    /* To leave and to come back in the same minute changes nothing. */
    peers_leave(p, peer);
    assert_true(peers_enter(p, &a, 0, 5, &again));
    assert_false(peers_message(p, again, 2, 5));
    assert_true(peers_message(p, again, 2, 6));
    assert_true(peers_message(p, NULL, 1, 6));
    assert_true(peers_message(p, NULL, 1, 6));
    peers_leave(p, again);
    peers_free(p);
}

/* One set of eight places: the ninth address is served and not counted, until a place is free. */
static void test_full(void **state)
{
    (void)state;
    struct peers *p = table(8);
    struct peer *held[8], *none, *late;
    char text[32];
    for (int i = 0; i < 8; i++) {
        snprintf(text, sizeof(text), "192.0.2.%d", i + 1);
        struct sockaddr_storage a = address(text);
        assert_true(peers_enter(p, &a, 1, 0, &held[i]));
        assert_non_null(held[i]);
    }
    struct sockaddr_storage ninth = address("192.0.2.9"), first = address("192.0.2.1");
    for (int i = 0; i < 3; i++) {
        assert_true(peers_enter(p, &ninth, 1, 0, &none));
        assert_null(none);
    }
    assert_false(peers_enter(p, &first, 1, 0, &none));
    peers_leave(p, held[0]);
    /* What it sent in this minute is still counted. */
    assert_true(peers_enter(p, &ninth, 1, 0, &none));
    assert_null(none);
    assert_true(peers_enter(p, &ninth, 1, 1, &late));
    assert_non_null(late);
    assert_false(peers_enter(p, &ninth, 1, 1, &none));
    peers_free(p);
}

enum { THREADS = 4, ROUNDS = 20000, MOST = 3 };

static void *thread_main(void *ctx)
{
    struct peers *p = ctx;
    struct sockaddr_storage a = address("2001:db8::1");
    for (int i = 0; i < ROUNDS; i++) {
        struct peer *peer;
        if (peers_enter(p, &a, MOST, 0, &peer))
            peers_leave(p, peer);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct peers *p = table(64);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_main, p), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    /* Nothing is left: exactly MOST fit. */
    struct sockaddr_storage a = address("2001:db8::1");
    struct peer *peer;
    for (int i = 0; i < MOST; i++)
        assert_true(peers_enter(p, &a, MOST, 0, &peer));
    assert_false(peers_enter(p, &a, MOST, 0, &peer));
    peers_free(p);
}

/* Messages and recipients have a count each, and begin anew together. */
static void test_recipients(void **state)
{
    (void)state;
    struct peers *p = table(10);
    struct sockaddr_storage a = address("192.0.2.1");
    struct peer *peer;
    assert_true(peers_enter(p, &a, 0, 5, &peer));
    for (int minute = 5; minute < 7; minute++) {
        for (int i = 0; i < 3; i++)
            assert_true(peers_recipient(p, peer, 3, minute));
        assert_false(peers_recipient(p, peer, 3, minute));
        assert_true(peers_recipient(p, peer, 0, minute));
        assert_true(peers_recipient(p, NULL, 3, minute));
        assert_true(peers_message(p, peer, 1, minute));
        assert_false(peers_message(p, peer, 1, minute));
        assert_false(peers_recipient(p, peer, 3, minute));
    }
    peers_leave(p, peer);
    peers_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections), cmocka_unit_test(test_recipients),
        cmocka_unit_test(test_networks),    cmocka_unit_test(test_messages),
        cmocka_unit_test(test_full),        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
