#include "returnpath/token.h"

#include "base/address.h"
#include "base/domain.h"
#include "base/require.h"
#include "returnpath/base32.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { MAC_OCTETS = 10, DOMAIN_MAX = 253, TEXT_MAX = TOKEN_LOCAL_MAX + 1 + DOMAIN_MAX };

/* The key is set up once: each signature begins with a copy of that state. */
struct signer_key {
    const struct token_key *key;
    EVP_MAC_CTX *mac;
};

struct token_signer {
    size_t n;
    struct signer_key keys[];
};

static const struct {
    char letter;
    enum returnpath_kind kind;
} purposes[] = {
    {'b', RETURNPATH_BOUNCE},
    {'c', RETURNPATH_COMPLAINT},
    {'u', RETURNPATH_UNSUBSCRIBE},
};
enum { PURPOSES = sizeof(purposes) / sizeof(purposes[0]) };

/* ---- signing ---- */

void token_signer_free(struct token_signer *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        EVP_MAC_CTX_free(s->keys[i].mac);
    free(s);
}

int token_signer_new(const struct token_key *keys, size_t n, struct token_signer **ret)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    struct token_signer *s = calloc(1, sizeof(*s) + n * sizeof(s->keys[0]));
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bool good = s && hmac;
    for (size_t i = 0; good && i < n; i++) {
        struct signer_key k = {&keys[i], EVP_MAC_CTX_new(hmac)};
        s->keys[s->n++] = k;
        good = k.mac && EVP_MAC_init(k.mac, keys[i].secret, keys[i].n, parameters) == 1;
    }
    EVP_MAC_free(hmac);
    if (!good) {
        token_signer_free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

/* The mac of text, as it stands in a token. Only a lack of memory fails. */
static int sign(const struct signer_key *k, struct str text, char to[TOKEN_MAC])
{
    unsigned char full[EVP_MAX_MD_SIZE];
    size_t n = 0;
    if (EVP_MAC_init(k->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(k->mac, (const unsigned char *)text.p, text.n) != 1 ||
        EVP_MAC_final(k->mac, full, &n, sizeof(full)) != 1)
        return -ENOMEM;
    REQUIRE(n >= MAC_OCTETS);
    base32_encode(full, MAC_OCTETS, to);
    return 0;
}

/* What is signed, which also is the token's identity: lower(head) "@" domain. */
static struct str signed_text(struct str head, struct str domain, char to[TEXT_MAX])
{
    REQUIRE(head.n <= TOKEN_LOCAL_MAX && domain.n <= DOMAIN_MAX);
    for (size_t i = 0; i < head.n; i++)
        to[i] = ascii_lower(head.p[i]);
    to[head.n] = '@';
    memcpy(to + head.n + 1, domain.p, domain.n);
    return str_of(to, head.n + 1 + domain.n);
}

/* until: the day behind the key's last one is the first without it. */
static bool key_is_good(const struct token_key *k, uint32_t day)
{
    return k->until == 0 || day <= k->until;
}

/* ---- the payload ---- */

/* Dot-string of RFC 5321 section 4.1.2, without '=', which parts the payload. */
static bool is_user(struct str s)
{
    char before = '.';
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool atext = ascii_is_alpha(c) || ascii_is_digit(c) ||
                     (c > ' ' && c < 0x7f && strchr("!#$%&'*+-/?^_`{|}~", c) != NULL);
        if (!atext && (c != '.' || before == '.'))
            return false;
        before = c;
    }
    return before != '.' && s.n <= ADDRESS_LOCAL_MAX;
}

static bool is_stream(struct str s, bool any_case)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = any_case ? ascii_lower(s.p[i]) : s.p[i];
        if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return s.n >= 1 && s.n <= TOKEN_STREAM_MAX;
}

static bool is_token_id(struct str s)
{
    return s.n >= TOKEN_ID_MIN && s.n <= TOKEN_ID_MAX && base32_is(s);
}

struct payload {
    struct str stream, user, domain; /* embedded */
    bool opaque;
};

/* False: none that a token of ours has. */
static bool payload_read(struct str text, struct payload *ret)
{
    struct payload p = {0};
    size_t equals = str_rchr(text, '=');
    if (equals == text.n) {
        p.opaque = true;
        *ret = p;
        return is_token_id(text);
    }
    p.domain = str_from(text, equals + 1);
    p.user = str_sub(text, 0, equals);
    size_t first = str_chr(p.user, '=', 0);
    if (first < p.user.n) {
        p.stream = str_sub(p.user, 0, first);
        p.user = str_from(p.user, first + 1);
        if (!is_stream(p.stream, true))
            return false;
    }
    *ret = p;
    return is_user(p.user) && domain_is_valid(p.domain) && p.user.n + 1 + p.domain.n <= ADDRESS_MAX;
}

/* ---- reading ---- */

bool token_is_shaped(struct str local)
{
    if (local.n < TOKEN_OVERHEAD || local.n > TOKEN_LOCAL_MAX || ascii_lower(local.p[0]) != 'b' ||
        local.p[1] != '1' || local.p[local.n - TOKEN_MAC - 1] != '-')
        return false;
    char purpose = ascii_lower(local.p[2]);
    bool known = false;
    for (size_t i = 0; i < PURPOSES; i++)
        known |= purposes[i].letter == purpose;
    return known && base32_is(str_sub(local, 3, TOKEN_HEAD_MIN)) &&
           base32_is(str_from(local, local.n - TOKEN_MAC));
}

static enum returnpath_kind kind_of(char purpose)
{
    size_t i = 0;
    while (i < PURPOSES - 1 && purposes[i].letter != ascii_lower(purpose))
        i++;
    return purposes[i].kind;
}

static const struct signer_key *key_find(const struct token_signer *s, char id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->keys[i].key->id == id)
            return &s->keys[i];
    return NULL;
}

/* The signature is looked at before the day: only our own tokens can be called expired or early.
 * 0 or -ENOMEM. */
static int prove(struct token_signer *s, const struct token_lifetimes *lifetimes, struct str text,
                 struct str mac, uint32_t today, const struct returnpath *token,
                 enum returnpath_proof *ret)
{
    const struct signer_key *k = key_find(s, token->key_id);
    if (!k || !key_is_good(k->key, today)) {
        *ret = RETURNPATH_UNKNOWN_KEY;
        return 0;
    }
    char want[TOKEN_MAC], got[TOKEN_MAC];
    int rc = sign(k, text, want);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < TOKEN_MAC; i++)
        got[i] = ascii_lower(mac.p[i]);
    uint64_t lifetime = token->kind == RETURNPATH_BOUNCE ? lifetimes->bounce : lifetimes->other;
    if (CRYPTO_memcmp(want, got, TOKEN_MAC) != 0)
        *ret = RETURNPATH_FORGED;
    else if (token->day > (uint64_t)today + 1) /* a day more: clocks differ */
        *ret = RETURNPATH_EARLY;
    else if (today > token->day + lifetime)
        *ret = RETURNPATH_EXPIRED;
    else
        *ret = RETURNPATH_VALID;
    return 0;
}

int token_read(struct token_signer *s, const struct token_lifetimes *lifetimes, struct arena *a,
               struct str local, uint32_t today, struct returnpath *ret)
{
    REQUIRE(token_is_shaped(local));
    struct str head = str_sub(local, 0, local.n - TOKEN_MAC - 1);
    struct str body = str_from(head, TOKEN_HEAD_MIN);
    struct payload payload;
    char text[TEXT_MAX];
    struct str identity = signed_text(head, ret->domain->name, text);
    struct returnpath token = *ret;
    token.kind = kind_of(local.p[2]);
    token.key_id = ascii_lower(local.p[3]);
    token.day = (uint32_t)base32_to_number(str_sub(local, 4, TOKEN_HEAD_MIN));
    bool readable = payload_read(body, &payload);
    token.proof = RETURNPATH_FORGED;
    if (readable) {
        int rc =
            prove(s, lifetimes, identity, str_from(local, head.n + 1), today, &token, &token.proof);
        if (rc < 0)
            return rc;
    }
    token.verified = token.proof == RETURNPATH_VALID;

    /* identity, then the recipient as it arrived */
    bool embedded = readable && !payload.opaque;
    size_t n = embedded ? payload.user.n + 1 + payload.domain.n : 0;
    char *p = arena_alloc(a, identity.n + n);
    if (!p)
        return -ENOMEM;
    memcpy(p, identity.p, identity.n);
    token.token = str_of(p, identity.n);
    if (embedded) {
        char *to = p + identity.n;
        memcpy(to, payload.user.p, payload.user.n);
        to[payload.user.n] = '@';
        memcpy(to + payload.user.n + 1, payload.domain.p, payload.domain.n);
        token.source = RETURNPATH_SOURCE_TOKEN;
        token.recipient = str_of(to, n);
        if (payload.stream.n > 0)
            token.stream = str_sub(token.token, TOKEN_HEAD_MIN, TOKEN_HEAD_MIN + payload.stream.n);
    } else if (readable) {
        token.source = RETURNPATH_SOURCE_OPAQUE;
        token.token_id = str_sub(token.token, TOKEN_HEAD_MIN, TOKEN_HEAD_MIN + body.n);
    }
    *ret = token;
    return 0;
}

/* ---- minting ---- */

static int payload_embed(struct arena *a, const struct returnpath_mint *mint, struct str *ret,
                         struct err *e)
{
    struct address to;
    if (!address_split(mint->recipient, &to))
        return err_set(e, -EINVAL,
                       "recipient \"%.*s\": expected an address such as ann@example.com",
                       STR_ARG(mint->recipient));
    if (!is_user(to.local))
        return err_set(e, -EINVAL,
                       "recipient \"%.*s\": its local part can't stand in a token (letters, digits "
                       "and !#$%%&'*+-/?^_`{|}~. can): mint an opaque token",
                       STR_ARG(mint->recipient));
    struct str domain = to.domain;
    if (!domain_is_valid(domain))
        domain = domain_to_ascii(a, domain);
    if (str_is_absent(domain))
        return arena_failed(a) ? err_set(e, -ENOMEM, "out of memory")
                               : err_set(e, -EINVAL, "recipient \"%.*s\": expected a domain name",
                                         STR_ARG(mint->recipient));
    bool own = !str_is_absent(mint->stream);
    if (own && !is_stream(mint->stream, false))
        return err_set(e, -EINVAL, "stream \"%.*s\": expected 1 to %d of a-z 0-9 . _ -",
                       STR_ARG(mint->stream), TOKEN_STREAM_MAX);
    *ret = arena_fmt(a, "%.*s%s%.*s=%.*s", STR_ARG(mint->stream), own ? "=" : "", STR_ARG(to.local),
                     STR_ARG(domain));
    return str_is_absent(*ret) ? err_set(e, -ENOMEM, "out of memory") : 0;
}

static int payload_make(struct arena *a, const struct returnpath_mint *mint, struct str *ret,
                        struct err *e)
{
    bool opaque = !str_is_absent(mint->token_id);
    if (opaque == !str_is_absent(mint->recipient))
        return err_set(e, -EINVAL, "expected a recipient or a token id, one of them");
    if (!opaque)
        return payload_embed(a, mint, ret, e);
    if (!is_token_id(mint->token_id))
        return err_set(e, -EINVAL, "token id \"%.*s\": expected %d to %d of a-z 2-7",
                       STR_ARG(mint->token_id), TOKEN_ID_MIN, TOKEN_ID_MAX);
    if (!str_is_absent(mint->stream))
        return err_set(e, -EINVAL,
                       "stream \"%.*s\": an opaque token has none, it is told beside "
                       "its id",
                       STR_ARG(mint->stream));
    *ret = mint->token_id;
    return 0;
}

static int key_choose(const struct token_signer *s, const struct returnpath_mint *mint,
                      const struct signer_key **ret, struct err *e)
{
    const struct signer_key *found = NULL;
    for (size_t i = 0; i < s->n && !found; i++)
        if ((mint->key_id == 0 || s->keys[i].key->id == mint->key_id) &&
            key_is_good(s->keys[i].key, mint->day))
            found = &s->keys[i];
    if (found) {
        *ret = found;
        return 0;
    }
    if (mint->key_id == 0)
        return err_set(e, -ENOKEY, "no key mints on this day: %s",
                       s->n ? "the until of each has passed; add a new one" : "there is none");
    return err_set(e, -ENOKEY, "key '%c': %s", mint->key_id,
                   key_find(s, mint->key_id) ? "its until has passed" : "there is none of this id");
}

static bool purpose_of(enum returnpath_kind kind, char *ret)
{
    for (size_t i = 0; i < PURPOSES; i++) {
        if (purposes[i].kind == kind) {
            *ret = purposes[i].letter;
            return true;
        }
    }
    return false;
}

int token_mint(struct token_signer *s, struct arena *a, struct str domain,
               const struct returnpath_mint *mint, struct str *ret, struct err *e)
{
    const struct signer_key *k = NULL;
    struct str payload;
    char local[ADDRESS_LOCAL_MAX] = "b1", text[TEXT_MAX];
    if (!purpose_of(mint->kind, &local[2]))
        return err_set(e, -EINVAL, "a token is for bounces, complaints or unsubscribes");
    if (mint->day > RETURNPATH_DAY_MAX)
        return err_set(e, -EINVAL, "day %u: expected at most %d, days since 1970-01-01", mint->day,
                       RETURNPATH_DAY_MAX);
    int rc = payload_make(a, mint, &payload, e);
    if (rc == 0)
        rc = key_choose(s, mint, &k, e);
    if (rc < 0)
        return rc;
    if (payload.n > ADDRESS_LOCAL_MAX - TOKEN_OVERHEAD)
        return err_set(e, -EMSGSIZE,
                       "\"%.*s\" has %zu octets, a token has room for %d of recipient and stream: "
                       "mint an opaque token",
                       STR_ARG(payload), payload.n, ADDRESS_LOCAL_MAX - TOKEN_OVERHEAD);
    local[3] = k->key->id;
    base32_number(mint->day, 3, local + 4);
    memcpy(local + TOKEN_HEAD_MIN, payload.p, payload.n);
    size_t n = TOKEN_HEAD_MIN + payload.n;
    rc = sign(k, signed_text(str_of(local, n), domain, text), local + n + 1);
    if (rc < 0)
        return err_set(e, rc, "out of memory");
    local[n] = '-';
    struct str address =
        arena_fmt(a, "%.*s@%.*s", (int)(n + 1 + TOKEN_MAC), local, STR_ARG(domain));
    if (str_is_absent(address))
        return err_set(e, -ENOMEM, "out of memory");
    *ret = address;
    return 0;
}
