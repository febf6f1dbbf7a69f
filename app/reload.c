#include "app/reload.h"

#include "app/config_keys.h"
#include "base/require.h"

#include <errno.h>

static void say(void *ctx, bool mistake, const char *line)
{
    (void)ctx;
    if (mistake)
        log_error("configuration", KV("mistake", line));
    else
        log_warn("configuration", KV("warning", line));
}

static void needs_restart(const char *path)
{
    log_warn("restart_needed", KV("key", path),
             KV("why", "it can't change while this role runs; its value stays"));
}

static size_t size_of(enum config_type type)
{
    return type == CONFIG_BOOL ? sizeof(bool) : sizeof(uint64_t);
}

static bool is_text(enum config_type type)
{
    return type == CONFIG_TEXT || type == CONFIG_NAME || type == CONFIG_HOST ||
           type == CONFIG_DOMAIN || type == CONFIG_IP || type == CONFIG_FOLDER ||
           type == CONFIG_FILE || type == CONFIG_PATH;
}

/* One value, at base + key->offset in both. */
static bool is_same(const struct config_key *k, const void *a, const void *b)
{
    const char *x = (const char *)a + k->offset, *y = (const char *)b + k->offset;
    const char *x_text, *y_text;
    if (!is_text(k->type))
        return memcmp(x, y, size_of(k->type)) == 0;
    memcpy(&x_text, x, sizeof(x_text));
    memcpy(&y_text, y, sizeof(y_text));
    return strcmp(x_text, y_text) == 0;
}

static void key_fix(const struct config_key *k, const struct config *first, struct config *fresh)
{
    if (is_same(k, first, fresh))
        return;
    needs_restart(k->path);
    memcpy((char *)fresh + k->offset, (const char *)first + k->offset,
           is_text(k->type) ? sizeof(char *) : size_of(k->type));
}

static void list_fix(const struct config_list *l, const struct config *first, struct config *fresh)
{
    const char *a, *b;
    size_t a_n, b_n;
    char prefix[64];
    memcpy(&a, (const char *)first + l->items, sizeof(a));
    memcpy(&b, (const char *)fresh + l->items, sizeof(b));
    memcpy(&a_n, (const char *)first + l->items_n, sizeof(a_n));
    memcpy(&b_n, (const char *)fresh + l->items_n, sizeof(b_n));
    snprintf(prefix, sizeof(prefix), "%s[].", l->path);
    bool same = a_n == b_n;
    for (size_t i = 0; i < a_n && same; i++)
        for (size_t k = 0; k < config_keys_n && same; k++)
            if (str_starts(str_c(config_keys[k].path), str_c(prefix)))
                same = is_same(&config_keys[k], a + i * l->item_bytes, b + i * l->item_bytes);
    if (!same)
        needs_restart(l->path);
    memcpy((char *)fresh + l->items, &a, sizeof(a));
    memcpy((char *)fresh + l->items_n, &a_n, sizeof(a_n));
}

static void fix(const char *path, const struct config *first, struct config *fresh)
{
    for (size_t i = 0; i < config_keys_n; i++)
        if (strcmp(config_keys[i].path, path) == 0) {
            key_fix(&config_keys[i], first, fresh);
            return;
        }
    for (size_t i = 0; i < config_lists_n; i++)
        if (strcmp(config_lists[i].path, path) == 0) {
            list_fix(&config_lists[i], first, fresh);
            return;
        }
    require_failed("a key of the table", __FILE__, __LINE__);
}

int reload_config(const struct config *first, const char *const *fixed, struct config **ret)
{
    struct config *fresh;
    int rc = config_load(first->file, say, NULL, &fresh);
    if (rc < 0)
        return rc;
    for (; *fixed; fixed++)
        fix(*fixed, first, fresh);
    struct err e;
    rc = config_returnpath(fresh, &fresh->returnpath, &e);
    if (rc < 0) {
        say(NULL, true, e.text);
        config_free(fresh);
        return rc;
    }
    *ret = fresh;
    return 0;
}

void reload_log(const struct config *c, const char *role)
{
    struct log_config log = {(enum log_level)c->log.level, c->log.addresses == 1, role};
    log_configure(&log);
}
