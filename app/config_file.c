#include "app/config_file.h"

#include "app/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, NEST_MAX = 200 };

/* libyaml's time grows with the square of the depth of brackets: what no configuration has is not
 * shown to it. Counts brackets in comments and quotes too, of which nobody leaves so many open. */
static int check_nesting(struct str text, struct err *e)
{
    int depth = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        depth += (c == '[' || c == '{') - ((c == ']' || c == '}') && depth > 0);
        if (depth > NEST_MAX)
            return err_set(e, -EINVAL, "not a configuration: more than %d brackets are open",
                           NEST_MAX);
    }
    return 0;
}

int config_file_read(const char *path, char **ret_text, size_t *ret_n, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_sys(e, -errno, "can't be read");
    struct stat st;
    char *text = NULL;
    int rc = 0;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        rc = err_set(e, -EISDIR, "a directory; expected a file");
    else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        rc = err_set(e, -EINVAL, "not a file");
    else if (st.st_size > FILE_MAX)
        rc = err_set(e, -EFBIG, "larger than %d octets; expected a configuration", FILE_MAX);
    else if (!(text = malloc((size_t)st.st_size + 1)))
        rc = err_set(e, -ENOMEM, "out of memory");
    size_t n = 0;
    while (rc == 0 && n < (size_t)st.st_size) {
        ssize_t got = read(fd, text + n, (size_t)st.st_size - n);
        if (got < 0 && errno != EINTR)
            rc = err_sys(e, -errno, "can't be read");
        else if (got == 0)
            break;
        else if (got > 0)
            n += (size_t)got;
    }
    close(fd);
    if (rc == 0)
        rc = check_nesting(str_of(text, n), e);
    if (rc < 0) {
        free(text);
        return rc;
    }
    *ret_text = text;
    *ret_n = n;
    return 0;
}

const char *config_find(const char *option, const char **ret_from)
{
    const char *env = getenv("BOUNCEMX_CONFIG");
    *ret_from = option ? "--config" : env && *env ? "BOUNCEMX_CONFIG" : "the usual place";
    return option ? option : env && *env ? env : "/etc/bouncemx/bouncemx.yaml";
}
