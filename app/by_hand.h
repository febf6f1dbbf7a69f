/* by_hand.h - what the commands that change the list share: who acts, for which tenant, until when,
 * and addresses from arguments, a file or standard input. */
#ifndef APP_BY_HAND_H
#define APP_BY_HAND_H

#include "app/answer.h"

#define BY_HAND_ACTOR                                               \
    {                                                               \
        "--actor", "NAME", "who does it (default: the user's name)" \
    }
#define BY_HAND_REASON            \
    {                             \
        "--reason", "TEXT", "why" \
    }
#define BY_HAND_TENANT                                                        \
    {                                                                         \
        "--tenant", "NAME", "of this tenant (needed where there are several)" \
    }

/* As answer_open, and all that follows is noted for --actor or the user. */
int by_hand_open(const struct command_line *l, struct answer *a);

/* --tenant, else the one that all domains of the configuration have; -EINVAL after a message that
 * asks for it. */
int by_hand_tenant(const struct command_line *l, const struct answer *a, struct str *ret);

/* The option is one of words, separated by blanks, or not given (absent); -EINVAL after a message.
 */
int by_hand_word(const struct command_line *l, const char *option, const char *words,
                 struct str *ret);

/* --expires: a day or time in UTC, or how long from now; absent: never. text holds it. */
int by_hand_expires(const struct command_line *l, int64_t now, char text[24], struct str *ret);

/* Where lines come from; place is "FILE:12: " of the line at hand, empty for an argument. */
struct by_hand_lines {
    const struct command_line *line;
    const char *file; /* its name; NULL: the arguments */
    void *stream;     /* FILE * */
    char *text;
    size_t room, next, number;
    bool failed;
    char place[300];
};
/* The arguments, or standard input where the only one is "-", or --file. -EINVAL after a message.
 */
int by_hand_lines_open(const struct command_line *l, struct by_hand_lines *ret);
/* The next that is not empty, without blanks around it; false at the end, or (failed) after a
 * message. It lives until the next call. */
bool by_hand_lines_next(struct by_hand_lines *in, struct str *ret);
void by_hand_lines_close(struct by_hand_lines *in);

#endif
