#include "returnpath/verp.h"

#include "base/domain.h"

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

/* A name that mail can go to: two labels or more, the last not a number (that is an IP address). */
static bool is_mail_domain(struct str s)
{
    size_t dot = str_rchr(s, '.');
    return dot < s.n && domain_is_valid(s) && !all_digits(str_from(s, dot + 1));
}

/* What stands behind the first "-return-<digits>-"; empty when there is no such mark. */
static struct str behind_return(struct str head)
{
    static const struct str mark = STR_INIT("-return-");
    for (size_t at = 0; (at = str_ifind(head, mark, at)) < head.n; at++) {
        struct str rest = str_from(head, at + mark.n);
        struct str number = str_cut(&rest, '-');
        if (at > 0 && all_digits(number))
            return rest;
    }
    return (struct str){0};
}

/* What stands behind "prefix-list-n-"; empty when the third field is no number or the last. */
static struct str behind_number(struct str head)
{
    struct str prefix = str_cut(&head, '-');
    struct str list = str_cut(&head, '-');
    struct str number = str_cut(&head, '-');
    return prefix.n > 0 && list.n > 0 && all_digits(number) ? head : (struct str){0};
}

/* What stands behind the first c; empty when nothing stands before it. */
static struct str behind_first(struct str head, char c)
{
    size_t at = str_chr(head, c, 0);
    return at > 0 ? str_from(head, at + 1) : (struct str){0};
}

static struct str user_of(struct str head)
{
    size_t plus = str_chr(head, '+', 0);
    struct str user = behind_return(head);
    if (user.n > 0 && (size_t)(user.p - head.p) < plus)
        return user;
    if (plus < head.n)
        return behind_first(head, '+');
    user = behind_number(head);
    return user.n > 0 ? user : behind_first(head, '-');
}

bool verp_read(struct str local, struct address *ret)
{
    size_t equals = str_rchr(local, '=');
    if (equals == local.n)
        return false;
    struct address found = {user_of(str_sub(local, 0, equals)), str_from(local, equals + 1)};
    if (found.local.n == 0 || !is_mail_domain(found.domain))
        return false;
    for (size_t i = 0; i < found.local.n; i++) {
        unsigned char c = (unsigned char)found.local.p[i];
        if (c <= 0x20 || c == 0x7f || (c < 0x80 && strchr("<>()[]\\,;:@\"", c) != NULL))
            return false;
    }
    *ret = found;
    return true;
}
