#include "ingest/reader.h"

#include "base/require.h"

#include <errno.h>
#include <stdlib.h>

struct ingest_reader {
    const struct ingest_ops *ops;
    void *state;
};

static const struct {
    const char *name;
} formats[] = {
#define X(id, name, meaning) {name},
    INGEST_FORMATS(X)
#undef X
};

static const struct ingest_ops *const ops[INGEST_FORMAT_COUNT] = {
    [INGEST_POSTFIX] = &ingest_postfix,
    [INGEST_KUMOMTA] = &ingest_kumomta,
    [INGEST_POWERMTA] = &ingest_powermta,
};

const char *ingest_format_name(enum ingest_format f)
{
    REQUIRE(f < INGEST_FORMAT_COUNT);
    return formats[f].name;
}

bool ingest_format_parse(struct str name, enum ingest_format *ret)
{
    for (size_t i = 0; i < INGEST_FORMAT_COUNT; i++)
        if (str_eq(name, str_c(formats[i].name))) {
            *ret = (enum ingest_format)i;
            return true;
        }
    return false;
}

int ingest_reader_new(enum ingest_format format, const struct ingest_clock *clock,
                      struct ingest_reader **ret)
{
    REQUIRE(format < INGEST_FORMAT_COUNT);
    struct ingest_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->ops = ops[format];
    r->state = r->ops->make(clock);
    if (!r->state) {
        free(r);
        return -ENOMEM;
    }
    *ret = r;
    return 0;
}

void ingest_reader_free(struct ingest_reader *r)
{
    if (r)
        r->ops->free(r->state);
    free(r);
}

int ingest_read(struct ingest_reader *r, struct arena *a, struct str line,
                struct ingest_records *ret, struct err *e)
{
    *ret = (struct ingest_records){0};
    line = str_trim(line);
    if (!line.n)
        return 0;
    if (line.n > INGEST_LINE_MAX)
        return err_set(e, -EINVAL, "a line of %zu bytes: expected at most %d", line.n,
                       INGEST_LINE_MAX);
    int rc = r->ops->read(r->state, a, line, ret, e);
    if (rc == 0 && arena_failed(a))
        rc = err_set(e, -ENOMEM, "it needs more memory to be read than one line may have");
    if (rc < 0)
        *ret = (struct ingest_records){0};
    return rc;
}

struct str ingest_text(struct arena *a, struct str s)
{
    if (!s.n)
        return s;
    bool utf8 = str_is_utf8(s);
    char *p = arena_alloc(a, s.n);
    if (!p)
        return (struct str){NULL, 0};
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        p[i] = c < ' ' || c == 0x7f ? ' ' : c >= 0x80 && !utf8 ? '?' : s.p[i];
    }
    return str_of(p, s.n);
}

void ingest_codes(struct str reply, uint16_t *code, struct str *status)
{
    uint32_t n;
    reply = str_trim(reply);
    if (reply.n < 3 || reply.p[0] < '2' || reply.p[0] > '5' ||
        !str_to_u32(str_sub(reply, 0, 3), &n) ||
        (reply.n > 3 && reply.p[3] != ' ' && reply.p[3] != '-'))
        return;
    *code = (uint16_t)n;
    struct str rest = str_from(reply, 4), word = str_cut(&rest, ' '), left = word;
    if (word.n && word.p[0] == '#')
        left = word = str_from(word, 1);
    uint32_t part[3];
    for (size_t i = 0; i < 3; i++) {
        struct str digits = str_cut(&left, '.');
        if (digits.n > 3 || !str_to_u32(digits, &part[i]))
            return;
    }
    if (!left.n && (part[0] == 2 || part[0] == 4 || part[0] == 5))
        *status = word;
}
