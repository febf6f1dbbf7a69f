#include "returnpath/returnpath.h"

#include "base/address.h"
#include "base/domain.h"
#include "returnpath/verp.h"

#include <errno.h>

/* RFC 2142 sections 3 to 5: those that stand for the domain, not for a service on it. */
static const struct str roles[] = {
    STR_INIT("postmaster"), STR_INIT("abuse"),    STR_INIT("hostmaster"),
    STR_INIT("webmaster"),  STR_INIT("security"), STR_INIT("noc"),
};

static bool is_role(struct str local)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (str_ieq(local, roles[i]))
            return true;
    return false;
}

/* Order of a configured (lower-case) name and a name in any case, as str_cmp. */
static int name_cmp(struct str ours, struct str name)
{
    size_t n = ours.n < name.n ? ours.n : name.n;
    for (size_t i = 0; i < n; i++) {
        int order = (unsigned char)ours.p[i] - (unsigned char)ascii_lower(name.p[i]);
        if (order != 0)
            return order;
    }
    return (ours.n > name.n) - (ours.n < name.n);
}

const struct returnpath_domain *returnpath_domain_find(const struct returnpath_domains *d,
                                                       struct str name)
{
    size_t low = 0, high = d->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = name_cmp(d->list[middle].name, name);
        if (order == 0)
            return &d->list[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* The local part without its quotes (RFC 5321 section 4.1.2: quoting is not part of the name).
 * Absent when memory ended. */
static struct str local_plain(struct arena *a, struct str local)
{
    if (local.n < 2 || local.p[0] != '"' || local.p[local.n - 1] != '"')
        return local;
    char *p = arena_alloc(a, local.n);
    size_t n = 0;
    for (size_t i = 1; p && i + 1 < local.n; i++) {
        if (local.p[i] == '\\' && i + 2 < local.n)
            i++;
        p[n++] = local.p[i];
    }
    return str_of(p, n);
}

/* True when the local part asks us to send the mail on: user%host, host!user, "user@host". We never
 * would, and a 250 would look to testers as if we did. */
static bool is_relay_request(struct str local)
{
    size_t percent = str_rchr(local, '%');
    if (percent < local.n && domain_is_valid(str_from(local, percent + 1)))
        return true;
    size_t bang = str_chr(local, '!', 0);
    if (bang < local.n && domain_is_valid(str_sub(local, 0, bang)))
        return true;
    return str_chr(local, '@', 0) < local.n;
}

static int read_local(struct arena *a, struct str local, struct returnpath *ret)
{
    struct address named;
    if (is_role(local)) {
        ret->kind = RETURNPATH_ROLE;
        return 0;
    }
    if (verp_read(local, &named)) {
        ret->recipient = arena_fmt(a, "%.*s@%.*s", STR_ARG(named.local), STR_ARG(named.domain));
        if (str_is_absent(ret->recipient))
            return -ENOMEM;
        ret->source = RETURNPATH_SOURCE_VERP;
        return 0;
    }
    if (is_relay_request(local))
        return -EHOSTUNREACH;
    return ret->domain->accept == RETURNPATH_ACCEPT_ANY ? 0 : -ENOENT;
}

int returnpath_read(const struct returnpath_domains *d, struct arena *a, struct str address,
                    struct returnpath *ret)
{
    static const struct str postmaster = STR_INIT("postmaster");
    struct returnpath found = {.kind = RETURNPATH_BOUNCE};
    struct address parts;
    if (d->n > 0 && str_ieq(address, postmaster)) {
        found.domain = &d->list[0];
        found.kind = RETURNPATH_ROLE;
        *ret = found;
        return 0;
    }
    if (!address_split(address, &parts))
        return -EINVAL;
    struct str name = parts.domain;
    if (!is_ascii(name)) {
        name = domain_to_ascii(a, name);
        if (str_is_absent(name))
            return arena_failed(a) ? -ENOMEM : -EINVAL;
    }
    found.domain = returnpath_domain_find(d, name);
    if (!found.domain)
        return -EHOSTUNREACH;
    struct str local = local_plain(a, parts.local);
    if (str_is_absent(local))
        return -ENOMEM;
    int rc = read_local(a, local, &found);
    if (rc == 0)
        *ret = found;
    return rc;
}
