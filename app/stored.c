#include "app/stored.h"

#include "base/clock.h"

#include <errno.h>

/* "2026-01-31T08:09:10.123456Z" as the server writes times. */
static bool time_parse(struct str text, int64_t *ret)
{
    uint32_t f[6];
    static const struct {
        size_t at, n;
    } parts[6] = {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}};
    for (int i = 0; i < 6; i++)
        if (!str_to_u32(str_sub(text, parts[i].at, parts[i].at + parts[i].n), &f[i]))
            return false;
    int64_t t = clock_days((int)f[0], (int)f[1], (int)f[2]) * CLOCK_DAY +
                ((int64_t)f[3] * 3600 + f[4] * 60 + f[5]) * CLOCK_SECOND;
    struct str rest = str_from(text, 19);
    if (str_starts(rest, STR("."))) {
        int64_t unit = CLOCK_SECOND / 10;
        for (size_t i = 1; i < rest.n && ascii_is_digit(rest.p[i]); i++, unit /= 10)
            t += (rest.p[i] - '0') * unit;
    }
    *ret = t;
    return true;
}

/* The recipients as the configuration reads them today, on the day on which they came: what was
 * found in them at the time is not stored. */
static int recipients_read(struct returnpath_reader *reader, struct arena *a, struct str lines,
                           struct spool_envelope *ret)
{
    struct spool_recipient *list = ARENA_ARRAY(a, SPOOL_RECIPIENTS_MAX, struct spool_recipient);
    struct str rest = lines, line;
    uint32_t day = (uint32_t)(ret->received_at / CLOCK_DAY);
    size_t n = 0;
    if (!list)
        return -ENOMEM;
    while (n < SPOOL_RECIPIENTS_MAX && str_line(&rest, &line))
        if (reading_recipient(reader, a, line, day, &list[n++]) == -ENOMEM)
            return -ENOMEM;
    ret->recipients = list;
    ret->recipients_n = n;
    return 0;
}

int stored_record(const struct answer *a, size_t row, struct returnpath_reader *reader,
                  struct arena *arena, struct spool_record *ret, struct err *e)
{
    struct spool_record r = {.body = answer_cell(a, row, "raw"),
                             .truncated = str_eq(answer_cell(a, row, "truncated"), STR("true"))};
    struct spool_envelope *env = &r.envelope;
    env->client_address = answer_cell(a, row, "client_address");
    env->helo = answer_cell(a, row, "helo");
    env->protocol = answer_cell(a, row, "protocol");
    env->tls = answer_cell(a, row, "tls");
    env->mail_from = answer_cell(a, row, "mail_from");
    if (!id_parse(answer_cell(a, row, "id"), &env->id) ||
        !time_parse(answer_cell(a, row, "received_at"), &env->received_at) ||
        !str_to_u64(answer_cell(a, row, "size"), &env->size))
        return err_set(e, -EPROTO, "the database answers in an unknown form");
    if (recipients_read(reader, arena, answer_cell(a, row, "rcpt_to"), env) < 0)
        return err_set(e, -ENOMEM, "out of memory");
    *ret = r;
    return 0;
}
