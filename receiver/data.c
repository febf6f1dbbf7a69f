#include "receiver/data.h"

/* Goes over whole lines: returns how many bytes are content before the end of the input or, when
 * dots count, a dot at the start of a line; and leaves the state behind them in *d. */
static size_t lines(struct smtp_data *d, const char *p, size_t n, bool dots)
{
    size_t i = 0;
    while (i < n) {
        if (dots && d->at == SMTP_DATA_LINE && p[i] == '.')
            return i;
        const char *lf = memchr(p + i, '\n', n - i);
        size_t end = lf ? (size_t)(lf - p) : n; /* of this line, without its <LF> */
        size_t text = end;                      /* ... and without its <CR> */
        bool crlf = lf && (end > i ? p[end - 1] == '\r' : d->at == SMTP_DATA_CR);
        if (crlf && end > i)
            text--;
        else if (!lf && p[n - 1] == '\r')
            text--;
        /* A <CR> before these bytes that no <LF> follows, one among them, or a bare <LF>. */
        if ((d->at == SMTP_DATA_CR && !(crlf && end == i)) ||
            (text > i && memchr(p + i, '\r', text - i)) || (lf && !crlf))
            d->bare = true;
        if (lf) {
            d->at = crlf ? SMTP_DATA_LINE : SMTP_DATA_TEXT;
            i = end + 1;
        } else {
            d->at = text < end ? SMTP_DATA_CR : SMTP_DATA_TEXT;
            i = n;
        }
    }
    return n;
}

enum smtp_data_step smtp_data_next(struct smtp_data *d, struct str *in, struct str *ret_content)
{
    while (in->n > 0) {
        char c = in->p[0];
        switch (d->at) {
        case SMTP_DATA_DOT:
            /* The dot is dropped, whatever follows it but the end. */
            if (c == '\r') {
                d->at = SMTP_DATA_DOT_CR;
                *in = str_from(*in, 1);
                continue;
            }
            d->at = SMTP_DATA_TEXT;
            break;
        case SMTP_DATA_DOT_CR:
            if (c == '\n') {
                d->at = SMTP_DATA_LINE;
                *in = str_from(*in, 1);
                return SMTP_DATA_END;
            }
            d->at = SMTP_DATA_CR; /* the <CR> was content, and alone */
            *ret_content = STR("\r");
            return SMTP_DATA_CONTENT;
        case SMTP_DATA_LINE:
        case SMTP_DATA_TEXT:
        case SMTP_DATA_CR:
            break;
        }
        size_t n = lines(d, in->p, in->n, true);
        if (n > 0) {
            *ret_content = str_sub(*in, 0, n);
            *in = str_from(*in, n);
            return SMTP_DATA_CONTENT;
        }
        d->at = SMTP_DATA_DOT;
        *in = str_from(*in, 1);
    }
    return SMTP_DATA_MORE;
}

void smtp_chunk_add(struct smtp_data *d, struct str content)
{
    lines(d, content.p, content.n, false);
}
