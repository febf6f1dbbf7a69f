#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * CLOCK_SECOND + ts.tv_nsec / 1000;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Splits time; false when the year is not 1..9999. */
static bool split(int64_t time, struct tm *ret_tm, int *ret_us)
{
    /* Also keeps what follows from overflowing. */
    if (time < clock_days(1, 1, 1) * CLOCK_DAY || time >= clock_days(10000, 1, 1) * CLOCK_DAY)
        return false;
    int64_t us = time % CLOCK_SECOND;
    if (us < 0)
        us += CLOCK_SECOND;
    time_t seconds = (time - us) / CLOCK_SECOND;
    if (!gmtime_r(&seconds, ret_tm))
        return false;
    *ret_us = (int)us;
    return true;
}

const char *clock_format_rfc3339(int64_t time, char text[CLOCK_TEXT])
{
    struct tm tm;
    int us;
    text[0] = '\0';
    if (split(time, &tm, &us))
        snprintf(text, CLOCK_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, us);
    return text;
}

const char *clock_format_rfc5322(int64_t time, char text[CLOCK_TEXT])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;
    int us;
    text[0] = '\0';
    if (split(time, &tm, &us))
        snprintf(text, CLOCK_TEXT, "%s, %d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday],
                 tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                 tm.tm_sec);
    return text;
}

int64_t clock_days(int year, int month, int day)
{
    /* Counted from 1 March, so that the leap day ends a year; 400 years are 146097 days. */
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

bool clock_day_read(struct str text, uint32_t *ret)
{
    uint32_t year, month, day;
    if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-' ||
        !str_to_u32(str_sub(text, 0, 4), &year) || !str_to_u32(str_sub(text, 5, 7), &month) ||
        !str_to_u32(str_sub(text, 8, 10), &day) || month < 1 || month > 12 || day < 1)
        return false;
    int64_t first = clock_days((int)year, (int)month, 1);
    int64_t next = clock_days((int)year + (month == 12), (int)month % 12 + 1, 1);
    if (first < 0 || day > next - first)
        return false;
    *ret = (uint32_t)(first + day - 1);
    return true;
}

const char *clock_format_day(uint32_t day, char text[CLOCK_TEXT])
{
    bool known = day < clock_days(10000, 1, 1);
    clock_format_rfc3339(known ? day * CLOCK_DAY : CLOCK_UNKNOWN, text);
    text[known ? 10 : 0] = '\0';
    return text;
}
