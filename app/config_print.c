/* The commented configuration file, written from the table. */
#include "app/config_keys.h"

static void comment(FILE *out, const char *indent, const char *text)
{
    struct str rest = str_c(text), line;
    while (str_line(&rest, &line))
        fprintf(out, "%s# %.*s\n", indent, STR_ARG(line));
}

/* "from 1KiB to 32MiB, or 0 for no limit" behind a number's description. */
static void range(FILE *out, const char *indent, const struct config_key *k)
{
    char min[32], max[32];
    const char *zero = k->zero ? "; 0: no limit" : "";
    if (k->type == CONFIG_SIZE)
        fprintf(out, "%s# %s to %s%s.\n", indent, config_format_size(k->min, min),
                config_format_size(k->max, max), zero);
    else if (k->type == CONFIG_TIME)
        fprintf(out, "%s# %s to %s%s.\n", indent, config_format_time(k->min, min),
                config_format_time(k->max, max), zero);
    else if (k->type == CONFIG_COUNT)
        fprintf(out, "%s# %llu to %llu%s.\n", indent, (unsigned long long)k->min,
                (unsigned long long)k->max, zero);
}

static void key(FILE *out, const char *indent, const char *first, const struct config_key *k,
                const char *name, struct str value)
{
    comment(out, indent, k->text);
    range(out, indent, k);
    if (k->def && strcmp(k->def, CONFIG_DEF_HOSTNAME) == 0)
        fprintf(out, "%s# Default: what the system calls itself.\n%s#%s: mx1.example.com\n", indent,
                first, name);
    else if (str_chr(value, ':', 0) < value.n || value.n == 0)
        fprintf(out, "%s%s: \"%.*s\"\n", first, name, STR_ARG(value));
    else
        fprintf(out, "%s%s: %.*s\n", first, name, STR_ARG(value));
}

/* One item with all its keys; only the first is explained. */
static void item(FILE *out, const struct config_list *l, const char *indent, struct str example,
                 bool explain)
{
    char prefix[64], deeper[16], first[16];
    snprintf(prefix, sizeof(prefix), "%s[].", l->path);
    snprintf(deeper, sizeof(deeper), "%s    ", indent);
    snprintf(first, sizeof(first), "%s  - ", indent);
    const char *start = first;
    for (size_t i = 0; i < config_keys_n; i++) {
        const struct config_key *k = &config_keys[i];
        if (!str_starts(str_c(k->path), str_c(prefix)))
            continue;
        struct str value = k->def ? str_c(k->def) : example;
        const char *name = k->path + strlen(prefix);
        if (explain)
            key(out, deeper, start, k, name, value);
        else
            fprintf(out, str_chr(value, ':', 0) < value.n ? "%s%s: \"%.*s\"\n" : "%s%s: %.*s\n",
                    start, name, STR_ARG(value));
        start = deeper;
    }
}

static void list(FILE *out, const struct config_list *l, const char *indent, const char *name)
{
    comment(out, indent, l->text);
    if (!l->example) {
        fprintf(out, "%s%s: %s\n", indent, name, l->def);
        return;
    }
    fprintf(out, "%s%s:\n", indent, name);
    struct str rest = str_c(l->example);
    for (bool first = true; rest.n; first = false)
        item(out, l, indent, str_cut(&rest, '|'), first);
}

void config_print_defaults(FILE *out)
{
    fputs("# Configuration of bouncemx: every key with its default. A file needs only the domains\n"
          "# and what shall differ. Check it: bouncemx check-config --config FILE\n"
          "#\n"
          "# Sizes: B, KiB, MiB, GiB. Times: ms, s, m, h, d. Relative paths start in this file's\n"
          "# folder.\n",
          out);
    for (size_t i = 0; i < config_keys_n; i++) {
        const struct config_key *k = &config_keys[i];
        if (strpbrk(k->path, ".["))
            continue;
        fputc('\n', out);
        key(out, "", "", k, k->path, str_c(k->def));
    }
    for (size_t i = 0; i < config_lists_n; i++) {
        if (strchr(config_lists[i].path, '.'))
            continue;
        fputc('\n', out);
        list(out, &config_lists[i], "", config_lists[i].path);
    }
    for (const struct config_section *s = config_sections; s->name; s++) {
        fprintf(out, "\n# %s\n%s:\n", s->text, s->name);
        char prefix[32];
        snprintf(prefix, sizeof(prefix), "%s.", s->name);
        size_t n = strlen(prefix);
        for (size_t i = 0; i < config_lists_n; i++)
            if (strncmp(config_lists[i].path, prefix, n) == 0)
                list(out, &config_lists[i], "  ", config_lists[i].path + n);
        for (size_t i = 0; i < config_keys_n; i++) {
            const struct config_key *k = &config_keys[i];
            if (strncmp(k->path, prefix, n) == 0 && !strchr(k->path, '['))
                key(out, "  ", "  ", k, k->path + n, str_c(k->def));
        }
    }
}
