/* token key, token install: the keys of signed return paths. */
#include "app/command.h"
#include "app/key_file.h"
#include "db/keys.h"
#include "db/migrate.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int key(const struct command_line *l)
{
    const char *id = command_value(l, "--id");
    struct err e;
    if (id && (strlen(id) != 1 || !strchr("abcdefghijklmnopqrstuvwxyz234567", *id)))
        return command_fail(l, EXIT_USAGE, "--id: %s: expected one character, a to z or 2 to 7",
                            id);
    if (key_file_make(l->args[0], &e) < 0)
        return command_fail(l, EXIT_NO, "%s", e.text);
    /* The configuration's own folder is where it looks, not this one. */
    char *path = realpath(l->args[0], NULL);
    printf("tokens:\n  keys:\n    - {id: %s, file: \"%s\"}\n", id ? id : "a",
           path ? path : l->args[0]);
    free(path);
    if (geteuid() == 0)
        fprintf(stderr, "The service must be able to read it: chgrp bouncemx %s && chmod 0640 %s\n",
                l->args[0], l->args[0]);
    return EXIT_GOOD;
}

static int install_into(const struct config *c, struct err *e)
{
    size_t n = c->tokens.keys_n;
    struct key_file *files = calloc(n + 1, sizeof(*files));
    struct db_token_key *keys = calloc(n + 1, sizeof(*keys));
    struct db *db = NULL;
    int rc = files && keys ? 0 : err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct config_key_file *k = &c->tokens.keys[i];
        rc = key_file_read(k->file, &files[i], e);
        keys[i] =
            (struct db_token_key){*k->id, (uint32_t)k->until, str_of(files[i].bytes, files[i].n)};
    }
    if (rc == 0)
        rc = db_open(c->database.conninfo, &db, e);
    if (rc == 0)
        rc = db_schema_check(db, e);
    if (rc == 0)
        rc = db_token_keys_put(db, keys, n, e);
    db_free(db);
    if (files)
        explicit_bzero(files, (n + 1) * sizeof(*files));
    free(keys);
    free(files);
    if (rc < 0)
        return rc;
    printf("%zu keys stand in bouncemx_private.token_key%s\n", n,
           n ? "" : ": bouncemx.mint can't sign");
    return 0;
}

static int install(const struct command_line *l)
{
    struct config *c = command_config(l, NULL);
    struct err e;
    if (!c)
        return EXIT_NO;
    int rc = install_into(c, &e);
    config_free(c);
    return rc < 0 ? command_fail(l, EXIT_NO, "%s", e.text) : EXIT_GOOD;
}

const struct command commands_token_keys[] = {
    {"token key",
     "FILE",
     1,
     1,
     "Make a new key",
     "Writes 32 random octets as hex into a new file of mode 0600, never over an old one, and\n"
     "prints the lines for the configuration.",
     {{"--id", "ID", "one character, a to z or 2 to 7 (default: a)"}},
     key},
    {"token install",
     "",
     0,
     0,
     "Put the keys into the database, for the SQL function bouncemx.mint",
     "The keys of the configuration take the place of those that stand there. Needed once, and\n"
     "after each change of tokens.keys, if SQL signs return paths.",
     {COMMAND_CONFIG},
     install},
    {.name = NULL},
};
