/* Thousands of random tokens: what goes in comes out, and nothing near a token is one. */
#include "fixture.h"

#include "base/address.h"
#include "returnpath/token.h"

#include <stdio.h>

enum { ROUNDS = 4000, TAMPERED = 60 };

static struct returnpath_reader *reader;
static uint64_t seed;

static int setup(void **state)
{
    (void)state;
    const char *given = getenv("TEST_SEED");
    uint64_t number;
    seed = given && str_to_u64(str_c(given), &number) ? number : 1;
    printf("TEST_SEED=%llu\n", (unsigned long long)seed);
    reader = fixture_reader_default();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    returnpath_reader_free(reader);
    return 0;
}

/* splitmix64 */
static uint32_t below(uint32_t n)
{
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 32) % n;
}

static struct str random_text(struct arena *a, const char *alphabet, size_t n)
{
    char *p = arena_alloc(a, n);
    for (size_t i = 0; i < n; i++)
        p[i] = alphabet[below((uint32_t)strlen(alphabet))];
    return str_of(p, n);
}

/* 1 to n octets; dots never at an end or beside each other. */
static struct str random_dotted(struct arena *a, const char *alphabet, size_t n)
{
    struct str s = random_text(a, alphabet, 1 + below((uint32_t)n));
    char *p = arena_alloc(a, s.n);
    memcpy(p, s.p, s.n);
    for (size_t i = 2; i + 1 < s.n; i += 2)
        if (below(4) == 0)
            p[i] = '.';
    return str_of(p, s.n);
}

static const char atext[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/?^_`"
    "{|}~";

static struct returnpath_mint random_mint(struct arena *a)
{
    static const enum returnpath_kind kinds[] = {RETURNPATH_BOUNCE, RETURNPATH_COMPLAINT,
                                                 RETURNPATH_UNSUBSCRIBE};
    struct returnpath_mint mint = {.kind = kinds[below(3)],
                                   .domain = fixture_domains[below(FIXTURE_DOMAINS)].name,
                                   .day = below(RETURNPATH_DAY_MAX + 1),
                                   .key_id = "a7"[below(2)]};
    if (below(3) == 0) {
        mint.token_id = random_text(a, "abcdefghijklmnopqrstuvwxyz234567ABCXYZ",
                                    TOKEN_ID_MIN + below(TOKEN_ID_MAX - TOKEN_ID_MIN + 1));
        return mint;
    }
    if (below(2) == 0)
        mint.stream = random_text(a, "abcxyz019._-", 1 + below(6));
    struct str user = random_dotted(a, atext, 14);
    struct str domain = random_dotted(a, "abcdefghijklmnopqrstuvwxyzABC0123456789", 16);
    mint.recipient = arena_fmt(a, "%.*s@%.*s", STR_ARG(user), STR_ARG(domain));
    return mint;
}

static void test_identity(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct arena a = arena_make(64 * 1024);
        struct returnpath_mint mint = random_mint(&a);
        struct str address;
        struct returnpath got = {0}, inside = {0};
        struct err e = {0};
        if (returnpath_mint(reader, &a, &mint, &address, &e) < 0)
            fail_msg("round %u: %s", round, e.text);
        assert_true(str_rchr(address, '@') <= ADDRESS_LOCAL_MAX);
        int rc = returnpath_read(reader, &a, address, mint.day, &got);
        if (rc < 0 || !got.verified || got.kind != mint.kind || got.day != mint.day ||
            got.key_id != mint.key_id || !str_eq(got.recipient, mint.recipient) ||
            !str_eq(got.stream, mint.stream) || !str_ieq(got.token_id, mint.token_id) ||
            !str_eq(got.domain->name, mint.domain))
            fail_msg("round %u: %.*s", round, STR_ARG(address));
        assert_int_equal(returnpath_read_inside(reader, &a, address, mint.day, &inside), 0);
        assert_true(inside.verified && str_eq(inside.token, got.token));
        arena_free(&a);
    }
}

/* Neither in RCPT TO nor inside a message; and nothing else may be read from it that counts. */
static void refuse(struct str address, struct str was, uint32_t day)
{
    struct arena a = arena_make(64 * 1024);
    struct returnpath got = {0}, inside = {0};
    (void)returnpath_read(reader, &a, address, day, &got);
    (void)returnpath_read_inside(reader, &a, address, day, &inside);
    if (got.verified || got.proof == RETURNPATH_VALID || inside.verified)
        fail_msg("%.*s, which was %.*s, verifies", STR_ARG(address), STR_ARG(was));
    arena_free(&a);
}

static void tamper(struct arena *a, struct str address, uint32_t day)
{
    char *p = arena_alloc(a, address.n + 1);
    /* each bit, unless it is but the case of a letter */
    for (size_t bit = 0; bit < address.n * 8; bit++) {
        memcpy(p, address.p, address.n);
        p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
        if (!str_ieq(str_of(p, address.n), address))
            refuse(str_of(p, address.n), address, day);
    }
    /* each front, each end, each without one character */
    for (size_t n = 0; n < address.n; n++) {
        refuse(str_sub(address, 0, n), address, day);
        refuse(str_from(address, n + 1), address, day);
        memcpy(p, address.p, n);
        memcpy(p + n, address.p + n + 1, address.n - n - 1);
        refuse(str_of(p, address.n - 1), address, day);
    }
    /* each character doubled, but for the domain's dots, which end a label */
    for (size_t n = 0; n < address.n; n++) {
        memcpy(p, address.p, n + 1);
        memcpy(p + n + 1, address.p + n, address.n - n);
        refuse(str_of(p, address.n + 1), address, day);
    }
    /* each pair of characters swapped */
    for (size_t i = 0; i < address.n; i++) {
        for (size_t k = i + 1; k < address.n; k++) {
            if (ascii_lower(address.p[i]) == ascii_lower(address.p[k]))
                continue;
            memcpy(p, address.p, address.n);
            p[i] = address.p[k];
            p[k] = address.p[i];
            refuse(str_of(p, address.n), address, day);
        }
    }
}

static void test_tampering(void **state)
{
    (void)state;
    for (unsigned round = 0; round < TAMPERED; round++) {
        struct arena a = arena_make(64 * 1024);
        struct returnpath_mint mint = random_mint(&a);
        struct str address;
        assert_int_equal(returnpath_mint(reader, &a, &mint, &address, NULL), 0);
        tamper(&a, address, mint.day);
        arena_free(&a);
    }
}

/* A token of one domain, key or purpose is worth nothing as another's. */
static void test_moving(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS / 10; round++) {
        struct arena a = arena_make(64 * 1024);
        struct returnpath_mint mint = random_mint(&a);
        struct str address;
        assert_int_equal(returnpath_mint(reader, &a, &mint, &address, NULL), 0);
        struct str local = str_sub(address, 0, str_rchr(address, '@'));
        for (size_t i = 0; i < FIXTURE_DOMAINS; i++)
            if (!str_eq(fixture_domains[i].name, mint.domain))
                refuse(arena_fmt(&a, "%.*s@%.*s", STR_ARG(local), STR_ARG(fixture_domains[i].name)),
                       address, mint.day);
        for (const char *c = "bcu"; *c; c++)
            if (*c != address.p[2])
                refuse(arena_fmt(&a, "b1%c%.*s", *c, STR_ARG(str_from(address, 3))), address,
                       mint.day);
        for (const char *c = "a7"; *c; c++)
            if (*c != address.p[3])
                refuse(arena_fmt(&a, "%.*s%c%.*s", 3, address.p, *c, STR_ARG(str_from(address, 4))),
                       address, mint.day);
        /* A mangled front: '+' stripped, a tag added, quoted-printable. */
        refuse(arena_fmt(&a, "b+%.*s", STR_ARG(address)), address, mint.day);
        refuse(arena_fmt(&a, "%.*s+tag@%.*s", STR_ARG(local), STR_ARG(mint.domain)), address,
               mint.day);
        refuse(arena_fmt(&a, "3D%.*s", STR_ARG(address)), address, mint.day);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_moving),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
