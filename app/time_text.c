#include "app/time_text.h"

#include <stdio.h>

#define TIME_MAX (INT64_C(253402300800) * CLOCK_SECOND)

/* Cuts a number of min to max digits off *s. */
static bool digits(struct str *s, size_t min, size_t max, uint32_t *ret)
{
    size_t n = 0;
    while (n < s->n && n < max && ascii_is_digit(s->p[n]))
        n++;
    if (n < min || !str_to_u32(str_sub(*s, 0, n), ret))
        return false;
    *s = str_from(*s, n);
    return true;
}

static bool skip(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = str_from(*s, 1);
    return true;
}

/* ".5" as microseconds; what is finer is dropped. */
static int64_t fraction(struct str *s)
{
    int64_t unit = CLOCK_SECOND / 10, sum = 0;
    if (!skip(s, '.'))
        return 0;
    for (; s->n && ascii_is_digit(s->p[0]); *s = str_from(*s, 1), unit /= 10)
        sum += unit * (s->p[0] - '0');
    return sum;
}

/* "", "Z", "UTC", "GMT", "+02:00", "+0200", "-05" as microseconds east of UTC. */
static bool zone(struct str s, int64_t *ret)
{
    uint32_t hours, minutes = 0;
    s = str_trim(s);
    *ret = 0;
    if (s.n == 0 || str_ieq(s, STR("Z")) || str_ieq(s, STR("UTC")) || str_ieq(s, STR("GMT")))
        return true;
    bool west = s.p[0] == '-';
    if (!skip(&s, west ? '-' : '+') || !digits(&s, 2, 2, &hours))
        return false;
    skip(&s, ':');
    if ((s.n && !digits(&s, 2, 2, &minutes)) || s.n || hours > 23 || minutes > 59)
        return false;
    *ret = (int64_t)(hours * 60 + minutes) * 60 * CLOCK_SECOND * (west ? -1 : 1);
    return true;
}

/* "08:09[:10[.5]][ zone]", or nothing. */
static bool clock_of(struct str s, int64_t *ret)
{
    uint32_t hour = 0, minute = 0, second = 0;
    int64_t east, part = 0;
    if (s.n && (!digits(&s, 2, 2, &hour) || !skip(&s, ':') || !digits(&s, 2, 2, &minute)))
        return false;
    if (skip(&s, ':')) {
        if (!digits(&s, 2, 2, &second))
            return false;
        part = fraction(&s);
    }
    if (hour > 23 || minute > 59 || second > 60 || !zone(s, &east))
        return false;
    *ret = (int64_t)((hour * 60 + minute) * 60 + second) * CLOCK_SECOND + part - east;
    return true;
}

static bool numbers_only(struct str s, int64_t *ret)
{
    struct str whole = str_sub(s, 0, str_chr(s, '.', 0)), rest = str_from(s, whole.n);
    uint64_t n;
    if (!str_to_u64(whole, &n) || n > (uint64_t)(TIME_MAX / 1000))
        return false;
    int64_t part = fraction(&rest);
    if (rest.n)
        return false;
    *ret = whole.n > 11 ? (int64_t)n * 1000 : (int64_t)n * CLOCK_SECOND + part;
    return true;
}

/* "2026-01-31" and what follows. */
static bool day_first(struct str s, int64_t *ret)
{
    uint32_t day;
    int64_t of_day;
    if (!clock_day_read(str_sub(s, 0, 10), &day))
        return false;
    s = str_from(s, 10);
    if (s.n && !skip(&s, 'T') && !skip(&s, ' '))
        return false;
    if (!clock_of(s, &of_day))
        return false;
    *ret = (int64_t)day * CLOCK_DAY + of_day;
    return true;
}

/* "[Sat, ]31 Jan 2026 08:09:10 +0000". */
static bool rfc5322(struct str s, int64_t *ret)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint32_t day, year, known;
    int64_t of_day;
    char text[16];
    size_t comma = str_chr(s, ',', 0);
    s = str_trim(comma < s.n ? str_from(s, comma + 1) : s);
    if (!digits(&s, 1, 2, &day) || !skip(&s, ' ') || s.n < 3)
        return false;
    size_t month = str_ifind(str_c(months), str_sub(s, 0, 3), 0);
    s = str_from(s, 3);
    if (month % 3 || month >= 36 || !skip(&s, ' ') || !digits(&s, 4, 4, &year) || !skip(&s, ' '))
        return false;
    snprintf(text, sizeof(text), "%04u-%02zu-%02u", year, month / 3 + 1, day);
    if (!clock_day_read(str_c(text), &known) || s.n == 0 || !clock_of(s, &of_day))
        return false;
    *ret = (int64_t)known * CLOCK_DAY + of_day;
    return true;
}

bool time_text_read(struct str text, int64_t *ret)
{
    int64_t t;
    text = str_trim(text);
    if (!numbers_only(text, &t) && !day_first(text, &t) && !rfc5322(text, &t))
        return false;
    if (t < 0 || t >= TIME_MAX)
        return false;
    *ret = t;
    return true;
}
