/* handle.h - private to db/: what is behind struct db. */
#ifndef DB_HANDLE_H
#define DB_HANDLE_H

#include "db/pg.h"
#include "db/rows.h"

struct db {
    struct pg *pg;
    struct rows rows;      /* kept between batches for their memory */
    char write_sql[1024];  /* lane_move, then write_messages */
    char retry_sql[1024];  /* set_aside_take, then write_messages */
    char ingest_sql[1024]; /* write_messages */

    /* As db_schema_check found it. */
    unsigned schema_version;
};

/* Parameters point into it. */
struct lane_values {
    char lane[ENCODE_NUMBER_MAX];
    char position[4][ENCODE_NUMBER_MAX];
    struct buf node; /* buf_free it, also after a failure */
};

/* The seven parameters of bouncemx.lane_move. */
int db_move_parameters(struct lane_values *v, const struct db_lane *lane, struct db_position from,
                       struct db_position to, struct pg_parameters *p, struct err *e);
int db_position_parameter(char number[2][ENCODE_NUMBER_MAX], struct db_position position,
                          struct pg_parameters *p, struct err *e);

/* After a call whose only value is NULL when lane_move said no: 0 or -ESTALE. */
int db_check_moved(const struct pg_result *res, const struct db_lane *lane, struct db_position from,
                   struct err *e);

/* db_set_aside with the server's code; empty: none. */
int db_set_aside_as(struct db *db, const struct db_lane *lane, struct db_position from,
                    const struct db_message *message, struct str reason, struct str sqlstate,
                    struct err *e);

#endif
