#include "receiver/received.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct spool_recipient two[] = {
    {.address = STR_INIT("b+u=x.example@rp.example")},
    {.address = STR_INIT("other@rp.example")},
};

static struct spool_envelope envelope(void)
{
    return (struct spool_envelope){
        .id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0, 0}},
        .received_at = INT64_C(1769846950) * CLOCK_SECOND,
        .client_address = STR("192.0.2.1"),
        .helo = STR("client.example"),
        .protocol = STR("ESMTP"),
        .recipients = two,
        .recipients_n = 1,
    };
}

static void expect(const struct spool_envelope *e, const char *text)
{
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(received_write(&out, e, STR("mx.example")), 0);
    assert_int_equal(out.n, strlen(text));
    assert_memory_equal(out.p, text, out.n);
    buf_free(&out);
}

static void test_received(void **state)
{
    (void)state;
    struct spool_envelope e = envelope();
    expect(&e, "Received: from client.example ([192.0.2.1])\r\n"
               "\tby mx.example with ESMTP id 01020304-0506-0708-090a-0b0c0d0e0000\r\n"
               "\tfor <b+u=x.example@rp.example>;\r\n"
               "\tSat, 31 Jan 2026 08:09:10 +0000\r\n");
    e.protocol = STR("ESMTPS");
    e.tls = STR("TLSv1.3 TLS_AES_256_GCM_SHA384");
    expect(&e, "Received: from client.example ([192.0.2.1])\r\n"
               "\tby mx.example with ESMTPS id 01020304-0506-0708-090a-0b0c0d0e0000\r\n"
               "\tfor <b+u=x.example@rp.example>\r\n"
               "\ttls TLS_AES_256_GCM_SHA384;\r\n"
               "\tSat, 31 Jan 2026 08:09:10 +0000\r\n");
    /* RFC 6531 section 4.3; section 3.7.3: the address may stand as it is. */
    e = envelope();
    e.protocol = STR("UTF8SMTP");
    const struct spool_recipient utf8 = {.address = STR("b\xc3\xbc@rp.example")};
    e.recipients = &utf8;
    expect(&e, "Received: from client.example ([192.0.2.1])\r\n"
               "\tby mx.example with UTF8SMTP id 01020304-0506-0708-090a-0b0c0d0e0000\r\n"
               "\tfor <b\xc3\xbc@rp.example>;\r\n"
               "\tSat, 31 Jan 2026 08:09:10 +0000\r\n");
    e = envelope();
    e.recipients_n = 2;
    e.client_address = STR("2001:db8::1");
    e.helo = STR("a)b(c\"<\\>;@\xff[::1]");
    expect(&e, "Received: from a?b?c???????[::1] ([IPv6:2001:db8::1])\r\n"
               "\tby mx.example with ESMTP id 01020304-0506-0708-090a-0b0c0d0e0000;\r\n"
               "\tSat, 31 Jan 2026 08:09:10 +0000\r\n");
}

static void test_bounded(void **state)
{
    (void)state;
    struct spool_envelope e = envelope();
    struct buf out;
    buf_init(&out, 64);
    assert_int_equal(received_write(&out, &e, STR("mx.example")), -ENOBUFS);
    assert_int_equal(out.n, 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
