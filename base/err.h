/* err.h - the context of a failure, beside the int (0 or -Exxx) that a function returns.
 *
 * Whoever detects a failure sets the text once: place, value, what was expected. Callers add where
 * it happened with err_add. Functions take struct err * last but for outputs and accept NULL. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
    int code;       /* the -Exxx returned, 0 when nothing failed */
    char text[512]; /* one line of printable UTF-8, cut when longer */
};

/* Sets code and text, returns code. code must be negative. Bytes in the text that a terminal or a
 * log must not see (controls) are written as '?'. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_set with ": " and the system's words for code behind the text. */
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "<context>: " in front of the text; returns the code, so `return err_add(e, ...)` works.
 * With e == NULL returns code_if_null. */
int err_add(struct err *e, int code_if_null, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
