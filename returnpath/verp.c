#include "returnpath/verp.h"

#include "base/domain.h"

/* Text stands for itself in any case; "%" and a letter for one octet or more:
 *   p  a prefix, without '+', up to the first of the text behind it
 *   l  the same, up to any of them; only at the front
 *   n  digits     h  hex digits     m  letters and digits: the message's id
 *   u  the recipient's local part     d  its domain
 * A number in between is their exact count. */
static const struct shape {
    struct str text;
    bool is_message; /* the whole is the message's id */
} shapes[] = {
    {STR_INIT("bounces+%n-%h-%u=%d"), false},
    {STR_INIT("bounce+%h.%h-%u=%d"), false},
    {STR_INIT("%p+%u==a==%d==%p"), false},
    {STR_INIT("%p+bounce_%m"), false},
    {STR_INIT("%16h-%8h-%4h-%4h-%4h-%12h-%6n"), true},
    {STR_INIT("%l-return-%n-%u=%d"), false},
    {STR_INIT("%p+%u=%d"), false},
    {STR_INIT("%p-%p-%n-%u=%d"), false},
    {STR_INIT("%p-%u=%d"), false},
};

static bool is_number(struct str s)
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
    return dot < s.n && domain_is_valid(s) && !is_number(str_from(s, dot + 1));
}

bool verp_is_recipient(const struct address *a)
{
    for (size_t i = 0; i < a->local.n; i++) {
        unsigned char c = (unsigned char)a->local.p[i];
        if (c <= 0x20 || c == 0x7f || (c < 0x80 && strchr("<>()[]\\,;:@\"", c) != NULL))
            return false;
    }
    return a->local.n > 0 && is_mail_domain(a->domain);
}

/* How many octets at the front of s belong to the class. */
static size_t run(struct str s, char class)
{
    size_t n = 0;
    for (; n < s.n; n++) {
        char c = ascii_lower(s.p[n]);
        bool letter = class == 'h' ? c >= 'a' && c <= 'f' : class == 'm' && ascii_is_alpha(c);
        if (!letter && !ascii_is_digit(c))
            break;
    }
    return n;
}

/* Octets of the field at the front of s; rest is the shape behind it. */
static size_t field_octets(char class, size_t count, struct str s, struct str rest)
{
    if (class == 'n' || class == 'h' || class == 'm')
        return count > 0 && run(s, class) > count ? count : run(s, class);
    if (class == 'u' && str_eq(rest, STR("=%d")))
        return str_rchr(s, '=');
    struct str behind = str_cut(&rest, '%');
    return behind.n > 0 ? str_ifind(s, behind, 0) : s.n;
}

static bool field_take(char class, size_t count, struct str field, struct verp *found)
{
    if (field.n == 0 || (count > 0 && field.n != count))
        return false;
    if (class == 'p')
        return str_chr(field, '+', 0) == field.n;
    if (class == 'm')
        found->message_id = field;
    else if (class == 'u')
        found->recipient.local = field;
    else if (class == 'd')
        found->recipient.domain = field;
    return true;
}

/* Cuts one "%<count><class>" off the shape. */
static char class_cut(struct str *shape, size_t *ret_count)
{
    size_t i = 1, count = 0;
    for (; ascii_is_digit(shape->p[i]); i++)
        count = 10 * count + (size_t)(shape->p[i] - '0');
    char class = shape->p[i];
    *shape = str_from(*shape, i + 1);
    *ret_count = count;
    return class;
}

/* Each field has one place where it can end. */
static bool fits(struct str shape, struct str s, struct verp *found)
{
    while (shape.n > 0) {
        if (shape.p[0] != '%') {
            if (s.n == 0 || ascii_lower(s.p[0]) != shape.p[0])
                return false;
            shape = str_from(shape, 1);
            s = str_from(s, 1);
            continue;
        }
        size_t count = 0;
        char class = class_cut(&shape, &count);
        size_t n = field_octets(class, count, s, shape);
        if (!field_take(class, count, str_sub(s, 0, n), found))
            return false;
        s = str_from(s, n);
    }
    return s.n == 0;
}

/* The text behind a leading 'l' may stand in it too, so all places are tried. */
static bool shape_read(struct str shape, struct str local, struct verp *found)
{
    if (!str_starts(shape, STR("%l")))
        return fits(shape, local, found);
    struct str rest = str_from(shape, 2), copy = rest, behind = str_cut(&copy, '%');
    for (size_t n = 0; (n = str_ifind(local, behind, n + 1)) < local.n;)
        if (str_chr(str_sub(local, 0, n), '+', 0) == n && fits(rest, str_from(local, n), found))
            return true;
    return false;
}

bool verp_read(struct str local, struct verp *ret)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct verp found = {0};
        if (!shape_read(shapes[i].text, local, &found))
            continue;
        if (shapes[i].is_message)
            found.message_id = local;
        else if (str_is_absent(found.message_id) && !verp_is_recipient(&found.recipient))
            continue;
        *ret = found;
        return true;
    }
    return false;
}
