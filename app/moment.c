#include "app/command.h"
#include "app/time_text.h"

#include <errno.h>

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
        if (time_text_read(str_c(text), ret))
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
