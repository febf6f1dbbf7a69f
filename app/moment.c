#include "app/command.h"
#include "base/clock.h"

#include <errno.h>

/* "2026-01-31" or "2026-01-31T08:09:10Z". */
static bool read_moment(struct str text, int64_t *ret)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    unsigned part[6] = {0};
    size_t at = 0;
    if (text.n != 10 && text.n != sizeof(form) - 1)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool digit = form[i] == 'd';
        if (digit ? !ascii_is_digit(text.p[i]) : text.p[i] != form[i])
            return false;
        if (digit)
            part[at] = part[at] * 10 + (unsigned)(text.p[i] - '0');
        else
            at++;
    }
    if (part[0] < 1970 || part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 ||
        part[3] > 23 || part[4] > 59 || part[5] > 59)
        return false;
    int64_t days = clock_days((int)part[0], (int)part[1], (int)part[2]);
    *ret = days * CLOCK_DAY + ((part[3] * 60 + part[4]) * 60 + part[5]) * CLOCK_SECOND;
    return true;
}

int command_moment(const struct command_line *l, const char *option, int64_t now, int64_t fallback,
                   int64_t *ret)
{
    const char *text = command_value(l, option);
    int64_t ago;
    if (!text) {
        *ret = fallback;
        return 0;
    }
    if (strchr(text, '-')) {
        if (read_moment(str_c(text), ret))
            return 0;
        return command_fail(l, -EINVAL,
                            "%s: %s: expected a day such as 2026-01-31, a time such as "
                            "2026-01-31T08:09:10Z, or how long ago, such as 24h",
                            option, text);
    }
    int rc = command_time(l, option, 0, &ago);
    if (rc == 0)
        *ret = now - ago;
    return rc;
}
