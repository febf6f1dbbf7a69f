#include "receiver/sockets.h"

#include "base/require.h"
#include "receiver/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

struct receiver_sockets {
    unsigned threads;
    size_t listen_n;
    int fds[]; /* [thread * listen_n + i]; -1: taken, or none yet */
};

static int bind_error(const struct receiver_listen *where, int rc, struct err *e)
{
    if (rc != -EACCES)
        return err_sys(e, rc, "listen on %s port %u", where->address, where->port);
    return err_set(e, rc,
                   "listen on %s port %u: %s; below 1024 it takes root, CAP_NET_BIND_SERVICE or a "
                   "socket handed over by systemd",
                   where->address, where->port, strerrordesc_np(-rc));
}

static int socket_bind(const struct receiver_listen *where, bool share, int *ret_fd, struct err *e)
{
    struct sockaddr_storage address;
    int on = 1, rc;
    if (!network_address(where->address, where->port, &address))
        return err_set(e, -EINVAL, "listen address \"%s\": expected an IPv4 or IPv6 address",
                       where->address);
    bool four = address.ss_family == AF_INET;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return bind_error(where, -errno, e);
    /* SO_REUSEPORT has to stand before bind(); accepted sockets inherit TCP_NODELAY. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0) ||
        (!four && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address,
             four ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) < 0) {
        rc = bind_error(where, -errno, e);
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

/* SO_REUSEPORT would let us share the port with another program of the same user without a word. */
static int socket_probe(const struct receiver_listen *where, struct err *e)
{
    int fd = -1, rc = socket_bind(where, false, &fd, e);
    if (rc == 0)
        close(fd);
    return rc;
}

/* ---- sockets that somebody has bound for us ---- */

static int inherited_look(int fd, struct sockaddr_storage *ret, struct err *e)
{
    socklen_t n = sizeof(*ret);
    int type = 0, listens = 0;
    socklen_t type_n = sizeof(type), listens_n = sizeof(listens);
    *ret = (struct sockaddr_storage){0};
    if (getsockname(fd, (struct sockaddr *)ret, &n) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_n) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_n) < 0)
        return err_sys(e, -errno, "inherited descriptor %d: expected a socket", fd);
    if (type != SOCK_STREAM || (ret->ss_family != AF_INET && ret->ss_family != AF_INET6))
        return err_set(e, -EINVAL, "inherited socket %d: expected a TCP socket", fd);
    if (!listens)
        return err_set(e, -EINVAL, "inherited socket %d: expected one that listens", fd);
    return 0;
}

static bool is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a6->sin6_port == b6->sin6_port &&
           memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

static int inherited_unknown(int fd, const struct sockaddr_storage *a, struct err *e)
{
    char text[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    bool four = a->ss_family == AF_INET;
    inet_ntop(a->ss_family, four ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, text,
              sizeof(text));
    return err_set(e, -EINVAL,
                   "inherited socket %d listens on %s port %u, which no entry of listen names", fd,
                   text, ntohs(four ? v4->sin_port : v6->sin6_port));
}

/* Writes to ret[i] which of them is for listen[i]; -1: none. */
static int inherited_match(const struct receiver_listen *listen, size_t listen_n, const int *fds,
                           size_t fds_n, int *ret, struct err *e)
{
    for (size_t i = 0; i < listen_n; i++)
        ret[i] = -1;
    for (size_t k = 0; k < fds_n; k++) {
        struct sockaddr_storage there, wanted;
        bool found = false;
        int rc = inherited_look(fds[k], &there, e);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < listen_n && !found; i++) {
            found = network_address(listen[i].address, listen[i].port, &wanted) &&
                    is_same(&there, &wanted);
            if (found)
                ret[i] = fds[k];
        }
        if (!found)
            return inherited_unknown(fds[k], &there, e);
    }
    return 0;
}

/* All threads wait on the one socket, each with a descriptor of its own. */
static int inherited_share(int fd, const struct receiver_listen *where, int *ret_fd, struct err *e)
{
    int on = 1, copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0 || setsockopt(copy, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) {
        int rc = err_sys(e, -errno, "inherited socket for %s port %u", where->address, where->port);
        if (copy >= 0)
            close(copy);
        return rc;
    }
    *ret_fd = copy;
    return 0;
}

/* ---- all of them ---- */

int receiver_sockets_open(const struct receiver_listen *listen, size_t listen_n, unsigned threads,
                          const int *inherited, size_t inherited_n, struct receiver_sockets **ret,
                          struct err *e)
{
    struct receiver_sockets *s =
        calloc(1, sizeof(*s) + (size_t)threads * listen_n * sizeof(s->fds[0]));
    int *given = calloc(listen_n + 1, sizeof(*given));
    int rc = s && given ? inherited_match(listen, listen_n, inherited, inherited_n, given, e)
                        : err_sys(e, -ENOMEM, "listening sockets");
    if (rc < 0)
        goto out;
    s->threads = threads;
    s->listen_n = listen_n;
    for (size_t i = 0; i < threads * listen_n; i++)
        s->fds[i] = -1;
    for (size_t i = 0; rc == 0 && i < listen_n; i++)
        rc = given[i] < 0 ? socket_probe(&listen[i], e) : 0;
    for (size_t i = 0; rc == 0 && i < threads * listen_n; i++) {
        const struct receiver_listen *where = &listen[i % listen_n];
        rc = given[i % listen_n] < 0 ? socket_bind(where, true, &s->fds[i], e)
                                     : inherited_share(given[i % listen_n], where, &s->fds[i], e);
    }
out:
    free(given);
    if (rc < 0)
        receiver_sockets_free(s);
    else
        *ret = s;
    return rc;
}

int sockets_take(struct receiver_sockets *s, unsigned thread, size_t i)
{
    int *fd = &s->fds[thread * s->listen_n + i];
    int ret = *fd;
    REQUIRE(ret >= 0);
    *fd = -1;
    return ret;
}

void receiver_sockets_free(struct receiver_sockets *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->threads * s->listen_n; i++)
        if (s->fds[i] >= 0)
            close(s->fds[i]);
    free(s);
}
