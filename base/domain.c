#include "base/domain.h"

#include <idn2.h>
#include <libpsl.h>
#include <stdio.h>

enum { DOMAIN_MAX = 253, LABEL_MAX = 63 };

static bool label_is_valid(struct str label)
{
    if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

bool domain_is_valid(struct str s)
{
    if (s.n == 0 || s.n > DOMAIN_MAX || s.p[s.n - 1] == '.')
        return false;
    while (s.n > 0)
        if (!label_is_valid(str_cut(&s, '.')))
            return false;
    return true;
}

/* A lower-case copy in a; absent when memory ended. */
static struct str lower_copy(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; p && i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    return str_of(p, p ? s.n : 0);
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

struct str domain_to_ascii(struct arena *a, struct str s)
{
    static const struct str none = {NULL, 0};
    if (s.n > 0 && s.p[s.n - 1] == '.')
        s = str_sub(s, 0, s.n - 1);
    if (is_ascii(s))
        return domain_is_valid(s) ? lower_copy(a, s) : none;
    /* A UTF-8 name is at most four octets a code point; libidn2 wants a C string. */
    char name[4 * DOMAIN_MAX + 1];
    if (s.n >= sizeof(name) || !str_is_utf8(s) || str_chr(s, '\0', 0) < s.n)
        return none;
    memcpy(name, s.p, s.n);
    name[s.n] = '\0';
    char *ascii = NULL;
    if (idn2_to_ascii_8z(name, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
        return none;
    struct str result = domain_is_valid(str_c(ascii)) ? arena_str(a, str_c(ascii)) : none;
    idn2_free(ascii);
    return result;
}

struct str domain_registrable(struct str s)
{
    char name[DOMAIN_MAX + 1];
    const psl_ctx_t *list = psl_builtin();
    if (!list || s.n == 0 || s.n > DOMAIN_MAX)
        return s;
    memcpy(name, s.p, s.n);
    name[s.n] = '\0';
    const char *found = psl_registrable_domain(list, name);
    return found ? str_from(s, (size_t)(found - name)) : s;
}

bool domain_is_within(struct str name, struct str zone)
{
    if (!str_iends(name, zone))
        return false;
    return name.n == zone.n || (zone.n > 0 && name.p[name.n - zone.n - 1] == '.');
}
