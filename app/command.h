/* command.h - the command line: one table of commands, one way to read options.
 *
 * Exit codes: 0 good; 1 the answer is no, or something failed; 2 the command line is
 * wrong. Messages go to standard error, answers to standard output. */
#ifndef APP_COMMAND_H
#define APP_COMMAND_H

#include "app/config.h"

enum { EXIT_GOOD = 0, EXIT_NO = 1, EXIT_USAGE = 2 };
enum { COMMAND_OPTIONS_MAX = 16 };

struct command_option {
    const char *name;  /* "--config" */
    const char *value; /* "FILE"; NULL: it takes none */
    const char *help;  /* NULL: between our own processes, not shown */
};

struct command_line;

struct command {
    const char *name; /* "check-config", "set-aside list" */
    const char *args; /* as shown in its usage: "PATH..." */
    unsigned args_min, args_max;
    const char *summary;
    const char *help; /* paragraphs below the usage line */
    struct command_option options[COMMAND_OPTIONS_MAX];
    int (*run)(const struct command_line *line);
};

struct command_line {
    const struct command *command;
    const char *values[COMMAND_OPTIONS_MAX]; /* "" of an option without value; NULL: not given */
    char **args;
    size_t args_n;
};

/* Every group is a file cmd_*.c; each list ends with a name of NULL. */
extern const struct command commands_service[];
extern const struct command commands_config[];
extern const struct command commands_dns[];
extern const struct command commands_classify[];
extern const struct command commands_rules[];
extern const struct command commands_database[];
extern const struct command commands_suppression[];
extern const struct command commands_by_hand[];
extern const struct command commands_delivered[];
extern const struct command commands_feed[];
extern const struct command commands_import[];
extern const struct command commands_export[];
extern const struct command commands_volume[];
extern const struct command commands_ingest[];
extern const struct command commands_replay[];
extern const struct command commands_set_aside[];
extern const struct command commands_report[];
extern const struct command commands_status[];
extern const struct command commands_token[];
extern const struct command commands_token_keys[];

#define COMMAND_CONFIG                                                               \
    {                                                                                \
        "--config", "FILE",                                                          \
            "configuration (else BOUNCEMX_CONFIG, else /etc/bouncemx/bouncemx.yaml)" \
    }
#define COMMAND_JSON                             \
    {                                            \
        "--json", NULL, "one JSON object a line" \
    }

int command_main(int argc, char **argv);

/* The option's value; NULL when it was not given. name must be one of the command's own. */
const char *command_value(const struct command_line *l, const char *name);
static inline bool command_flag(const struct command_line *l, const char *name)
{
    return command_value(l, name) != NULL;
}
/* A whole number from min to max, or fallback when it was not given; -EINVAL after a message. */
int command_number(const struct command_line *l, const char *name, uint64_t min, uint64_t max,
                   uint64_t fallback, uint64_t *ret);
/* A time ("30s") likewise, in microseconds. */
int command_time(const struct command_line *l, const char *name, int64_t fallback, int64_t *ret);
/* A moment ("2026-01-31", "2026-01-31T08:09:10Z"), or how long before now ("24h"), likewise. */
int command_moment(const struct command_line *l, const char *option, int64_t now, int64_t fallback,
                   int64_t *ret);

/* "bouncemx set-aside show: <text>" on standard error; returns code, for `return command_fail`. */
int command_fail(const struct command_line *l, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Loads the configuration that the command line names; for a role also sets up the log and reads
 * the keys, into config->returnpath (role NULL: neither). NULL after its mistakes were told: return
 * EXIT_NO. */
struct config *command_config(const struct command_line *l, const char *role);

#endif
