#include "db/keys.h"

#include "base/buf.h"
#include "base/clock.h"
#include "db/handle.h"

#include <errno.h>

enum { LINES_MAX = 64 << 10 };

/* One line of COPY's text format. */
static int add_key(struct buf *out, size_t place, const struct db_token_key *key)
{
    static const char digits[] = "0123456789abcdef";
    char head[32], day[CLOCK_TEXT];
    int n = snprintf(head, sizeof(head), "%zu\t%c\t\\\\x", place, key->id);
    int rc = buf_add(out, str_of(head, (size_t)n));
    for (size_t i = 0; rc == 0 && i < key->secret.n; i++) {
        unsigned char c = (unsigned char)key->secret.p[i];
        const char hex[2] = {digits[c >> 4], digits[c & 15]};
        rc = buf_add(out, str_of(hex, 2));
    }
    if (rc == 0)
        rc = buf_add(out, STR("\t"));
    if (rc == 0)
        rc = buf_add(out, str_c(key->until ? clock_format_day(key->until, day) : "\\N"));
    return rc < 0 ? rc : buf_add(out, STR("\n"));
}

int db_token_keys_put(struct db *db, const struct db_token_key *keys, size_t n, struct err *e)
{
    struct buf lines;
    buf_init(&lines, LINES_MAX);
    /* At once, so that no copy of a key stays behind when it grows. */
    int rc = buf_reserve(&lines, LINES_MAX);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_key(&lines, i + 1, &keys[i]);
    if (rc < 0)
        rc = err_set(e, -ENOMEM, "keys");
    if (rc == 0)
        rc = pg_script(db->pg, "BEGIN; DELETE FROM bouncemx_private.token_key", PG_CALL_MS, e);
    if (rc == 0) {
        rc =
            pg_copy(db->pg, "COPY bouncemx_private.token_key (place, id, secret, until) FROM STDIN",
                    buf_str(&lines), PG_CALL_MS, e);
        int end =
            pg_script(db->pg, rc == 0 ? "COMMIT" : "ROLLBACK", PG_CALL_MS, rc == 0 ? e : NULL);
        rc = rc < 0 ? rc : end;
    }
    if (lines.n)
        explicit_bzero(lines.p, lines.n);
    buf_free(&lines);
    return rc;
}
