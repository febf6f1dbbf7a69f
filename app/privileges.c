#include "app/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int privileges_find(const struct config *c, struct privileges *ret, struct err *e)
{
    const char *user = c->receiver.user;
    *ret = (struct privileges){0};
    if (!*user)
        return 0;
    errno = 0;
    const struct passwd *who = getpwnam(user);
    int rc = errno ? -errno : -ENOENT;
    if (geteuid() != 0) {
        if (!who || who->pw_uid != geteuid())
            log_warn("user_kept", KV("receiver.user", user),
                     KV("why", "only root can become another user"));
        return 0;
    }
    if (!who && rc == -ENOENT)
        return err_set(e, rc, "receiver.user: \"%s\": expected a user of this system", user);
    if (!who)
        return err_sys(e, rc, "receiver.user: \"%s\"", user);
    if (who->pw_uid == 0)
        return err_set(e, -EINVAL,
                       "receiver.user: \"%s\": expected a user other than root (or none)", user);
    *ret = (struct privileges){user, who->pw_uid, who->pw_gid};
    return 0;
}

/* ---- the spool directory ---- */

static bool is_empty(int fd)
{
    int copy = dup(fd);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    bool empty = true;
    const struct dirent *entry;
    while (empty && (entry = readdir(d)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(d);
    return empty;
}

int privileges_spool(const struct privileges *p, const char *directory, struct err *e)
{
    struct stat st;
    if (!p->user)
        return 0;
    bool made = mkdir(directory, 0700) == 0;
    if (!made && errno != EEXIST)
        return err_sys(e, -errno, "spool %s", directory);
    /* What a link leads to is somebody else's choice. */
    int fd = open(directory, O_RDONLY | O_DIRECTORY | (made ? O_NOFOLLOW : 0) | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, -errno, "spool %s", directory);
    int rc = fstat(fd, &st) < 0 ? -errno : 0;
    if (rc == 0 && (made || (st.st_uid == 0 && is_empty(fd))) && fchown(fd, p->uid, p->gid) < 0)
        rc = -errno;
    close(fd);
    return rc < 0 ? err_sys(e, rc, "spool %s for user %s", directory, p->user) : 0;
}

/* ---- for good ---- */

static int capabilities_get(struct __user_cap_data_struct ret[2])
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &head, ret) < 0 ? -errno : 0;
}

static bool has_capabilities(void)
{
    struct __user_cap_data_struct data[2] = {{0}};
    if (capabilities_get(data) < 0)
        return true;
    for (int i = 0; i < 2; i++)
        if (data[i].effective | data[i].permitted | data[i].inheritable)
            return true;
    return false;
}

static int capabilities_drop(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0}};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0,
          0); /* gone with the permitted ones, too */
    return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

/* Programs started by us could have those of their files up to this set. */
static void bounding_drop(void)
{
    for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

static int user_become(const struct privileges *p, struct err *e)
{
    int death_signal = 0;
    pid_t parent = getppid();
    prctl(PR_GET_PDEATHSIG, &death_signal);
    bounding_drop(); /* while it may */
    if (initgroups(p->user, p->gid) < 0)
        return err_sys(e, -errno, "receiver.user %s: its groups", p->user);
    if (setresgid(p->gid, p->gid, p->gid) < 0 || setresuid(p->uid, p->uid, p->uid) < 0)
        return err_sys(e, -errno, "receiver.user %s", p->user);
    /* The kernel has forgotten it over the change. */
    prctl(PR_SET_PDEATHSIG, death_signal);
    if (death_signal && getppid() != parent)
        raise(death_signal);
    return 0;
}

static bool is_user(const struct privileges *p)
{
    uid_t u[3];
    gid_t g[3];
    return getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0 &&
           u[0] == p->uid && u[1] == p->uid && u[2] == p->uid && g[0] == p->gid && g[1] == p->gid &&
           g[2] == p->gid;
}

int privileges_drop(const struct privileges *p, struct err *e)
{
    bool root = geteuid() == 0;
    int rc = p->user ? user_become(p, e) : 0;
    if (rc < 0 || (root && !p->user))
        return rc; /* root who was told to stay root */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, -errno, "no new privileges");
    rc = has_capabilities() ? capabilities_drop() : 0;
    if (rc < 0 && !p->user) {
        /* Not root's: a system call filter may forbid it. */
        log_warn("capabilities_kept", KV("why", strerrordesc_np(-rc)));
        return 0;
    }
    if (rc < 0)
        return err_sys(e, rc, "capabilities");
    if (has_capabilities() || setuid(0) == 0 || seteuid(0) == 0 ||
        (p->user && (setgid(0) == 0 || !is_user(p))))
        return err_set(e, -EPERM, "the privileges of root could not be given up");
    return 0;
}

/* ---- what is left must do ---- */

int privileges_check_files(const struct privileges *p, const struct config *c, struct err *e)
{
    if (!p->user)
        return 0;
    if (access(c->file, R_OK) < 0)
        return err_set(
            e, -EACCES,
            "%s: user %s can't read it, so a reload could not: %s; give it to the user's "
            "group (chgrp, chmod g+r)",
            c->file, p->user, strerrordesc_np(errno));
    for (size_t i = 0; i < c->tokens.keys_n; i++) {
        const struct config_key_file *k = &c->tokens.keys[i];
        if (access(k->file, R_OK) < 0 && errno == EACCES)
            return err_set(
                e, -EACCES,
                "%s:%u:%u: tokens.keys[].file: %s: user %s can't read it: %s; give it to "
                "the user's group (chgrp, chmod 0640)",
                c->file, k->line, k->column, k->file, p->user, strerrordesc_np(EACCES));
    }
    return 0;
}

int privileges_check(const struct privileges *p, const struct config *c, struct err *e)
{
    int rc = privileges_check_files(p, c, e);
    if (rc < 0 || !p->user)
        return rc;
    if (access(c->spool.directory, R_OK | W_OK | X_OK) < 0)
        return err_set(e, -EACCES, "spool %s: user %s can't write it: %s; chown -R %s %s",
                       c->spool.directory, p->user, strerrordesc_np(errno), p->user,
                       c->spool.directory);
    return 0;
}
