#include "parser/fields.h"

#include <errno.h>

/* Splits "Name : value"; false when line is none. Names as in RFC 5322 section 3.6.8, but they
 * begin with a letter: no field that anybody writes does otherwise, and the lines of SMTP replies
 * do. */
static bool field_split(struct str line, struct field *ret)
{
    size_t end = 0;
    while (end < line.n && line.p[end] > ' ' && line.p[end] < 0x7f && line.p[end] != ':')
        end++;
    size_t colon = end;
    while (colon < line.n && (line.p[colon] == ' ' || line.p[colon] == '\t'))
        colon++;
    if (end == 0 || colon >= line.n || line.p[colon] != ':' || !ascii_is_alpha(line.p[0]))
        return false;
    ret->name = str_sub(line, 0, end);
    ret->value = str_from(line, colon + 1);
    return true;
}

static bool is_blank(struct str line)
{
    return str_trim(line).n == 0;
}

struct reader {
    struct arena *a;
    struct fields f;
    size_t room, max;
    bool blank;
};

static int field_add(struct reader *r, struct field field)
{
    if (r->f.n == r->max) {
        r->f.cut = true;
        return 0;
    }
    if (r->f.n == r->room) {
        size_t room = r->room ? r->room * 2 : 32;
        struct field *v = ARENA_ARRAY(r->a, room, struct field);
        if (!v)
            return -ENOMEM;
        if (r->f.n > 0)
            memcpy(v, r->f.v, r->f.n * sizeof(*v));
        r->f.v = v;
        r->room = room;
    }
    field.after_blank = r->blank;
    r->blank = false;
    r->f.v[r->f.n++] = field;
    return 0;
}

/* Makes the last field's value reach to the end of line. */
static void field_continue(struct reader *r, struct str line)
{
    if (r->f.n == 0 || r->f.cut)
        return;
    struct field *last = &r->f.v[r->f.n - 1];
    last->value.n = (size_t)(line.p + line.n - last->value.p);
}

static int fields_read(struct arena *a, struct str text, size_t max, bool groups,
                       struct fields *ret)
{
    struct reader r = {.a = a, .max = max};
    struct str rest = text, line;
    unsigned strange = 0;
    while (!r.f.cut && str_line(&rest, &line)) {
        struct field field;
        if (is_blank(line)) {
            if (!groups && r.f.n > 0)
                break;
            r.blank = true;
        } else if (line.p[0] == ' ' || line.p[0] == '\t') {
            if (!r.blank || r.f.n == 0)
                field_continue(&r, line);
            /* An indented field stands in some writers' groups behind a blank line. */
            else if (groups && field_split(str_trim(line), &field) && field_add(&r, field) < 0)
                return -ENOMEM;
            strange = 0;
        } else if (field_split(line, &field)) {
            if (field_add(&r, field) < 0)
                return -ENOMEM;
            strange = 0;
        } else if (groups) {
            if (!r.blank)
                field_continue(&r, line);
        } else if (++strange == 3) {
            break;
        }
    }
    r.f.end = (size_t)(rest.p - text.p);
    if (rest.p == NULL)
        r.f.end = text.n;
    *ret = r.f;
    return 0;
}

int fields_read_header(struct arena *a, struct str text, size_t max, struct fields *ret)
{
    return fields_read(a, text, max, false, ret);
}

int fields_read_groups(struct arena *a, struct str text, size_t max, struct fields *ret)
{
    return fields_read(a, text, max, true, ret);
}

size_t fields_find(const struct fields *f, struct str name, size_t from)
{
    for (size_t i = from; i < f->n; i++)
        if (str_ieq(f->v[i].name, name))
            return i;
    return f->n;
}

struct str fields_get(const struct fields *f, struct str name)
{
    size_t i = fields_find(f, name, 0);
    return i < f->n ? str_trim(f->v[i].value) : (struct str){NULL, 0};
}
