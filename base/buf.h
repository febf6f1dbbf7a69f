/* buf.h - a byte buffer that grows up to the maximum it was born with. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

struct buf {
    char *p;
    size_t n;    /* bytes in use */
    size_t room; /* bytes allocated */
    size_t max;  /* room never exceeds it */
};

void buf_init(struct buf *b, size_t max_bytes);
/* Frees the memory; the maximum stays, the buffer can be used again. */
void buf_free(struct buf *b);
static inline void buf_clear(struct buf *b)
{
    b->n = 0;
}
static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

/* Each returns 0, -ENOBUFS when the maximum would be exceeded (nothing is added), or -ENOMEM. */
int buf_reserve(struct buf *b, size_t more); /* room for n + more */
int buf_add(struct buf *b, struct str s);
int buf_add_byte(struct buf *b, char c);
int buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first n bytes (n <= b->n). */
void buf_consume(struct buf *b, size_t n);

#endif
