/* Reports signed by OpenDKIM's signing side with keys of this run, then changed in one way each. */
#include "attribute/dkim.h"
#include "base/clock.h"

#include <errno.h>
#include <opendkim/dkim.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* When the reports are signed: so far behind today that they have expired by any other clock than
 * the time they were received. */
static uint64_t signing_time;
static int64_t received;

enum { RSA_2048, RSA_1024, RSA_512, ED25519, KEYS };

static struct signing_key {
    char pem[4096];    /* private */
    char record[2048]; /* what stands in the DNS */
} keys[KEYS];

static void key_make(struct signing_key *k, EVP_PKEY *key, bool edwards)
{
    unsigned char der[2048], *p = der;
    char text[2048];
    size_t n = sizeof(der);
    assert_non_null(key);
    if (edwards)
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, der, &n), 1);
    else
        n = (size_t)i2d_PUBKEY(key, &p);
    EVP_EncodeBlock((unsigned char *)text, der, (int)n);
    snprintf(k->record, sizeof(k->record), "v=DKIM1; k=%s; p=%.1900s", edwards ? "ed25519" : "rsa",
             text);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    int length = BIO_read(bio, k->pem, sizeof(k->pem) - 1);
    assert_true(length > 0);
    k->pem[length] = '\0';
    BIO_free(bio);
    EVP_PKEY_free(key);
}

static int make_keys(void **state)
{
    (void)state;
    signing_time = (uint64_t)(clock_now() / CLOCK_SECOND) - 30 * 86400;
    received = (int64_t)(signing_time + 60) * CLOCK_SECOND;
    key_make(&keys[RSA_2048], EVP_RSA_gen(2048), false);
    key_make(&keys[RSA_1024], EVP_RSA_gen(1024), false);
    key_make(&keys[RSA_512], EVP_RSA_gen(512), false);
    key_make(&keys[ED25519], EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), true);
    return 0;
}

/* ---- a report and its signature ---- */

#define FROM    "From: Complaints <feedback@arf.fbl.example>\r\n"
#define TYPE    "Content-Type: multipart/report; report-type=feedback-report;\r\n\tboundary=b\r\n"
#define VERSION "MIME-Version: 1.0\r\n"
#define REST    "To: fbl@bounces.example\r\nSubject: complaint\r\n"
#define BODY    "--b\r\n\r\nA complaint.\r\n--b--\r\n"

static const char *all_signed[] = {"from", "to", "subject", "content-type", "mime-version", NULL};
static const char *no_type[] = {"from", "to", "subject", "mime-version", NULL};

struct made {
    unsigned key;
    const char *domain; /* d=; NULL: arf.fbl.example */
    const char *from;   /* the field; NULL: FROM */
    ssize_t length;     /* l=; 0: none */
    uint64_t ttl;       /* x= behind t=, seconds; 0: none */
    bool sha1;
    bool type_open; /* Content-Type is not signed */
};

static const char *domain_of(const struct made *made)
{
    return made->domain ? made->domain : "arf.fbl.example";
}

static const char *from_of(const struct made *made)
{
    return made->from ? made->from : FROM;
}

static void feed(DKIM *dkim, const char *header)
{
    struct str rest = str_c(header);
    while (rest.n) {
        size_t end = str_find(rest, STR("\r\n"), 0);
        while (end + 2 < rest.n && (rest.p[end + 2] == '\t' || rest.p[end + 2] == ' '))
            end = str_find(rest, STR("\r\n"), end + 2);
        char *field = strndup(rest.p, end);
        assert_int_equal(dkim_header(dkim, (u_char *)field, end), DKIM_STAT_OK);
        free(field);
        rest = str_from(rest, end + 2);
    }
}

/* The library's signing side, which the program does not use, loses its Ed25519 keys. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

/* "DKIM-Signature: ...\r\n" for this header and BODY. */
static struct str sign(struct arena *a, const struct made *made)
{
    DKIM_LIB *lib = dkim_init(NULL, NULL);
    u_int bits = 0;
    uint64_t now = signing_time, ttl = made->ttl;
    DKIM_STAT stat;
    u_char *text, body[] = BODY;
    size_t n;
    assert_non_null(lib);
    dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits, sizeof(bits));
    dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &now, sizeof(now));
    if (ttl)
        dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNATURETTL, &ttl, sizeof(ttl));
    DKIM *dkim =
        dkim_sign(lib, (const unsigned char *)"test", NULL, (dkim_sigkey_t)keys[made->key].pem,
                  (const unsigned char *)"s1", (const unsigned char *)domain_of(made),
                  DKIM_CANON_RELAXED, DKIM_CANON_SIMPLE,
                  made->sha1             ? DKIM_SIGN_RSASHA1
                  : made->key == ED25519 ? DKIM_SIGN_ED25519SHA256
                                         : DKIM_SIGN_RSASHA256,
                  made->length ? made->length : -1, &stat);
    assert_non_null(dkim);
    assert_int_equal(dkim_signhdrs(dkim, made->type_open ? no_type : all_signed), DKIM_STAT_OK);
    feed(dkim, from_of(made));
    feed(dkim, TYPE VERSION REST);
    assert_int_equal(dkim_eoh(dkim), DKIM_STAT_OK);
    assert_int_equal(dkim_body(dkim, body, strlen(BODY)), DKIM_STAT_OK);
    if (__lsan_disable)
        __lsan_disable();
    assert_int_equal(dkim_eom(dkim, NULL), DKIM_STAT_OK);
    if (__lsan_enable)
        __lsan_enable();
    assert_int_equal(dkim_getsighdr_d(dkim, strlen("DKIM-Signature: "), &text, &n), DKIM_STAT_OK);
    struct str field = arena_fmt(a, "DKIM-Signature: %s\r\n", (const char *)text);
    dkim_free(dkim);
    dkim_close(lib);
    return field;
}

/* ---- the DNS of a test ---- */

struct dns {
    const char *record;
    int rc;
    unsigned asked;
    char name[300];
};

static int find(void *ctx, struct arena *a, struct str name, struct str *ret)
{
    struct dns *dns = ctx;
    dns->asked++;
    snprintf(dns->name, sizeof(dns->name), "%.*s", STR_ARG(name));
    if (dns->rc == 0)
        *ret = arena_str(a, str_c(dns->record));
    return dns->rc;
}

static const char *const listed[] = {"other.example", "arf.fbl.example"};

static struct dkim_verdict check(struct arena *a, struct dns *dns, struct str message,
                                 const char *from, int64_t at)
{
    struct dkim_verifier *v = NULL;
    struct dkim_verdict verdict;
    struct err e;
    assert_int_equal(dkim_verifier_new(listed, 2, find, dns, &v, &e), 0);
    assert_int_equal(dkim_verifier_check(v, a, message, str_c(from), at, &verdict), 0);
    dkim_verifier_free(v);
    return verdict;
}

/* ---- the table ---- */

#define GOOD "feedback@arf.fbl.example"

static const struct row {
    const char *name;
    struct made made;
    const char *address;   /* of From, as the parser reads it */
    const char *front;     /* before the header */
    const char *cut, *put; /* this in the message is replaced by that */
    const char *record;    /* of the key; NULL: the right one; "(none)" etc. by rc */
    int rc;
    int64_t later; /* received so many seconds later */
    enum dkim_outcome outcome;
    const char *why; /* part of it */
} rows[] = {
    {"valid", {.key = RSA_2048}, GOOD, .outcome = DKIM_OUTCOME_PASS, .why = ""},
    {"valid, 1024 bits", {.key = RSA_1024}, GOOD, .outcome = DKIM_OUTCOME_PASS, .why = ""},
    {"valid, Ed25519", {.key = ED25519}, GOOD, .outcome = DKIM_OUTCOME_PASS, .why = ""},
    {"a trace field in front changes nothing",
     {.key = RSA_2048},
     GOOD,
     .front = "Received: from x by y; Mon, 1 Jan 2024 00:00:00 +0000\r\n",
     .outcome = DKIM_OUTCOME_PASS,
     .why = ""},
    {"From of the organisational domain",
     {.from = "From: <x@fbl.example>\r\n"},
     "x@fbl.example",
     .outcome = DKIM_OUTCOME_PASS,
     .why = ""},
    {"From of another sub-domain",
     {.from = "From: <x@a.fbl.example>\r\n"},
     "x@a.fbl.example",
     .outcome = DKIM_OUTCOME_PASS,
     .why = ""},
    {"From of another organisation",
     {.from = "From: <x@evil.example>\r\n"},
     "x@evil.example",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "another organisation"},
    {"From that only ends alike",
     {.from = "From: <x@notfbl.example>\r\n"},
     "x@notfbl.example",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "another organisation"},
    {"no address in From",
     {.key = RSA_2048},
     "",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "another organisation"},
    {"body changed",
     {.key = RSA_2048},
     GOOD,
     .cut = "A complaint",
     .put = "B complaint",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "body was changed"},
    {"body longer",
     {.key = RSA_2048},
     GOOD,
     .cut = "--b--\r\n",
     .put = "--b--\r\nmore\r\n",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "body was changed"},
    {"a signed field changed",
     {.key = RSA_2048},
     GOOD,
     .cut = "Subject: complaint",
     .put = "Subject: compliment",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "signature"},
    {"a second From",
     {.key = RSA_2048},
     GOOD,
     .cut = FROM,
     .put = FROM FROM,
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "From stands more than once"},
    {"a second Content-Type",
     {.key = RSA_2048},
     GOOD,
     .cut = VERSION,
     .put = VERSION TYPE,
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "Content-Type stands more than once"},
    {"an encoding put in",
     {.key = RSA_2048},
     GOOD,
     .cut = VERSION,
     .put = VERSION "Content-Transfer-Encoding: base64\r\n",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "Content-Transfer-Encoding is not signed"},
    {"Content-Type not signed",
     {.type_open = true},
     GOOD,
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "Content-Type is not signed"},
    {"d= not listed",
     {.domain = "fbl.example"},
     GOOD,
     .outcome = DKIM_OUTCOME_UNSIGNED,
     .why = "no listed source"},
    {"d= below a listed one",
     {.domain = "x.arf.fbl.example"},
     GOOD,
     .outcome = DKIM_OUTCOME_UNSIGNED,
     .why = "no listed source"},
    {"a part of the body (l=)", {.length = 10}, GOOD, .outcome = DKIM_OUTCOME_REFUSED, .why = "l="},
    {"rsa-sha1",
     {.sha1 = true},
     GOOD,
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "neither rsa-sha256"},
    {"512 bits", {.key = RSA_512}, GOOD, .outcome = DKIM_OUTCOME_REFUSED, .why = "key"},
    {"not expired yet", {.ttl = 3600}, GOOD, .outcome = DKIM_OUTCOME_PASS, .why = ""},
    {"expired when it was received",
     {.ttl = 3600},
     GOOD,
     .later = 3600,
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "expired"},
    {"from the future",
     {.key = RSA_2048},
     GOOD,
     .later = -7200,
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "future"},
    {"no key",
     {.key = RSA_2048},
     GOOD,
     .rc = -ENOENT,
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "no such key"},
    {"key revoked",
     {.key = RSA_2048},
     GOOD,
     .record = "v=DKIM1; k=rsa; p=",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "revoked"},
    {"key broken",
     {.key = RSA_2048},
     GOOD,
     .record = "v=DKIM1; k=rsa; p=MIGfMA0G",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = ""},
    {"key record empty",
     {.key = RSA_2048},
     GOOD,
     .record = "",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = ""},
    {"key for another service",
     {.key = RSA_2048},
     GOOD,
     .record = "s=tlsrpt; %s",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = ""},
    {"key in testing mode",
     {.key = RSA_2048},
     GOOD,
     .record = "t=y; %s",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "testing mode"},
    {"key record huge",
     {.key = RSA_2048},
     GOOD,
     .record = "%s; n=%6000d",
     .outcome = DKIM_OUTCOME_REFUSED,
     .why = "no such key"},
    {"servers that fail",
     {.key = RSA_2048},
     GOOD,
     .rc = -EIO,
     .outcome = DKIM_OUTCOME_UNDECIDED,
     .why = "looked up"},
    {"no answer in time",
     {.key = RSA_2048},
     GOOD,
     .rc = -ETIMEDOUT,
     .outcome = DKIM_OUTCOME_UNDECIDED,
     .why = "looked up"},
    {"line ends are LF",
     {.key = RSA_2048},
     GOOD,
     .cut = "A complaint.\r\n",
     .put = "A complaint.\n",
     .outcome = DKIM_OUTCOME_UNSIGNED,
     .why = "CRLF"},
};

static struct str replaced(struct arena *a, struct str s, const char *cut, const char *put)
{
    if (!cut)
        return s;
    size_t at = str_find(s, str_c(cut), 0);
    assert_true(at < s.n);
    struct str head = str_sub(s, 0, at), tail = str_from(s, at + strlen(cut));
    return arena_fmt(a, "%.*s%s%.*s", STR_ARG(head), put, STR_ARG(tail));
}

static struct str report_of(struct arena *a, const struct made *made, const char *front)
{
    struct str field = sign(a, made);
    return arena_fmt(a, "%s%.*s%s%s%s", front ? front : "", STR_ARG(field), from_of(made),
                     TYPE VERSION REST, "\r\n" BODY);
}

/* The record in which a row's "%s" is the right key and "%6000d" a lot of nothing. */
static const char *record_of(struct arena *a, const struct row *r)
{
    const char *right = keys[r->made.key].record;
    struct str template = str_c(r->record ? r->record : "%s");
    if (str_find(template, STR("%6000d"), 0) < template.n)
        return arena_fmt(a, "%s; n=%6000d", right, 1).p;
    return replaced(a, template, str_find(template, STR("%s"), 0) < template.n ? "%s" : NULL, right)
        .p;
}

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct arena a = arena_make(4 << 20);
        struct str message = report_of(&a, &r->made, r->front);
        message = replaced(&a, message, r->cut, r->put);
        struct dns dns = {.record = record_of(&a, r), .rc = r->rc};
        struct dkim_verdict v =
            check(&a, &dns, message, r->address, received + r->later * CLOCK_SECOND);
        if (v.outcome != r->outcome ||
            str_find(str_c(v.why), str_c(r->why), 0) + strlen(r->why) > strlen(v.why))
            fail_msg("%s: %s (%s)", r->name, dkim_outcome_name(v.outcome), v.why);
        if (v.outcome == DKIM_OUTCOME_PASS)
            assert_string_equal(dns.name, "s1._domainkey.arf.fbl.example");
        arena_free(&a);
    }
}

/* A signature of the sender's own beside that of the source, in either order. */
static void two_signatures(void **state)
{
    (void)state;
    struct arena a = arena_make(4 << 20);
    struct made ours = {.key = RSA_2048};
    struct made theirs = {.key = RSA_1024, .domain = "mail.fbl.example"};
    struct str one = sign(&a, &ours), two = sign(&a, &theirs);
    const char *rest = FROM TYPE VERSION REST "\r\n" BODY;
    struct str messages[] = {
        arena_fmt(&a, "%.*s%.*s%s", STR_ARG(one), STR_ARG(two), rest),
        arena_fmt(&a, "%.*s%.*s%s", STR_ARG(two), STR_ARG(one), rest),
    };
    for (size_t i = 0; i < 2; i++) {
        struct dns dns = {.record = keys[RSA_2048].record};
        assert_int_equal(check(&a, &dns, messages[i], GOOD, received).outcome, DKIM_OUTCOME_PASS);
        assert_int_equal(dns.asked, 1);
    }
    arena_free(&a);
}

/* However many signatures claim a listed source, a few are looked at. */
static void many_signatures(void **state)
{
    (void)state;
    struct arena a = arena_make(16 << 20);
    struct made ours = {.key = RSA_1024};
    struct str one = sign(&a, &ours), all = STR("");
    for (int i = 0; i < 50; i++)
        all = arena_fmt(&a, "%.*s%.*s", STR_ARG(one), STR_ARG(all));
    struct str message =
        arena_fmt(&a, "%.*s%s", STR_ARG(all), FROM TYPE VERSION REST "\r\nanother body\r\n");
    struct dns dns = {.record = keys[RSA_1024].record};
    assert_int_equal(check(&a, &dns, message, GOOD, received).outcome, DKIM_OUTCOME_REFUSED);
    assert_int_equal(dns.asked, DKIM_SIGNATURES_MAX);
    arena_free(&a);
}

static void memory_ends(void **state)
{
    (void)state;
    struct arena a = arena_make(4 << 20);
    struct made ours = {.key = RSA_1024};
    struct str message = report_of(&a, &ours, NULL);
    struct dns dns = {.record = keys[RSA_1024].record};
    struct dkim_verifier *v = NULL;
    int rc = -ENOMEM;
    assert_int_equal(dkim_verifier_new(listed, 2, find, &dns, &v, NULL), 0);
    for (uint64_t n = 0; rc == -ENOMEM && n < 1000; n++) {
        struct arena small = arena_make(4 << 20);
        struct dkim_verdict verdict = {.why = "untouched"};
        arena_fail_at(&small, n);
        rc = dkim_verifier_check(v, &small, message, STR(GOOD), received, &verdict);
        assert_true(rc == 0 || rc == -ENOMEM);
        if (rc < 0)
            assert_string_equal(verdict.why, "untouched");
        else
            assert_int_equal(verdict.outcome, DKIM_OUTCOME_PASS);
        arena_free(&small);
    }
    assert_int_equal(rc, 0);
    dkim_verifier_free(v);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row),
        cmocka_unit_test(two_signatures),
        cmocka_unit_test(many_signatures),
        cmocka_unit_test(memory_ends),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
