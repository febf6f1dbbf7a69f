#include "db/decimal.h"

#include <stdio.h>

enum { HEAD = 8, GROUPS_MAX = 50, SIGN_PLUS = 0, SIGN_MINUS = 0x4000 };
enum { SIGN_NAN = 0xC000, SIGN_INFINITY = 0xD000, SIGN_MINUS_INFINITY = 0xF000 };

static unsigned word(struct str v, size_t at)
{
    return (unsigned)(uint8_t)v.p[at] << 8 | (uint8_t)v.p[at + 1];
}

struct str decimal_text(struct arena *a, struct str v)
{
    static const struct str none = {NULL, 0};
    /* Whole groups, a sign, the point, and a NUL. */
    char text[4 * (GROUPS_MAX + 1) * 2 + 4];
    size_t n = 0;
    if (v.n < HEAD)
        return none;
    int groups = (int16_t)word(v, 0), weight = (int16_t)word(v, 2), scale = (int16_t)word(v, 6);
    unsigned sign = word(v, 4);
    if (sign == SIGN_NAN)
        return STR("NaN");
    if (sign == SIGN_INFINITY || sign == SIGN_MINUS_INFINITY)
        return sign == SIGN_INFINITY ? STR("Infinity") : STR("-Infinity");
    bool whole = groups >= 0 && groups <= GROUPS_MAX && v.n == HEAD + 2 * (size_t)groups;
    if (!whole || (sign != SIGN_PLUS && sign != SIGN_MINUS) || weight < -GROUPS_MAX ||
        weight >= GROUPS_MAX || scale < 0 || scale > 4 * GROUPS_MAX)
        return none;
    if (sign == SIGN_MINUS)
        text[n++] = '-';
    if (weight < 0)
        text[n++] = '0';
    /* Group 0 has the weight 10000^weight; one that is not there is zero. */
    size_t point = 0;
    for (int i = weight < 0 ? weight + 1 : 0; i <= weight || 4 * (i - weight - 1) < scale; i++) {
        unsigned group = i >= 0 && i < groups ? word(v, HEAD + 2 * (size_t)i) : 0;
        if (group > 9999)
            return none;
        if (i == weight + 1) {
            point = n;
            text[n++] = '.';
        }
        n += (size_t)snprintf(text + n, sizeof(text) - n, i == 0 && weight >= 0 ? "%u" : "%04u",
                              group);
    }
    if (point)
        n = point + 1 + (size_t)scale;
    return arena_str(a, str_of(text, n));
}
