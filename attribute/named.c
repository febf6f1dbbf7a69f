#include "attribute/named.h"

#include "base/address.h"
#include "base/domain.h"

#include <errno.h>

int named_read(struct arena *a, struct str text, struct named *ret)
{
    bool failed_before = arena_failed(a);
    *ret = (struct named){0};
    if (text.n == 0)
        return 0;
    ret->text = text;
    ret->key = address_key(a, text);
    return !failed_before && arena_failed(a) ? -ENOMEM : 0;
}

/* Nothing but what people put over letters. Three of them may be a name. */
static bool is_blacked_out(struct str word)
{
    size_t i = 0;
    while (i < word.n && strchr("xX*.-_", word.p[i]))
        i++;
    return i == word.n && (word.n > 3 || (word.n > 0 && word.p[0] == '*'));
}

bool named_is_redacted(struct str text)
{
    static const struct str words[] = {STR_INIT("redacted"), STR_INIT("withheld"),
                                       STR_INIT("anonymized"), STR_INIT("anonymised"),
                                       STR_INIT("undisclosed")};
    size_t at = str_rchr(text, '@');
    struct str local = str_sub(text, 0, at), domain = str_from(text, at + 1);
    if (local.n >= 2 && strchr("[<(\"", local.p[0]))
        local = str_sub(local, 1, local.n - 1);
    if (is_blacked_out(local) || is_blacked_out(domain) || domain_is_within(domain, STR("invalid")))
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_ieq(local, words[i]) || str_ieq(domain, words[i]))
            return true;
    return false;
}

static bool is_like_address(const struct named *n)
{
    return !str_is_absent(n->key) || str_chr(n->text, '@', 0) < n->text.n;
}

bool named_differ(const struct named *a, const struct named *b)
{
    if (!is_like_address(a) || !is_like_address(b))
        return false;
    if (!str_is_absent(a->key) && !str_is_absent(b->key))
        return !str_eq(a->key, b->key);
    return !str_ieq(a->text, b->text);
}
