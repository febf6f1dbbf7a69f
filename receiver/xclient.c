#include "receiver/xclient.h"

#include "receiver/network.h"

#include <arpa/inet.h>
#include <errno.h>

enum { VALUE_MAX = 255 };

struct value {
    size_t n;
    char p[VALUE_MAX];
};

static int hex(char c)
{
    return ascii_is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3461 section 4: "+" and two upper-case hex digits stand for one octet. Postfix takes lower
 * case too. */
static bool xtext_read(struct str text, struct value *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int c = (unsigned char)text.p[i];
        if (c <= ' ' || c >= 0x7f || c == '=' || ret->n == VALUE_MAX)
            return false;
        if (c == '+') {
            char pair[2] = {0};
            for (size_t k = 0; k < 2 && i + 1 + k < text.n; k++)
                pair[k] = text.p[i + 1 + k] >= 'a' ? (char)(text.p[i + 1 + k] - 'a' + 'A')
                                                   : text.p[i + 1 + k];
            if (hex(pair[0]) < 0 || hex(pair[1]) < 0)
                return false;
            c = hex(pair[0]) * 16 + hex(pair[1]);
            i += 2;
        }
        ret->p[ret->n++] = (char)c;
    }
    return ret->n > 0;
}

static bool read_any(struct str value, struct xclient *ret)
{
    (void)ret;
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
            return false;
    return true;
}

static bool address_write(struct str value, char ret[INET6_ADDRSTRLEN])
{
    struct sockaddr_storage a;
    char text[INET6_ADDRSTRLEN] = "";
    bool six = str_istarts(value, STR("IPV6:"));
    value = str_from(value, six ? STR("IPV6:").n : 0);
    if (value.n >= sizeof(text) || str_chr(value, '\0', 0) < value.n)
        return false;
    memcpy(text, value.p, value.n);
    if (!network_address(text, 0, &a) || (a.ss_family == AF_INET6) != six)
        return false;
    memcpy(ret, text, sizeof(text));
    return true;
}

static bool read_address(struct str value, struct xclient *ret)
{
    return address_write(value, ret->address);
}

static bool read_destination(struct str value, struct xclient *ret)
{
    char ignored[INET6_ADDRSTRLEN];
    (void)ret;
    return address_write(value, ignored);
}

static bool read_port(struct str value, struct xclient *ret)
{
    uint32_t port;
    (void)ret;
    return str_to_u32(value, &port) && port <= UINT16_MAX;
}

static bool read_protocol(struct str value, struct xclient *ret)
{
    ret->smtp = str_ieq(value, STR("SMTP"));
    return ret->smtp || str_ieq(value, STR("ESMTP"));
}

static bool read_helo(struct str value, struct xclient *ret)
{
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] <= ' ' || (unsigned char)value.p[i] >= 0x7f)
            return false;
    ret->has_helo = true;
    ret->helo_n = (uint8_t)value.n;
    memcpy(ret->helo, value.p, value.n);
    return true;
}

static const struct {
    struct str name;
    bool (*read)(struct str value, struct xclient *ret);
} attributes[] = {
    {STR_INIT("ADDR"), read_address},
    {STR_INIT("HELO"), read_helo},
    {STR_INIT("PROTO"), read_protocol},
    {STR_INIT("NAME"), read_any},
    {STR_INIT("REVERSE_NAME"), read_any},
    {STR_INIT("LOGIN"), read_any},
    {STR_INIT("PORT"), read_port},
    {STR_INIT("DESTPORT"), read_port},
    {STR_INIT("DESTADDR"), read_destination},
};

static bool attribute_read(struct str name, struct str text, struct xclient *ret)
{
    struct value v;
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        if (!str_ieq(name, attributes[i].name))
            continue;
        if (str_ieq(text, STR("[UNAVAILABLE]")) || str_ieq(text, STR("[TEMPUNAVAIL]")))
            return true;
        return xtext_read(text, &v) && attributes[i].read(str_of(v.p, v.n), ret);
    }
    return false;
}

int xclient_read(struct str argument, struct xclient *ret)
{
    struct xclient x = {0};
    argument = str_trim(argument);
    if (argument.n == 0)
        return -EINVAL;
    while (argument.n > 0) {
        struct str text = str_cut(&argument, ' ');
        if (text.n == 0)
            continue; /* more than one space */
        struct str name = str_cut(&text, '=');
        if (!attribute_read(name, text, &x))
            return -EINVAL;
    }
    *ret = x;
    return 0;
}
