#include "app/zone.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* "+02:00", "-0330" */
static bool offset_read(struct str s, unsigned *ret_hours, unsigned *ret_minutes)
{
    uint32_t h, m;
    bool colon = s.n == 6 && s.p[3] == ':';
    if ((!colon && s.n != 5) || (s.p[0] != '+' && s.p[0] != '-') ||
        !str_to_u32(str_sub(s, 1, 3), &h) || !str_to_u32(str_from(s, colon ? 4 : 3), &m) ||
        h > 14 || m > 59)
        return false;
    *ret_hours = h;
    *ret_minutes = m;
    return true;
}

/* A name of the database: a path below its folder that leads nowhere else. */
static bool name_is(struct str s)
{
    char path[128];
    if (!s.n || s.n > 64 || !ascii_is_alpha(s.p[0]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && !strchr("/_+-", s.p[i]))
            return false;
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.*s", STR_ARG(s));
    return access(path, R_OK) == 0;
}

int zone_set(struct str name, struct err *e)
{
    char tz[80];
    unsigned h, m;
    if (!name.n || str_ieq(name, STR("UTC")))
        snprintf(tz, sizeof(tz), "UTC0");
    else if (offset_read(name, &h, &m))
        /* POSIX counts them westwards. */
        snprintf(tz, sizeof(tz), "<%c%02u%02u>%c%02u:%02u", name.p[0], h, m,
                 name.p[0] == '+' ? '-' : '+', h, m);
    else if (name_is(name))
        snprintf(tz, sizeof(tz), ":%.*s", STR_ARG(name));
    else
        return err_set(e, -EINVAL,
                       "%.*s: expected UTC, an offset such as +02:00, or a name such "
                       "as Europe/Berlin that this system knows",
                       STR_ARG(str_sub(name, 0, 64)));
    if (setenv("TZ", tz, 1) < 0)
        return err_set(e, -ENOMEM, "out of memory");
    tzset();
    return 0;
}

int64_t zone_utc(int64_t local)
{
    int64_t days = local / CLOCK_DAY, rest = local % CLOCK_DAY;
    int64_t seconds = rest / CLOCK_SECOND;
    /* mktime takes any number of days of January 1970. */
    struct tm t = {.tm_year = 70,
                   .tm_mday = 1 + (int)days,
                   .tm_hour = (int)(seconds / 3600),
                   .tm_min = (int)(seconds / 60 % 60),
                   .tm_sec = (int)(seconds % 60),
                   .tm_isdst = -1};
    return (int64_t)mktime(&t) * CLOCK_SECOND + rest % CLOCK_SECOND;
}
