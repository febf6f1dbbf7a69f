#include "deliver/outbox_file.h"

#include <errno.h>
#include <inttypes.h>

static const struct str first_line = STR_INIT("bouncemx mail 1");

static bool is_one_line(struct str s)
{
    return str_chr(s, '\n', 0) == s.n && str_chr(s, '\r', 0) == s.n;
}

int outbox_file_facts(const struct mail *m, struct buf *b, struct err *e)
{
    if (!is_one_line(m->to) || !is_one_line(m->from) || !is_one_line(m->domain))
        return err_set(e, -EINVAL, "%s: an address of several lines", m->name);
    int rc = buf_fmt(b,
                     "%.*s\ndomain: %.*s\nto: %.*s\nfrom: %.*s\nreceived: %" PRId64
                     "\nsize: %" PRIu64 "\ntruncated: %d\n\n",
                     STR_ARG(first_line), STR_ARG(m->domain), STR_ARG(m->to), STR_ARG(m->from),
                     m->received_at, m->size, m->truncated);
    return rc < 0 ? err_sys(e, rc, "%s", m->name) : 0;
}

static bool fact(struct str *rest, struct str name, struct str *ret)
{
    struct str line = str_cut(rest, '\n');
    if (!str_starts(line, name))
        return false;
    *ret = str_from(line, name.n);
    return true;
}

int outbox_file_read(struct str file, struct mail *ret, struct err *e)
{
    struct str rest = file, received, size, truncated;
    struct mail m = *ret;
    uint64_t time;
    bool good = str_eq(str_cut(&rest, '\n'), first_line) &&
                fact(&rest, STR("domain: "), &m.domain) && fact(&rest, STR("to: "), &m.to) &&
                fact(&rest, STR("from: "), &m.from) && fact(&rest, STR("received: "), &received) &&
                fact(&rest, STR("size: "), &size) && fact(&rest, STR("truncated: "), &truncated) &&
                str_starts(rest, STR("\n")) && str_to_u64(received, &time) && time <= INT64_MAX &&
                str_to_u64(size, &m.size);
    if (!good)
        return err_set(e, -EBADMSG, "%s: not a message of the outbox", ret->name);
    m.received_at = (int64_t)time;
    m.truncated = str_eq(truncated, STR("1"));
    m.body = str_from(rest, 1);
    *ret = m;
    return 0;
}
