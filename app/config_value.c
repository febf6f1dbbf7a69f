/* Values of configuration keys: text -> typed, with what was expected in words. */
#include "app/config_keys.h"

#include "base/clock.h"
#include "base/domain.h"
#include "base/require.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit sizes[] = {{"GiB", UINT64_C(1) << 30},
                                    {"MiB", UINT64_C(1) << 20},
                                    {"KiB", UINT64_C(1) << 10},
                                    {"B", 1},
                                    {NULL, 0}};
static const struct unit times[] = {
    {"d", 86400 * UINT64_C(1000000)}, {"h", 3600 * UINT64_C(1000000)},
    {"m", 60 * UINT64_C(1000000)},    {"s", UINT64_C(1000000)},
    {"ms", UINT64_C(1000)},           {NULL, 0}};

/* A number with a unit behind it; a bare 0 needs none. */
static bool unit_parse(struct str text, const struct unit *units, uint64_t *ret)
{
    size_t digits = 0;
    while (digits < text.n && ascii_is_digit(text.p[digits]))
        digits++;
    uint64_t n;
    if (!str_to_u64(str_sub(text, 0, digits), &n))
        return false;
    struct str unit = str_trim(str_from(text, digits));
    if (n == 0 && unit.n == 0) {
        *ret = 0;
        return true;
    }
    for (const struct unit *u = units; u->name; u++)
        if (str_eq(unit, str_c(u->name)))
            return !__builtin_mul_overflow(n, u->factor, ret);
    return false;
}

static const char *unit_format(uint64_t n, const struct unit *units, const char *rest,
                               char text[32])
{
    for (const struct unit *u = units; u->name; u++) {
        if (n >= u->factor && n % u->factor == 0) {
            snprintf(text, 32, "%llu%s", (unsigned long long)(n / u->factor), u->name);
            return text;
        }
    }
    snprintf(text, 32, "%llu%s", (unsigned long long)n, n ? rest : "");
    return text;
}

const char *config_format_size(uint64_t n, char text[32])
{
    return unit_format(n, sizes, "B", text);
}

const char *config_format_time(uint64_t us, char text[32])
{
    return unit_format(us, times, "us", text);
}

static int expected_number(const struct config_key *k, struct err *e)
{
    char min[32], max[32];
    const char *zero = k->zero ? ", or 0 for no limit" : "";
    switch (k->type) {
    case CONFIG_SIZE:
        return err_set(e, -EINVAL,
                       "expected a size from %s to %s, written with B, KiB, MiB or GiB%s",
                       config_format_size(k->min, min), config_format_size(k->max, max), zero);
    case CONFIG_TIME:
        return err_set(e, -EINVAL, "expected a time from %s to %s, written with ms, s, m, h or d%s",
                       config_format_time(k->min, min), config_format_time(k->max, max), zero);
    default:
        return err_set(e, -EINVAL, "expected a whole number from %llu to %llu%s",
                       (unsigned long long)k->min, (unsigned long long)k->max, zero);
    }
}

static int number(const struct config_key *k, struct str text, void *field, struct err *e)
{
    uint64_t n;
    bool read = k->type == CONFIG_SIZE   ? unit_parse(text, sizes, &n)
                : k->type == CONFIG_TIME ? unit_parse(text, times, &n)
                                         : str_to_u64(text, &n);
    if (!read || ((n < k->min || n > k->max) && !(n == 0 && k->zero)))
        return expected_number(k, e);
    memcpy(field, &n, sizeof(n));
    return 0;
}

static int word(const struct config_key *k, struct str text, void *field, struct err *e)
{
    struct str rest = str_c(k->words);
    for (uint64_t i = 0; rest.n; i++) {
        if (str_eq(text, str_cut(&rest, '|'))) {
            memcpy(field, &i, sizeof(i));
            return 0;
        }
    }
    char list[128];
    size_t n = 0;
    rest = str_c(k->words);
    while (rest.n) {
        struct str w = str_cut(&rest, '|');
        int wrote = snprintf(list + n, sizeof(list) - n, "%s%.*s",
                             n == 0   ? ""
                             : rest.n ? ", "
                                      : " or ",
                             STR_ARG(w));
        REQUIRE(wrote > 0 && (size_t)wrote < sizeof(list) - n);
        n += (size_t)wrote;
    }
    return err_set(e, -EINVAL, "expected %s", list);
}

static bool is_clean_text(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    return str_is_utf8(text);
}

static bool is_name(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return text.n > 0;
}

/* A path is read as the user who asks: also a file that only this user can't read is told. */
static int path_check(const struct config_key *k, const char *path, struct err *e)
{
    struct stat st;
    int rc = stat(path, &st);
    int code = errno;
    if (k->type == CONFIG_FOLDER) {
        if (rc == 0)
            return S_ISDIR(st.st_mode) ? 0 : err_set(e, -ENOTDIR, "expected a directory");
        const char *slash = strrchr(path, '/');
        char parent[4096];
        size_t n = slash ? (size_t)(slash - path) : 0;
        if (n >= sizeof(parent))
            return err_set(e, -ENAMETOOLONG, "expected a shorter path");
        memcpy(parent, path, n);
        parent[n] = '\0';
        const char *look = slash ? (n ? parent : "/") : ".";
        if (code == ENOENT && stat(look, &st) == 0 && S_ISDIR(st.st_mode))
            return 0;
        return err_sys(e, -code, "expected a directory, or one that can be made in %s", look);
    }
    if (rc < 0)
        return err_sys(e, -code, "expected a file that can be read");
    if (access(path, R_OK) < 0)
        return err_sys(e, -errno, "expected a file that can be read");
    return 0;
}

static int path(const struct config_key *k, struct str text, const char *folder, struct arena *a,
                const char **field, struct err *e)
{
    if (text.n == 0 || !is_clean_text(text))
        return err_set(e, -EINVAL, "expected a path");
    struct str full =
        text.p[0] == '/' ? arena_str(a, text) : arena_fmt(a, "%s/%.*s", folder, STR_ARG(text));
    if (str_is_absent(full))
        return err_set(e, -ENOMEM, "out of memory");
    int rc = k->type == CONFIG_FILE ? 0 : path_check(k, full.p, e);
    if (rc < 0)
        return rc;
    *field = full.p;
    return 0;
}

static int host(const struct config_key *k, struct str text, struct arena *a, const char **field,
                struct err *e)
{
    struct str ascii = domain_to_ascii(a, text);
    bool dotted = !str_is_absent(ascii) && str_chr(ascii, '.', 0) < ascii.n;
    if (str_is_absent(ascii) || (k->type == CONFIG_DOMAIN && !dotted))
        return err_set(e, -EINVAL, "expected a %s such as %s",
                       k->type == CONFIG_DOMAIN ? "domain" : "host name",
                       k->type == CONFIG_DOMAIN ? "bounces.example.com" : "mx1.example.com");
    *field = ascii.p;
    return 0;
}

static int keep(struct arena *a, struct str text, const char **field, struct err *e)
{
    struct str copy = arena_str(a, text);
    if (str_is_absent(copy))
        return err_set(e, -ENOMEM, "out of memory");
    *field = copy.p;
    return 0;
}

static int ip(struct str text, struct arena *a, const char **field, struct err *e)
{
    char c[INET6_ADDRSTRLEN] = "";
    unsigned char bytes[16];
    if (text.n < sizeof(c))
        memcpy(c, text.p, text.n);
    int family = inet_pton(AF_INET, c, bytes) == 1    ? AF_INET
                 : inet_pton(AF_INET6, c, bytes) == 1 ? AF_INET6
                                                      : AF_UNSPEC;
    /* Written back, so that one address has one spelling. */
    if (family == AF_UNSPEC || !inet_ntop(family, bytes, c, sizeof(c)))
        return err_set(e, -EINVAL, "expected an IPv4 or IPv6 address such as 192.0.2.1 or ::1");
    return keep(a, str_c(c), field, e);
}

static int date(struct str text, void *field, struct err *e)
{
    uint32_t day;
    if (!clock_day_read(text, &day))
        return err_set(e, -EINVAL, "expected a date such as 2027-01-31");
    uint64_t n = day;
    memcpy(field, &n, sizeof(n));
    return 0;
}

static int key_id(struct str text, struct arena *a, const char **field, struct err *e)
{
    bool good = text.n == 1 &&
                ((text.p[0] >= 'a' && text.p[0] <= 'z') || (text.p[0] >= '2' && text.p[0] <= '7'));
    if (!good)
        return err_set(e, -EINVAL, "expected one character: a to z, or 2 to 7");
    return keep(a, text, field, e);
}

static int local_part(struct str text, struct arena *a, const char **field, struct err *e)
{
    bool good = text.n > 0 && text.n <= 64;
    for (size_t i = 0; good && i < text.n; i++) {
        char c = text.p[i];
        bool dot = c == '.' && i > 0 && i + 1 < text.n && text.p[i - 1] != '.';
        good = dot || ascii_is_alpha(c) || ascii_is_digit(c) ||
               (c && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
    }
    if (!good)
        return err_set(e, -EINVAL, "expected what stands before the @, such as fbl");
    return keep(a, text, field, e);
}

int config_value(const struct config_key *key, struct str text, const char *folder, struct arena *a,
                 void *base, struct err *e)
{
    void *field = (char *)base + key->offset;
    const char **string = field;
    if (key->nothing && str_eq(text, str_c(key->nothing)))
        return 0;
    switch (key->type) {
    case CONFIG_SIZE:
    case CONFIG_TIME:
    case CONFIG_COUNT:
        return number(key, text, field, e);
    case CONFIG_BOOL: {
        bool yes = str_eq(text, STR("true"));
        if (!yes && !str_eq(text, STR("false")))
            return err_set(e, -EINVAL, "expected true or false");
        memcpy(field, &yes, sizeof(yes));
        return 0;
    }
    case CONFIG_WORD:
        return word(key, text, field, e);
    case CONFIG_IP:
        return ip(text, a, string, e);
    case CONFIG_NETWORK:
        if (!network_parse(text, field))
            return err_set(e, -EINVAL,
                           "expected an address or a network such as 192.0.2.1, 192.0.2.0/24 or "
                           "2001:db8::/32, with no bit set behind the prefix");
        return 0;
    case CONFIG_HOST:
    case CONFIG_DOMAIN:
        return host(key, text, a, string, e);
    case CONFIG_FOLDER:
    case CONFIG_FILE:
    case CONFIG_PATH:
        return path(key, text, folder, a, string, e);
    case CONFIG_NAME:
        if (!(is_name(text) || (text.n == 0 && key->min == 0)) || text.n > key->max)
            return err_set(e, -EINVAL,
                           "expected a name of letters, digits, '.', '_' and '-', at most %llu",
                           (unsigned long long)key->max);
        return keep(a, text, string, e);
    case CONFIG_DATE:
        return date(text, field, e);
    case CONFIG_KEY_ID:
        return key_id(text, a, string, e);
    case CONFIG_LOCAL:
        return local_part(text, a, string, e);
    case CONFIG_TEXT:
        if (text.n < key->min || text.n > key->max || !is_clean_text(text))
            return err_set(e, -EINVAL, "expected a text of one line, %llu to %llu octets",
                           (unsigned long long)key->min, (unsigned long long)key->max);
        return keep(a, text, string, e);
    }
    require_failed("a type of the list", __FILE__, __LINE__);
}
