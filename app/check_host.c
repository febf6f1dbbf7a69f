/* The host: its addresses, and that they point back to it. */
#include "app/check_dns.h"
#include "resolver/rdata.h"

#include <arpa/inet.h>

enum { ADDRESSES_MAX = 32 };

static const struct str none = {NULL, 0};

struct addresses {
    char list[ADDRESSES_MAX][RDATA_ADDRESS_TEXT];
    size_t n;
};

static bool has(const struct addresses *a, const char *address)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->list[i], address) == 0)
            return true;
    return false;
}

static void add(struct addresses *a, const char *address)
{
    if (a->n < ADDRESSES_MAX && !has(a, address))
        snprintf(a->list[a->n++], RDATA_ADDRESS_TEXT, "%s", address);
}

static bool find(struct check *c, const char *check, struct str name, struct addresses *ret,
                 struct str *ret_alias)
{
    static const enum resolver_type types[] = {RESOLVER_A, RESOLVER_AAAA};
    ret->n = 0;
    for (size_t t = 0; t < 2; t++) {
        struct resolver_answer answer;
        char text[RDATA_ADDRESS_TEXT];
        if (!check_ask(c, check, name, types[t], &answer))
            return false;
        for (size_t i = 0; i < answer.records_n; i++)
            if (rdata_address(answer.records[i], text))
                add(ret, text);
        if (ret_alias && !str_is_absent(answer.canonical) && !str_ieq(answer.canonical, name))
            *ret_alias = answer.canonical;
    }
    return true;
}

/* Addresses that nobody on the Internet reaches: RFC 1918, 4193, 6598, loopback, link-local. */
static bool is_private(const char *text)
{
    static const struct {
        uint32_t net, mask;
    } nets[] = {{0x0a000000, 0xff000000}, {0xac100000, 0xfff00000}, {0xc0a80000, 0xffff0000},
                {0x64400000, 0xffc00000}, {0x7f000000, 0xff000000}, {0xa9fe0000, 0xffff0000},
                {0x00000000, 0xff000000}};
    unsigned char b[16];
    uint32_t v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
            if ((ntohl(v4) & nets[i].mask) == nets[i].net)
                return true;
        return false;
    }
    if (inet_pton(AF_INET6, text, b) != 1)
        return false;
    static const unsigned char low[15] = {0}; /* :: and ::1 */
    return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
           (memcmp(b, low, sizeof(low)) == 0 && b[15] <= 1);
}

static struct str shown(struct check *c, const struct addresses *a)
{
    struct str list[ADDRESSES_MAX];
    for (size_t i = 0; i < a->n; i++)
        list[i] = str_c(a->list[i]);
    struct str all = check_join(c, list, a->n);
    return str_is_absent(all) ? none : arena_str(&c->arena, all);
}

static struct str record(struct check *c, const char *address)
{
    return arena_fmt(&c->arena, "%s. IN %s %s", c->config->hostname,
                     strchr(address, ':') ? "AAAA" : "A", address);
}

/* A listener that names its address says where mail is taken, and where it is not. */
static bool check_listen(struct check *c, const struct addresses *found)
{
    struct addresses listed = {.n = 0};
    bool all_four = false, all_six = false, good = true;
    for (size_t i = 0; i < c->config->listen_n; i++) {
        const char *address = c->config->listen[i].address;
        all_four |= strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
        all_six |= strcmp(address, "::") == 0;
        if (!is_private(address))
            add(&listed, address);
    }
    for (size_t i = 0; i < listed.n; i++) {
        if (has(found, listed.list[i]))
            continue;
        good = false;
        check_say(c, "address", str_c(c->config->hostname), CHECK_MISSING, shown(c, found),
                  record(c, listed.list[i]),
                  arena_fmt(&c->arena, "bouncemx listens on %s, which no sender will find.",
                            listed.list[i]));
    }
    for (size_t i = 0; listed.n && i < found->n; i++) {
        bool six = strchr(found->list[i], ':') != NULL;
        if (has(&listed, found->list[i]) || (six ? all_six : all_four))
            continue;
        good = false;
        check_say(c, "address", str_c(c->config->hostname), CHECK_WRONG, record(c, found->list[i]),
                  none,
                  STR("No listener has this address: mail sent there does not arrive. Take the "
                      "record away, or add a listener."));
    }
    return good;
}

/* Forward-confirmed: one of the names that the address has leads back to it. */
static void check_ptr(struct check *c, const char *address)
{
    struct str name = rdata_reverse(&c->arena, str_c(address)), names = none;
    struct str expected =
        arena_fmt(&c->arena, "%.*s. IN PTR %s.", STR_ARG(name), c->config->hostname);
    struct resolver_answer answer;
    bool same = false, confirmed = false;
    if (!check_ask(c, "ptr", name, RESOLVER_PTR, &answer))
        return;
    for (size_t i = 0; i < answer.records_n && i < ADDRESSES_MAX; i++) {
        struct str host;
        struct addresses back;
        if (!rdata_name(&c->arena, answer.records[i], &host))
            continue;
        names = i ? check_join(c, (struct str[]){names, host}, 2) : host;
        if (!str_ieq(host, str_c(c->config->hostname)))
            continue;
        same = true;
        if (!find(c, "ptr", host, &back, NULL))
            return;
        confirmed |= has(&back, address);
    }
    if (str_is_absent(names))
        check_say(c, "ptr", str_c(address), CHECK_MISSING, none, expected,
                  STR("Who gave you the address sets this record."));
    else if (!same || !confirmed)
        check_say(c, "ptr", str_c(address), CHECK_WRONG, names, expected,
                  STR("The address should have the name that bouncemx greets with. Who gave you "
                      "the address sets this record."));
    else
        check_say(c, "ptr", str_c(address), CHECK_GOOD, names, expected, none);
}

void check_host(struct check *c)
{
    struct addresses found;
    struct str host = str_c(c->config->hostname), alias = none;
    if (!find(c, "address", host, &found, &alias))
        return;
    if (!str_is_absent(alias))
        check_say(c, "address", host, CHECK_WRONG,
                  arena_fmt(&c->arena, "%.*s. IN CNAME %.*s.", STR_ARG(host), STR_ARG(alias)),
                  STR("A and AAAA records"),
                  STR("The name in an MX record must not be an alias (RFC 5321 section 5.1): give "
                      "it addresses of its own."));
    if (found.n == 0) {
        check_say(c, "address", host, CHECK_MISSING, none,
                  arena_fmt(&c->arena, "%.*s. IN A <address of this host>", STR_ARG(host)),
                  STR("Without an address no mail comes."));
        return;
    }
    bool good = str_is_absent(alias) && check_listen(c, &found);
    for (size_t i = 0; i < found.n; i++) {
        if (!is_private(found.list[i]))
            continue;
        good = false;
        check_say(c, "address", host, CHECK_WRONG, record(c, found.list[i]),
                  STR("a public address"),
                  STR("Nobody on the Internet reaches this address: publish the public one."));
    }
    if (good)
        check_say(c, "address", host, CHECK_GOOD, shown(c, &found), none, none);
    for (size_t i = 0; i < found.n; i++)
        if (!is_private(found.list[i]))
            check_ptr(c, found.list[i]);
}
