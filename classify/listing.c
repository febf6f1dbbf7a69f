#include "classify/listing.h"

#include "base/domain.h"

#include <arpa/inet.h>

enum { LISTING_TEXT_MAX = 8192, URL_MAX = 512, BEFORE_MAX = 96 };

static const struct str absent = {NULL, 0};

static bool is_word_char(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name_char(char c)
{
    return is_word_char(c) || c == '.' || c == '-';
}

/* ---- addresses ---- */

static bool is_address(struct str s, int family)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (s.n == 0 || s.n >= sizeof(text))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return inet_pton(family, text, bytes) == 1;
}

static bool is_address_char(char c)
{
    return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f') || c == '.' ||
           c == ':';
}

/* The address that begins at, which may end a sentence: "192.0.2.1." */
static struct str address_at(struct str s, size_t at)
{
    size_t end = at;
    while (end < s.n && end - at < INET6_ADDRSTRLEN && is_address_char(s.p[end]))
        end++;
    if (end < s.n && is_name_char(s.p[end]))
        return absent;
    while (end > at && (s.p[end - 1] == '.' || s.p[end - 1] == ':') &&
           !is_address(str_sub(s, at, end), AF_INET6))
        end--;
    struct str found = str_sub(s, at, end);
    return is_address(found, AF_INET) || is_address(found, AF_INET6) ? found : absent;
}

/* The word of a host name or an address that ends before at; *ret_from is where it begins. */
static struct str name_before(struct str s, size_t at, size_t *ret_from)
{
    size_t end = at;
    while (end > 0 && (s.p[end - 1] == ' ' || s.p[end - 1] == '[' || s.p[end - 1] == '('))
        end--;
    size_t from = end;
    while (from > 0 && is_name_char(s.p[from - 1]))
        from--;
    *ret_from = from;
    return str_sub(s, from, end);
}

/* "host mx.example [192.0.2.9]", "server mx.example (192.0.2.9)", "connected to 192.0.2.9". */
static bool is_introduced_as_theirs(struct str s, size_t at)
{
    static const struct str words[] = {STR_INIT("host"),         STR_INIT("host:"),
                                       STR_INIT("server"),       STR_INIT("connected to"),
                                       STR_INIT("giving up on"), STR_INIT("talking to")};
    size_t from;
    struct str name = name_before(s, at, &from);
    /* "Client host [192.0.2.1]" has no name between: that is us. */
    bool named = str_chr(name, '.', 0) < name.n;
    struct str head =
        str_trim(str_sub(s, at > BEFORE_MAX ? at - BEFORE_MAX : 0, named ? from : at));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        bool verb = str_chr(words[i], ' ', 0) < words[i].n;
        if (str_iends(head, words[i]) && (named || verb))
            return !str_iends(head, STR("client host")) && !str_iends(head, STR("mail server"));
    }
    return false;
}

/* "[192.0.2.9] said:", "192.0.2.9 does not like recipient.", "[192.0.2.9]: 550 ...". */
static bool is_followed_as_theirs(struct str s, size_t end)
{
    static const struct str words[] = {STR_INIT("said"),           STR_INIT("does not like"),
                                       STR_INIT("did not like"),   STR_INIT("failed with"),
                                       STR_INIT("failed after I"), STR_INIT("responded"),
                                       STR_INIT("but sender was"), STR_INIT("but connection died")};
    while (end < s.n && (s.p[end] == ']' || s.p[end] == ')' || s.p[end] == ' '))
        end++;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_istarts(str_from(s, end), words[i]))
            return true;
    return false;
}

/* Not inside of a name or a number; "550-192.0.2.1 is blocked" goes on with a reply. */
static bool may_begin_at(struct str s, size_t at)
{
    if (at == 0 || !is_name_char(s.p[at - 1]))
        return true;
    return s.p[at - 1] == '-' && at >= 4 && (s.p[at - 4] == '4' || s.p[at - 4] == '5') &&
           ascii_is_digit(s.p[at - 3]) && ascii_is_digit(s.p[at - 2]) &&
           (at == 4 || !is_name_char(s.p[at - 5]));
}

static struct str find_address(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_address_char(s.p[i]) || s.p[i] == '.' || !may_begin_at(s, i))
            continue;
        struct str found = address_at(s, i);
        if (str_is_absent(found))
            continue;
        if (!is_introduced_as_theirs(s, i) && !is_followed_as_theirs(s, i + found.n))
            return found;
        i += found.n;
    }
    return absent;
}

/* ---- URLs ---- */

static bool is_url_char(char c)
{
    return (unsigned char)c > 0x20 && c != 0x7f && !strchr("<>\"\\^`{|}", c);
}

/* Where the text goes on in another line or quoted, a URL ends; marks that close the sentence
 * around it are not its own. */
static struct str url_at(struct str s, size_t at)
{
    size_t end = at;
    while (end < s.n && is_url_char(s.p[end]))
        end++;
    while (end > at && strchr(".,;:!?)]'*", s.p[end - 1]))
        end--;
    struct str url = str_sub(s, at, end);
    size_t slashes = str_find(url, STR("//"), 0);
    return url.n <= URL_MAX && url.n > slashes + 4 ? url : absent;
}

static struct str next_url(struct str s, size_t *at)
{
    for (size_t i = *at; (i = str_ifind(s, STR("http"), i)) < s.n; i += 4) {
        struct str rest = str_from(s, i);
        if (!str_istarts(rest, STR("http://")) && !str_istarts(rest, STR("https://")))
            continue;
        struct str url = url_at(s, i);
        if (str_is_absent(url))
            continue;
        *at = i + url.n;
        return url;
    }
    return absent;
}

static struct str url_host(struct str url)
{
    struct str host = str_from(url, str_find(url, STR("//"), 0) + 2);
    size_t n = 0;
    while (n < host.n && is_name_char(host.p[n]))
        n++;
    return str_sub(host, 0, n);
}

/* ---- lists ---- */

/* Those whose own site names them when the reply has no DNS zone. */
static const struct str sites[] = {
    STR_INIT("spamhaus.org"),
    STR_INIT("spamhaus.com"),
    STR_INIT("spamcop.net"),
    STR_INIT("barracudacentral.org"),
    STR_INIT("abuseat.org"),
    STR_INIT("sorbs.net"),
    STR_INIT("surriel.com"),
    STR_INIT("mailspike.net"),
    STR_INIT("mailspike.org"),
    STR_INIT("uceprotect.net"),
    STR_INIT("backscatterer.org"),
    STR_INIT("invaluement.com"),
    STR_INIT("spamrats.com"),
    STR_INIT("junkemailfilter.com"),
    STR_INIT("gbudb.com"),
    STR_INIT("lashback.com"),
    STR_INIT("blocklist.de"),
    STR_INIT("manitu.net"),
    STR_INIT("nordspam.com"),
    STR_INIT("senderscore.org"),
    STR_INIT("dronebl.org"),
    STR_INIT("surbl.org"),
    STR_INIT("uribl.com"),
    STR_INIT("abusix.zone"),
    STR_INIT("abusix.com"),
    STR_INIT("wpbl.info"),
    STR_INIT("0spam.org"),
    STR_INIT("hostkarma.com"),
    STR_INIT("cloudmark.com"),
    STR_INIT("trendmicro.com"),
    STR_INIT("proofpoint.com"),
    STR_INIT("sender.office.com"),
    STR_INIT("talosintelligence.com"),
};

static bool is_site(struct str host)
{
    for (size_t i = 0; i < sizeof(sites) / sizeof(sites[0]); i++)
        if (domain_is_within(host, sites[i]))
            return true;
    return false;
}

/* The host name that begins s behind blanks, quotes and brackets; not an address. */
static struct str leading_name(struct str s)
{
    size_t at = 0, end;
    while (at < s.n && strchr(" '\"[(<:", s.p[at]))
        at++;
    for (end = at; end < s.n && is_name_char(s.p[end]); end++)
        ;
    while (end > at && s.p[end - 1] == '.')
        end--;
    struct str name = str_sub(s, at, end);
    bool number = name.n > 0 && ascii_is_digit(name.p[name.n - 1]);
    bool mailbox = end < s.n && (s.p[end] == '@' || str_istarts(name, STR("http")));
    size_t dot = str_rchr(name, '.');
    return dot < name.n && !number && !mailbox && domain_is_valid(name) ? name : absent;
}

/* Words right in front of a list's name. */
static const struct str introductions[] = {
    STR_INIT("blocked using"),
    STR_INIT("listed by"),
    STR_INIT("listed in"),
    STR_INIT("listed at"),
    STR_INIT("listed on"),
    STR_INIT("blacklisted by"),
    STR_INIT("blocklisted by"),
    STR_INIT("in rbl"),
    STR_INIT("in dnsbl"),
    STR_INIT("rbl:"),
    STR_INIT("dnsbl:"),
    STR_INIT("dnsbl"),
    STR_INIT("block list"),
    STR_INIT("blacklist"),
    STR_INIT("blocklist"),
    STR_INIT("in the list"),
    STR_INIT("listed as spam source in"),
};

static struct str introduced_list(struct str s)
{
    size_t best = s.n;
    struct str found = absent;
    for (size_t i = 0; i < sizeof(introductions) / sizeof(introductions[0]); i++) {
        for (size_t at = 0; (at = str_ifind(s, introductions[i], at)) < best; at++) {
            struct str name = leading_name(str_from(s, at + introductions[i].n));
            if (!str_is_absent(name)) {
                found = name;
                best = at;
            }
        }
    }
    return found;
}

/* A known list's zone or site as a word of the text. */
static struct str known_list(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_name_char(s.p[i]))
            continue;
        size_t end = i;
        while (end < s.n && is_name_char(s.p[end]))
            end++;
        struct str word = str_sub(s, i, end);
        while (word.n > 0 && word.p[word.n - 1] == '.')
            word.n--;
        bool mailbox = i > 0 && s.p[i - 1] == '@';
        if (!mailbox && is_site(word))
            return word;
        i = end;
    }
    return absent;
}

/* The page of the list itself before one of the refusing host's. */
static struct str find_url(struct str s, struct str list)
{
    struct str first = absent, url;
    for (size_t at = 0; !str_is_absent(url = next_url(s, &at));) {
        struct str host = url_host(url);
        if (str_is_absent(first))
            first = url;
        if (is_site(host) || (list.n > 0 && (domain_is_within(host, list) ||
                                             domain_is_within(list, domain_registrable(host)))))
            return url;
    }
    return first;
}

struct listing listing_find(struct str text)
{
    text = str_sub(text, 0, LISTING_TEXT_MAX);
    struct listing found = {.address = find_address(text), .list = introduced_list(text)};
    if (str_is_absent(found.list))
        found.list = known_list(text);
    found.url = find_url(text, found.list);
    return found;
}
