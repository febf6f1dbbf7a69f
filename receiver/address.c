#include "receiver/address.h"

#include "base/address.h"
#include "base/domain.h"

#include <errno.h>

/* Index of the '>' that ends the path, over quoted strings; s.n when there is none. */
static size_t path_end(struct str s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.p[i] == '>')
            return i;
    }
    return s.n;
}

bool smtp_path_is_ascii(struct str path)
{
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] >= 0x80)
            return false;
    return true;
}

static bool is_atext(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80 ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* What is none in ASCII is none beyond it: U+0080 to U+009F. */
static bool is_clean_utf8(struct str s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if ((unsigned char)s.p[i] == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)
            return false;
    return str_is_utf8(s);
}

static bool local_is_valid(struct str s)
{
    if (s.n == 0)
        return false;
    if (s.p[0] != '"') {
        for (size_t i = 0; i < s.n; i++)
            if (!is_atext(s.p[i]) && s.p[i] != '.')
                return false;
        return true;
    }
    size_t i = 1;
    for (; i < s.n && s.p[i] != '"'; i++) {
        if (s.p[i] == '\\')
            i++;
        if (i >= s.n || (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    }
    return i + 1 == s.n;
}

/* "[192.0.2.1]", "[IPv6:...]", "[tag:...]": its bytes only; no such domain is ours. */
static bool literal_is_valid(struct str s)
{
    if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '.' && s.p[i] != ':' &&
            s.p[i] != '-')
            return false;
    return true;
}

/* 0 or an error of smtp_path_read. */
static int domain_check(struct arena *scratch, struct str s)
{
    bool valid;
    if (s.n > 0 && s.p[0] == '[')
        valid = literal_is_valid(s);
    else if (smtp_path_is_ascii(s))
        valid = domain_is_valid(s);
    else /* labels are U-labels, with no dot at the end */
        valid = s.p[s.n - 1] != '.' && !str_is_absent(domain_to_ascii(scratch, s));
    if (valid)
        return 0;
    return arena_failed(scratch) ? -ENOMEM : -EBADMSG;
}

/* "@one,@two:" in front of a mailbox. */
static int skip_route(struct arena *scratch, struct str *path)
{
    if (path->n == 0 || path->p[0] != '@')
        return 0;
    struct str mailbox = *path;
    /* A literal may hold ':', so the route ends at the first ':' outside brackets. */
    size_t end = 0;
    for (bool literal = false; end < mailbox.n && (literal || mailbox.p[end] != ':'); end++)
        literal = mailbox.p[end] == '[' || (literal && mailbox.p[end] != ']');
    if (end == mailbox.n)
        return -EBADMSG;
    struct str route = str_sub(mailbox, 0, end);
    while (route.n > 0) {
        struct str hop = str_cut(&route, ',');
        if (hop.n < 2 || hop.p[0] != '@')
            return -EBADMSG;
        int rc = domain_check(scratch, str_from(hop, 1));
        if (rc < 0)
            return rc;
    }
    *path = str_from(mailbox, end + 1);
    return 0;
}

static int mailbox_check(struct arena *scratch, struct str s, enum smtp_path_kind kind)
{
    struct address parts;
    if (kind == SMTP_PATH_FORWARD && str_ieq(s, STR("postmaster")))
        return 0;
    if ((!smtp_path_is_ascii(s) && !is_clean_utf8(s)) || !address_split(s, &parts) ||
        !local_is_valid(parts.local))
        return -EBADMSG;
    return domain_check(scratch, parts.domain);
}

int smtp_path_read(struct arena *scratch, struct str *rest, enum smtp_path_kind kind,
                   struct str *ret)
{
    struct str s = *rest;
    while (s.n > 0 && s.p[0] == ' ')
        s = str_from(s, 1);
    if (s.n == 0 || s.p[0] != '<')
        return -EINVAL;
    size_t end = path_end(s);
    if (end == s.n)
        return -EINVAL;
    struct str path = str_sub(s, 1, end);
    if (path.n > 0 || kind == SMTP_PATH_FORWARD) {
        int rc = skip_route(scratch, &path);
        if (rc == 0)
            rc = mailbox_check(scratch, path, kind);
        if (rc < 0)
            return rc;
    }
    *ret = path;
    *rest = str_from(s, end + 1);
    return 0;
}

static bool is_keyword(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && (s.p[i] != '-' || i == 0))
            return false;
    return s.n > 0;
}

int smtp_parameter_read(struct str *rest, struct str *ret_keyword, struct str *ret_value)
{
    struct str s = *rest;
    if (s.n == 0)
        return 0;
    if (s.p[0] != ' ')
        return -EINVAL;
    while (s.n > 0 && s.p[0] == ' ')
        s = str_from(s, 1);
    if (s.n == 0) { /* spaces behind the last one */
        *rest = s;
        return 0;
    }
    size_t end = str_chr(s, ' ', 0);
    struct str word = str_sub(s, 0, end);
    size_t equals = str_chr(word, '=', 0);
    struct str keyword = str_sub(word, 0, equals);
    struct str value = equals < word.n ? str_from(word, equals + 1) : (struct str){0};
    if (!is_keyword(keyword) || (equals < word.n && value.n == 0))
        return -EINVAL;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] <= 0x20 || value.p[i] >= 0x7f || value.p[i] == '=')
            return -EINVAL;
    *ret_keyword = keyword;
    *ret_value = value;
    *rest = str_from(s, end);
    return 1;
}
