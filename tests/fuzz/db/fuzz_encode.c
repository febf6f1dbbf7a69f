/* Text made safe: valid UTF-8 without NUL, within its maximum, unchanged where it was safe; and the
 * arrays made of it have the lengths that they say. The first byte is the maximum. */
#include "base/require.h"
#include "db/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t number(const char *p)
{
    size_t n = 0;
    for (size_t i = 0; i < 4; i++)
        n = n << 8 | (uint8_t)p[i];
    return n;
}

static void walk(const struct array *a, size_t elements)
{
    struct str s = buf_str(&a->bytes);
    size_t at = 20;
    REQUIRE(s.n >= at && number(s.p) == 1 && number(s.p + 12) == elements);
    for (size_t i = 0; i < elements; i++) {
        REQUIRE(s.n - at >= 4);
        size_t n = number(s.p + at);
        at += 4;
        if (n == UINT32_MAX)
            continue;
        REQUIRE(n <= s.n - at && text_is_safe(str_sub(s, at, at + n)));
        at += n;
    }
    REQUIRE(at == s.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t max = data[0];
    struct str in = str_of(data + 1, size - 1);
    struct buf b;
    buf_init(&b, 1 << 20);
    REQUIRE(text_safe(&b, in, max) == 0);
    REQUIRE(b.n <= max && text_is_safe(buf_str(&b)));
    if (in.n <= max && text_is_safe(in))
        REQUIRE(str_eq(buf_str(&b), in));
    buf_free(&b);

    struct array a;
    array_init(&a, ENCODE_TEXT, 1 << 20);
    array_begin(&a);
    array_text(&a, in, max);
    array_null(&a);
    struct str lines[] = {str_sub(in, 0, in.n / 2), str_from(in, in.n / 2)};
    array_lines(&a, lines, 2, max);
    if (array_end(&a) == 0)
        walk(&a, 3);
    array_free(&a);
    return 0;
}
