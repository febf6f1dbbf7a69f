/* TLS against a client of OpenSSL, over memory. Certificates are made by the openssl program. */
#include "receiver/tls.h"

#include "base/clock.h"
#include "base/require.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

static char folder[] = "/tmp/bouncemx-tls-XXXXXX";
static struct tls_pair one, two;

static char *path_of(const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

static struct tls_pair certificate(const char *host, const char *algorithm)
{
    char *command = NULL, *file = NULL;
    assert_true(asprintf(&command,
                         "cd %s && umask 077 && openssl req -x509 -newkey %s -nodes -subj /CN=%s "
                         "-addext subjectAltName=DNS:%s -days 2 -keyout %s.key -out %s.pem 2>log",
                         folder, algorithm, host, host, host, host) > 0);
    assert_int_equal(system(command), 0);
    free(command);
    assert_true(asprintf(&file, "%s.pem", host) > 0);
    struct tls_pair p = {.certificate = path_of(file)};
    free(file);
    assert_true(asprintf(&file, "%s.key", host) > 0);
    p.key = path_of(file);
    free(file);
    return p;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    one = certificate("one.example", "ec -pkeyopt ec_paramgen_curve:P-256");
    two = certificate("two.example", "rsa:2048");
    return 0;
}

static void pair_free(struct tls_pair *p)
{
    free((char *)(uintptr_t)p->certificate);
    free((char *)(uintptr_t)p->key);
}

static int teardown(void **state)
{
    (void)state;
    char *command = NULL;
    assert_true(asprintf(&command, "rm -r %s", folder) > 0);
    assert_int_equal(system(command), 0);
    free(command);
    pair_free(&one);
    pair_free(&two);
    return 0;
}

/* ---- a client and a server, bytes carried between them ---- */

struct line {
    struct tls *server;
    SSL_CTX *ctx;
    SSL *client;
    BIO *to_client, *from_client;
    struct buf plain; /* what the server has read */
    int rc;           /* of the server */
};

static struct tls_context *context(const struct tls_pair *pairs, size_t n)
{
    struct err e;
    struct tls_context *c = NULL;
    if (tls_context_new(pairs, n, &c, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

static void line_open(struct line *l, struct tls_context *c, const char *name)
{
    *l = (struct line){.server = tls_new(c), .ctx = SSL_CTX_new(TLS_client_method())};
    assert_non_null(l->server);
    l->client = SSL_new(l->ctx);
    l->to_client = BIO_new(BIO_s_mem());
    l->from_client = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(l->to_client, -1);
    SSL_set_bio(l->client, l->to_client, l->from_client);
    SSL_set_connect_state(l->client);
    if (name) /* SSL_set_tlsext_host_name, whose cast takes const away */
        SSL_ctrl(l->client, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 (void *)(uintptr_t)name);
    buf_init(&l->plain, 1 << 20);
}

static void line_close(struct line *l)
{
    SSL_free(l->client);
    SSL_CTX_free(l->ctx);
    tls_free(l->server);
    buf_free(&l->plain);
    ERR_clear_error();
}

static void to_client(struct line *l)
{
    struct str out = tls_output(l->server);
    if (out.n > 0)
        assert_int_equal(BIO_write(l->to_client, out.p, (int)out.n), (int)out.n);
    tls_output_taken(l->server);
    assert_int_equal(tls_output(l->server).n, 0);
}

/* Carries what waits both ways, step bytes at a time to the server. */
static void carry(struct line *l, size_t step)
{
    char bytes[20000];
    int n;
    while (l->rc == 0 && (n = BIO_read(l->from_client, bytes, (int)step)) > 0) {
        /* A copy of its own lets ASan see what is read behind its end. */
        char *copy = malloc((size_t)n);
        REQUIRE(copy);
        memcpy(copy, bytes, (size_t)n);
        l->rc = tls_push(l->server, str_of(copy, (size_t)n), &l->plain);
        free(copy);
    }
    to_client(l);
}

static bool shake(struct line *l, size_t step)
{
    for (int i = 0; i < 10 && l->rc == 0; i++) {
        int rc = SSL_do_handshake(l->client);
        if (rc < 1 && SSL_get_error(l->client, rc) != SSL_ERROR_WANT_READ)
            return false;
        carry(l, step);
        if (rc == 1 && tls_is_open(l->server))
            return true;
    }
    return false;
}

static void client_reads(struct line *l, struct str expected)
{
    char bytes[40000];
    size_t n = 0, all = 0;
    while (all < expected.n && SSL_read_ex(l->client, bytes + all, sizeof(bytes) - all, &n) == 1)
        all += n;
    assert_int_equal(all, expected.n);
    assert_memory_equal(bytes, expected.p, all);
}

/* ---- tests ---- */

static void test_both_ways(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 7, 100, 20000};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct tls_context *c = context(&one, 1);
    for (size_t i = 0; i < 10; i++) {
        struct line l;
        char room[TLS_NAME_MAX];
        line_open(&l, c, NULL);
        SSL_set_min_proto_version(l.client, versions[i % 2]);
        SSL_set_max_proto_version(l.client, versions[i % 2]);
        assert_false(tls_is_open(l.server));
        assert_true(shake(&l, steps[i / 2]));
        assert_true(str_starts(tls_name(l.server, room),
                               i % 2 ? STR("TLSv1.3 TLS_") : STR("TLSv1.2 ECDHE-ECDSA-")));
        assert_int_equal(SSL_write(l.client, "EHLO a\r\n", 8), 8);
        assert_int_equal(SSL_write(l.client, "NOOP\r\n", 6), 6);
        carry(&l, steps[i / 2]);
        assert_true(str_eq(buf_str(&l.plain), STR("EHLO a\r\nNOOP\r\n")));
        /* Longer than a record. */
        static char much[30000];
        memset(much, 'x', sizeof(much));
        assert_int_equal(tls_write(l.server, STR("250 ok\r\n")), 0);
        assert_int_equal(tls_write(l.server, str_of(much, sizeof(much))), 0);
        assert_int_equal(tls_write(l.server, STR("")), 0);
        to_client(&l);
        client_reads(&l, STR("250 ok\r\n"));
        client_reads(&l, str_of(much, sizeof(much)));
        assert_false(tls_is_ended(l.server));
        SSL_shutdown(l.client);
        carry(&l, steps[i / 2]);
        assert_int_equal(l.rc, 0);
        assert_true(tls_is_ended(l.server));
        assert_true(tls_is_open(l.server)); /* our side still speaks */
        assert_int_equal(tls_write(l.server, STR("221 bye\r\n")), 0);
        tls_close(l.server);
        to_client(&l);
        line_close(&l);
    }
    tls_context_unref(c);
}

static void test_close_notify(void **state)
{
    (void)state;
    struct tls_context *c = context(&one, 1);
    struct line l;
    char byte;
    line_open(&l, c, NULL);
    tls_close(l.server); /* before the handshake there is nothing to say */
    assert_int_equal(tls_output(l.server).n, 0);
    assert_true(shake(&l, 20000));
    tls_close(l.server);
    to_client(&l);
    int rc = SSL_read(l.client, &byte, 1);
    assert_int_equal(SSL_get_error(l.client, rc), SSL_ERROR_ZERO_RETURN);
    line_close(&l);
    tls_context_unref(c);
}

static void test_server_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expected;
    } t[] = {
        {"one.example", "one.example"}, {"two.example", "two.example"},
        {"TWO.example", "two.example"}, {"other.example", "one.example"},
        {NULL, "one.example"},
    };
    const struct tls_pair pairs[] = {one, two};
    struct tls_context *c = context(pairs, 2);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct line l;
        line_open(&l, c, t[i].name);
        assert_true(shake(&l, 20000));
        X509 *got = SSL_get1_peer_certificate(l.client);
        assert_int_equal(X509_check_host(got, t[i].expected, 0, 0, NULL), 1);
        X509_free(got);
        line_close(&l);
    }
    tls_context_unref(c);
}

/* A ticket of one connection serves the next; not one of other keys. */
static void test_tickets(void **state)
{
    (void)state;
    struct tls_context *c = context(&one, 1), *other = context(&one, 1);
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct line l;
        char byte;
        line_open(&l, c, NULL);
        SSL_set_max_proto_version(l.client, versions[i]);
        assert_true(shake(&l, 20000));
        assert_false(tls_is_resumed(l.server));
        SSL_read(l.client, &byte, 1); /* the ticket of TLS 1.3 comes behind the handshake */
        SSL_SESSION *session = SSL_get1_session(l.client);
        SSL_shutdown(l.client);
        line_close(&l);
        for (int again = 0; again < 2; again++) {
            line_open(&l, again ? other : c, NULL);
            SSL_set_max_proto_version(l.client, versions[i]);
            assert_int_equal(SSL_set_session(l.client, session), 1);
            assert_true(shake(&l, 20000));
            assert_int_equal(tls_is_resumed(l.server), !again);
            line_close(&l);
        }
        SSL_SESSION_free(session);
    }
    tls_context_unref(c);
    tls_context_unref(other);
}

/* Not TLS, and not any more TLS: an error, perhaps an alert, nothing read, nothing more. */
static void test_garbage(void **state)
{
    (void)state;
    struct tls_context *c = context(&one, 1);
    static const struct str t[] = {
        STR_INIT("EHLO client.example\r\n"), STR_INIT("NOOP\r\n\x16\x03\x01\x00\x05"),
        STR_INIT("\x16\x03\x01\xff\xff..."), STR_INIT("\x16\x03\x01\x00\x04\x01\x00\x00\x00"),
        STR_INIT("\0\0\0\0\0\0\0\0"),        STR_INIT("\x17\x03\x03\x00\x01x"),
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct tls *s = tls_new(c);
        struct buf plain;
        buf_init(&plain, 1 << 20);
        assert_int_equal(tls_push(s, t[i], &plain), -EPROTO);
        assert_int_equal(tls_push(s, t[i], &plain), -EPROTO);
        assert_int_equal(plain.n, 0);
        assert_false(tls_is_open(s));
        assert_int_equal(tls_write(s, STR("x")), -EPROTO);
        tls_close(s);
        tls_free(s);
        buf_free(&plain);
    }
    /* A record that was changed on its way. */
    struct line l;
    line_open(&l, c, NULL);
    assert_true(shake(&l, 20000));
    assert_int_equal(tls_push(l.server,
                              STR("\x17\x03\x03\x00\x20"
                                  "abcdefghijklmnopqrstuvwxyz012345"),
                              &l.plain),
                     -EPROTO);
    assert_true(tls_output(l.server).n > 0); /* the alert */
    assert_int_equal(l.plain.n, 0);
    line_close(&l);
    tls_context_unref(c);
}

/* A handshake message that goes on for ever, in records that are each good. */
static void test_endless_handshake(void **state)
{
    (void)state;
    struct tls_context *c = context(&one, 1);
    struct tls *s = tls_new(c);
    struct buf plain;
    buf_init(&plain, 1 << 20);
    char record[5 + 1000] = "\x16\x03\x01\x03\xe8"
                            "\x01\x01\xff\xff";
    int rc = 0, records = 0;
    while (rc == 0 && records < 1000) {
        rc = tls_push(s, str_of(record, sizeof(record)), &plain);
        memset(record + 5, 0, sizeof(record) - 5);
        records++;
    }
    assert_true(rc == -EMSGSIZE || rc == -EPROTO);
    assert_true((size_t)records * sizeof(record) <= TLS_HANDSHAKE_MAX + sizeof(record));
    tls_free(s);
    buf_free(&plain);
    tls_context_unref(c);
}

static void test_old_versions(void **state)
{
    (void)state;
    struct tls_context *c = context(&one, 1);
    struct line l;
    line_open(&l, c, NULL);
    SSL_set_security_level(l.client, 0);
    SSL_set_min_proto_version(l.client, TLS1_VERSION);
    SSL_set_max_proto_version(l.client, TLS1_1_VERSION);
    assert_false(shake(&l, 20000));
    assert_false(tls_is_open(l.server));
    line_close(&l);
    tls_context_unref(c);
}

/* Who makes us say more than the bound gets no more memory. */
static void test_output_bound(void **state)
{
    (void)state;
    struct tls_context *c = context(&one, 1);
    struct line l;
    line_open(&l, c, NULL);
    assert_true(shake(&l, 20000));
    static char much[16000];
    int rc = 0, writes = 0;
    for (; rc == 0 && writes < 100; writes++)
        rc = tls_write(l.server, str_of(much, sizeof(much)));
    assert_int_equal(rc, -ENOBUFS);
    assert_true(writes * sizeof(much) <= TLS_OUTPUT_MAX + sizeof(much));
    line_close(&l);
    tls_context_unref(c);
}

static void bad_pair(const char *certificate_path, const char *key_path, int code,
                     const char *expected)
{
    struct tls_pair p = {certificate_path, key_path};
    struct tls_context *c = NULL;
    struct err e;
    assert_int_equal(tls_context_new(&p, 1, &c, &e), code);
    if (!str_starts(str_c(e.text), str_c(expected)))
        fail_msg("expected \"%s\", got \"%s\"", expected, e.text);
    assert_null(c);
}

static void test_files(void **state)
{
    (void)state;
    char text[400];
    char *none = path_of("none.pem"), *empty = path_of("empty.pem"),
         *open_key = path_of("open.key");
    write_file(empty, "", 0600);
    snprintf(text, sizeof(text), "certificate %s: No such file", none);
    bad_pair(none, one.key, -ENOENT, text);
    snprintf(text, sizeof(text), "key %s: No such file", none);
    bad_pair(one.certificate, none, -ENOENT, text);
    snprintf(text, sizeof(text), "certificate %s: ", empty);
    bad_pair(empty, one.key, -EINVAL, text);
    snprintf(text, sizeof(text), "key %s: ", empty);
    bad_pair(one.certificate, empty, -EINVAL, text);
    snprintf(text, sizeof(text), "certificate %s: expected a regular file", folder);
    bad_pair(folder, one.key, -EINVAL, text);
    /* Other kinds of key, and another key of the same kind. */
    snprintf(text, sizeof(text), "key %s does not belong to certificate %s", two.key,
             one.certificate);
    bad_pair(one.certificate, two.key, -EINVAL, text);
    struct tls_pair three = certificate("three.example", "rsa:2048");
    snprintf(text, sizeof(text), "key %s does not belong to certificate %s", three.key,
             two.certificate);
    bad_pair(two.certificate, three.key, -EINVAL, text);
    pair_free(&three);
    static const mode_t modes[] = {0604, 0620, 0602, 0644, 0666};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_file(open_key, "", 0600);
        assert_int_equal(chmod(open_key, modes[i]), 0);
        snprintf(text, sizeof(text), "key %s: its mode is %04o, which lets others at it", open_key,
                 (unsigned)modes[i]);
        bad_pair(one.certificate, open_key, -EPERM, text);
    }
    /* One pair is good, the second is not: all of it is refused. */
    const struct tls_pair pairs[] = {one, {one.certificate, none}};
    struct tls_context *c = NULL;
    struct err e;
    assert_int_equal(tls_context_new(pairs, 2, &c, &e), -ENOENT);
    free(none);
    free(empty);
    free(open_key);
}

/* A context that was replaced lives as long as what was begun with it. */
static void test_context_outlived(void **state)
{
    (void)state;
    struct tls_context *c = context(&one, 1);
    struct line l;
    line_open(&l, c, "one.example");
    tls_context_unref(c);
    assert_true(shake(&l, 20000));
    line_close(&l);
    tls_context_unref(NULL);
    assert_null(tls_context_ref(NULL));
    tls_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),    cmocka_unit_test(test_close_notify),
        cmocka_unit_test(test_server_name),  cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_garbage),      cmocka_unit_test(test_endless_handshake),
        cmocka_unit_test(test_old_versions), cmocka_unit_test(test_output_bound),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_context_outlived),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
