#include "app/mailbox.h"

#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10, NAME_BYTES = 4200 };

/* ---- one file ---- */

/* One message being gathered out of a file. */
struct gather {
    const struct mailbox *m;
    const char *name;
    struct buf message;
    bool cut;
    bool mbox;       /* begins with "From " and is not a single message by name */
    unsigned number; /* of messages handed on */
};

static int hand_on(struct gather *g, bool last)
{
    char name[NAME_BYTES];
    /* The only message of a file needs no number. */
    bool single = last && g->number == 0;
    g->number++;
    snprintf(name, sizeof(name), single ? "%s" : "%s:%u", g->name, g->number);
    int rc = g->m->message(g->m->ctx, name, buf_str(&g->message), g->cut);
    buf_clear(&g->message);
    g->cut = false;
    return rc;
}

static int gather_add(struct gather *g, struct str s)
{
    if (g->message.n + s.n > MAILBOX_MESSAGE_MAX) {
        s = str_sub(s, 0, MAILBOX_MESSAGE_MAX - g->message.n);
        g->cut = true;
    }
    return buf_add(&g->message, s);
}

/* "From address Mon Jan  2 ...": a line that only looks a little like it may stand in a body. */
static bool is_separator(struct str line)
{
    static const char days[] = "Mon Tue Wed Thu Fri Sat Sun ";
    struct str rest = line;
    if (!str_starts(line, STR("From ")))
        return false;
    str_cut(&rest, ' ');
    rest = str_trim(rest);
    str_cut(&rest, ' ');
    rest = str_trim(rest);
    struct str day = str_sub(rest, 0, 4);
    return day.n == 4 && str_find(str_c(days), day, 0) % 4 == 0 &&
           str_find(str_c(days), day, 0) < sizeof(days) - 1;
}

/* mboxrd: a body line of '>'s and "From " had one '>' less. */
static struct str unquoted(struct str line)
{
    size_t n = 0;
    while (n < line.n && line.p[n] == '>')
        n++;
    return n && str_starts(str_from(line, n), STR("From ")) ? str_from(line, 1) : line;
}

/* A line with its end, or as much of a longer one as fits: 0 at the end of the file. */
static size_t read_line(FILE *in, char *p, size_t room)
{
    size_t n = 0;
    int c;
    while (n < room && (c = getc_unlocked(in)) != EOF) {
        p[n++] = (char)c;
        if (c == '\n')
            break;
    }
    return n;
}

static int read_mbox(struct gather *g, FILE *in)
{
    char line[READ_BYTES];
    size_t n;
    int rc = 0;
    bool begins = true, blank = true;
    while (rc == 0 && (n = read_line(in, line, sizeof(line))) > 0) {
        struct str s = str_of(line, n);
        if (begins && blank && is_separator(s)) {
            if (g->message.n)
                rc = hand_on(g, false);
        } else {
            rc = gather_add(g, begins ? unquoted(s) : s);
        }
        blank = begins && str_trim(s).n == 0;
        begins = line[n - 1] == '\n';
    }
    return rc;
}

static int read_single(struct gather *g, FILE *in)
{
    char block[READ_BYTES];
    size_t n;
    int rc = 0;
    while (rc == 0 && !g->cut && (n = fread(block, 1, sizeof(block), in)) > 0)
        rc = gather_add(g, str_of(block, n));
    /* A separator in front of a saved message is no part of it. */
    struct str all = buf_str(&g->message), first;
    if (rc == 0 && str_starts(all, STR("From ")) && str_line(&all, &first))
        buf_consume(&g->message, g->message.n - all.n);
    return rc;
}

static int problem(const struct mailbox *m, int code, const char *path)
{
    struct err e;
    err_sys(&e, code, "%s", path);
    m->problem(m->ctx, &e);
    return 0;
}

static int read_stream(const struct mailbox *m, FILE *in, const char *name)
{
    struct gather g = {.m = m, .name = name};
    buf_init(&g.message, MAILBOX_MESSAGE_MAX);
    int c = fgetc(in);
    if (c != EOF)
        ungetc(c, in);
    bool eml = str_iends(str_c(name), STR(".eml"));
    g.mbox = c == 'F' && !eml;
    int rc = g.mbox ? read_mbox(&g, in) : read_single(&g, in);
    if (rc == 0 && ferror(in))
        problem(m, -EIO, name);
    else if (rc == 0)
        rc = hand_on(&g, true);
    buf_free(&g.message);
    return rc;
}

static int read_file(const struct mailbox *m, int fd, const char *name)
{
    FILE *in = fdopen(fd, "r");
    if (!in) {
        int code = -errno;
        close(fd);
        return problem(m, code, name);
    }
    int rc = read_stream(m, in, name);
    fclose(in);
    return rc;
}

/* ---- folders ---- */

static int not_dots(const struct dirent *d)
{
    return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int by_octets(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool has_folder(int fd, const char *name)
{
    struct stat st;
    return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* In a Maildir: cur, new and Maildir++ folders. Elsewhere all that is not hidden. */
static bool wanted(int fd, const char *name, bool maildir)
{
    if (maildir)
        return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 ||
               (name[0] == '.' && has_folder(fd, name));
    return name[0] != '.';
}

static int walk_folder(const struct mailbox *m, int fd, const char *path, unsigned depth)
{
    struct dirent **names = NULL;
    int rc = 0;
    int n = scandirat(fd, ".", &names, not_dots, by_octets);
    if (n < 0)
        problem(m, -errno, path);
    bool maildir = has_folder(fd, "cur") && has_folder(fd, "new");
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        char below[NAME_BYTES];
        struct stat st;
        int code = 0, child = -1;
        if (rc != 0 || !wanted(fd, name, maildir))
            goto next;
        if (snprintf(below, sizeof(below), "%s/%s", path, name) >= (int)sizeof(below))
            code = -ENAMETOOLONG;
        else if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            code = -errno;
        else if (S_ISDIR(st.st_mode) && depth == MAILBOX_DEPTH_MAX)
            code = -ELOOP;
        else if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
            /* NONBLOCK: a link may lead to a pipe that nobody writes. */
            child = openat(fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        else
            goto next;
        if (code == 0 && child < 0)
            code = -errno;
        else if (code == 0 && fstat(child, &st) < 0)
            code = -errno;
        if (code < 0)
            problem(m, code, below);
        else if (S_ISDIR(st.st_mode) && names[i]->d_type != DT_LNK)
            rc = walk_folder(m, child, below, depth + 1);
        else if (S_ISREG(st.st_mode))
            rc = read_file(m, child, name), child = -1;
        if (child >= 0)
            close(child);
    next:
        free(names[i]);
    }
    free(names);
    return rc;
}

int mailbox_walk(const struct mailbox *m, const char *path)
{
    if (strcmp(path, "-") == 0)
        return read_stream(m, stdin, "-");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        int code = -errno;
        if (fd >= 0)
            close(fd);
        return problem(m, code, path);
    }
    if (!S_ISDIR(st.st_mode))
        return read_file(m, fd, path);
    int rc = walk_folder(m, fd, path, 0);
    close(fd);
    return rc;
}
