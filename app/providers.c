#include "app/providers.h"

#include <errno.h>

const char *provider_name(enum provider p)
{
    static const char *const names[] = {
#define X(id, name) name,
        PROVIDERS(X)
#undef X
    };
    return p < PROVIDER_COUNT ? names[p] : "";
}

const char *provider_list_name(enum provider_list l)
{
    static const char *const names[] = {
#define X(id, name) name,
        PROVIDER_LISTS(X)
#undef X
    };
    return l < LIST_COUNT ? names[l] : "";
}

static const struct {
    const char *name, *meaning;
} refusals[] = {
#define X(id, name, meaning) {name, meaning},
    IMPORT_REFUSALS(X)
#undef X
};

const char *import_refusal_name(enum import_refusal r)
{
    return r < REFUSAL_COUNT ? refusals[r].name : "";
}

const char *import_refusal_meaning(enum import_refusal r)
{
    return r < REFUSAL_COUNT ? refusals[r].meaning : "";
}

bool provider_parse(struct str name, enum provider *ret)
{
    for (enum provider p = 0; p < PROVIDER_COUNT; p++)
        if (str_eq(name, str_c(provider_name(p)))) {
            *ret = p;
            return true;
        }
    return false;
}

bool provider_list_parse(struct str name, enum provider_list *ret)
{
    if (str_eq(name, STR("spam_reports")))
        name = STR("complaints");
    for (enum provider_list l = LIST_BOUNCES; l < LIST_COUNT; l++)
        if (str_eq(name, str_c(provider_list_name(l)))) {
            *ret = l;
            return true;
        }
    return false;
}

/* ---- which ---- */

/* The first of these whose columns a file has; up to three that must be there. */
static const struct {
    enum provider provider;
    const char *names[3];
} signs[] = {
    {PROVIDER_OWN, {"address", "scope", "kind"}},
    {PROVIDER_POSTMARK, {"emailaddress", "suppressionreason"}},
    {PROVIDER_MAILCHIMP, {"emailaddress", "cleantime"}},
    {PROVIDER_MAILCHIMP, {"emailaddress", "unsubtime"}},
    {PROVIDER_MAILCHIMP, {"emailaddress", "memberrating"}},
    {PROVIDER_MAILCHIMP, {"emailaddress", "optintime"}},
    {PROVIDER_SES, {"emailaddress", "reason"}},
    {PROVIDER_SPARKPOST, {"recipient", "source"}},
    {PROVIDER_SPARKPOST, {"recipient", "type"}},
    {PROVIDER_SPARKPOST, {"recipient", "nontransactional"}},
    {PROVIDER_SENDGRID, {"email", "created"}},
    {PROVIDER_MAILGUN, {"address", "createdat"}},
    {PROVIDER_MAILGUN, {"address", "code", "error"}},
};

static bool has_signs(const struct str *names, size_t n, size_t sign)
{
    for (size_t i = 0; i < 3 && signs[sign].names[i]; i++)
        if (!names_have(names, n, signs[sign].names[i]))
            return false;
    return true;
}

/* The name of the file as a hint: "suppression_blocks.csv". */
static enum provider_list list_by_file(struct str file)
{
    static const struct {
        const char *part;
        enum provider_list list;
    } parts[] = {{"block", LIST_BLOCKS},       {"invalid", LIST_INVALID},
                 {"spam", LIST_COMPLAINTS},    {"complain", LIST_COMPLAINTS},
                 {"unsub", LIST_UNSUBSCRIBES}, {"bounce", LIST_BOUNCES}};
    struct str name = str_from(file, str_rchr(file, '/') < file.n ? str_rchr(file, '/') + 1 : 0);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (str_ifind(name, str_c(parts[i].part), 0) < name.n)
            return parts[i].list;
    return LIST_ROWS_SAY;
}

/* LIST_ROWS_SAY: the columns do not tell. */
static enum provider_list list_by_columns(enum provider p, const struct str *names, size_t n)
{
    if (p == PROVIDER_MAILCHIMP)
        return names_have(names, n, "cleantime")   ? LIST_CLEANED
               : names_have(names, n, "unsubtime") ? LIST_UNSUBSCRIBES
                                                   : LIST_ROWS_SAY;
    if (p == PROVIDER_MAILGUN)
        return names_have(names, n, "code") || names_have(names, n, "error") ? LIST_BOUNCES
               : names_have(names, n, "tags") || names_have(names, n, "tag") ? LIST_UNSUBSCRIBES
                                                                             : LIST_ROWS_SAY;
    /* SendGrid's bounces and blocks have the same columns. */
    return names_have(names, n, "status")   ? LIST_ROWS_SAY
           : names_have(names, n, "ip")     ? LIST_COMPLAINTS
           : names_have(names, n, "reason") ? LIST_INVALID
                                            : LIST_UNSUBSCRIBES;
}

static int find_list(enum provider p, const struct str *names, size_t n, struct str file,
                     enum provider_list *ret, struct err *e)
{
    if (p != PROVIDER_SENDGRID && p != PROVIDER_MAILGUN && p != PROVIDER_MAILCHIMP)
        return 0;
    enum provider_list list = list_by_columns(p, names, n);
    if (list == LIST_ROWS_SAY && p != PROVIDER_MAILCHIMP)
        list = list_by_file(file);
    if (list == LIST_ROWS_SAY && p == PROVIDER_MAILCHIMP)
        return err_set(e, -EINVAL,
                       "neither CLEAN_TIME nor UNSUB_TIME is among its columns: an "
                       "audience of people who are subscribed is no suppression list");
    if (list == LIST_ROWS_SAY)
        return err_set(e, -EINVAL,
                       "its columns do not tell which of %s's lists it is: expected "
                       "--list %s",
                       provider_name(p),
                       p == PROVIDER_SENDGRID ? "bounces or --list blocks"
                                              : "complaints or --list unsubscribes");
    *ret = list;
    return 0;
}

int provider_detect(const struct records *r, struct str file, const enum provider *given,
                    const enum provider_list *given_list, enum provider *ret,
                    enum provider_list *ret_list, struct err *e)
{
    size_t n, sign = 0;
    const struct str *names = records_names(r, &n);
    enum provider_list list = given_list ? *given_list : LIST_ROWS_SAY;
    while (sign < sizeof(signs) / sizeof(signs[0]) &&
           !((!given || *given == signs[sign].provider) && has_signs(names, n, sign)))
        sign++;
    if (n && sign == sizeof(signs) / sizeof(signs[0]))
        return err_set(e, -EINVAL,
                       "its %s not those of %s: expected the columns of one of own, ses, "
                       "sendgrid, mailgun, postmark, sparkpost, mailchimp (docs/import.md)",
                       records_are_json(r) ? "members are" : "first line has names that are",
                       given ? provider_name(*given) : "any format");
    enum provider p = n ? signs[sign].provider : given ? *given : PROVIDER_OWN;
    int rc = n && !given_list ? find_list(p, names, n, file, &list, e) : 0;
    if (rc < 0)
        return rc;
    if (list == LIST_BLOCKS)
        return err_set(e, -EINVAL,
                       "SendGrid's blocks are refusals of the sender, not of the "
                       "address: they do not suppress, and are not imported");
    *ret = p;
    *ret_list = list;
    return 0;
}
