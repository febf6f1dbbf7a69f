/* Tokens: known ones made by other code, what may stand in them, and when they are good. */
#include "fixture.h"

#include "returnpath/token.h"

static struct returnpath_reader *reader;

static int setup(void **state)
{
    (void)state;
    reader = fixture_reader_default();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    returnpath_reader_free(reader);
    return 0;
}

/* Made by tests/fuzz/returnpath/corpus.py's function, which shares no code with the program. */
static const struct {
    struct returnpath_mint mint;
    const char *address, *recipient, *stream;
} vectors[] = {
    {{.domain = STR_INIT("bounces.example.test"),
      .recipient = STR_INIT("ann@example.com"),
      .day = TODAY},
     "b1bat57ann=example.com-y2lxf4xcn253ozsh@bounces.example.test",
     "ann@example.com",
     NULL},
    {{.domain = STR_INIT("Bounces.Example.TEST"),
      .recipient = STR_INIT("Ann.O'Neil@Example.COM"),
      .stream = STR_INIT("news"),
      .day = TODAY},
     "b1bat57news=Ann.O'Neil=Example.COM-7ug2pkhj3sbfa2m4@bounces.example.test",
     "Ann.O'Neil@Example.COM",
     "news"},
    {{.kind = RETURNPATH_COMPLAINT,
      .domain = STR_INIT("bounces.example.test"),
      .token_id = STR_INIT("MFRGGZDFMZTWQ2LK"),
      .day = RETURNPATH_DAY_MAX,
      .key_id = '7'},
     "b1c7777MFRGGZDFMZTWQ2LK-xdjw3th4qcctrlmq@bounces.example.test",
     NULL,
     NULL},
    {{.kind = RETURNPATH_UNSUBSCRIBE,
      .domain = STR_INIT("b\303\274cher.example"),
      .token_id = STR_INIT("aaaaaaaaaaaaaaaaaaaaaaaaaa"),
      .key_id = '7'},
     "b1u7aaaaaaaaaaaaaaaaaaaaaaaaaaaaa-q7cmhvb564fezy72@xn--bcher-kva.example",
     NULL,
     NULL},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct arena a = arena_make(64 * 1024);
        struct err e = {0};
        struct str address;
        struct returnpath got = {0};
        const struct returnpath_mint *m = &vectors[i].mint;
        if (returnpath_mint(reader, &a, m, &address, &e) < 0)
            fail_msg("%zu: %s", i, e.text);
        if (!str_eq(address, str_c(vectors[i].address)))
            fail_msg("%zu: %.*s", i, STR_ARG(address));
        assert_int_equal(returnpath_read(reader, &a, address, m->day, &got), 0);
        assert_int_equal(got.proof, RETURNPATH_VALID);
        assert_true(got.verified);
        assert_int_equal(got.kind, m->kind);
        assert_int_equal(got.day, m->day);
        assert_int_equal(got.key_id, m->key_id ? m->key_id : 'a');
        assert_true(str_eq(got.recipient, str_c(vectors[i].recipient)));
        assert_true(str_eq(got.stream, str_c(vectors[i].stream)));
        assert_true(str_ieq(got.token_id, m->token_id));
        assert_int_equal(got.source,
                         m->token_id.n ? RETURNPATH_SOURCE_OPAQUE : RETURNPATH_SOURCE_TOKEN);
        /* The identity: in lower case, without the mac. */
        size_t at = str_rchr(address, '@');
        struct str identity = arena_fmt(&a, "%.*s%.*s", (int)(at - 1 - TOKEN_MAC), address.p,
                                        STR_ARG(str_from(address, at)));
        assert_true(str_ieq(got.token, identity));
        for (size_t k = 0; k < got.token.n; k++)
            assert_true(got.token.p[k] == ascii_lower(got.token.p[k]));
        arena_free(&a);
    }
}

/* Relays that fold case, in either direction, change nothing. */
static void test_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct arena a = arena_make(64 * 1024);
        struct returnpath plain = {0}, folded = {0};
        struct str upper = arena_str(&a, str_c(vectors[i].address));
        char *p = arena_alloc(&a, upper.n);
        for (size_t k = 0; k < upper.n; k++)
            p[k] = ascii_is_alpha(upper.p[k]) ? (char)(upper.p[k] & ~0x20) : upper.p[k];
        uint32_t day = vectors[i].mint.day;
        assert_int_equal(returnpath_read(reader, &a, upper, day, &plain), 0);
        assert_int_equal(returnpath_read(reader, &a, str_of(p, upper.n), day, &folded), 0);
        assert_true(folded.verified);
        assert_true(str_eq(folded.token, plain.token) && str_eq(folded.token_id, plain.token_id));
        assert_true(str_eq(folded.stream, plain.stream));
        assert_true(str_ieq(folded.recipient, plain.recipient));
        assert_int_equal(folded.key_id, plain.key_id);
        arena_free(&a);
    }
}

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    struct returnpath_mint mint;
    int rc;
    const char *words;
} refusals[] = {
    {{.recipient = STR_INIT("a@b.c"), .domain = STR_INIT("elsewhere.test")}, -EINVAL, "configured"},
    {{.recipient = STR_INIT("a@b.c"), .domain = STR_INIT("\377")}, -EINVAL, "configured"},
    {{.recipient = {0}}, -EINVAL, "a recipient or a token id"},
    {{.recipient = STR_INIT("a@b.c"), .token_id = STR_INIT("aaaaaaaaaaaaa")}, -EINVAL, "one of"},
    {{.kind = RETURNPATH_ROLE, .recipient = STR_INIT("a@b.c")}, -EINVAL, "bounces, complaints"},
    {{.recipient = STR_INIT("a@b.c"), .day = RETURNPATH_DAY_MAX + 1}, -EINVAL, "32767"},
    {{.recipient = STR_INIT("nobody")}, -EINVAL, "an address"},
    {{.recipient = STR_INIT("a=b@c.d")}, -EINVAL, "opaque"},
    {{.recipient = STR_INIT("a..b@c.d")}, -EINVAL, "opaque"},
    {{.recipient = STR_INIT(".a@c.d")}, -EINVAL, "opaque"},
    {{.recipient = STR_INIT("a.@c.d")}, -EINVAL, "opaque"},
    {{.recipient = STR_INIT("\"a b\"@c.d")}, -EINVAL, "opaque"},
    {{.recipient = STR_INIT("\303\274@c.d")}, -EINVAL, "opaque"},
    {{.recipient = STR_INIT("a@[192.0.2.1]")}, -EINVAL, "domain name"},
    {{.recipient = STR_INIT("a@-b.c")}, -EINVAL, "domain name"},
    {{.recipient = STR_INIT("a@b.c"), .stream = STR_INIT("")}, -EINVAL, "stream"},
    {{.recipient = STR_INIT("a@b.c"), .stream = STR_INIT("News")}, -EINVAL, "stream"},
    {{.recipient = STR_INIT("a@b.c"), .stream = STR_INIT("a=b")}, -EINVAL, "stream"},
    {{.recipient = STR_INIT("a@b.c"), .stream = STR_INIT("abcdefghijklmnopq")}, -EINVAL, "1 to 16"},
    {{.token_id = STR_INIT("aaaaaaaaaaaa")}, -EINVAL, "13 to 26"},
    {{.token_id = STR_INIT("aaaaaaaaaaaaaaaaaaaaaaaaaaa")}, -EINVAL, "13 to 26"},
    {{.token_id = STR_INIT("aaaaaaaaaaaa1")}, -EINVAL, "a-z 2-7"},
    {{.token_id = STR_INIT("aaaaaaaaaaaaa"), .stream = STR_INIT("s")}, -EINVAL, "beside its id"},
    {{.recipient = STR_INIT("a@b.c"), .key_id = 'z'}, -ENOKEY, "none of this id"},
    /* 41 octets; that 40 fit is tested below */
    {{.recipient = STR_INIT(A40 "@b.c")}, -EMSGSIZE, "room for 40"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct arena a = arena_make(64 * 1024);
        struct err e = {0};
        struct returnpath_mint mint = refusals[i].mint;
        struct str untouched = STR("untouched"), address = untouched;
        if (str_is_absent(mint.domain))
            mint.domain = STR("bounces.example.test");
        int rc = returnpath_mint(reader, &a, &mint, &address, &e);
        if (rc != refusals[i].rc || !strstr(e.text, refusals[i].words))
            fail_msg("%zu: %d %s", i, rc, e.text);
        assert_ptr_equal(address.p, untouched.p);
        arena_free(&a);
    }
}

static void test_longest(void **state)
{
    (void)state;
    struct arena a = arena_make(64 * 1024);
    static const char user[] = A40;
    for (size_t stream = 0; stream <= 16; stream++) {
        for (size_t over = 0; over <= 1; over++) {
            size_t user_n = 40 - 4 - (stream ? stream + 1 : 0) + over;
            struct returnpath got = {0};
            struct str address = {0}, streams = STR("abcdefghijklmnop");
            struct str to = arena_fmt(&a, "%.*s@b.c", (int)user_n, user);
            struct returnpath_mint mint = {.domain = STR("signed.example.test"),
                                           .recipient = to,
                                           .stream = stream ? str_sub(streams, 0, stream)
                                                            : (struct str){0},
                                           .day = TODAY};
            struct err e = {0};
            int rc = returnpath_mint(reader, &a, &mint, &address, &e);
            assert_int_equal(rc, over ? -EMSGSIZE : 0);
            if (over)
                continue;
            assert_int_equal(str_rchr(address, '@'), 64);
            assert_int_equal(returnpath_read(reader, &a, address, TODAY, &got), 0);
            assert_true(got.verified && str_eq(got.recipient, to));
        }
    }
    arena_free(&a);
}

static const struct {
    enum returnpath_kind kind;
    int64_t after; /* days from the token's to the reading */
    enum returnpath_proof proof;
} ages[] = {
    {RETURNPATH_BOUNCE, -2, RETURNPATH_EARLY},
    {RETURNPATH_BOUNCE, -1, RETURNPATH_VALID},
    {RETURNPATH_BOUNCE, 0, RETURNPATH_VALID},
    {RETURNPATH_BOUNCE, 30, RETURNPATH_VALID},
    {RETURNPATH_BOUNCE, 31, RETURNPATH_EXPIRED},
    {RETURNPATH_BOUNCE, 40000, RETURNPATH_EXPIRED},
    {RETURNPATH_BOUNCE, -20000, RETURNPATH_EARLY},
    {RETURNPATH_COMPLAINT, -2, RETURNPATH_EARLY},
    {RETURNPATH_COMPLAINT, 31, RETURNPATH_VALID},
    {RETURNPATH_COMPLAINT, 400, RETURNPATH_VALID},
    {RETURNPATH_COMPLAINT, 401, RETURNPATH_EXPIRED},
    {RETURNPATH_UNSUBSCRIBE, -1, RETURNPATH_VALID},
    {RETURNPATH_UNSUBSCRIBE, 400, RETURNPATH_VALID},
    {RETURNPATH_UNSUBSCRIBE, 401, RETURNPATH_EXPIRED},
};

static void test_ages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        struct arena a = arena_make(64 * 1024);
        struct str address;
        struct returnpath got = {0};
        struct returnpath_mint mint = {.kind = ages[i].kind,
                                       .domain = STR("signed.example.test"),
                                       .recipient = STR("ann@example.com"),
                                       .day = TODAY};
        assert_int_equal(returnpath_mint(reader, &a, &mint, &address, NULL), 0);
        int rc = returnpath_read(reader, &a, address, (uint32_t)(TODAY + ages[i].after), &got);
        bool valid = ages[i].proof == RETURNPATH_VALID;
        if (got.proof != ages[i].proof || got.verified != valid ||
            rc != (valid ? 0 : -EKEYREJECTED))
            fail_msg("%zu: %d %s", i, rc, returnpath_proof_name(got.proof));
        arena_free(&a);
    }
}

static void test_lifetimes_are_configured(void **state)
{
    (void)state;
    const struct returnpath_key key = {.id = 'a', .secret = str_of(secret_text, 32)};
    const struct returnpath_set_config config = {.domains = fixture_domains,
                                                 .domains_n = 1,
                                                 .keys = &key,
                                                 .keys_n = 1,
                                                 .bounce_days = 2,
                                                 .complaint_days = 3};
    struct returnpath_set *set = NULL;
    struct returnpath_reader *r = NULL;
    assert_int_equal(returnpath_set_new(&config, &set, NULL), 0);
    assert_int_equal(returnpath_reader_new(set, &r), 0);
    for (unsigned kind = 0; kind < 2; kind++) {
        struct arena a = arena_make(64 * 1024);
        struct str address;
        struct returnpath got = {0};
        struct returnpath_mint mint = {.kind = kind ? RETURNPATH_COMPLAINT : RETURNPATH_BOUNCE,
                                       .domain = STR("bounces.example.test"),
                                       .token_id = STR("aaaaaaaaaaaaa"),
                                       .day = TODAY};
        assert_int_equal(returnpath_mint(r, &a, &mint, &address, NULL), 0);
        assert_int_equal(returnpath_read(r, &a, address, TODAY + 2 + kind, &got), 0);
        assert_int_equal(got.proof, RETURNPATH_VALID);
        assert_int_equal(returnpath_read(r, &a, address, TODAY + 3 + kind, &got), 0);
        assert_int_equal(got.proof, RETURNPATH_EXPIRED);
        arena_free(&a);
    }
    returnpath_reader_free(r);
    returnpath_set_unref(set);
}

static enum returnpath_proof proof_at(struct returnpath_reader *r, struct str address, uint32_t day)
{
    struct arena a = arena_make(64 * 1024);
    struct returnpath got = {0};
    int rc = returnpath_read(r, &a, address, day, &got);
    assert_int_equal(rc, 0);
    arena_free(&a);
    return got.proof;
}

static void test_rotation(void **state)
{
    (void)state;
    /* o was replaced: it mints until TODAY, its tokens are taken until then. */
    const struct returnpath_key keys[] = {
        {.id = 'o', .secret = str_of(secret_text, 32), .until = TODAY},
        {.id = 'n', .secret = str_of(secret_octets, 64)},
    };
    struct returnpath_reader *r = fixture_reader(keys, 2), *only_new = fixture_reader(keys + 1, 1),
                             *ended = fixture_reader(keys, 1), *none = fixture_reader(NULL, 0);
    struct arena a = arena_make(64 * 1024);
    struct str old, new;
    struct err e = {0};
    struct returnpath_mint mint = {
        .domain = STR("bounces.example.test"), .recipient = STR("ann@example.com"), .day = TODAY};
    assert_int_equal(returnpath_mint(r, &a, &mint, &old, &e), 0);
    assert_int_equal(old.p[3], 'o');
    mint.day = TODAY + 1;
    assert_int_equal(returnpath_mint(r, &a, &mint, &new, &e), 0);
    assert_int_equal(new.p[3], 'n');
    assert_int_equal(proof_at(r, old, TODAY), RETURNPATH_VALID);
    assert_int_equal(proof_at(r, old, TODAY + 1), RETURNPATH_UNKNOWN_KEY);
    assert_int_equal(proof_at(r, new, TODAY), RETURNPATH_VALID);
    assert_int_equal(proof_at(r, new, TODAY + 1), RETURNPATH_VALID);
    assert_int_equal(proof_at(only_new, old, TODAY), RETURNPATH_UNKNOWN_KEY);
    assert_int_equal(proof_at(none, new, TODAY), RETURNPATH_UNKNOWN_KEY);

    struct str address;
    mint.key_id = 'o';
    assert_int_equal(returnpath_mint(r, &a, &mint, &address, &e), -ENOKEY);
    assert_non_null(strstr(e.text, "until has passed"));
    mint.key_id = 0;
    assert_int_equal(returnpath_mint(ended, &a, &mint, &address, &e), -ENOKEY);
    assert_non_null(strstr(e.text, "add a new one"));
    assert_int_equal(returnpath_mint(none, &a, &mint, &address, &e), -ENOKEY);
    assert_non_null(strstr(e.text, "there is none"));

    /* The same id with other octets: somebody else's token. */
    const struct returnpath_key other = {.id = 'n', .secret = str_of(secret_octets, 65)};
    struct returnpath_reader *stranger = fixture_reader(&other, 1);
    assert_int_equal(proof_at(stranger, new, TODAY), RETURNPATH_FORGED);
    arena_free(&a);
    returnpath_reader_free(r);
    returnpath_reader_free(only_new);
    returnpath_reader_free(ended);
    returnpath_reader_free(none);
    returnpath_reader_free(stranger);
}

static void test_memory_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint64_t n = 0;
        for (int rc = -ENOMEM; rc != 0; n++) {
            assert_true(n < 10);
            struct arena a = arena_make(64 * 1024);
            struct str untouched = STR("u"), address = untouched;
            struct returnpath got = {0};
            arena_fail_at(&a, n);
            rc = returnpath_mint(reader, &a, &vectors[i].mint, &address, NULL);
            assert_true(rc == 0 || (rc == -ENOMEM && address.p == untouched.p));
            arena_free(&a);
            a = arena_make(64 * 1024);
            arena_fail_at(&a, n);
            int read = returnpath_read(reader, &a, str_c(vectors[i].address), TODAY, &got);
            assert_true(n > 0 ? read == 0 || read == -EKEYREJECTED
                              : read == -ENOMEM && !got.domain);
            arena_free(&a);
        }
        assert_true(n > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),  cmocka_unit_test(test_case),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_longest),
        cmocka_unit_test(test_ages),     cmocka_unit_test(test_lifetimes_are_configured),
        cmocka_unit_test(test_rotation), cmocka_unit_test(test_memory_ends),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
