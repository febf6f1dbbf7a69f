#include "app/backlog.h"

#include <errno.h>
#include <sys/stat.h>

int backlog_spool(const struct config *c, struct spool **ret, struct err *e)
{
    struct stat st;
    struct spool_config config = {.directory = c->spool.directory,
                                  .max_bytes = c->spool.max_bytes,
                                  .segment_bytes = c->spool.segment_bytes};
    char path[4200];
    if (snprintf(path, sizeof(path), "%s/journal", c->spool.directory) >= (int)sizeof(path))
        return err_sys(e, -ENAMETOOLONG, "spool");
    if (stat(path, &st) < 0)
        return err_sys(e, -errno, "%s", path);
    return spool_open(&config, ret, e);
}

/* The server's row about a lane of this journal. */
static void find_position(const struct answer *a, struct id journal, struct backlog_lane *l)
{
    for (size_t i = 0; i < a->table.rows_n; i++) {
        struct id id;
        uint64_t lane, segment, offset;
        struct str moved = answer_cell(a, i, "moved_at");
        if (!id_parse(answer_cell(a, i, "journal"), &id) || !id_eq(id, journal) ||
            !str_to_u64(answer_cell(a, i, "lane"), &lane) || lane != l->lane ||
            !str_to_u64(answer_cell(a, i, "segment"), &segment) ||
            !str_to_u64(answer_cell(a, i, "byte_offset"), &offset))
            continue;
        l->known = true;
        l->position = (struct spool_position){segment, offset};
        snprintf(l->moved_at, sizeof(l->moved_at), "%.*s", STR_ARG(moved));
    }
}

int backlog_read(struct spool *spool, const struct answer *a, struct backlog *ret, struct err *e)
{
    unsigned lanes[SPOOL_LANES_MAX];
    size_t n;
    *ret = (struct backlog){.n = 0};
    int rc = spool_lanes(spool, lanes, &n, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct backlog_lane *l = &ret->lanes[ret->n++];
        l->lane = lanes[i];
        if (a)
            find_position(a, spool_journal(spool), l);
        rc = spool_backlog(spool, l->lane, l->position, &l->octets, e);
        ret->octets += l->octets;
    }
    return rc;
}
