/* token mint, token read: signed return paths by hand. */
#include "app/command.h"
#include "app/json.h"
#include "app/table.h"
#include "base/clock.h"
#include "base/require.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

enum { LINE_ARENA_MAX = 1 << 20, NEW_ID = 24 };

/* What both mint and read need, for all addresses of one command. */
struct token_command {
    const struct command_line *line;
    struct config *config;
    struct returnpath_reader *reader;
    struct returnpath_mint mint; /* but for the recipient */
    bool opaque, json;
    uint32_t day;
    struct arena arena; /* of one address */
    struct arena shown; /* of the options */
    struct table *table;
    unsigned wrong;
    size_t number; /* of the line on standard input; 0: from the command line */
};

static void end(struct token_command *t)
{
    table_free(t->table);
    returnpath_reader_free(t->reader);
    config_free(t->config);
    arena_free(&t->arena);
    arena_free(&t->shown);
}

static int day_option(const struct command_line *l, uint32_t *ret)
{
    const char *text = command_value(l, "--day");
    *ret = (uint32_t)(clock_now() / CLOCK_DAY);
    if (text && !clock_day_read(str_c(text), ret))
        return command_fail(l, EXIT_USAGE, "--day: %s: expected a date such as 2026-11-23", text);
    return EXIT_GOOD;
}

static int begin(const struct command_line *l, struct token_command *ret)
{
    struct returnpath_set *set = NULL;
    struct err e;
    *ret = (struct token_command){.line = l,
                                  .json = command_flag(l, "--json"),
                                  .arena = arena_make(LINE_ARENA_MAX),
                                  .shown = arena_make(LINE_ARENA_MAX)};
    int code = day_option(l, &ret->day);
    if (code != EXIT_GOOD)
        return code;
    ret->config = command_config(l, NULL);
    if (!ret->config)
        return EXIT_NO;
    if (config_returnpath(ret->config, &set, &e) < 0)
        return command_fail(l, EXIT_NO, "%s", e.text);
    int rc = returnpath_reader_new(set, &ret->reader);
    returnpath_set_unref(set);
    return rc < 0 ? command_fail(l, EXIT_NO, "out of memory") : EXIT_GOOD;
}

/* "-:12: " on standard error before what is wrong with that line. */
static void wrong(struct token_command *t, struct str address, const char *what)
{
    char place[32] = "";
    if (t->number)
        snprintf(place, sizeof(place), "-:%zu: ", t->number);
    t->wrong++;
    if (str_is_absent(address))
        command_fail(t->line, 0, "%s%s", place, what);
    else
        command_fail(t->line, 0, "%s%.*s: %s", place, STR_ARG(str_sub(address, 0, 254)), what);
}

/* use for each address: the arguments, or for "-" the lines of standard input. EXIT_NO as soon as
 * the answer can't be written. */
static int each(struct token_command *t, int (*use)(struct token_command *t, struct str address))
{
    const struct command_line *l = t->line;
    bool lines = l->args_n == 1 && strcmp(l->args[0], "-") == 0;
    int rc = 0;
    for (size_t i = 0; !lines && rc == 0 && i < l->args_n; i++) {
        arena_reset(&t->arena);
        rc = use(t, str_c(l->args[i]));
    }
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while (lines && rc == 0 && (n = getline(&line, &room, stdin)) >= 0) {
        t->number++;
        arena_reset(&t->arena);
        rc = use(t, str_trim(str_of(line, (size_t)n)));
        /* Whoever asks line by line waits for each answer. */
        if (rc == 0 && t->table && table_rows(t->table) >= 1000)
            table_flush(t->table, stdout);
    }
    free(line);
    if (lines && ferror(stdin)) {
        command_fail(l, 0, "standard input: %s", strerrordesc_np(errno));
        t->wrong++;
    }
    if (t->table)
        table_flush(t->table, stdout);
    return rc < 0 || t->wrong ? EXIT_NO : EXIT_GOOD;
}

/* ---- mint ---- */

static const char *const purpose_words[] = {
    [RETURNPATH_BOUNCE] = "bounce",
    [RETURNPATH_ROLE] = "role",
    [RETURNPATH_COMPLAINT] = "complaint",
    [RETURNPATH_UNSUBSCRIBE] = "unsubscribe",
};

static int purpose_option(const struct command_line *l, enum returnpath_kind *ret)
{
    static const enum returnpath_kind kinds[] = {RETURNPATH_BOUNCE, RETURNPATH_COMPLAINT,
                                                 RETURNPATH_UNSUBSCRIBE};
    const char *word = command_value(l, "--purpose");
    *ret = RETURNPATH_BOUNCE;
    for (size_t i = 0; word && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(word, purpose_words[kinds[i]]) == 0) {
            *ret = kinds[i];
            return EXIT_GOOD;
        }
    }
    return word ? command_fail(l, EXIT_USAGE,
                               "--purpose: %s: expected bounce, complaint or unsubscribe", word)
                : EXIT_GOOD;
}

static int domain_option(struct token_command *t)
{
    const struct config *c = t->config;
    const char *name = command_value(t->line, "--domain");
    if (!name && c->domains_n > 1)
        return command_fail(t->line, EXIT_USAGE,
                            "the configuration has %zu domains: --domain DOMAIN says which",
                            c->domains_n);
    t->mint.domain = str_c(name ? name : c->domains[0].name);
    return EXIT_GOOD;
}

/* What does not depend on the configuration. */
static int mint_usage(const struct command_line *l)
{
    bool opaque = command_flag(l, "--opaque");
    const char *key = command_value(l, "--key"), *stream = command_value(l, "--stream");
    enum returnpath_kind kind;
    uint32_t day;
    int code = purpose_option(l, &kind);
    if (code == EXIT_GOOD)
        code = day_option(l, &day);
    if (code != EXIT_GOOD)
        return code;
    if (key && strlen(key) != 1)
        return command_fail(l, EXIT_USAGE, "--key: %s: expected one character, the id of a key",
                            key);
    if (command_flag(l, "--id") && !opaque)
        return command_fail(l, EXIT_USAGE, "--id is for --opaque");
    if (opaque && stream)
        return command_fail(l, EXIT_USAGE,
                            "--stream: an opaque address has none, it stands beside "
                            "its id in the table of what was sent");
    if (!opaque && l->args_n == 0)
        return command_fail(l, EXIT_USAGE, "ADDRESS is missing");
    if (command_flag(l, "--id") && (l->args_n > 1 || (l->args_n && strcmp(l->args[0], "-") == 0)))
        return command_fail(l, EXIT_USAGE, "--id: one id is for one recipient");
    return EXIT_GOOD;
}

static void new_id(char id[NEW_ID])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char random[NEW_ID];
    /* So few octets come in full (random(7)); without them there would be no program. */
    ssize_t got = getrandom(random, sizeof(random), 0);
    REQUIRE(got == (ssize_t)sizeof(random));
    for (size_t i = 0; i < NEW_ID; i++)
        id[i] = alphabet[random[i] & 31];
}

/* recipient absent: an opaque one for nobody in particular. */
static int mint_one(struct token_command *t, struct str recipient)
{
    struct returnpath_mint mint = t->mint;
    struct str address = {NULL, 0};
    struct err e = {0};
    char id[NEW_ID];
    mint.day = t->day;
    if (recipient.n == 0 && !str_is_absent(recipient) && !t->json)
        return putchar('\n') == EOF ? -EIO : 0;
    if (!t->opaque)
        mint.recipient = recipient;
    else if (str_is_absent(mint.token_id)) {
        new_id(id);
        mint.token_id = str_of(id, sizeof(id));
    }
    int rc = returnpath_mint(t->reader, &t->arena, &mint, &address, &e);
    if (rc < 0)
        wrong(t, (struct str){NULL, 0}, e.text);
    if (!t->json) /* a line in any case: answers stand beside questions */
        return printf("%.*s\n", STR_ARG(address)) < 0 ? -EIO : 0;
    char day[CLOCK_TEXT];
    struct json *o = json_new();
    json_text(o, "recipient", recipient);
    json_text(o, "address", address);
    json_text(o, "id", mint.token_id);
    json_text(o, "purpose", str_c(purpose_words[mint.kind]));
    json_text(o, "stream", mint.stream);
    json_text(o, "day", str_c(clock_format_day(mint.day, day)));
    json_text(o, "error", str_c(rc < 0 ? e.text : NULL));
    return json_print(o, stdout);
}

static int mint(const struct command_line *l)
{
    struct token_command t;
    int code = mint_usage(l);
    if (code != EXIT_GOOD)
        return code;
    code = begin(l, &t);
    if (code == EXIT_GOOD)
        code = purpose_option(l, &t.mint.kind);
    if (code == EXIT_GOOD)
        code = domain_option(&t);
    if (code == EXIT_GOOD) {
        const char *key = command_value(l, "--key");
        t.mint.key_id = key ? *key : 0;
        t.mint.stream = str_c(command_value(l, "--stream"));
        t.mint.token_id = str_c(command_value(l, "--id"));
        t.opaque = command_flag(l, "--opaque");
        code = l->args_n                                            ? each(&t, mint_one)
               : mint_one(&t, (struct str){NULL, 0}) < 0 || t.wrong ? EXIT_NO
                                                                    : EXIT_GOOD;
    }
    end(&t);
    return code;
}

/* ---- read ---- */

/* What returnpath_read answers beside a filled result, in words. */
static const char *refusal(int rc)
{
    switch (rc) {
    case -EHOSTUNREACH:
        return "its domain is none of domains";
    case -ENOENT:
        return "unsigned, and its domain does not take such an address";
    case -ENOMEM:
        return "out of memory";
    default:
        return "expected an address";
    }
}

static const char *source_word(enum returnpath_source s)
{
    static const char *const words[] = {
        [RETURNPATH_SOURCE_NONE] = "none",       [RETURNPATH_SOURCE_VERP] = "verp",
        [RETURNPATH_SOURCE_TOKEN] = "token",     [RETURNPATH_SOURCE_OPAQUE] = "opaque",
        [RETURNPATH_SOURCE_PATTERN] = "pattern",
    };
    return words[s];
}

static uint32_t last_day(const struct token_command *t, const struct returnpath *r)
{
    uint64_t days = r->kind == RETURNPATH_BOUNCE ? t->config->tokens.bounce_days
                                                 : t->config->tokens.complaint_days;
    return r->day + (uint32_t)days;
}

static int read_json(struct token_command *t, struct str address, int rc,
                     const struct returnpath *r)
{
    char day[CLOCK_TEXT], last[CLOCK_TEXT];
    bool token = rc == 0 && !str_is_absent(r->token);
    struct json *o = json_new();
    json_text(o, "address", address);
    json_bool(o, "valid", rc == 0 && r->verified);
    json_text(o, "proof", str_c(rc == 0 ? returnpath_proof_name(r->proof) : NULL));
    json_text(o, "source", str_c(rc == 0 ? source_word(r->source) : NULL));
    json_text(o, "purpose", str_c(rc == 0 ? purpose_words[r->kind] : NULL));
    json_text(o, "recipient", rc == 0 ? r->recipient : (struct str){NULL, 0});
    json_text(o, "id", rc == 0 ? r->token_id : (struct str){NULL, 0});
    json_text(o, "stream", rc == 0 ? r->stream : (struct str){NULL, 0});
    json_text(o, "key", token ? str_of(&r->key_id, 1) : (struct str){NULL, 0});
    json_text(o, "day", str_c(token ? clock_format_day(r->day, day) : NULL));
    json_text(o, "last_day", str_c(token ? clock_format_day(last_day(t, r), last) : NULL));
    json_text(o, "error", str_c(rc < 0 ? refusal(rc) : NULL));
    return json_print(o, stdout);
}

static int read_one(struct token_command *t, struct str address)
{
    struct returnpath r = {.kind = RETURNPATH_BOUNCE};
    char day[CLOCK_TEXT], last[CLOCK_TEXT];
    int rc = returnpath_read(t->reader, &t->arena, address, t->day, &r);
    if (rc == -EKEYREJECTED)
        rc = 0; /* a token that its domain refuses: that is what proof says */
    if (rc < 0)
        wrong(t, address, refusal(rc));
    else if (!r.verified)
        t->wrong++;
    if (t->json)
        return read_json(t, address, rc, &r);
    if (rc < 0)
        return 0;
    bool token = !str_is_absent(r.token);
    struct str about = str_is_absent(r.token_id) ? r.recipient : r.token_id;
    const struct str cells[] = {
        str_c(returnpath_proof_name(r.proof)),
        str_c(purpose_words[r.kind]),
        about,
        r.stream,
        token ? str_of(&r.key_id, 1) : (struct str){NULL, 0},
        str_c(token ? clock_format_day(r.day, day) : NULL),
        str_c(token ? clock_format_day(last_day(t, &r), last) : NULL),
    };
    return table_row(t->table, cells);
}

static int read(const struct command_line *l)
{
    static const char *const columns[] = {"PROOF", "PURPOSE", "RECIPIENT", "STREAM",
                                          "KEY",   "DAY",     "LAST DAY"};
    struct token_command t;
    int code = begin(l, &t);
    if (code == EXIT_GOOD && !t.json && !(t.table = table_new(columns, 7)))
        code = command_fail(l, EXIT_NO, "out of memory");
    if (code == EXIT_GOOD)
        code = each(&t, read_one);
    end(&t);
    return code;
}

const struct command commands_token[] = {
    {"token mint",
     "[ADDRESS...|-]",
     0,
     1000000,
     "Sign return paths for mail to these recipients",
     "Prints one address a line, in order; `-` reads recipients from standard input, one a line.\n"
     "What can't be signed is told, leaves its line empty, and makes the exit code 1. Such an\n"
     "address says in clear whom the mail went to; most recipients fit. --opaque makes one that\n"
     "holds an id, for any recipient: then the table of what was sent must know the id.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--domain", "DOMAIN", "the return-path domain (needed when there are several)"},
      {"--purpose", "WORD", "bounce (default), complaint or unsubscribe"},
      {"--stream", "NAME", "kind of mail, when it is not that of the domain"},
      {"--opaque", NULL, "an id in place of the recipient"},
      {"--id", "ID", "this id, 13 to 26 of a-z 2-7 (default: a random one)"},
      {"--day", "DATE", "day of sending, such as 2026-11-23 (default: today, UTC)"},
      {"--key", "ID", "sign with this key (default: the first that is not over)"}},
     mint},
    {"token read",
     "ADDRESS...|-",
     1,
     1000000,
     "Say what a return path says, and whether it is ours",
     "Reads it as the server would in RCPT TO: also in the wrappings of BATV and SRS. Exit code\n"
     "1 when one of them is not a valid signed address. `-` reads from standard input, one a\n"
     "line. RECIPIENT is the id of an opaque one. LAST DAY is the last on which it is valid.",
     {COMMAND_CONFIG, COMMAND_JSON, {"--day", "DATE", "as on that day (default: today, UTC)"}},
     read},
    {.name = NULL},
};
