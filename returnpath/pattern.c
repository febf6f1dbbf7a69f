#include "returnpath/pattern.h"

#include "base/address.h"
#include "base/require.h"
#include "returnpath/verp.h"

#include <errno.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* No JIT: local parts are short, and a service can then be forbidden to make executable memory. */
enum {
    GROUPS_MAX = 32,
    MATCH_LIMIT = 20000, /* steps: under a millisecond */
    DEPTH_LIMIT = 1000,
    HEAP_LIMIT = 256, /* KiB */
};

/* Each is at most once in an expression. */
enum fact { USER, DOMAIN, RECIPIENT, TENANT, STREAM, CAMPAIGN, MESSAGE_ID, FACTS };
static const char *const fact_names[FACTS] = {"user",   "domain",   "recipient", "tenant",
                                              "stream", "campaign", "message_id"};

struct pattern {
    pcre2_code *code;
    struct str domain;
    uint32_t group[FACTS]; /* 0: the expression has none of this name */
};

struct pattern_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

/* ---- compiling ---- */

static int fact_add(struct pattern *p, const char *name, uint32_t group, struct str pattern,
                    struct err *e)
{
    size_t i = 0;
    while (i < FACTS && strcmp(fact_names[i], name) != 0)
        i++;
    if (i == FACTS)
        return err_set(e, -EINVAL,
                       "pattern %.*s: group \"%s\": expected user, domain, recipient, tenant, "
                       "stream, campaign or message_id",
                       STR_ARG(pattern), name);
    if (p->group[i] != 0)
        return err_set(e, -EINVAL, "pattern %.*s: group \"%s\" stands twice", STR_ARG(pattern),
                       name);
    p->group[i] = group;
    return 0;
}

/* Numbers of the named groups, and whether they make sense together. */
static int facts_find(struct pattern *p, struct str name, struct err *e)
{
    uint32_t groups = 0, names = 0, entry = 0;
    PCRE2_SPTR table = NULL;
    pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    pcre2_pattern_info(p->code, PCRE2_INFO_NAMECOUNT, &names);
    pcre2_pattern_info(p->code, PCRE2_INFO_NAMEENTRYSIZE, &entry);
    pcre2_pattern_info(p->code, PCRE2_INFO_NAMETABLE, &table);
    if (groups >= GROUPS_MAX)
        return err_set(e, -EINVAL, "pattern %.*s has %u groups, expected fewer than %d",
                       STR_ARG(name), groups, GROUPS_MAX);
    for (uint32_t i = 0; i < names; i++, table += entry) {
        int rc = fact_add(p, (const char *)table + 2, (uint32_t)table[0] << 8 | table[1], name, e);
        if (rc < 0)
            return rc;
    }
    if (names == 0)
        return err_set(e, -EINVAL, "pattern %.*s: expected a named group such as (?<recipient>...)",
                       STR_ARG(name));
    if (!p->group[USER] != !p->group[DOMAIN] || (p->group[USER] && p->group[RECIPIENT]))
        return err_set(e, -EINVAL, "pattern %.*s: expected user and domain, or recipient",
                       STR_ARG(name));
    return 0;
}

static int compile(const struct returnpath_pattern *from, struct pattern *to, struct err *e)
{
    uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
                       (from->case_sensitive ? 0 : PCRE2_CASELESS);
    int code = 0;
    size_t offset = 0;
    if (from->regex.n == 0 || from->regex.n > PATTERN_REGEX_MAX)
        return err_set(e, -EINVAL, "pattern %.*s: its expression has %zu octets, expected 1 to %d",
                       STR_ARG(from->name), from->regex.n, PATTERN_REGEX_MAX);
    to->domain = from->domain;
    to->code =
        pcre2_compile((PCRE2_SPTR)from->regex.p, from->regex.n, options, &code, &offset, NULL);
    if (to->code)
        return facts_find(to, from->name, e);
    if (code == PCRE2_ERROR_NOMEMORY)
        return err_set(e, -ENOMEM, "out of memory");
    PCRE2_UCHAR words[160] = "";
    pcre2_get_error_message(code, words, sizeof(words));
    return err_set(e, -EINVAL, "pattern %.*s: %s at offset %zu of \"%.*s\"", STR_ARG(from->name),
                   (const char *)words, offset, STR_ARG(from->regex));
}

int pattern_list_new(const struct returnpath_pattern *from, size_t n, struct pattern **ret,
                     struct err *e)
{
    struct pattern *list = calloc(n ? n : 1, sizeof(*list));
    int rc = list ? 0 : err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = compile(&from[i], &list[i], e);
    if (rc < 0) {
        pattern_list_free(list, n);
        return rc;
    }
    *ret = list;
    return 0;
}

void pattern_list_free(struct pattern *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        pcre2_code_free(list[i].code);
    free(list);
}

/* ---- matching ---- */

int pattern_matcher_new(struct pattern_matcher **ret)
{
    struct pattern_matcher *m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->data = pcre2_match_data_create(GROUPS_MAX, NULL);
    m->context = pcre2_match_context_create(NULL);
    if (!m->data || !m->context) {
        pattern_matcher_free(m);
        return -ENOMEM;
    }
    pcre2_set_match_limit(m->context, MATCH_LIMIT);
    pcre2_set_depth_limit(m->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(m->context, HEAP_LIMIT);
    *ret = m;
    return 0;
}

void pattern_matcher_free(struct pattern_matcher *m)
{
    if (!m)
        return;
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    free(m);
}

/* Absent when the group is none, took no part, or is empty. */
static struct str captured(const struct pattern *p, struct pattern_matcher *m, struct str local,
                           enum fact fact)
{
    const size_t *at = pcre2_get_ovector_pointer(m->data);
    size_t from = at[2 * p->group[fact]], to = at[2 * p->group[fact] + 1];
    /* \K in a look-behind can put a start behind its end. */
    if (p->group[fact] == 0 || from == PCRE2_UNSET || from >= to || to > local.n)
        return (struct str){0};
    return str_sub(local, from, to);
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) &&
            (s.p[i] == '\0' || strchr("._-", s.p[i]) == NULL))
            return false;
    return s.n <= PATTERN_FACT_MAX;
}

/* 1, 0: what was captured is not what it claims to be; -ENOMEM. */
static int facts_take(const struct pattern *p, struct pattern_matcher *m, struct arena *a,
                      struct str local, struct returnpath *ret)
{
    struct returnpath found = *ret;
    struct address to = {captured(p, m, local, USER), captured(p, m, local, DOMAIN)};
    struct str recipient = captured(p, m, local, RECIPIENT);
    if (recipient.n > 0 && !address_split(recipient, &to))
        return 0;
    if (p->group[USER] || p->group[RECIPIENT]) {
        if (!verp_is_recipient(&to))
            return 0;
        found.recipient = arena_fmt(a, "%.*s@%.*s", STR_ARG(to.local), STR_ARG(to.domain));
        if (str_is_absent(found.recipient))
            return -ENOMEM;
    }
    found.tenant = captured(p, m, local, TENANT);
    found.stream = captured(p, m, local, STREAM);
    found.campaign = captured(p, m, local, CAMPAIGN);
    found.message_id = captured(p, m, local, MESSAGE_ID);
    if (!is_plain(found.tenant) || !is_plain(found.stream) || !is_plain(found.campaign) ||
        !is_plain(found.message_id))
        return 0;
    found.source = RETURNPATH_SOURCE_PATTERN;
    *ret = found;
    return 1;
}

int pattern_read(const struct pattern *list, size_t n, struct pattern_matcher *m, struct arena *a,
                 struct str local, struct returnpath *ret)
{
    for (size_t i = 0; i < n; i++) {
        const struct pattern *p = &list[i];
        if (!str_is_absent(p->domain) && !str_ieq(p->domain, ret->domain->name))
            continue;
        int rc = pcre2_match(p->code, (PCRE2_SPTR)local.p, local.n, 0, 0, m->data, m->context);
        if (rc == PCRE2_ERROR_NOMEMORY)
            return -ENOMEM;
        if (rc > 0) /* else no match, or over a limit */
            rc = facts_take(p, m, a, local, ret);
        if (rc == 1 || rc == -ENOMEM)
            return rc;
    }
    return 0;
}
