/* token_check.c - how many addresses a second one core reads, and what the signature alone costs.
 * Usage: bench_token_check [SECONDS] [PATTERNS]   (each; default 1 and 0)
 *
 * Each line: what was read, a second of CPU, nanoseconds each. The addresses are made before, a
 * thousand of a kind in turn, so that neither branches nor lines of memory are learnt by heart. The
 * floor is what OpenSSL needs for an HMAC-SHA256 over as many octets as a token signs: by its
 * one-call function, and from a state in which the key is set up. */
#include "base/clock.h"
#include "base/require.h"
#include "returnpath/returnpath.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ADDRESSES = 1000, TODAY = 20000 };

static const unsigned char secret[32] = "0123456789abcdef0123456789abcde";
static int64_t duration = CLOCK_SECOND;
static volatile unsigned sink; /* so that nothing is optimised away */

/* Of this thread, in microseconds: nothing here waits, so a busy machine only makes it last longer.
 */
static int64_t cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * CLOCK_SECOND + t.tv_nsec / 1000;
}

static void print(const char *what, uint64_t n, int64_t time)
{
    printf("%-22s %12.0f/s %8.0f ns\n", what, (double)n * 1e6 / (double)time,
           (double)time * 1e3 / (double)n);
}

static struct returnpath_reader *reader_make(size_t patterns_n)
{
    static const struct returnpath_domain domain = {.name = STR_INIT("bounces.example.com"),
                                                    .accept = RETURNPATH_ACCEPT_ANY};
    struct returnpath_key key = {.id = 'a', .secret = {(const char *)secret, sizeof(secret)}};
    struct returnpath_pattern *patterns = calloc(patterns_n + 1, sizeof(*patterns));
    REQUIRE(patterns);
    for (size_t i = 0; i < patterns_n; i++)
        patterns[i] = (struct returnpath_pattern){
            .name = STR("p"), .regex = STR("x\\+(?<campaign>\\d+)\\+(?<user>[^=]+)=(?<domain>.+)")};
    const struct returnpath_set_config config = {.domains = &domain,
                                                 .domains_n = 1,
                                                 .keys = &key,
                                                 .keys_n = 1,
                                                 .patterns = patterns,
                                                 .patterns_n = patterns_n};
    struct returnpath_set *set = NULL;
    struct returnpath_reader *reader = NULL;
    struct err e = {0};
    REQUIRE(returnpath_set_new(&config, &set, &e) == 0);
    REQUIRE(returnpath_reader_new(set, &reader) == 0);
    returnpath_set_unref(set);
    free(patterns);
    return reader;
}

/* Address i: a token that names somebody, or one with an id. */
static struct str address_make(struct returnpath_reader *r, struct arena *a, bool opaque,
                               unsigned i)
{
    struct str address;
    struct err e = {0};
    struct returnpath_mint mint = {.domain = STR("bounces.example.com"), .day = TODAY - i % 30};
    char id[17] = "aaaaaaaaaaaaaaaa";
    id[0] = (char)('a' + i % 26);
    id[1] = (char)('a' + i / 26 % 26);
    id[2] = (char)('a' + i / 676);
    if (opaque)
        mint.token_id = str_of(id, 16);
    else
        mint.recipient = arena_fmt(a, "first.last%u@mail%u.example.com", i, i % 7);
    if (returnpath_mint(r, a, &mint, &address, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    return address;
}

static void measure_read(const char *what, struct returnpath_reader *r, const struct str *list,
                         enum returnpath_proof want)
{
    struct arena a = arena_make(64 * 1024);
    struct returnpath got;
    uint64_t n = 0;
    int64_t start = cpu_time(), now = start;
    while ((now = cpu_time()) - start < duration) {
        for (size_t i = 0; i < ADDRESSES; i++, n++) {
            arena_reset(&a);
            int rc = returnpath_read(r, &a, list[i], TODAY, &got);
            REQUIRE(rc == 0 && got.proof == want);
        }
    }
    print(what, n, now - start);
    arena_free(&a);
}

static void measure_mint(struct returnpath_reader *r)
{
    struct arena a = arena_make(64 * 1024);
    struct str address;
    struct returnpath_mint mint = {.domain = STR("bounces.example.com"),
                                   .recipient = STR("first.last17@mail3.example.com"),
                                   .day = TODAY};
    uint64_t n = 0;
    int64_t start = cpu_time(), now = start;
    while ((now = cpu_time()) - start < duration) {
        for (size_t i = 0; i < ADDRESSES; i++, n++) {
            arena_reset(&a);
            mint.day = TODAY - (uint32_t)i % 30;
            REQUIRE(returnpath_mint(r, &a, &mint, &address, NULL) == 0);
        }
    }
    print("mint", n, now - start);
    arena_free(&a);
}

static void measure_floor(const unsigned char *text, size_t text_n)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_n = 0;
    uint64_t n = 0;
    int64_t start = cpu_time(), now = start;
    while ((now = cpu_time()) - start < duration) {
        for (size_t i = 0; i < ADDRESSES; i++, n++) {
            HMAC(EVP_sha256(), secret, sizeof(secret), text, text_n, mac, &mac_n);
            sink += mac[0];
        }
    }
    print("HMAC() one call", n, now - start);

    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = EVP_MAC_CTX_new(hmac);
    REQUIRE(c && EVP_MAC_init(c, secret, sizeof(secret), parameters) == 1);
    n = 0;
    start = cpu_time();
    while ((now = cpu_time()) - start < duration) {
        for (size_t i = 0; i < ADDRESSES; i++, n++) {
            size_t out = 0;
            EVP_MAC_init(c, NULL, 0, NULL);
            EVP_MAC_update(c, text, text_n);
            EVP_MAC_final(c, mac, &out, sizeof(mac));
            sink += mac[0];
        }
    }
    print("EVP_MAC, key set up", n, now - start);
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(hmac);
}

int main(int argc, char **argv)
{
    static struct str embedded[ADDRESSES], opaque[ADDRESSES], forged[ADDRESSES], verp[ADDRESSES];
    uint32_t seconds = 1, patterns = 0;
    if (argc > 3 || (argc > 1 && (!str_to_u32(str_c(argv[1]), &seconds) || seconds == 0)) ||
        (argc > 2 && (!str_to_u32(str_c(argv[2]), &patterns) || patterns > 1000))) {
        fprintf(stderr, "usage: %s [SECONDS] [PATTERNS]\n", argv[0]);
        return 2;
    }
    duration = seconds * CLOCK_SECOND;
    struct returnpath_reader *r = reader_make(patterns);
    struct arena a = arena_make(4 << 20);
    for (unsigned i = 0; i < ADDRESSES; i++) {
        embedded[i] = address_make(r, &a, false, i);
        opaque[i] = address_make(r, &a, true, i);
        forged[i] = arena_str(&a, embedded[i]);
        verp[i] = arena_fmt(&a, "b+first.last%u=mail%u.example.com@bounces.example.com", i, i % 7);
        char *mac_end = arena_alloc(&a, forged[i].n);
        REQUIRE(mac_end && verp[i].n > 0);
        memcpy(mac_end, forged[i].p, forged[i].n);
        size_t at = str_rchr(forged[i], '@') - 1;
        mac_end[at] = mac_end[at] == 'a' ? 'b' : 'a';
        forged[i] = str_of(mac_end, forged[i].n);
    }
    measure_read("embedded, valid", r, embedded, RETURNPATH_VALID);
    measure_read("opaque, valid", r, opaque, RETURNPATH_VALID);
    measure_read("embedded, forged", r, forged, RETURNPATH_FORGED);
    measure_read("verp, unsigned", r, verp, RETURNPATH_UNSIGNED);
    measure_mint(r);
    measure_floor((const unsigned char *)embedded[0].p, embedded[0].n - 17);
    arena_free(&a);
    returnpath_reader_free(r);
    return 0;
}
