#include "returnpath/wrapped.h"

#include "base/domain.h"

enum { HASH_MAX = 32 };

static bool is_alnum_run(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]))
            return false;
    return s.n > 0 && s.n <= HASH_MAX;
}

/* KDDDSSSSSS */
static bool is_batv_tag(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = ascii_lower(s.p[i]);
        if (!ascii_is_digit(c) && !(i >= 4 && c >= 'a' && c <= 'f'))
            return false;
    }
    return s.n == 10;
}

static bool prvs_open(struct str rest, struct str *ret_local)
{
    struct str local = rest, tag = str_cut(&local, '=');
    if (is_batv_tag(tag) && local.n > 0) {
        *ret_local = local;
        return true;
    }
    size_t slash = str_rchr(rest, '/');
    if (slash == 0 || !is_batv_tag(str_from(rest, slash + 1)))
        return false;
    *ret_local = str_sub(rest, 0, slash);
    return true;
}

static bool btv1_open(struct str rest, struct str *ret_local)
{
    size_t end = str_find(rest, STR("=="), 0);
    if (end + 2 >= rest.n || !is_alnum_run(str_sub(rest, 0, end)))
        return false;
    *ret_local = str_from(rest, end + 2);
    return true;
}

static bool separator_cut(struct str *s)
{
    if (s->n == 0 || (s->p[0] != '=' && s->p[0] != '+' && s->p[0] != '-'))
        return false;
    *s = str_from(*s, 1);
    return true;
}

/* A hash is base64: it may hold '+' and '/', never '='. */
static bool hash_cut(struct str *s)
{
    struct str hash = str_cut(s, '=');
    return hash.n > 0 && hash.n <= HASH_MAX;
}

/* Separator, HHH=TT=domain=local */
static bool srs0_open(struct str rest, struct str *ret_local, struct str *ret_domain)
{
    if (!separator_cut(&rest) || !hash_cut(&rest))
        return false;
    struct str time = str_cut(&rest, '='), domain = str_cut(&rest, '=');
    if (!is_alnum_run(time) || !domain_is_valid(domain) || rest.n == 0)
        return false;
    *ret_domain = domain;
    *ret_local = rest;
    return true;
}

/* Separator, HHH=host=, then as SRS0 */
static bool srs1_open(struct str rest, struct str *ret_local, struct str *ret_domain)
{
    if (!separator_cut(&rest) || !hash_cut(&rest))
        return false;
    return domain_is_valid(str_cut(&rest, '=')) && srs0_open(rest, ret_local, ret_domain);
}

bool wrapped_open(struct str local, struct str *ret_local, struct str *ret_domain)
{
    static const struct str prvs = STR_INIT("prvs="), btv1 = STR_INIT("btv1=="),
                            srs0 = STR_INIT("SRS0"), srs1 = STR_INIT("SRS1");
    struct str inner = {0}, domain = {0};
    bool good = false;
    if (str_istarts(local, prvs))
        good = prvs_open(str_from(local, prvs.n), &inner);
    else if (str_istarts(local, btv1))
        good = btv1_open(str_from(local, btv1.n), &inner);
    else if (str_istarts(local, srs0))
        good = srs0_open(str_from(local, srs0.n), &inner, &domain);
    else if (str_istarts(local, srs1))
        good = srs1_open(str_from(local, srs1.n), &inner, &domain);
    if (good) {
        *ret_local = inner;
        *ret_domain = domain;
    }
    return good;
}
