/* Where mail for people goes: what the single values do not show. */
#include "app/config_check.h"
#include "app/config_keys.h"
#include "base/address.h"

#include <arpa/inet.h>

/* "HOST", "HOST:PORT", "[IPv6]:PORT". The port is 25 when it is not said. */
static bool relay_parse(struct str text, struct str *ret_host, uint32_t *ret_port)
{
    struct str host = text, port = STR("25");
    bool bracket = str_starts(text, STR("["));
    size_t end = bracket ? str_chr(text, ']', 0) : str_chr(text, ':', 0);
    if (bracket) {
        unsigned char bytes[16];
        char c[INET6_ADDRSTRLEN] = "";
        host = str_sub(text, 1, end);
        if (end == text.n || host.n >= sizeof(c))
            return false;
        memcpy(c, host.p, host.n);
        if (inet_pton(AF_INET6, c, bytes) != 1)
            return false;
        end++;
    } else {
        host = str_sub(text, 0, end);
        for (size_t i = 0; i < host.n; i++)
            if (!ascii_is_alpha(host.p[i]) && !ascii_is_digit(host.p[i]) && host.p[i] != '.' &&
                host.p[i] != '-')
                return false;
    }
    struct str rest = str_from(text, end);
    if (rest.n)
        port = str_from(rest, 1);
    if (!host.n || host.n > 253 || (rest.n && rest.p[0] != ':') || !str_to_u32(port, ret_port) ||
        *ret_port == 0 || *ret_port > 65535)
        return false;
    *ret_host = host;
    return true;
}

static bool is_this_host(const struct config *c, struct str host)
{
    return str_ieq(host, STR("localhost")) || str_starts(host, STR("127.")) ||
           str_eq(host, STR("::1")) || (c->hostname && str_ieq(host, str_c(c->hostname)));
}

/* As far as it can be known without asking the DNS. */
static bool is_own_listener(const struct config *c, struct str host, uint32_t port)
{
    for (size_t i = 0; i < c->listen_n; i++) {
        const struct config_listen *l = &c->listen[i];
        if (!l->address || l->port != port)
            continue;
        struct str address = str_c(l->address);
        bool any = str_eq(address, STR("0.0.0.0")) || str_eq(address, STR("::"));
        if (str_eq(host, address) || ((any || is_this_host(c, address)) && is_this_host(c, host)))
            return true;
    }
    return false;
}

static bool is_own_domain(const struct config *c, struct str domain)
{
    for (size_t i = 0; i < c->domains_n; i++)
        if (c->domains[i].name && str_ieq(domain, str_c(c->domains[i].name)))
            return true;
    return false;
}

static void check_relay(const struct config *c, const struct config_domain *d,
                        struct config_report *r)
{
    struct str host;
    uint32_t port;
    struct address to;
    if (!relay_parse(str_c(d->relay), &host, &port))
        config_report_at(r, d->line, d->column, "domains[].relay", str_c(d->relay),
                         "expected HOST:PORT such as mail.example.com:25, or none");
    else if (is_own_listener(c, host, port))
        config_report_at(r, d->line, d->column, "domains[].relay", str_c(d->relay),
                         "is one of our own listeners; mail would go round");
    if (!d->relay_to)
        config_report_at(r, d->line, d->column, "domains[].relay_to", (struct str){NULL, 0},
                         "must be given with relay");
    else if (!address_split(str_c(d->relay_to), &to))
        config_report_at(r, d->line, d->column, "domains[].relay_to", str_c(d->relay_to),
                         "expected an address such as postmaster@example.com");
    else if (is_own_domain(c, to.domain))
        config_report_at(r, d->line, d->column, "domains[].relay_to", str_c(d->relay_to),
                         "is in one of domains; mail would go round");
}

void config_check_people(const struct config *c, struct config_report *r)
{
    char text[80], a[32], b[32];
    if (c->people.retry_min > c->people.retry_max) {
        snprintf(text, sizeof(text), "expected at most people.retry_max, which is %s",
                 config_format_time((uint64_t)c->people.retry_max, a));
        config_report_at(r, 0, 0, "people.retry_min",
                         str_c(config_format_time((uint64_t)c->people.retry_min, b)), text);
    }
    for (size_t i = 0; i < c->domains_n; i++) {
        const struct config_domain *d = &c->domains[i];
        if (d->relay && d->maildir)
            config_report_at(r, d->line, d->column, "domains[].relay", str_c(d->relay),
                             "maildir stands there as well; expected one of them");
        if (d->relay)
            check_relay(c, d, r);
        else if (d->relay_to)
            config_report_at(r, d->line, d->column, "domains[].relay_to", str_c(d->relay_to),
                             "stands there without relay");
    }
}
