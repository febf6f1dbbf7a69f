#include "app/stored.h"

#include "app/time_text.h"

#include <errno.h>

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
        !time_text_read(answer_cell(a, row, "received_at"), &env->received_at) ||
        !str_to_u64(answer_cell(a, row, "size"), &env->size))
        return err_set(e, -EPROTO, "the database answers in an unknown form");
    if (recipients_read(reader, arena, answer_cell(a, row, "rcpt_to"), env) < 0)
        return err_set(e, -ENOMEM, "out of memory");
    *ret = r;
    return 0;
}
