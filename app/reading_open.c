#include "app/reading_open.h"

#include <errno.h>
#include <stdlib.h>

int reading_rules(const struct config *c, struct classifier **ret, struct err *e)
{
    size_t n = c->processor.rules_n;
    const char **paths = calloc(n + 1, sizeof(char *));
    if (!paths)
        return err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        paths[i] = c->processor.rules[i].path;
    int rc = classifier_load(paths, n, ret, e);
    free(paths);
    return rc;
}

int reading_open(struct config *c, const char *rules, struct reading_kit *ret, struct err *e)
{
    struct reading *r = &ret->reading;
    *ret = (struct reading_kit){.reading = {.token_headers = c->token_headers,
                                            .token_headers_n = c->attribution.token_headers_n}};
    int rc = config_returnpath(c, &c->returnpath, e);
    if (rc == 0 && returnpath_reader_new(c->returnpath, &r->returnpath) < 0)
        rc = err_set(e, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = feedback_open(c, &ret->feedback, e);
    r->is_signed = ret->feedback ? feedback_is_signed : NULL;
    r->is_signed_ctx = ret->feedback;
    if (rc == 0)
        rc = rules ? classifier_load(&rules, 1, &r->classifier, e)
                   : reading_rules(c, &r->classifier, e);
    if (rc == 0)
        report_init();
    return rc;
}

void reading_close(struct reading_kit *k)
{
    classifier_free(k->reading.classifier);
    feedback_free(k->feedback);
    returnpath_reader_free(k->reading.returnpath);
    *k = (struct reading_kit){0};
}

int reading_recipient(struct returnpath_reader *reader, struct arena *a, struct str address,
                      uint32_t day, struct spool_recipient *ret)
{
    struct returnpath r = {.kind = RETURNPATH_BOUNCE};
    int rc = returnpath_read(reader, a, address, day, &r);
    if (rc == -ENOMEM)
        return rc;
    *ret = (struct spool_recipient){.address = address};
    if (rc < 0 && rc != -EKEYREJECTED)
        return rc;
    ret->domain = r.domain->name;
    ret->tenant = str_is_absent(r.tenant) ? r.domain->tenant : r.tenant;
    ret->stream = str_is_absent(r.stream) ? r.domain->stream : r.stream;
    ret->recipient = r.recipient;
    ret->token = r.token;
    ret->token_id = r.token_id;
    ret->campaign = r.campaign;
    ret->message_id = r.message_id;
    ret->kind = (uint8_t)r.kind;
    ret->source = (uint8_t)r.source;
    ret->proof = (uint8_t)r.proof;
    ret->verified = r.verified;
    ret->day = r.day;
    return 0;
}
