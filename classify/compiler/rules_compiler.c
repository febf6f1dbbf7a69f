/* rules_compiler - run by the build: rules_compiler shipped.rules shipped.db */
#include "classify/patterns.h"

#include <stdio.h>
#include <stdlib.h>

static int read_rules(struct rule_set *set, const char *path, struct err *e)
{
    FILE *f = fopen(path, "rb");
    char *text = malloc(RULES_FILE_BYTES + 1);
    int rc = -1;
    if (f && text) {
        size_t n = fread(text, 1, RULES_FILE_BYTES + 1, f);
        rc = ferror(f) ? -1 : rule_set_read(set, "", str_of(text, n), e);
    } else {
        perror(path);
    }
    free(text);
    if (f)
        fclose(f);
    return rc;
}

static int write_database(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0) {
        perror(path);
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct rule_set set;
    if (argc != 3) {
        fprintf(stderr, "usage: rules_compiler RULES DATABASE\n");
        return 2;
    }
    rule_set_init(&set);
    struct rules_pattern *patterns = NULL;
    char *bytes = NULL;
    size_t patterns_n = 0, n = 0;
    int rc = read_rules(&set, argv[1], &e);
    if (rc == 0 && !(patterns = patterns_of(&set, 0, set.n, true, &patterns_n)))
        rc = err_set(&e, -1, "no memory");
    if (rc == 0)
        rc = rules_save(patterns, patterns_n, set.n + patterns_marks(), &bytes, &n, &e);
    if (rc == 0)
        rc = write_database(argv[2], bytes, n);
    if (rc < 0 && e.code)
        fprintf(stderr, "%s: %s\n", argv[1], e.text);
    free(bytes);
    free(patterns);
    rule_set_free(&set);
    return rc < 0 ? 1 : 0;
}
