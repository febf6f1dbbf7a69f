/* Times as mail servers write them. */
#include "ingest/reader.h"

#include "base/clock.h"

enum { YEAR_MIN = 1970, YEAR_MAX = 9999 };

static bool digits(struct str *rest, size_t n, unsigned min, unsigned max, unsigned *ret)
{
    uint32_t v;
    if (!str_to_u32(str_sub(*rest, 0, n), &v) || rest->n < n || v < min || v > max)
        return false;
    *ret = v;
    *rest = str_from(*rest, n);
    return true;
}

static bool byte(struct str *rest, char c)
{
    if (!rest->n || rest->p[0] != c)
        return false;
    *rest = str_from(*rest, 1);
    return true;
}

/* "01:02:03" as microseconds of the day; a leap second counts as the one before it. */
static bool of_day(struct str *rest, int64_t *ret)
{
    unsigned h, m, s;
    if (!digits(rest, 2, 0, 23, &h) || !byte(rest, ':') || !digits(rest, 2, 0, 59, &m) ||
        !byte(rest, ':') || !digits(rest, 2, 0, 60, &s))
        return false;
    *ret = ((int64_t)h * 3600 + m * 60 + (s == 60 ? 59 : s)) * CLOCK_SECOND;
    return true;
}

static bool day_is(int year, unsigned month, unsigned day)
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day >= 1 && day <= days[month - 1] && (month != 2 || day < 29 || leap);
}

static int64_t local_time(const struct ingest_clock *clock, int64_t local)
{
    return clock->zone ? clock->zone(local) : local;
}

/* The year whose first of January is the last one not after time. */
static int year_of(int64_t time)
{
    int year = 1970 + (int)(time / (365 * CLOCK_DAY + CLOCK_DAY / 4));
    while (year < YEAR_MAX && clock_days(year + 1, 1, 1) * CLOCK_DAY <= time)
        year++;
    while (year > YEAR_MIN && clock_days(year, 1, 1) * CLOCK_DAY > time)
        year--;
    return year;
}

/* A log goes on from one year into the next: December, then January. */
static int year_of_line(struct ingest_years *y, unsigned month, unsigned day, int64_t at)
{
    const struct ingest_clock *clock = y->clock;
    if (clock->year) {
        int year = y->year ? y->year : clock->year;
        if (y->month - (int)month > 6)
            year++;
        else if ((int)month - y->month > 6 && y->month)
            year--;
        return year;
    }
    int year = year_of(clock->latest);
    if (local_time(clock, clock_days(year, (int)month, (int)day) * CLOCK_DAY + at) >
        clock->latest + CLOCK_DAY)
        year--;
    /* A 29th of February is of a leap year. */
    while (month == 2 && day == 29 && !day_is(year, month, day) && year > YEAR_MIN)
        year--;
    return year;
}

bool ingest_time_syslog(struct ingest_years *y, struct str *rest, int64_t *ret)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct str left = *rest, name = str_sub(left, 0, 3);
    size_t at = str_find(str_c(months), name, 0);
    unsigned month = (unsigned)at / 3 + 1, day;
    int64_t time;
    if (name.n < 3 || at % 3 != 0 || at >= sizeof(months) - 1)
        return false;
    left = str_from(left, 3);
    /* "Nov  4" */
    if (!byte(&left, ' ') ||
        !(byte(&left, ' ') ? digits(&left, 1, 1, 9, &day) : digits(&left, 2, 1, 31, &day)))
        return false;
    if (!byte(&left, ' ') || !of_day(&left, &time) || !byte(&left, ' '))
        return false;
    int year = year_of_line(y, month, day, time);
    if (year < YEAR_MIN || year > YEAR_MAX || !day_is(year, month, day))
        return false;
    y->year = year;
    y->month = (int)month;
    *ret = local_time(y->clock, clock_days(year, (int)month, (int)day) * CLOCK_DAY + time);
    *rest = left;
    return true;
}

/* "Z", "+01:00", "-0330" as microseconds ahead of UTC. */
static bool offset(struct str *rest, int64_t *ret)
{
    unsigned h, m = 0;
    if (byte(rest, 'Z') || byte(rest, 'z')) {
        *ret = 0;
        return true;
    }
    bool west = rest->n && rest->p[0] == '-';
    if (!byte(rest, '-') && !byte(rest, '+'))
        return false;
    if (!digits(rest, 2, 0, 23, &h))
        return false;
    byte(rest, ':');
    if (rest->n && ascii_is_digit(rest->p[0]) && !digits(rest, 2, 0, 59, &m))
        return false;
    *ret = ((int64_t)h * 3600 + m * 60) * CLOCK_SECOND * (west ? -1 : 1);
    return true;
}

bool ingest_time_iso(const struct ingest_clock *clock, struct str *rest, int64_t *ret)
{
    struct str left = *rest;
    unsigned year, month, day;
    int64_t time, ahead;
    if (!digits(&left, 4, YEAR_MIN, YEAR_MAX, &year) || !byte(&left, '-') ||
        !digits(&left, 2, 1, 12, &month) || !byte(&left, '-') || !digits(&left, 2, 1, 31, &day) ||
        !day_is((int)year, month, day) || !(byte(&left, 'T') || byte(&left, ' ')) ||
        !of_day(&left, &time))
        return false;
    if (byte(&left, '.'))
        for (int64_t unit = CLOCK_SECOND / 10; left.n && ascii_is_digit(left.p[0]); unit /= 10) {
            time += (left.p[0] - '0') * unit;
            left = str_from(left, 1);
        }
    time += clock_days((int)year, (int)month, (int)day) * CLOCK_DAY;
    *ret = offset(&left, &ahead) ? time - ahead : local_time(clock, time);
    *rest = left;
    return true;
}
