#include "app/json.h"

#include "base/buf.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

/* jansson's objects under our name: a struct json * is its json_t *. That memory ended once is
 * remembered for the object being built; one is built at a time. */
static bool failed;

static json_t *in(struct json *o)
{
    return (json_t *)o;
}

static void put(struct json *o, const char *key, json_t *value)
{
    if (!o || !value || json_object_set_new(in(o), key, value) < 0)
        failed = true;
}

struct json *json_new(void)
{
    failed = false;
    json_t *o = json_object();
    if (!o)
        failed = true;
    return (struct json *)o;
}

void json_free(struct json *o)
{
    json_decref(in(o));
}

/* The length of the well-formed UTF-8 sequence at p, 0 when there is none. */
static size_t sequence(struct str s, size_t at)
{
    for (size_t n = 1; n <= 4 && at + n <= s.n; n++)
        if (str_is_utf8(str_sub(s, at, at + n)))
            return n;
    return 0;
}

static json_t *text_value(struct str s)
{
    if (str_is_utf8(s))
        return json_stringn(s.p ? s.p : "", s.n);
    struct buf b;
    buf_init(&b, s.n * 3 + 1);
    int rc = 0;
    for (size_t i = 0; i < s.n && rc == 0;) {
        size_t n = sequence(s, i);
        rc = buf_add(&b, n ? str_sub(s, i, i + n) : STR("\xef\xbf\xbd"));
        i += n ? n : 1;
    }
    json_t *value = rc == 0 ? json_stringn(b.p, b.n) : NULL;
    buf_free(&b);
    return value;
}

void json_text(struct json *o, const char *key, struct str value)
{
    put(o, key, str_is_absent(value) ? json_null() : text_value(value));
}

void json_fact(struct json *o, const char *key, struct str value)
{
    put(o, key, value.n == 0 ? json_null() : text_value(value));
}

void json_int(struct json *o, const char *key, int64_t value)
{
    put(o, key, json_integer(value));
}

void json_decimal(struct json *o, const char *key, struct str value)
{
    char text[64], *end = text;
    double number = 0;
    if (value.n && value.n < sizeof(text)) {
        snprintf(text, sizeof(text), "%.*s", STR_ARG(value));
        number = strtod(text, &end);
    }
    put(o, key, *end == '\0' && end != text && isfinite(number) ? json_real(number) : json_null());
}

void json_bool(struct json *o, const char *key, bool value)
{
    put(o, key, json_boolean(value));
}

struct json *json_list(struct json *o, const char *key)
{
    json_t *list = json_array();
    put(o, key, list);
    return failed ? NULL : (struct json *)list;
}

struct json *json_item(struct json *list)
{
    json_t *o = json_object();
    if (!list || !o || json_array_append_new(in(list), o) < 0) {
        failed = true;
        return NULL;
    }
    return (struct json *)o;
}

static int write_part(const char *p, size_t n, void *out)
{
    return fwrite(p, 1, n, out) == n ? 0 : -1;
}

int json_print(struct json *o, FILE *out)
{
    int rc = failed || !o ? -ENOMEM : 0;
    if (rc == 0 &&
        (json_dump_callback(in(o), write_part, out, JSON_COMPACT) < 0 || fputc('\n', out) == EOF))
        rc = -EIO;
    json_free(o);
    return rc;
}
