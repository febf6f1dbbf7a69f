#include "app/by_hand.h"

#include "app/time_text.h"

#include "base/clock.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

int by_hand_open(const struct command_line *l, struct answer *a)
{
    int rc = answer_open(l, a);
    if (rc < 0)
        return rc;
    const char *actor = command_value(l, "--actor");
    const struct passwd *user = actor ? NULL : getpwuid(getuid());
    char number[32];
    snprintf(number, sizeof(number), "user %lu", (unsigned long)getuid());
    struct str name = str_c(actor ? actor : user ? user->pw_name : number);
    rc = answer_ask(l, a, DB_DO_ACT_AS, &name, 1);
    if (rc < 0)
        answer_close(a);
    return rc;
}

int by_hand_tenant(const struct command_line *l, const struct answer *a, struct str *ret)
{
    const struct config *c = a->config;
    const char *given = command_value(l, "--tenant");
    struct str tenant = given                                  ? str_c(given)
                        : c->domains_n && c->domains[0].tenant ? str_c(c->domains[0].tenant)
                                                               : STR("");
    for (size_t i = 1; !given && i < c->domains_n; i++)
        if (!str_eq(tenant, c->domains[i].tenant ? str_c(c->domains[i].tenant) : STR("")))
            return command_fail(l, -EINVAL,
                                "the configuration has several tenants: --tenant NAME says which");
    *ret = tenant;
    return 0;
}

int by_hand_word(const struct command_line *l, const char *option, const char *words,
                 struct str *ret)
{
    struct str given = str_c(command_value(l, option)), rest = str_c(words);
    *ret = given;
    if (str_is_absent(given))
        return 0;
    while (rest.n)
        if (str_eq(str_cut(&rest, ' '), given))
            return 0;
    return command_fail(l, -EINVAL, "%s: %.*s: expected one of: %s", option,
                        STR_ARG(str_sub(given, 0, 64)), words);
}

int by_hand_expires(const struct command_line *l, int64_t now, char text[24], struct str *ret)
{
    const char *given = command_value(l, "--expires");
    int64_t t = 0;
    *ret = (struct str){NULL, 0};
    if (!given)
        return 0;
    if (!time_text_read(str_c(given), &t)) {
        if (strchr(given, '-'))
            return command_fail(l, -EINVAL,
                                "--expires: %.64s: expected a day such as 2026-01-31, a time such "
                                "as 2026-01-31T08:09:10Z, or how long, such as 90d",
                                given);
        if (command_time(l, "--expires", 0, &t) < 0)
            return -EINVAL;
        t += now;
    }
    if (t <= now)
        return command_fail(l, -EINVAL, "--expires: %.64s: is over", given);
    *ret = answer_time(t, text);
    return 0;
}

/* ---- lines ---- */

int by_hand_lines_open(const struct command_line *l, struct by_hand_lines *ret)
{
    const char *file = command_value(l, "--file");
    *ret = (struct by_hand_lines){.line = l};
    if (file && l->args_n)
        return command_fail(l, -EINVAL, "--file and arguments: only one of them");
    if (!file && l->args_n == 0)
        return command_fail(l, -EINVAL, "%s or --file FILE is missing", l->command->args);
    if (!file && (l->args_n > 1 || strcmp(l->args[0], "-") != 0))
        return 0;
    ret->file = file && strcmp(file, "-") != 0 ? file : "-";
    ret->stream = strcmp(ret->file, "-") == 0 ? stdin : fopen(file, "re");
    if (!ret->stream)
        return command_fail(l, -EINVAL, "%s: %s", file, strerrordesc_np(errno));
    return 0;
}

bool by_hand_lines_next(struct by_hand_lines *in, struct str *ret)
{
    if (!in->file) {
        if (in->next >= in->line->args_n)
            return false;
        *ret = str_c(in->line->args[in->next++]);
        return true;
    }
    ssize_t n;
    while ((n = getline(&in->text, &in->room, in->stream)) >= 0) {
        in->number++;
        *ret = str_trim(str_of(in->text, (size_t)n));
        snprintf(in->place, sizeof(in->place), "%.255s:%zu: ", in->file, in->number);
        if (ret->n)
            return true;
    }
    if (ferror((FILE *)in->stream)) {
        in->failed = true;
        command_fail(in->line, 0, "%s: %s", in->file, strerrordesc_np(errno));
    }
    return false;
}

void by_hand_lines_close(struct by_hand_lines *in)
{
    if (in->stream && in->stream != stdin)
        fclose(in->stream);
    free(in->text);
    in->stream = NULL;
    in->text = NULL;
}
