#include "app/table.h"

#include "base/require.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { CELL_MAX = 1024, ARENA_MAX = 256 << 20 };

struct cell {
    struct str text;
    unsigned width;
};

struct row {
    struct row *next;
    struct cell cells[];
};

struct table {
    struct arena arena;
    size_t columns;
    struct str names[TABLE_COLUMNS_MAX];
    bool right[TABLE_COLUMNS_MAX];
    unsigned widths[TABLE_COLUMNS_MAX];
    struct row *first, **last;
    size_t rows;
    bool headed;
};

/* One character at *at: its octets and its width on a terminal; width < 0: not to be shown. */
static size_t character(struct str s, size_t at, int *ret_width)
{
    wchar_t wc;
    mbstate_t state = {0};
    size_t n = mbrtowc(&wc, s.p + at, s.n - at, &state);
    if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
        *ret_width = -1;
        return 1;
    }
    /* Characters that turn the direction of a line would let a sender forge a table. */
    bool turns = (wc >= 0x200e && wc <= 0x200f) || (wc >= 0x2028 && wc <= 0x202e) ||
                 (wc >= 0x2066 && wc <= 0x2069);
    *ret_width = turns ? -1 : wcwidth(wc);
    return n;
}

static unsigned text_width(struct str s)
{
    unsigned width = 0;
    int w;
    for (size_t i = 0; i < s.n;) {
        i += character(s, i, &w);
        width += w > 0 ? (unsigned)w : 0;
    }
    return width;
}

struct str table_clean(struct arena *a, struct str s)
{
    static const char hex[] = "0123456789abcdef";
    if (s.n == 0)
        return str_is_absent(s) ? STR("-") : s;
    char *p = arena_alloc(a, s.n * 4);
    if (!p)
        return (struct str){NULL, 0};
    size_t n = 0;
    int width;
    for (size_t i = 0; i < s.n;) {
        size_t k = character(s, i, &width);
        for (size_t j = i; j < i + k; j++) {
            if (width >= 0) {
                p[n++] = s.p[j];
                continue;
            }
            unsigned char c = (unsigned char)s.p[j];
            p[n++] = '\\';
            p[n++] = 'x';
            p[n++] = hex[c >> 4];
            p[n++] = hex[c & 15];
        }
        i += k;
    }
    return str_of(p, n);
}

struct table *table_new(const char *const *columns, size_t n)
{
    REQUIRE(n > 0 && n <= TABLE_COLUMNS_MAX);
    struct table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->arena = arena_make(ARENA_MAX);
    t->columns = n;
    t->last = &t->first;
    for (size_t i = 0; i < n; i++) {
        t->right[i] = columns[i][0] == '>';
        t->names[i] = str_c(columns[i] + t->right[i]);
        t->widths[i] = text_width(t->names[i]);
    }
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    arena_free(&t->arena);
    free(t);
}

int table_row(struct table *t, const struct str *cells)
{
    struct row *r = arena_alloc(&t->arena, sizeof(*r) + t->columns * sizeof(struct cell));
    if (!r)
        return -ENOMEM;
    for (size_t i = 0; i < t->columns; i++) {
        struct str text = table_clean(&t->arena, str_sub(cells[i], 0, CELL_MAX));
        if (str_is_absent(text))
            return -ENOMEM;
        r->cells[i].text = text;
        r->cells[i].width = text_width(text);
        if (r->cells[i].width > t->widths[i])
            t->widths[i] = r->cells[i].width;
    }
    *t->last = r;
    t->last = &r->next;
    t->rows++;
    return 0;
}

size_t table_rows(const struct table *t)
{
    return t->rows;
}

unsigned table_terminal(FILE *out)
{
    struct winsize w;
    int fd = fileno(out);
    if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &w) < 0)
        return 0;
    return w.ws_col;
}

/* At most room columns of s; the last of them tells that something was cut. */
static void put(struct str s, unsigned width, unsigned room, FILE *out)
{
    if (width <= room) {
        fwrite(s.p, 1, s.n, out);
        return;
    }
    unsigned used = 0;
    int w;
    for (size_t i = 0; i < s.n;) {
        size_t n = character(s, i, &w);
        if (used + (w > 0 ? (unsigned)w : 0) + 1 > room)
            break;
        used += w > 0 ? (unsigned)w : 0;
        fwrite(s.p + i, 1, n, out);
        i += n;
    }
    fputs("\xe2\x80\xa6", out);
}

static void line(const struct table *t, const struct cell *cells, unsigned terminal, FILE *out)
{
    unsigned used = 0;
    for (size_t i = 0; i < t->columns; i++) {
        bool last = i + 1 == t->columns;
        unsigned pad = t->widths[i] - cells[i].width;
        unsigned room = terminal ? terminal - used : UINT32_MAX;
        if (terminal && used >= terminal)
            break;
        if (t->right[i] && pad < room)
            fprintf(out, "%*s", (int)pad, "");
        put(cells[i].text, cells[i].width + (t->right[i] ? pad : 0), room, out);
        used += t->widths[i] + 2;
        if (!last && (!terminal || used < terminal))
            fprintf(out, "%*s", (int)(t->right[i] ? 2 : pad + 2), "");
    }
    fputc('\n', out);
}

void table_flush(struct table *t, FILE *out)
{
    unsigned terminal = table_terminal(out);
    if (!t->headed && t->rows) {
        struct cell head[TABLE_COLUMNS_MAX];
        for (size_t i = 0; i < t->columns; i++)
            head[i] = (struct cell){t->names[i], text_width(t->names[i])};
        line(t, head, terminal, out);
        t->headed = true;
    }
    for (const struct row *r = t->first; r; r = r->next)
        line(t, r->cells, terminal, out);
    t->first = NULL;
    t->last = &t->first;
    t->rows = 0;
    arena_free(&t->arena);
}
