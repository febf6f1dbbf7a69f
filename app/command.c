#include "app/command.h"

#include "app/config_keys.h"
#include "app/nearest.h"
#include "app/reload.h"
#include "base/require.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

static const struct command *const groups[] = {
    commands_service,   commands_config,    commands_dns,    commands_classify,
    commands_rules,     commands_database,  commands_feed,   commands_report,
    commands_set_aside, commands_status,    commands_token,  commands_token_keys,
    commands_import,    commands_export,    commands_volume, commands_suppression,
    commands_by_hand,   commands_delivered, commands_ingest, commands_replay};
enum { GROUPS_N = sizeof(groups) / sizeof(groups[0]) };

/* The i-th command of all groups; NULL behind the last. */
static const struct command *command_at(size_t i)
{
    for (size_t g = 0; g < GROUPS_N; g++)
        for (const struct command *c = groups[g]; c->name; c++)
            if (i-- == 0)
                return c;
    return NULL;
}

static struct str command_name(const void *ctx, size_t i)
{
    (void)ctx;
    const struct command *c = command_at(i);
    return str_c(c ? c->name : NULL);
}

static struct str option_name(const void *ctx, size_t i)
{
    const struct command *c = ctx;
    for (size_t k = 0; k < COMMAND_OPTIONS_MAX && c->options[k].name; k++)
        if (c->options[k].help && i-- == 0)
            return str_c(c->options[k].name);
    return str_c(i == 0 ? "--help" : NULL);
}

/* A word from the command line, fit for a terminal. */
static const char *shown(const char *word, char text[128])
{
    struct err e;
    err_set(&e, -EINVAL, "%.100s", word);
    snprintf(text, 128, "%s", e.text);
    return text;
}

static int help_all(FILE *out)
{
    size_t width = 0;
    const struct command *c;
    for (size_t i = 0; (c = command_at(i)); i++)
        if (strlen(c->name) > width)
            width = strlen(c->name);
    fputs("usage: bouncemx COMMAND [OPTIONS] [ARGUMENTS]\n\n"
          "The MX of a return-path domain: bounces and complaints in, a suppression list out.\n\n",
          out);
    for (size_t i = 0; (c = command_at(i)); i++)
        fprintf(out, "  %-*s  %s\n", (int)width, c->name, c->summary);
    fputs("\nbouncemx COMMAND --help explains one of them. bouncemx --version tells the version.\n"
          "Exit code: 0 good; 1 the answer is no, or something failed; 2 wrong usage.\n",
          out);
    return EXIT_GOOD;
}

static void usage(const struct command *c, FILE *out)
{
    fprintf(out, "usage: bouncemx %s", c->name);
    for (size_t k = 0; k < COMMAND_OPTIONS_MAX && c->options[k].name; k++) {
        const struct command_option *o = &c->options[k];
        if (o->help)
            fprintf(out, o->value ? " [%s %s]" : " [%s]", o->name, o->value);
    }
    fprintf(out, "%s%s\n", *c->args ? " " : "", c->args);
}

static int help_one(const struct command *c)
{
    usage(c, stdout);
    printf("\n%s.\n\n%s\n\nOptions:\n", c->summary, c->help);
    for (size_t k = 0; k < COMMAND_OPTIONS_MAX && c->options[k].name; k++) {
        const struct command_option *o = &c->options[k];
        char left[48];
        snprintf(left, sizeof(left), "%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        if (o->help)
            printf("  %-20s  %s\n", left, o->help);
    }
    printf("  %-20s  %s\n", "--help", "this text");
    return EXIT_GOOD;
}

int command_fail(const struct command_line *l, int code, const char *fmt, ...)
{
    struct err e;
    char text[sizeof(e.text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(&e, -EINVAL, "bouncemx %s: %s", l->command->name, text);
    fprintf(stderr, "%s\n", e.text);
    return code;
}

static int usage_fail(const struct command_line *l)
{
    usage(l->command, stderr);
    return EXIT_USAGE;
}

static int unknown_option(const struct command_line *l, const char *arg)
{
    char text[128];
    struct str word = str_c(arg);
    word = str_sub(word, 0, str_chr(word, '=', 0));
    struct str known = nearest_word(word, option_name, l->command);
    command_fail(l, 0, "no such option: %s%s%.*s%s", shown(arg, text),
                 known.n ? " (did you mean " : "", STR_ARG(known), known.n ? "?)" : "");
    return usage_fail(l);
}

/* One "--name", "--name=value" or "--name value"; *i stands on it and moves over its value. */
static int option_read(struct command_line *l, int argc, char **argv, int *i)
{
    struct str arg = str_c(argv[*i]);
    size_t equal = str_chr(arg, '=', 0);
    for (size_t k = 0; k < COMMAND_OPTIONS_MAX && l->command->options[k].name; k++) {
        const struct command_option *o = &l->command->options[k];
        if (!str_eq(str_sub(arg, 0, equal), str_c(o->name)))
            continue;
        if (l->values[k])
            return command_fail(l, EXIT_USAGE, "%s is given twice", o->name);
        if (!o->value && equal < arg.n)
            return command_fail(l, EXIT_USAGE, "%s takes no value", o->name);
        if (!o->value)
            l->values[k] = "";
        else if (equal < arg.n)
            l->values[k] = arg.p + equal + 1;
        else if (*i + 1 < argc)
            l->values[k] = argv[++*i];
        else
            return command_fail(l, EXIT_USAGE, "%s needs a value: %s %s", o->name, o->name,
                                o->value);
        if (o->value && !*l->values[k])
            return command_fail(l, EXIT_USAGE, "%s needs a value: %s %s", o->name, o->name,
                                o->value);
        return 0;
    }
    return unknown_option(l, argv[*i]);
}

static int run(const struct command *c, int argc, char **argv)
{
    struct command_line l = {.command = c, .args = argv};
    bool options = true;
    for (int i = 0; i < argc; i++) {
        char *arg = argv[i];
        if (options && strcmp(arg, "--") == 0) {
            options = false;
        } else if (options && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            return help_one(c);
        } else if (options && arg[0] == '-' && arg[1]) {
            int rc = option_read(&l, argc, argv, &i);
            if (rc)
                return rc;
        } else {
            l.args[l.args_n++] = arg; /* never ahead of i */
        }
    }
    if (l.args_n < c->args_min || l.args_n > c->args_max) {
        command_fail(&l, 0, l.args_n < c->args_min ? "%s is missing" : "too many arguments",
                     c->args);
        return usage_fail(&l);
    }
    return c->run(&l);
}

/* "set-aside" alone, or with a word that is none of its commands. */
static bool is_group(const char *word)
{
    const struct command *c;
    size_t n = strlen(word);
    for (size_t i = 0; (c = command_at(i)); i++)
        if (strncmp(c->name, word, n) == 0 && c->name[n] == ' ')
            return true;
    return false;
}

static int group_help(const char *word, FILE *out, int code)
{
    const struct command *c;
    size_t n = strlen(word);
    fprintf(out, "usage: bouncemx %s COMMAND\n\n", word);
    for (size_t i = 0; (c = command_at(i)); i++)
        if (strncmp(c->name, word, n) == 0 && c->name[n] == ' ')
            fprintf(out, "  %-20s  %s\n", c->name, c->summary);
    return code;
}

static int dispatch(int argc, char **argv)
{
    char text[128], two[160];
    if (argc < 2) {
        help_all(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return help_all(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        puts("bouncemx " BOUNCEMX_VERSION);
        return EXIT_GOOD;
    }
    int words = is_group(argv[1]) ? 2 : 1;
    if (words == 2 && argc < 3)
        return group_help(argv[1], stderr, EXIT_USAGE);
    if (words == 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
        return group_help(argv[1], stdout, EXIT_GOOD);
    snprintf(two, sizeof(two), "%.100s%s%.50s", argv[1], words == 2 ? " " : "",
             words == 2 ? argv[2] : "");
    const struct command *c;
    for (size_t i = 0; (c = command_at(i)); i++)
        if (strcmp(c->name, two) == 0)
            return run(c, argc - 1 - words, argv + 1 + words);
    struct str known = nearest_word(str_c(two), command_name, NULL);
    fprintf(stderr, "bouncemx: no such %s: %s%s%.*s%s\nbouncemx --help lists the commands.\n",
            argv[1][0] == '-' ? "option" : "command", shown(two, text),
            known.n ? " (did you mean " : "", STR_ARG(known), known.n ? "?)" : "");
    return EXIT_USAGE;
}

/* "--config FILE" may stand before the command, as people write it: it is moved behind. */
static void config_behind(int argc, char **argv)
{
    char *moved[] = {argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL};
    size_t n = argc < 2                                ? 0
               : strcmp(argv[1], "--config") == 0      ? 2
               : strncmp(argv[1], "--config=", 9) == 0 ? 1
                                                       : 0;
    if (n == 0 || (size_t)argc < 2 + n)
        return;
    size_t words = is_group(argv[1 + n]) && (size_t)argc > 2 + n ? 2 : 1;
    memmove(argv + 1, argv + 1 + n, words * sizeof(*argv));
    memcpy(argv + 1 + words, moved, n * sizeof(*argv));
}

int command_main(int argc, char **argv)
{
    config_behind(argc, argv);
    int code = dispatch(argc, argv);
    /* An answer that could not be written is no answer. */
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "bouncemx: standard output: %s\n", strerrordesc_np(errno ? errno : EIO));
        return code ? code : EXIT_NO;
    }
    return code;
}

const char *command_value(const struct command_line *l, const char *name)
{
    for (size_t k = 0; k < COMMAND_OPTIONS_MAX && l->command->options[k].name; k++)
        if (strcmp(l->command->options[k].name, name) == 0)
            return l->values[k];
    require_failed("an option of this command", __FILE__, __LINE__);
}

int command_number(const struct command_line *l, const char *name, uint64_t min, uint64_t max,
                   uint64_t fallback, uint64_t *ret)
{
    const char *text = command_value(l, name);
    uint64_t n = fallback;
    char word[128];
    if (text && (!str_to_u64(str_c(text), &n) || n < min || n > max)) {
        command_fail(l, 0, "%s: %s: expected a whole number from %llu to %llu", name,
                     shown(text, word), (unsigned long long)min, (unsigned long long)max);
        return -EINVAL;
    }
    *ret = n;
    return 0;
}

int command_time(const struct command_line *l, const char *name, int64_t fallback, int64_t *ret)
{
    static const struct config_key time = {
        .type = CONFIG_TIME, .min = 1000, .max = UINT64_C(366) * 86400 * 1000000, .zero = true};
    const char *text = command_value(l, name);
    char word[128];
    int64_t t = fallback;
    struct err e;
    if (text && config_value(&time, str_c(text), "", NULL, &t, &e) < 0) {
        command_fail(l, 0, "%s: %s: %s", name, shown(text, word), e.text);
        return -EINVAL;
    }
    *ret = t;
    return 0;
}

static void say(void *ctx, bool mistake, const char *line)
{
    /* Warnings are for check-config and for whoever starts a service, not for every command. */
    if (mistake || ctx)
        fprintf(stderr, "%s\n", line);
}

struct config *command_config(const struct command_line *l, const char *role)
{
    const char *from;
    const char *path = config_find(command_value(l, "--config"), &from);
    static bool warn = true;
    struct config *c;
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        command_fail(l, 0, "%s: no such file; a configuration is looked for there because of: %s",
                     path, from);
        return NULL;
    }
    if (config_load(path, say, role ? &warn : NULL, &c) < 0) {
        command_fail(l, 0, "the configuration is not usable; nothing was done");
        return NULL;
    }
    if (role)
        reload_log(c, role);
    return c;
}
