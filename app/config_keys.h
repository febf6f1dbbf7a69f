/* config_keys.h - the one table of configuration keys, and how their values are read. No YAML. */
#ifndef APP_CONFIG_KEYS_H
#define APP_CONFIG_KEYS_H

#include "app/config.h"

enum config_type {
    CONFIG_TEXT,    /* one line of UTF-8 */
    CONFIG_NAME,    /* letters, digits, '.', '_', '-': a word in logs and SQL */
    CONFIG_HOST,    /* a host name: lower-case A-label */
    CONFIG_DOMAIN,  /* the same; must hold a dot */
    CONFIG_IP,      /* an address literal */
    CONFIG_NETWORK, /* an address literal, or one with the number of its leading bits */
    CONFIG_FOLDER,  /* a directory that exists, or can be made in one that does */
    CONFIG_FILE,    /* a file that some roles alone can read: what reads it, looks at it */
    CONFIG_PATH,    /* a file or directory that can be read */
    CONFIG_SIZE,
    CONFIG_TIME,
    CONFIG_COUNT,
    CONFIG_BOOL,
    CONFIG_WORD,   /* one of words */
    CONFIG_DATE,   /* 2027-01-31; days since 1970-01-01 */
    CONFIG_KEY_ID, /* one character, a-z or 2-7: stands in signed return paths */
    CONFIG_LOCAL,  /* a local part of atoms (RFC 5321 section 4.1.2, Dot-string) */
};

struct config_key {
    const char *path; /* "limits.recipients", "listen[].port", "processor.rules[]" */
    enum config_type type;
    size_t offset;       /* in struct config, or in the item of the list */
    const char *def;     /* as written in YAML; NULL: must be given; CONFIG_DEF_HOSTNAME */
    uint64_t min, max;   /* of numbers; in microseconds for times */
    bool zero;           /* 0 is allowed besides min..max and means no limit */
    bool secret;         /* its value is not repeated in messages */
    const char *words;   /* "verp|any": the value is the index */
    const char *nothing; /* a word instead of a value: the field is NULL or 0 then */
    bool several;        /* a list of such texts, into a struct config_words; def is "[]" */
    const char *text;    /* what it is, for the commented file */
};

/* The default of node and hostname: what the system calls itself. */
#define CONFIG_DEF_HOSTNAME "(hostname)"

struct config_list {
    const char *path;      /* "listen" */
    size_t items, items_n; /* offsets in struct config of the pointer and the count */
    size_t item_bytes;
    size_t mark; /* offset of line in the item; column follows */
    unsigned min, max;
    const char *def;     /* YAML, when the key is missing */
    const char *example; /* YAML lines for the commented file */
    const char *text;
};

extern const struct config_key config_keys[];
extern const size_t config_keys_n;
extern const struct config_list config_lists[];
extern const size_t config_lists_n;

/* Sections of the table and their headings in the commented file; NULL behind the last. */
struct config_section {
    const char *name;
    const char *text;
};
extern const struct config_section config_sections[];

/* Reads text as key's type into base + key->offset (with several: one of its items). Relative paths
 * start at folder. On failure *e.text is what was expected (without place and value). */
int config_value(const struct config_key *key, struct str text, const char *folder, struct arena *a,
                 void *base, struct err *e);

/* "10MiB", "1h30m"... the shortest exact way; for messages. */
const char *config_format_size(uint64_t n, char text[32]);
const char *config_format_time(uint64_t us, char text[32]);

#endif
