#include "base/id.h"

#include "base/require.h"

#include <errno.h>
#include <sys/random.h>

/* Random bytes are fetched for many ids at once: a system call each would cost more than the id. */
static void random_bytes(uint8_t *p, size_t n)
{
    static _Thread_local uint8_t pool[256];
    static _Thread_local size_t left;
    REQUIRE(n <= sizeof(pool));
    if (left < n) {
        /* Reads of up to 256 bytes are never short, but may be interrupted before the pool is
         * seeded (getrandom(2)). */
        ssize_t got;
        do
            got = getrandom(pool, sizeof(pool), 0);
        while (got < 0 && errno == EINTR);
        REQUIRE(got == (ssize_t)sizeof(pool));
        left = sizeof(pool);
    }
    left -= n;
    memcpy(p, pool + left, n);
}

struct id id_derive(int64_t time, const uint8_t seed[8])
{
    struct id id;
    uint64_t ms = time > 0 ? (uint64_t)time / 1000 : 0;
    for (size_t i = 0; i < 6; i++)
        id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    memcpy(id.b + 6, seed, 8);
    id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id_with_ordinal(id, 0);
}

struct id id_make(int64_t time)
{
    uint8_t seed[8];
    random_bytes(seed, sizeof(seed));
    return id_derive(time, seed);
}

struct id id_random(void)
{
    struct id id;
    random_bytes(id.b, sizeof(id.b));
    id.b[6] = (uint8_t)(0x40 | (id.b[6] & 0x0f));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

struct id id_with_ordinal(struct id message, unsigned ordinal)
{
    REQUIRE(ordinal <= ID_ORDINAL_MAX);
    message.b[14] = (uint8_t)(ordinal >> 8);
    message.b[15] = (uint8_t)ordinal;
    return message;
}

unsigned id_ordinal(struct id id)
{
    return (unsigned)id.b[14] << 8 | id.b[15];
}

bool id_eq(struct id a, struct id b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

const char *id_format(struct id id, char text[ID_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    char *p = text;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[id.b[i] >> 4];
        *p++ = hex[id.b[i] & 15];
    }
    *p = '\0';
    return text;
}

static int hex_digit(char c)
{
    c = ascii_lower(c);
    if (ascii_is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool id_parse(struct str text, struct id *ret)
{
    struct id id;
    if (text.n != ID_TEXT - 1)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text.p[at++] != '-')
            return false;
        int high = hex_digit(text.p[at]), low = hex_digit(text.p[at + 1]);
        if (high < 0 || low < 0)
            return false;
        id.b[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    *ret = id;
    return true;
}
