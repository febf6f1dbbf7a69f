#include "returnpath/base32.h"

#include "base/require.h"

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

int base32_value(char c)
{
    c = ascii_lower(c);
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

bool base32_is(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (base32_value(s.p[i]) < 0)
            return false;
    return true;
}

void base32_encode(const unsigned char *from, size_t n, char *to)
{
    REQUIRE(n % 5 == 0);
    for (; n > 0; n -= 5, from += 5, to += 8) {
        uint64_t bits = 0;
        for (size_t i = 0; i < 5; i++)
            bits = bits << 8 | from[i];
        for (size_t i = 0; i < 8; i++)
            to[i] = alphabet[bits >> (35 - 5 * i) & 31];
    }
}

void base32_number(uint32_t value, size_t digits, char *to)
{
    for (size_t i = digits; i-- > 0; value >>= 5)
        to[i] = alphabet[value & 31];
    REQUIRE(value == 0);
}

int32_t base32_to_number(struct str s)
{
    REQUIRE(s.n <= 6);
    int32_t number = 0;
    for (size_t i = 0; i < s.n; i++) {
        int value = base32_value(s.p[i]);
        if (value < 0)
            return -1;
        number = number << 5 | value;
    }
    return number;
}
