#include "app/people.h"

#include "deliver/maildir.h"
#include "parser/report.h"
#include "returnpath/returnpath.h"

#include <dirent.h>
#include <errno.h>

int people_outbox(const struct config *c, char path[PLACE_PATH], struct err *e)
{
    return place_path(path, c->spool.directory, "outbox", NULL, e);
}

int people_maildir(const struct config *c, const char *domain, char path[PLACE_PATH], struct err *e)
{
    return place_path(path, c->spool.directory, "mail", domain, e);
}

int people_open(const struct config *c, struct people *ret, struct err *e)
{
    char path[PLACE_PATH];
    struct outbox *o = NULL;
    int rc = people_outbox(c, path, e);
    if (rc == 0)
        rc = outbox_open(path, NULL, &o, e);
    if (rc == 0)
        *ret = (struct people){c, o};
    return rc;
}

void people_close(struct people *p)
{
    outbox_free(p->outbox);
    p->outbox = NULL;
}

const struct config_domain *people_domain(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->domains_n; i++)
        if (str_eq(str_c(c->domains[i].name), name))
            return &c->domains[i];
    return NULL;
}

/* What would be read by a person, were it alone in a mailbox. */
static bool is_of_kind(const struct db_message *m, uint64_t people)
{
    enum report_kind kind = m->report->kind;
    bool wanted = (kind == REPORT_OTHER && people >= CONFIG_PEOPLE_OTHER) ||
                  ((kind == REPORT_AUTH_REPORT || kind == REPORT_AGGREGATE) &&
                   people >= CONFIG_PEOPLE_REPORTS);
    /* What was sent to unsubscribe became another kind of event. */
    for (size_t i = 0; wanted && i < m->events_n; i++)
        if (m->events[i].kind == kind)
            return true;
    return false;
}

static bool is_wanted(const struct people *p, const struct db_message *m,
                      const struct spool_recipient *to)
{
    if (to->kind == RETURNPATH_ROLE)
        return true;
    bool some = m->report->kind == REPORT_OTHER || m->report->kind == REPORT_AUTH_REPORT ||
                m->report->kind == REPORT_AGGREGATE;
    if (!some || to->kind == RETURNPATH_UNSUBSCRIBE)
        return false;
    const struct config_domain *d = people_domain(p->config, to->domain);
    return is_of_kind(m, d ? d->people : CONFIG_PEOPLE_OTHER);
}

/* One copy a domain is enough. */
static bool was_wanted(const struct people *p, const struct db_message *m,
                       const struct spool_recipient *list, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(list[k].domain, list[i].domain) && is_wanted(p, m, &list[k]))
            return true;
    return false;
}

int people_put(struct people *p, const struct spool_record *record, const struct db_message *m,
               int64_t now, struct err *e)
{
    const struct spool_envelope *env = &record->envelope;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < env->recipients_n; i++) {
        const struct spool_recipient *to = &env->recipients[i];
        struct mail mail = {.domain = to->domain,
                            .to = to->address,
                            .from = env->mail_from,
                            .received_at = env->received_at,
                            .size = env->size,
                            .truncated = record->truncated,
                            .body = record->body};
        char id[ID_TEXT];
        if (!to->domain.n || !is_wanted(p, m, to) || was_wanted(p, m, env->recipients, i))
            continue;
        snprintf(mail.name, sizeof(mail.name), "%s-%zu", id_format(env->id, id), i);
        rc = outbox_put(p->outbox, &mail, p->config->people.max_bytes, now, e);
    }
    return rc < 0 ? err_add(e, rc, "mail for people") : 0;
}

int people_kept(const struct config *c, uint64_t *ret, struct err *e)
{
    char root[PLACE_PATH], path[PLACE_PATH];
    uint64_t kept = 0;
    int rc = people_maildir(c, NULL, root, e);
    DIR *d = rc == 0 ? opendir(root) : NULL;
    if (rc == 0 && !d && errno != ENOENT)
        rc = err_sys(e, -errno, "%s", root);
    for (const struct dirent *entry; rc == 0 && d && (entry = readdir(d));) {
        uint64_t messages, octets;
        if (entry->d_name[0] == '.')
            continue;
        rc = place_path(path, root, entry->d_name, NULL, e);
        if (rc == 0)
            rc = maildir_size(path, &messages, &octets, e);
        if (rc == 0)
            kept += messages;
    }
    if (d)
        closedir(d);
    if (rc == 0)
        *ret = kept;
    return rc;
}
