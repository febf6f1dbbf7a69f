/* What is taken where: signed domains, forged tokens, wrappers, addresses inside messages. */
#include "fixture.h"

#include "base/address.h"

#include <stdio.h>

static struct returnpath_reader *reader;
static struct arena arena;

static int setup(void **state)
{
    (void)state;
    reader = fixture_reader_default();
    arena = arena_make(1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    returnpath_reader_free(reader);
    arena_free(&arena);
    return 0;
}

/* A valid token's local part. */
static struct str local_of(const char *domain, const char *recipient)
{
    struct returnpath_mint mint = {
        .domain = str_c(domain), .recipient = str_c(recipient), .day = TODAY};
    struct str address;
    struct err e = {0};
    if (returnpath_mint(reader, &arena, &mint, &address, &e) < 0)
        fail_msg("%s", e.text);
    return str_sub(address, 0, str_rchr(address, '@'));
}

static int read_at(const char *format, struct str local, struct returnpath *ret)
{
    char text[512];
    size_t mark = (size_t)(strchr(format, '%') - format);
    snprintf(text, sizeof(text), "%.*s%.*s%s", (int)mark, format, STR_ARG(local),
             format + mark + 1);
    *ret = (struct returnpath){0};
    return returnpath_read(reader, &arena, arena_str(&arena, str_c(text)), TODAY, ret);
}

/* proof is that of what is accepted or refused as a token; "%" is a valid token of the domain. */
static const struct {
    const char *address;
    int rc;
    enum returnpath_proof proof;
    enum returnpath_kind kind;
    bool filled;
} cases[] = {
    {"%@signed.example.test", 0, RETURNPATH_VALID, RETURNPATH_BOUNCE, true},
    {"\"%\"@signed.example.test", 0, RETURNPATH_VALID, RETURNPATH_BOUNCE, true},
    {"%a@signed.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0, false},
    {"x%@signed.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0, false},
    {"b1bat57ann=example.com-aaaaaaaaaaaaaaaa@signed.example.test", -EKEYREJECTED,
     RETURNPATH_FORGED, RETURNPATH_BOUNCE, true},
    {"b1uzt57ann=example.com-aaaaaaaaaaaaaaaa@signed.example.test", -EKEYREJECTED,
     RETURNPATH_UNKNOWN_KEY, RETURNPATH_UNSUBSCRIBE, true},
    {"b1bat57-aaaaaaaaaaaaaaaa@signed.example.test", -EKEYREJECTED, RETURNPATH_FORGED,
     RETURNPATH_BOUNCE, true},
    {"postmaster@signed.example.test", 0, RETURNPATH_UNSIGNED, RETURNPATH_ROLE, true},
    {"Abuse@signed.example.test", 0, RETURNPATH_UNSIGNED, RETURNPATH_ROLE, true},
    {"fbl@signed.example.test", 0, RETURNPATH_UNSIGNED, RETURNPATH_BOUNCE, true},
    {"UNSUBSCRIBE@Signed.Example.Test", 0, RETURNPATH_UNSIGNED, RETURNPATH_BOUNCE, true},
    {"fbl2@signed.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0, false},
    {"fbl@verp.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0, false},
    {"b+ann=example.com@signed.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0, false},
    {"user%%host@signed.example.test", -EHOSTUNREACH, RETURNPATH_UNSIGNED, 0, false},
    /* elsewhere a token that is none of ours is taken, and says so */
    {"b1bat57ann=example.com-aaaaaaaaaaaaaaaa@verp.example.test", 0, RETURNPATH_FORGED,
     RETURNPATH_BOUNCE, true},
    {"b1cat57ann=example.com-aaaaaaaaaaaaaaaa@bounces.example.test", 0, RETURNPATH_FORGED,
     RETURNPATH_COMPLAINT, true},
    {"b1b7aaaann=example.com-aaaaaaaaaaaaaaaa@verp.example.test", 0, RETURNPATH_FORGED,
     RETURNPATH_BOUNCE, true},
    /* no outline of a token: another version, purpose, key id or day, a mac too short */
    {"b2bat57ann=example.com-aaaaaaaaaaaaaaaa@verp.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0,
     false},
    {"b1xat57aaaaaaaaaaaaa-aaaaaaaaaaaaaaaa@verp.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0,
     false},
    {"b1b1t57aaaaaaaaaaaaa-aaaaaaaaaaaaaaaa@verp.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0,
     false},
    {"b1bat5=aaaaaaaaaaaaa-aaaaaaaaaaaaaaaa@verp.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0,
     false},
    {"b1bat57aaaaaaaaaaaaa-aaaaaaaaaaaaaaa@verp.example.test", -ENOENT, RETURNPATH_UNSIGNED, 0,
     false},
    /* a shape that names a message alone */
    {"news+bounce_5f2b1c3d4e@verp.example.test", 0, RETURNPATH_UNSIGNED, RETURNPATH_BOUNCE, true},
};

static void test_accept(void **state)
{
    (void)state;
    struct str local = local_of("signed.example.test", "ann@example.com");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct returnpath got = {0};
        const char *address = cases[i].address, *mark = strchr(address, '%');
        bool minted = mark && mark[1] != '%';
        int rc = minted ? read_at(address, local, &got)
                 : mark ? read_at("%@signed.example.test", STR("user%host"), &got)
                        : returnpath_read(reader, &arena, str_c(address), TODAY, &got);
        if (rc != cases[i].rc || got.proof != cases[i].proof || got.kind != cases[i].kind ||
            (got.domain != NULL) != cases[i].filled ||
            got.verified != (cases[i].proof == RETURNPATH_VALID))
            fail_msg("%s: %d %s", address, rc, returnpath_proof_name(got.proof));
        assert_true((got.proof == RETURNPATH_UNSIGNED) == str_is_absent(got.token));
    }
}

/* "%" is a valid token of signed.example.test for ann. */
static const struct {
    const char *address;
    bool read, inside; /* verifies so */
} wrapped[] = {
    {"%@signed.example.test", true, true},
    {"prvs=1234abcdef=%@signed.example.test", true, true},
    {"prvs=%/1234abcdef@signed.example.test", true, true},
    {"btv1==0a1b2c==%@signed.example.test", true, true},
    {"SRS0=HHHH=TT=signed.example.test=%@bounces.example.test", true, true},
    {"SRS0=HHHH=TT=signed.example.test=%@elsewhere.test", false, true},
    {"SRS0+HHHH=TT=SIGNED.example.test=%@[192.0.2.1]", false, true},
    {"SRS1=HHHH=f.example==HHHH=TT=signed.example.test=%@elsewhere.test", false, true},
    /* three deep, and one deeper */
    {"prvs=1234abcdef=btv1==a==prvs=1234abcdef=%@signed.example.test", true, true},
    {"prvs=1234abcdef=btv1==a==prvs=1234abcdef=btv1==a==%@signed.example.test", false, false},
    /* the inner domain is not the one that was signed, or not ours */
    {"SRS0=HHHH=TT=bounces.example.test=%@signed.example.test", false, false},
    {"SRS0=HHHH=TT=elsewhere.test=%@signed.example.test", false, false},
    {"SRS0=HHHH=TT=elsewhere.test=%@elsewhere.test", false, false},
    {"%@elsewhere.test", false, false},
    {"%", false, false},
    {"%@", false, false},
    {"x%@signed.example.test", false, false},
    /* look-alikes in another script (U+0455, U+0435) are other names */
    {"%@\321\225igned.example.test", false, false},
    {"%@sign\320\265d.example.test", false, false},
    {"%@signed.example.test.", false, false},
};

static void test_wrapped(void **state)
{
    (void)state;
    struct str local = local_of("signed.example.test", "ann@example.com");
    for (size_t i = 0; i < sizeof(wrapped) / sizeof(wrapped[0]); i++) {
        struct returnpath got = {0}, inside = {0};
        char text[512];
        const char *mark = strchr(wrapped[i].address, '%');
        snprintf(text, sizeof(text), "%.*s%.*s%s", (int)(mark - wrapped[i].address),
                 wrapped[i].address, STR_ARG(local), mark + 1);
        struct str address = arena_str(&arena, str_c(text));
        (void)returnpath_read(reader, &arena, address, TODAY, &got);
        int rc = returnpath_read_inside(reader, &arena, address, TODAY, &inside);
        if (got.verified != wrapped[i].read || inside.verified != wrapped[i].inside)
            fail_msg("%s: %d %d", text, got.verified, inside.verified);
        if (wrapped[i].inside) {
            assert_int_equal(rc, 0);
            assert_true(str_eq(inside.recipient, STR("ann@example.com")));
            assert_true(str_eq(inside.domain->name, STR("signed.example.test")));
        }
        if (got.verified)
            assert_true(str_eq(got.token, inside.token));
    }
}

static void test_inside(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        int rc;
        enum returnpath_proof proof;
    } t[] = {
        {"b1bat57ann=example.com-aaaaaaaaaaaaaaaa@signed.example.test", 0, RETURNPATH_FORGED},
        {"b1bzt57ann=example.com-aaaaaaaaaaaaaaaa@signed.example.test", 0, RETURNPATH_UNKNOWN_KEY},
        {"b1bat57ann=example.com-aaaaaaaaaaaaaaaa@elsewhere.test", -ENOENT, 0},
        {"postmaster@signed.example.test", -ENOENT, 0},
        {"postmaster", -ENOENT, 0},
        {"fbl@signed.example.test", -ENOENT, 0},
        {"b+ann=example.com@bounces.example.test", -ENOENT, 0},
        {"a@\377.test", -ENOENT, 0},
        {"", -ENOENT, 0},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct returnpath got = {0};
        int rc = returnpath_read_inside(reader, &arena, str_c(t[i].address), TODAY, &got);
        if (rc != t[i].rc || got.proof != t[i].proof || (got.domain != NULL) != (rc == 0))
            fail_msg("%s: %d %s", t[i].address, rc, returnpath_proof_name(got.proof));
    }
    for (size_t n = 1; n < 100000; n *= 2) {
        char *p = arena_alloc(&arena, n);
        memset(p, '=', n);
        struct returnpath got = {0};
        assert_int_equal(returnpath_read_inside(reader, &arena, str_of(p, n), TODAY, &got),
                         -ENOENT);
        p[n - 1] = '@';
        assert_int_equal(returnpath_read_inside(reader, &arena, str_of(p, n), TODAY, &got),
                         -ENOENT);
    }
}

/* Inside a message a local part may be longer than a mailbox's; no longer recipient than an address
 * is read from it. Macs by other code: a valid signature does not make it one. */
static void test_long(void **state)
{
    (void)state;
    static const char a64[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static const struct {
        const char *mac;
        size_t user;
        enum returnpath_proof proof;
    } t[] = {{"6blimwhsqwyzp3gj", 64, RETURNPATH_VALID},
             {"a7zb6fcn6pjrio6s", 65, RETURNPATH_FORGED}};
    for (size_t i = 0; i < 2; i++) {
        struct returnpath got = {0};
        struct str address = arena_fmt(&arena, "b1bat57%s%s=example.com-%s@bounces.example.test",
                                       a64, t[i].user > 64 ? "a" : "", t[i].mac);
        assert_int_equal(returnpath_read_inside(reader, &arena, address, TODAY, &got), 0);
        assert_int_equal(got.proof, t[i].proof);
        assert_int_equal(got.recipient.n, got.verified ? 64 + 12 : 0);
    }
}

static void test_memory_ends(void **state)
{
    (void)state;
    struct str local = local_of("xn--bcher-kva.example", "ann@example.com");
    struct str quoted = arena_fmt(&arena, "\"%.*s\"@b\303\274cher.example", STR_ARG(local));
    uint64_t n = 0;
    for (int rc = -ENOMEM; rc != 0; n++) {
        assert_true(n < 20);
        struct arena a = arena_make(64 * 1024);
        struct returnpath got = {0};
        arena_fail_at(&a, n);
        rc = returnpath_read(reader, &a, quoted, TODAY, &got);
        assert_true(rc == 0 ? got.verified : rc == -ENOMEM && !got.domain);
        arena_reset(&a);
        arena_free(&a);
        a = arena_make(64 * 1024);
        arena_fail_at(&a, n);
        int inside = returnpath_read_inside(reader, &a, quoted, TODAY, &got);
        assert_int_equal(inside, rc);
        arena_free(&a);
    }
    assert_true(n > 3);
}

/* ---- sets ---- */

static const struct returnpath_domain two[] = {{.name = STR_INIT("b.example")},
                                               {.name = STR_INIT("a.example")}};
#define K32 STR_INIT("0123456789abcdef0123456789abcdef")
static const struct returnpath_domain twice[] = {{.name = STR_INIT("b.example")},
                                                 {.name = STR_INIT("b.example")}};
static const struct returnpath_key key_twice[] = {{.id = 'a', .secret = K32},
                                                  {.id = 'a', .secret = K32}};
static const struct returnpath_key key_short[] = {{.id = 'a', .secret = STR_INIT("short")}};
static const struct returnpath_key key_one[] = {{.id = '1', .secret = K32}};
static const struct returnpath_key key_upper[] = {{.id = 'A', .secret = K32}};
static const struct returnpath_pattern stranger[] = {
    {.name = STR_INIT("p"), .regex = STR_INIT("(?<tenant>a)"), .domain = STR_INIT("c.example")}};
static const struct returnpath_pattern broken[] = {
    {.name = STR_INIT("good"), .regex = STR_INIT("(?<tenant>a)")},
    {.name = STR_INIT("bad"), .regex = STR_INIT("(?<tenant>a")}};

static void test_mistakes(void **state)
{
    (void)state;
    const struct {
        struct returnpath_set_config config;
        const char *words;
    } t[] = {
        {{.domains = twice, .domains_n = 2}, "domain b.example stands twice"},
        {{.keys = key_twice, .keys_n = 2}, "key 'a' stands twice"},
        {{.keys = key_short, .keys_n = 1}, "key 'a' has 5 octets, expected 32 to 128"},
        {{.keys = key_one, .keys_n = 1}, "key id '1'"},
        {{.keys = key_upper, .keys_n = 1}, "key id 'A'"},
        {{.keys = key_one, .keys_n = 33}, "33 keys"},
        {{.domains = two, .domains_n = 2, .patterns = stranger, .patterns_n = 1},
         "pattern p: domain c.example"},
        {{.patterns = broken, .patterns_n = 2}, "pattern bad: missing"},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct returnpath_set *set = NULL;
        struct err e = {0};
        int rc = returnpath_set_new(&t[i].config, &set, &e);
        if (rc != -EINVAL || set || !strstr(e.text, t[i].words))
            fail_msg("%zu: %d %s", i, rc, e.text);
    }
}

/* Nothing of what was given is looked at again. */
static void test_copies(void **state)
{
    (void)state;
    char name[] = "b.example", tenant[] = "t", local[] = "fbl",
         secret[] = "0123456789abcdef0123456789abcdef", regex[] = "x(?<campaign>\\d+)";
    struct str open = str_c(local);
    struct returnpath_domain d = {.name = str_c(name),
                                  .accept = RETURNPATH_ACCEPT_VERP,
                                  .tenant = str_c(tenant),
                                  .open = &open,
                                  .open_n = 1};
    struct returnpath_key key = {.id = 'a', .secret = str_c(secret)};
    struct returnpath_pattern p = {.name = str_c(name), .regex = str_c(regex), .domain = d.name};
    struct returnpath_set_config config = {&d, 1, &key, 1, &p, 1, 0, 0};
    struct returnpath_set *set = NULL;
    struct returnpath_reader *r = NULL;
    assert_int_equal(returnpath_set_new(&config, &set, NULL), 0);
    memset(name, 'x', 9);
    memset(tenant, 'x', 1);
    memset(local, 'x', 3);
    memset(secret, 'x', 32);
    memset(regex, 'x', 5);
    memset(&d, 0, sizeof(d));
    assert_int_equal(returnpath_reader_new(set, &r), 0);
    returnpath_set_unref(set);
    struct returnpath got;
    assert_int_equal(returnpath_read(r, &arena, STR("fbl@b.example"), TODAY, &got), 0);
    assert_true(str_eq(got.domain->tenant, STR("t")));
    assert_int_equal(returnpath_read(r, &arena, STR("x17@b.example"), TODAY, &got), 0);
    assert_true(str_eq(got.campaign, STR("17")));
    assert_int_equal(got.source, RETURNPATH_SOURCE_PATTERN);
    struct returnpath_mint mint = {
        .domain = STR("b.example"), .recipient = STR("ann@example.com"), .day = TODAY};
    struct str address;
    assert_int_equal(returnpath_mint(r, &arena, &mint, &address, NULL), 0);
    assert_true(str_eq(address, STR("b1bat57ann=example.com-fsbmuek3f623ugtx@b.example")));
    returnpath_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),      cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_inside),      cmocka_unit_test(test_long),
        cmocka_unit_test(test_memory_ends), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
