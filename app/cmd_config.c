/* check-config, migrate: before anything is started. */
#include "app/certificates.h"
#include "app/privileges.h"
#include "app/service.h"
#include "classify/classify.h"
#include "db/migrate.h"
#include "receiver/tls.h"

#include <errno.h>
#include <stdlib.h>

static void tell(void *ctx, bool mistake, const char *line)
{
    unsigned *warnings = ctx;
    *warnings += !mistake;
    fprintf(stderr, "%s\n", line);
}

/* The rule files are part of the configuration: their first mistake is told as well. */
static int check_rules(const struct command_line *l, const struct config *c)
{
    const char **paths = calloc(c->processor.rules_n + 1, sizeof(char *));
    if (!paths)
        return -ENOMEM;
    for (size_t i = 0; i < c->processor.rules_n; i++)
        paths[i] = c->processor.rules[i].path;
    struct classifier *classifier = NULL;
    struct err e;
    int rc = classifier_load(paths, c->processor.rules_n, &classifier, &e);
    if (rc < 0)
        command_fail(l, 0, "%s", e.text);
    classifier_free(classifier);
    free(paths);
    return rc;
}

/* And the certificates: what the receiver would refuse to start with. */
static int check_certificates(const struct command_line *l, const struct config *c)
{
    struct tls_context *tls = NULL;
    struct err e;
    int rc = certificates_load(c, &tls, &e);
    if (rc < 0)
        command_fail(l, 0, "%s", e.text);
    tls_context_unref(tls);
    return rc;
}

/* As root: goes on as who the roles become, so that a file that they can't read is told. */
static int check_user(const struct command_line *l, const struct config *c)
{
    struct privileges who;
    struct err e;
    int rc = privileges_find(c, &who, &e);
    if (rc == 0 && who.user)
        rc = privileges_drop(&who, &e);
    if (rc == 0)
        rc = privileges_check_files(&who, c, &e);
    if (rc < 0)
        command_fail(l, 0, "%s", e.text);
    return rc;
}

static int check_config(const struct command_line *l)
{
    if (command_flag(l, "--defaults")) {
        config_print_defaults(stdout);
        return EXIT_GOOD;
    }
    const char *from;
    const char *path = l->args_n ? l->args[0] : config_find(command_value(l, "--config"), &from);
    if (l->args_n && command_value(l, "--config"))
        return command_fail(l, EXIT_USAGE, "FILE and --config name two files; expected one");
    unsigned warnings = 0;
    struct config *c;
    if (config_load(path, tell, &warnings, &c) < 0)
        return EXIT_NO;
    int user = check_user(l, c), certificates = check_certificates(l, c);
    int keys = config_returnpath_check(c, tell, &warnings);
    int rc = check_rules(l, c);
    if (rc == 0)
        rc = certificates;
    if (rc == 0)
        rc = keys;
    if (rc == 0)
        rc = user;
    if (rc == 0)
        printf("%s: good: %zu domains, %zu listeners%s\n", path, c->domains_n, c->listen_n,
               warnings ? ", with warnings" : "");
    config_free(c);
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

static void step(void *ctx, unsigned number, const char *name)
{
    (void)ctx;
    printf("migration %04u %s\n", number, name);
    fflush(stdout);
}

static void role_missing(void *ctx, struct str statement)
{
    bool *told = ctx;
    if (!*told)
        puts("to let others in with less than the owner's rights, a superuser runs (then migrate "
             "again):");
    *told = true;
    printf("  %.*s\n", STR_ARG(statement));
}

static int migrate_to(struct db *db, unsigned to, struct err *e)
{
    unsigned version = 0;
    bool told = false;
    int rc = db_migrate_to(db, to, step, NULL, &version, e);
    if (rc == 0)
        rc = db_grant_roles(db, role_missing, &told, e);
    if (rc < 0)
        return rc;
    if (version > DB_SCHEMA_VERSION)
        printf("the schema is at version %u, newer than this program's %d; they go together\n",
               version, DB_SCHEMA_VERSION);
    else
        printf("the schema is at version %u\n", version);
    return 0;
}

/* From serve the question is whether it may start; from a person, whether there is something to do.
 */
static int check_schema(struct db *db, bool from_serve, struct err *e)
{
    int rc = from_serve ? db_schema_check(db, e) : db_schema_is_current(db, e);
    if (rc == 0 && !from_serve)
        puts("nothing to do: the schema has all that this program has");
    return rc;
}

static int migrate(const struct command_line *l)
{
    uint64_t to;
    if (command_number(l, "--to-version", 1, DB_SCHEMA_VERSION, DB_SCHEMA_VERSION, &to) < 0)
        return EXIT_USAGE;
    struct config *c = command_config(l, NULL);
    if (!c)
        return EXIT_NO;
    struct db *db = NULL;
    struct err e;
    struct privileges who;
    bool from_serve = command_flag(l, "--from-serve");
    /* From serve it asks as who processes: that user the server knows. */
    int rc = from_serve ? privileges_find(c, &who, &e) : 0;
    if (rc == 0 && from_serve)
        rc = privileges_drop(&who, &e);
    if (rc == 0)
        rc = db_open(c->database.conninfo, &db, &e);
    if (rc == 0)
        rc = command_flag(l, "--check") ? check_schema(db, from_serve, &e)
                                        : migrate_to(db, (unsigned)to, &e);
    if (rc < 0)
        command_fail(l, 0, "%s", e.text);
    db_free(db);
    config_free(c);
    if (rc == -EPROTO && from_serve)
        return EXIT_SCHEMA;
    return rc < 0 ? EXIT_NO : EXIT_GOOD;
}

const struct command commands_config[] = {
    {"check-config",
     "[FILE]",
     0,
     1,
     "Check the configuration and tell all its mistakes",
     "Each mistake is one line: FILE:LINE:COLUMN: KEY: VALUE: what was expected. Exit code 1 when\n"
     "there is one. As root it goes on as receiver.user, once that is known, and tells what that\n"
     "user can't read. --defaults writes a complete commented file with every key's default.",
     {COMMAND_CONFIG, {"--defaults", NULL, "write a commented configuration, check nothing"}},
     check_config},
    {"migrate",
     "",
     0,
     0,
     "Bring the database's schema to this program's version",
     "Runs what is missing, each step in its own transaction, forward only; two at once wait for\n"
     "each other, and writers may be at work. Then it gives the roles bouncemx_writer, _reader "
     "and\n"
     "_admin their rights, or says how to make them. A program runs on schemas of its own "
     "version,\n"
     "the one before and the one after it; a schema newer than that is left alone (exit code 1).\n"
     "With --check nothing is changed: exit code 1 when there is something to do.",
     {COMMAND_CONFIG,
      {"--check", NULL, "only say whether there is something to do"},
      {"--to-version", "N", "no further than to this version"},
      {"--from-serve", NULL, NULL}},
     migrate},
    {.name = NULL},
};
