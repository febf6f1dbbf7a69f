#include "returnpath/returnpath.h"

#include "base/address.h"
#include "base/domain.h"
#include "returnpath/set.h"
#include "returnpath/verp.h"
#include "returnpath/wrapped.h"

#include <errno.h>

/* Local part and domain of what stands inside a message; nothing of ours is longer, wrapped
 * thrice. */
enum { INSIDE_MAX = 2048 };

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

static bool is_open(const struct returnpath_domain *d, struct str local)
{
    for (size_t i = 0; i < d->open_n; i++)
        if (str_ieq(local, d->open[i]))
            return true;
    return false;
}

/* The domain of a name in any form; *ret is NULL when it is none of ours. -EINVAL: it can be no
 * name; -ENOMEM. */
static int domain_of(const struct returnpath_set *s, struct arena *a, struct str name,
                     const struct returnpath_domain **ret)
{
    if (!is_ascii(name)) {
        name = domain_to_ascii(a, name);
        if (str_is_absent(name))
            return arena_failed(a) ? -ENOMEM : -EINVAL;
    }
    *ret = returnpath_domain_find(s, name);
    return 0;
}

/* Takes off what forwarders put around an address of ours. */
static void unwrap(const struct returnpath_set *s, struct str *local,
                   const struct returnpath_domain **domain)
{
    struct str inner, name;
    for (int depth = 0; depth < WRAPPED_DEPTH_MAX && wrapped_open(*local, &inner, &name); depth++) {
        const struct returnpath_domain *found =
            str_is_absent(name) ? *domain : returnpath_domain_find(s, name);
        if (!found)
            return;
        *domain = found;
        *local = inner;
    }
}

/* What anybody could have written. */
static int read_unsigned(struct returnpath_reader *r, struct arena *a, struct str local,
                         struct returnpath *ret)
{
    struct verp verp;
    int rc = r->matcher
                 ? pattern_read(r->set->patterns, r->set->patterns_n, r->matcher, a, local, ret)
                 : 0;
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (verp_read(local, &verp)) {
        ret->message_id = verp.message_id;
        if (str_is_absent(verp.recipient.local))
            return 0;
        ret->recipient = arena_fmt(a, "%.*s@%.*s", STR_ARG(verp.recipient.local),
                                   STR_ARG(verp.recipient.domain));
        ret->source = RETURNPATH_SOURCE_VERP;
        return str_is_absent(ret->recipient) ? -ENOMEM : 0;
    }
    if (is_relay_request(local))
        return -EHOSTUNREACH;
    return ret->domain->accept == RETURNPATH_ACCEPT_ANY ? 0 : -ENOENT;
}

static int read_local(struct returnpath_reader *r, struct arena *a, struct str local,
                      uint32_t today, struct returnpath *ret)
{
    bool only_signed = ret->domain->accept == RETURNPATH_ACCEPT_SIGNED;
    if (is_role(local)) {
        ret->kind = RETURNPATH_ROLE;
        return 0;
    }
    if (token_is_shaped(local)) {
        int rc = token_read(r->signer, &r->set->lifetimes, a, local, today, ret);
        return rc == 0 && only_signed && !ret->verified ? -EKEYREJECTED : rc;
    }
    if (is_open(ret->domain, local))
        return 0;
    if (only_signed)
        return is_relay_request(local) ? -EHOSTUNREACH : -ENOENT;
    return read_unsigned(r, a, local, ret);
}

int returnpath_read(struct returnpath_reader *r, struct arena *a, struct str address,
                    uint32_t today, struct returnpath *ret)
{
    static const struct str postmaster = STR_INIT("postmaster");
    struct returnpath found = {.kind = RETURNPATH_BOUNCE};
    struct address parts;
    if (r->set->domains_n > 0 && str_ieq(address, postmaster)) {
        found.domain = &r->set->domains[0];
        found.kind = RETURNPATH_ROLE;
        *ret = found;
        return 0;
    }
    if (!address_split(address, &parts))
        return -EINVAL;
    int rc = domain_of(r->set, a, parts.domain, &found.domain);
    if (rc < 0)
        return rc;
    if (!found.domain)
        return -EHOSTUNREACH;
    struct str local = local_plain(a, parts.local);
    if (str_is_absent(local))
        return -ENOMEM;
    unwrap(r->set, &local, &found.domain);
    rc = read_local(r, a, local, today, &found);
    if (rc == 0 || rc == -EKEYREJECTED)
        *ret = found;
    return rc;
}

int returnpath_read_inside(struct returnpath_reader *r, struct arena *a, struct str address,
                           uint32_t today, struct returnpath *ret)
{
    struct returnpath found = {.kind = RETURNPATH_BOUNCE};
    size_t at = str_rchr(address, '@');
    if (at == address.n || address.n > INSIDE_MAX)
        return -ENOENT;
    int rc = domain_of(r->set, a, str_from(address, at + 1), &found.domain);
    if (rc < 0)
        return rc == -ENOMEM ? rc : -ENOENT;
    struct str local = local_plain(a, str_sub(address, 0, at));
    if (str_is_absent(local))
        return -ENOMEM;
    unwrap(r->set, &local, &found.domain);
    if (!found.domain || !token_is_shaped(local))
        return -ENOENT;
    rc = token_read(r->signer, &r->set->lifetimes, a, local, today, &found);
    if (rc == 0)
        *ret = found;
    return rc;
}

int returnpath_mint(struct returnpath_reader *r, struct arena *a,
                    const struct returnpath_mint *mint, struct str *ret, struct err *e)
{
    const struct returnpath_domain *domain = NULL;
    int rc = domain_of(r->set, a, mint->domain, &domain);
    if (rc == -ENOMEM)
        return err_set(e, rc, "out of memory");
    if (!domain)
        return err_set(e, -EINVAL, "domain \"%.*s\": expected a configured one",
                       STR_ARG(mint->domain));
    return token_mint(r->signer, a, domain->name, mint, ret, e);
}
