#include "base/buf.h"

#include "base/require.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_free(struct buf *b)
{
    free(b->p);
    buf_init(b, b->max);
}

int buf_reserve(struct buf *b, size_t more)
{
    if (more > b->max || b->n > b->max - more)
        return -ENOBUFS;
    size_t need = b->n + more;
    if (need <= b->room)
        return 0;
    size_t room = b->room ? b->room : b->max < 256 ? b->max : 256;
    while (room < need)
        room = room > b->max / 2 ? b->max : room * 2;
    char *p = realloc(b->p, room);
    if (!p)
        return -ENOMEM;
    b->p = p;
    b->room = room;
    return 0;
}

int buf_add(struct buf *b, struct str s)
{
    int rc = buf_reserve(b, s.n);
    if (rc < 0)
        return rc;
    if (s.n > 0)
        memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
    return 0;
}

int buf_add_byte(struct buf *b, char c)
{
    return buf_add(b, str_of(&c, 1));
}

int buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return -EINVAL;
    int rc = buf_reserve(b, (size_t)n + 1); /* vsnprintf writes its NUL too */
    if (rc < 0)
        return rc;
    va_start(ap, fmt);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
    return 0;
}

void buf_consume(struct buf *b, size_t n)
{
    REQUIRE(n <= b->n);
    b->n -= n;
    if (b->n > 0)
        memmove(b->p, b->p + n, b->n);
}
