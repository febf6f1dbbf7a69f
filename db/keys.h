/* keys.h - the keys that sign return paths, for the SQL functions bouncemx.mint and mint_opaque. */
#ifndef DB_KEYS_H
#define DB_KEYS_H

#include "db/db.h"

struct db_token_key {
    char id;
    uint32_t until; /* last day, since 1970-01-01; 0: none */
    struct str secret;
};

/* Puts them into bouncemx_private.token_key, in place of all that stand there, in one transaction.
 * The first signs. Errors: those of db.h. */
int db_token_keys_put(struct db *db, const struct db_token_key *keys, size_t n, struct err *e);

#endif
