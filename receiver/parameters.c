#include "receiver/parameters.h"

#include "receiver/address.h"

#include <errno.h>

struct context {
    bool esmtp;
    uint64_t message_bytes;
    struct smtp_parameters said;
};

static enum reply size_read(struct context *c, struct str value)
{
    if (value.n > 20 || !str_to_u64(value, &c->said.size))
        return REPLY_PARAMETER_SYNTAX;
    return c->message_bytes > 0 && c->said.size > c->message_bytes ? REPLY_TOO_BIG : REPLY_MAIL_OK;
}

/* A value that another extension defines is a parameter not implemented; any other is none. */
static enum reply body_read(struct context *c, struct str value)
{
    (void)c;
    if (str_ieq(value, STR("7BIT")) || str_ieq(value, STR("8BITMIME")))
        return REPLY_MAIL_OK;
    return str_ieq(value, STR("BINARYMIME")) ? REPLY_BODY_BINARY : REPLY_BODY_OTHER;
}

/* HELO has no word for the protocol of such a message (RFC 6531 section 4.3). */
static enum reply utf8_read(struct context *c, struct str value)
{
    if (!c->esmtp)
        return REPLY_PARAMETER_UNKNOWN;
    c->said.utf8 = true;
    return str_is_absent(value) ? REPLY_MAIL_OK : REPLY_PARAMETER_SYNTAX;
}

static const struct {
    struct str keyword;
    enum reply (*read)(struct context *c, struct str value);
} parameters[] = {
    {STR_INIT("SIZE"), size_read},
    {STR_INIT("BODY"), body_read},
    {STR_INIT("SMTPUTF8"), utf8_read},
};
enum { PARAMETERS = sizeof(parameters) / sizeof(parameters[0]) };

enum reply smtp_parameters_read(struct str rest, bool esmtp, uint64_t message_bytes,
                                struct smtp_parameters *ret)
{
    struct context c = {.esmtp = esmtp, .message_bytes = message_bytes};
    struct str keyword, value;
    unsigned seen = 0;
    int rc;
    while ((rc = smtp_parameter_read(&rest, &keyword, &value)) > 0) {
        size_t i = 0;
        while (i < PARAMETERS && !str_ieq(keyword, parameters[i].keyword))
            i++;
        if (i == PARAMETERS)
            return REPLY_PARAMETER_UNKNOWN;
        if (seen & 1u << i)
            return REPLY_PARAMETER_SYNTAX;
        seen |= 1u << i;
        enum reply answer = parameters[i].read(&c, value);
        if (answer != REPLY_MAIL_OK)
            return answer;
    }
    if (rc < 0)
        return REPLY_PARAMETER_SYNTAX;
    *ret = c.said;
    return REPLY_MAIL_OK;
}

int smtp_chunk_read(struct str argument, uint64_t *ret_octets, bool *ret_last)
{
    argument = str_trim(argument);
    struct str number = str_cut(&argument, ' ');
    argument = str_trim(argument);
    for (size_t i = 0; i < number.n; i++)
        if (!ascii_is_digit(number.p[i]))
            return -EINVAL;
    if (number.n == 0)
        return -EINVAL;
    if (!str_to_u64(number, ret_octets))
        *ret_octets = UINT64_MAX;
    *ret_last = str_ieq(argument, STR("LAST"));
    return *ret_last || argument.n == 0 ? 0 : 1;
}
