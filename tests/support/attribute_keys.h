/* attribute_keys.h - keys, and texts with tokens in them: "{b:kim@x.example}" becomes a bounce
 * token for kim. Purpose b, c or u; then any of !  signed with another secret      ?  of a key that
 * is not known
 *   -  older than its lifetime         +  of a day to come
 *   ~  the local part alone            @  of the second domain
 *   /  percent-encoded as in a URI (RFC 6068)
 * ":" names the recipient, "#" an opaque id. */
#ifndef TESTS_SUPPORT_ATTRIBUTE_KEYS_H
#define TESTS_SUPPORT_ATTRIBUTE_KEYS_H

#include "attribute/attribute.h"
#include "base/require.h"

enum { TODAY = 20500 };

#define DOMAIN "bounces.example"

struct keys {
    struct returnpath_set *set, *other_set;
    struct returnpath_reader *reader; /* what is tested reads with */
    struct returnpath_reader *other;  /* key a with another secret, and an unknown key z */
};

static struct returnpath_set *keys_set(const struct returnpath_key *keys, size_t n)
{
    static const struct str open[] = {STR_INIT("fbl"), STR_INIT("unsubscribe")};
    static const struct returnpath_domain domains[] = {
        {.name = STR_INIT(DOMAIN),
         .accept = RETURNPATH_ACCEPT_ANY,
         .tenant = STR_INIT("t1"),
         .stream = STR_INIT("s1"),
         .open = open,
         .open_n = 2},
        {.name = STR_INIT("second.example"),
         .accept = RETURNPATH_ACCEPT_ANY,
         .tenant = STR_INIT("t2"),
         .stream = STR_INIT("s2")},
    };
    static const struct returnpath_pattern patterns[] = {
        {.name = STR_INIT("numbered"),
         .regex = STR_INIT("c(?<campaign>[0-9]+)_(?<message_id>[0-9]+)_(?<user>[a-z]+)_"
                           "(?<domain>[a-z.]+)")},
    };
    struct returnpath_set *set = NULL;
    struct err e = {0};
    const struct returnpath_set_config config = {.domains = domains,
                                                 .domains_n = 2,
                                                 .keys = keys,
                                                 .keys_n = n,
                                                 .patterns = patterns,
                                                 .patterns_n = 1};
    REQUIRE(returnpath_set_new(&config, &set, &e) == 0);
    return set;
}

static inline struct keys keys_make(void)
{
    static const struct returnpath_key ours[] = {
        {.id = 'a', .secret = STR_INIT("0123456789abcdef0123456789abcdef")}};
    static const struct returnpath_key others[] = {
        {.id = 'a', .secret = STR_INIT("another secret that is long enough")},
        {.id = 'z', .secret = STR_INIT("a third secret that is long enough")}};
    struct keys k = {.set = keys_set(ours, 1), .other_set = keys_set(others, 2)};
    REQUIRE(returnpath_reader_new(k.set, &k.reader) == 0);
    REQUIRE(returnpath_reader_new(k.other_set, &k.other) == 0);
    return k;
}

static inline void keys_free(struct keys *k)
{
    returnpath_reader_free(k->reader);
    returnpath_reader_free(k->other);
    returnpath_set_unref(k->set);
    returnpath_set_unref(k->other_set);
}

static struct str percent_encoded(struct arena *a, struct str s)
{
    struct str out = STR("");
    for (size_t i = 0; i < s.n; i++)
        out = strchr("=@", s.p[i])
                  ? arena_fmt(a, "%.*s%%%02X", STR_ARG(out), (unsigned)(unsigned char)s.p[i])
                  : arena_fmt(a, "%.*s%c", STR_ARG(out), s.p[i]);
    return out;
}

static struct str keys_token(struct keys *k, struct arena *a, struct str spec)
{
    size_t at = 1;
    struct returnpath_mint mint = {
        .kind = spec.p[0] == 'b'   ? RETURNPATH_BOUNCE
                : spec.p[0] == 'c' ? RETURNPATH_COMPLAINT
                                   : RETURNPATH_UNSUBSCRIBE,
        .domain = STR(DOMAIN),
        .day = TODAY - 10,
        .key_id = 'a',
    };
    struct returnpath_reader *reader = k->reader;
    bool bare = false, encoded = false;
    for (; at < spec.n && spec.p[at] != ':' && spec.p[at] != '#'; at++)
        switch (spec.p[at]) {
        case '!':
            reader = k->other;
            break;
        case '?':
            reader = k->other;
            mint.key_id = 'z';
            break;
        case '-':
            mint.day = TODAY - 401;
            break;
        case '+':
            mint.day = TODAY + 5;
            break;
        case '@':
            mint.domain = STR("second.example");
            break;
        case '~':
            bare = true;
            break;
        case '/':
            encoded = true;
            break;
        default:
            require_failed("a flag of a token", __FILE__, __LINE__);
        }
    REQUIRE(at < spec.n);
    if (spec.p[at] == ':')
        mint.recipient = str_from(spec, at + 1);
    else
        mint.token_id = str_from(spec, at + 1);
    struct str token;
    struct err e = {0};
    REQUIRE(returnpath_mint(reader, a, &mint, &token, &e) == 0);
    if (bare)
        token = str_sub(token, 0, str_rchr(token, '@'));
    return encoded ? percent_encoded(a, token) : token;
}

/* text with its tokens; absent stays absent. Never fails: a is the test's own. */
static inline struct str keys_expand(struct keys *k, struct arena *a, const char *text)
{
    struct str rest = str_c(text), out = {NULL, 0};
    if (!text)
        return out;
    out = STR("");
    while (rest.n > 0) {
        struct str before = str_cut(&rest, '{');
        out = arena_fmt(a, "%.*s%.*s", STR_ARG(out), STR_ARG(before));
        if (rest.n == 0)
            break;
        struct str token = keys_token(k, a, str_cut(&rest, '}'));
        out = arena_fmt(a, "%.*s%.*s", STR_ARG(out), STR_ARG(token));
    }
    REQUIRE(!str_is_absent(out));
    return out;
}

#endif
