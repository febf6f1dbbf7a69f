#include "base/err.h"

#include "base/require.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void text_clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    REQUIRE(code < 0);
    if (!e)
        return code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    text_clean(e->text);
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
