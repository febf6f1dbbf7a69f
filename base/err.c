#include "base/err.h"

#include "base/require.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character at text[i]; 0: it is none, *ret_cut when only for want of its end. */
static size_t character(struct str text, size_t i, bool *ret_cut)
{
    unsigned char lead = (unsigned char)text.p[i];
    size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    *ret_cut = lead >= 0xc2 && n > text.n - i;
    return n <= text.n - i && str_is_utf8(str_sub(text, i, i + n)) ? n : 0;
}

/* Makes text printable UTF-8; was_cut: it was longer, so half a character at its end goes. */
static void text_clean(char *text, bool was_cut)
{
    struct str s = str_c(text);
    for (size_t i = 0; i < s.n;) {
        bool cut;
        size_t n = character(s, i, &cut);
        unsigned char c = (unsigned char)text[i];
        if (n == 0 && cut && was_cut) {
            text[i] = '\0';
            return;
        }
        if (n == 0 || (n == 1 && (c < 0x20 || c == 0x7f))) {
            text[i] = '?';
        } else if (n == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0) {
            /* A C1 control, such as U+009B, which terminals obey, too. */
            text[i] = '?';
            memmove(text + i + 1, text + i + 2, s.n - i - 1);
            s.n--;
            n = 1;
        }
        i += n ? n : 1;
    }
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    REQUIRE(code < 0);
    if (!e)
        return code;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    text_clean(e->text, n >= (int)sizeof(e->text));
    e->code = code;
    return code;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
    REQUIRE(code < 0);
    if (!e)
        return code;
    char what[sizeof(e->text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    const char *why = strerrordesc_np(-code);
    return err_set(e, code, "%s: %s", what, why ? why : "unknown error");
}

int err_add(struct err *e, int code_if_null, const char *fmt, ...)
{
    if (!e)
        return code_if_null;
    char old[sizeof(e->text)];
    memcpy(old, e->text, sizeof(old));
    char context[sizeof(e->text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    return err_set(e, e->code < 0 ? e->code : code_if_null, "%s: %s", context, old);
}
