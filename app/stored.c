#include "app/stored.h"

#include "app/feedback.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

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
    while (n < SPOOL_RECIPIENTS_MAX && str_line(&rest, &line)) {
        struct returnpath r = {.kind = RETURNPATH_BOUNCE};
        struct spool_recipient *to = &list[n];
        int rc = returnpath_read(reader, a, line, day, &r);
        if (rc == -ENOMEM)
            return rc;
        *to = (struct spool_recipient){.address = line};
        n++;
        if (rc < 0 && rc != -EKEYREJECTED)
            continue; /* of a domain that is ours no more */
        to->domain = r.domain->name;
        to->tenant = str_is_absent(r.tenant) ? r.domain->tenant : r.tenant;
        to->stream = str_is_absent(r.stream) ? r.domain->stream : r.stream;
        to->recipient = r.recipient;
        to->token = r.token;
        to->token_id = r.token_id;
        to->campaign = r.campaign;
        to->message_id = r.message_id;
        to->kind = (uint8_t)r.kind;
        to->source = (uint8_t)r.source;
        to->proof = (uint8_t)r.proof;
        to->verified = r.verified;
        to->day = r.day;
    }
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

static int load_rules(const struct config *c, const char *rules, struct classifier **ret,
                      struct err *e)
{
    if (rules)
        return classifier_load(&rules, 1, ret, e);
    const char **paths = calloc(c->processor.rules_n + 1, sizeof(*paths));
    if (!paths)
        return err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; i < c->processor.rules_n; i++)
        paths[i] = c->processor.rules[i].path;
    int rc = classifier_load(paths, c->processor.rules_n, ret, e);
    free(paths);
    return rc;
}

int stored_open(struct config *c, const char *rules, struct stored *ret, struct err *e)
{
    *ret = (struct stored){.reading = {.token_headers = c->token_headers,
                                       .token_headers_n = c->attribution.token_headers_n}};
    int rc = config_returnpath(c, &c->returnpath, e);
    if (rc == 0 && returnpath_reader_new(c->returnpath, &ret->reading.returnpath) < 0)
        rc = err_set(e, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = feedback_open(c, &ret->feedback, e);
    ret->reading.is_signed = ret->feedback ? feedback_is_signed : NULL;
    ret->reading.is_signed_ctx = ret->feedback;
    if (rc == 0)
        rc = load_rules(c, rules, &ret->reading.classifier, e);
    if (rc == 0)
        report_init();
    return rc;
}

void stored_close(struct stored *s)
{
    classifier_free(s->reading.classifier);
    feedback_free(s->feedback);
    returnpath_reader_free(s->reading.returnpath);
    *s = (struct stored){.feedback = NULL};
}
