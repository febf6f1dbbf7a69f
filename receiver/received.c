#include "receiver/received.h"

#include "base/clock.h"

static bool is_plain(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '-' || c == '_' || c == ':' ||
           c == '[' || c == ']';
}

int received_write(struct buf *out, const struct spool_envelope *e, struct str hostname)
{
    char helo[256], id[ID_TEXT], date[CLOCK_TEXT];
    size_t n = e->helo.n < sizeof(helo) ? e->helo.n : sizeof(helo);
    for (size_t i = 0; i < n; i++)
        helo[i] = is_plain(e->helo.p[i]) ? e->helo.p[i] : '?';
    bool v6 = str_chr(e->client_address, ':', 0) < e->client_address.n;
    struct str cipher = e->tls; /* behind the version */
    str_cut(&cipher, ' ');
    struct str to = e->recipients_n == 1 ? e->recipients[0].address : (struct str){0};
    return buf_fmt(out,
                   "Received: from %.*s ([%s%.*s])\r\n"
                   "\tby %.*s with %.*s id %s%s%.*s%s%s%.*s;\r\n"
                   "\t%s\r\n",
                   STR_ARG(str_of(helo, n)), v6 ? "IPv6:" : "", STR_ARG(e->client_address),
                   STR_ARG(hostname), STR_ARG(e->protocol), id_format(e->id, id),
                   to.n > 0 ? "\r\n\tfor <" : "", STR_ARG(to), to.n > 0 ? ">" : "",
                   e->tls.n > 0 ? "\r\n\ttls " : "", STR_ARG(cipher),
                   clock_format_rfc5322(e->received_at, date));
}
