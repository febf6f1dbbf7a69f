/* mailbox.h - messages from files, Maildirs, mboxes, folders and standard input, one at a time. */
#ifndef APP_MAILBOX_H
#define APP_MAILBOX_H

#include "base/err.h"
#include "base/str.h"

/* A message beyond this is cut there: what a report says stands at its front. */
enum { MAILBOX_MESSAGE_MAX = 32 << 20, MAILBOX_DEPTH_MAX = 64 };

struct mailbox {
    /* Called for each message in order; name tells where it is from ("x.eml", "box:2", "-").
     * Bytes are valid during the call. Not 0: the walk ends with it. */
    int (*message)(void *ctx, const char *name, struct str bytes, bool cut);
    /* Called for what can't be read; the walk goes on. */
    void (*problem)(void *ctx, const struct err *e);
    void *ctx;
};

/* Walks one argument of the command line: "-", a file, a Maildir or a folder (files in name order,
 * folders entered, hidden names skipped). Files named by path keep the path as name, those found
 * in a folder their last component. An mbox with more than one message adds ":NUMBER". */
int mailbox_walk(const struct mailbox *m, const char *path);

#endif
