#include "base/address.h"

#include "base/domain.h"

/* Index of the last '@' outside a quoted string, or text.n. */
static size_t last_at(struct str text)
{
    size_t found = text.n;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\' && quoted)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == '@' && !quoted)
            found = i;
    }
    return found;
}

static bool local_is_clean(struct str local)
{
    bool quoted = false;
    for (size_t i = 0; i < local.n; i++) {
        unsigned char c = (unsigned char)local.p[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        if (c == '\\' && quoted) {
            if (++i == local.n || (unsigned char)local.p[i] < 0x20 || local.p[i] == 0x7f)
                return false;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ' ' || c == '<' || c == '>')) {
            return false;
        }
    }
    return !quoted;
}

static bool domain_is_clean(struct str domain)
{
    for (size_t i = 0; i < domain.n; i++) {
        unsigned char c = (unsigned char)domain.p[i];
        if (c <= 0x20 || c == 0x7f || c == '<' || c == '>' || c == '"')
            return false;
    }
    return true;
}

bool address_split(struct str text, struct address *ret)
{
    size_t at = last_at(text);
    if (at == 0 || at + 1 >= text.n)
        return false;
    struct address parts = {str_sub(text, 0, at), str_from(text, at + 1)};
    /* Quotes and back-slashes do not count as octets of the name, but they are few; the wild has
     * longer local parts than the RFC allows, the path limit of 254 is what bounds us. */
    if (text.n > ADDRESS_MAX || parts.domain.n > ADDRESS_DOMAIN_MAX ||
        !local_is_clean(parts.local) || !domain_is_clean(parts.domain))
        return false;
    *ret = parts;
    return true;
}

static bool is_atext(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80 ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

/* The inside of a quoted local part that is a dot-atom anyway; else the local part as it is. */
static struct str local_unquote(struct str local)
{
    if (local.n < 3 || local.p[0] != '"' || local.p[local.n - 1] != '"')
        return local;
    struct str inside = str_sub(local, 1, local.n - 1);
    for (size_t i = 0; i < inside.n; i++)
        if (!is_atext(inside.p[i]))
            return local;
    return inside;
}

struct str address_key(struct arena *a, struct str text)
{
    static const struct str none = {NULL, 0};
    struct address parts;
    if (!address_split(text, &parts))
        return none;
    struct str domain = domain_to_ascii(a, parts.domain);
    if (str_is_absent(domain))
        return none;
    struct str local = local_unquote(parts.local);
    char *key = arena_alloc(a, local.n + 1 + domain.n + 1);
    if (!key)
        return none;
    for (size_t i = 0; i < local.n; i++)
        key[i] = ascii_lower(local.p[i]);
    key[local.n] = '@';
    memcpy(key + local.n + 1, domain.p, domain.n);
    return str_of(key, local.n + 1 + domain.n);
}
