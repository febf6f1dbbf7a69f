#include "parser/mime.h"

#include "parser/scan.h"
#include "parser/text.h"

#include <errno.h>
#include <gmime/gmime.h>

void mime_init(void)
{
    g_mime_init();
}

/* A header is decoded only up to here: an encoded word costs time and memory of its own. */
enum { HEADER_DECODE_MAX = 16 * 1024 };

struct str mime_header(struct arena *a, const struct fields *header, struct str name, size_t max)
{
    struct str raw = fields_get(header, name);
    if (str_is_absent(raw))
        return raw;
    if (str_find(raw, STR("=?"), 0) == raw.n)
        return text_line(a, raw, (struct str){NULL, 0}, max);
    raw = arena_str(a, str_sub(raw, 0, HEADER_DECODE_MAX));
    if (str_is_absent(raw))
        return raw;
    char *decoded = g_mime_utils_header_decode_text(NULL, raw.p);
    struct str line = text_line(a, str_c(decoded), (struct str){NULL, 0}, max);
    g_free(decoded);
    return line;
}

static struct str lower(struct arena *a, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    char *copy = text ? arena_alloc(a, n + 1) : NULL;
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = ascii_lower(text[i]);
    return str_of(copy, copy ? n : 0);
}

/* The bytes of a leaf as they stand in the message. GMime's content stream is a window on the very
 * memory that it was given, so its bounds are enough and nothing is copied. */
static struct str leaf_raw(const struct mime *m, GMimePart *leaf)
{
    GMimeDataWrapper *content = g_mime_part_get_content(leaf);
    GMimeStream *stream = content ? g_mime_data_wrapper_get_stream(content) : NULL;
    if (!stream || !GMIME_IS_STREAM_MEM(stream) || stream->bound_start < 0)
        return (struct str){NULL, 0};
    size_t end = stream->bound_end < 0 ? m->bytes.n : (size_t)stream->bound_end;
    return str_sub(m->bytes, (size_t)stream->bound_start, end);
}

/* Undoes a transfer encoding. Concatenated base64 (padding in the middle) is gone through run by
 * run, as the decoder stops at the first. */
static struct str decode(struct arena *a, struct str raw, GMimeContentEncoding encoding)
{
    switch (encoding) {
    case GMIME_CONTENT_ENCODING_BASE64:
    case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
        break;
    default:
        return raw;
    }
    /* What an encoding decodes to is never longer than it, but for the few bytes kept back. */
    char *out = arena_alloc(a, raw.n + 16);
    if (!out)
        return (struct str){NULL, 0};
    size_t n = 0;
    for (size_t from = 0; from < raw.n;) {
        size_t to = raw.n;
        if (encoding == GMIME_CONTENT_ENCODING_BASE64) {
            to = str_chr(raw, '=', from);
            while (to < raw.n && raw.p[to] == '=')
                to++;
        }
        GMimeEncoding state;
        g_mime_encoding_init_decode(&state, encoding);
        n += g_mime_encoding_step(&state, raw.p + from, to - from, out + n);
        from = to;
    }
    return str_of(out, n);
}

static bool wants_body(struct str type)
{
    return str_starts(type, STR("text/")) || str_starts(type, STR("message/")) ||
           str_eq(type, STR("application/octet-stream"));
}

/* Where a message inside a message begins: its first header's place. Up to its body. */
static struct str nested_header(const struct mime *m, GMimeMessage *message)
{
    GMimeHeaderList *list = g_mime_object_get_header_list(GMIME_OBJECT(message));
    if (!list || g_mime_header_list_get_count(list) == 0)
        return (struct str){NULL, 0};
    gint64 offset = g_mime_header_get_offset(g_mime_header_list_get_header_at(list, 0));
    if (offset < 0 || (size_t)offset >= m->bytes.n)
        return (struct str){NULL, 0};
    struct str header = str_from(m->bytes, (size_t)offset);
    size_t end = str_find(header, STR("\n\n"), 0);
    return str_sub(header, 0, end < header.n ? end + 1 : end);
}

struct walk {
    struct mime *m;
    const struct report_limits *limits;
    struct {
        GMimeObject *object;
        size_t parent, in_message;
        size_t next; /* child to visit */
    } * stack;
    size_t depth, room;
    size_t parts_room;
};

static void type_of(struct mime *m, GMimeObject *object, struct mime_part *part)
{
    GMimeContentType *ct = g_mime_object_get_content_type(object);
    char type[128];
    snprintf(type, sizeof(type), "%s/%s", g_mime_content_type_get_media_type(ct),
             g_mime_content_type_get_media_subtype(ct));
    part->type = lower(&m->scratch, type);
    part->charset = arena_str(&m->scratch, str_c(g_mime_content_type_get_parameter(ct, "charset")));
    part->report_type = lower(&m->scratch, g_mime_content_type_get_parameter(ct, "report-type"));
}

/* Room for one more part; false when there must be none or memory ended. */
static bool parts_grow(struct walk *w)
{
    struct mime *m = w->m;
    if (m->parts_n < w->parts_room)
        return true;
    if (m->parts_n == w->limits->parts)
        return false;
    size_t room = w->parts_room ? w->parts_room * 2 : 8;
    if (room > w->limits->parts)
        room = w->limits->parts;
    struct mime_part *parts = ARENA_ARRAY(&m->scratch, room, struct mime_part);
    if (!parts)
        return false;
    if (m->parts_n > 0)
        memcpy(parts, m->parts, m->parts_n * sizeof(*parts));
    m->parts = parts;
    w->parts_room = room;
    return true;
}

/* Adds object to the list and puts it on the stack; false when it is one too many. */
static bool part_add(struct walk *w, GMimeObject *object, size_t parent, size_t in_message)
{
    struct mime *m = w->m;
    if (w->depth == w->room || !parts_grow(w))
        return false;
    struct mime_part *part = &m->parts[m->parts_n];
    *part = (struct mime_part){.parent = parent, .in_message = in_message};
    type_of(m, object, part);
    if (GMIME_IS_PART(object) && wants_body(part->type)) {
        struct str raw = leaf_raw(m, GMIME_PART(object));
        part->body = decode(&m->scratch, str_sub(raw, 0, MIME_BODY_MAX),
                            g_mime_part_get_content_encoding(GMIME_PART(object)));
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        if (inner)
            part->body = nested_header(m, inner);
        in_message = m->parts_n;
    }
    w->stack[w->depth].object = object;
    w->stack[w->depth].parent = m->parts_n;
    w->stack[w->depth].in_message = in_message;
    w->stack[w->depth++].next = 0;
    m->parts_n++;
    return true;
}

/* The next child of the object on top of the stack, or NULL. */
static GMimeObject *next_child(struct walk *w)
{
    GMimeObject *object = w->stack[w->depth - 1].object;
    size_t i = w->stack[w->depth - 1].next++;
    if (GMIME_IS_MULTIPART(object)) {
        GMimeMultipart *multipart = GMIME_MULTIPART(object);
        return (int)i < g_mime_multipart_get_count(multipart)
                   ? g_mime_multipart_get_part(multipart, (int)i)
                   : NULL;
    }
    if (GMIME_IS_MESSAGE_PART(object) && i == 0) {
        GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        return inner ? g_mime_message_get_mime_part(inner) : NULL;
    }
    return NULL;
}

/* What stands behind the header of a multipart that has no part: its boundary is missing or
 * another. */
static struct mime_part body_as_text(struct mime *m)
{
    struct str body = str_sub(str_from(m->bytes, m->header.end), 0, MIME_BODY_MAX);
    return (struct mime_part){.type = STR("text/plain"),
                              .charset = m->parts[0].charset,
                              .body = body,
                              .parent = 0,
                              .in_message = MIME_TOP};
}

static int parts_walk(struct mime *m, GMimeMessage *message, const struct report_limits *limits)
{
    struct walk w = {.m = m, .limits = limits, .room = limits->depth + 2};
    w.stack = arena_array(&m->scratch, w.room, sizeof(*w.stack));
    GMimeObject *root = g_mime_message_get_mime_part(message);
    if (!w.stack)
        return -ENOMEM;
    bool fits = !root || part_add(&w, root, MIME_TOP, MIME_TOP);
    while (fits && w.depth > 0) {
        GMimeObject *child = next_child(&w);
        if (!child)
            w.depth--;
        else
            fits =
                part_add(&w, child, w.stack[w.depth - 1].parent, w.stack[w.depth - 1].in_message);
    }
    if (fits && m->parts_n == 1 && str_starts(m->parts[0].type, STR("multipart/")) &&
        parts_grow(&w))
        m->parts[m->parts_n++] = body_as_text(m);
    if (!fits || !root) {
        m->over = true;
        m->parts_n = 0;
    }
    return arena_failed(&m->scratch) ? -ENOMEM : 0;
}

int mime_open(struct mime *m, struct str message, const struct report_limits *limits)
{
    char *bytes = arena_alloc(&m->scratch, message.n + 1);
    if (!bytes)
        return -ENOMEM;
    m->bytes = str_of(bytes, scan_normalise(message, bytes));
    struct str header = str_sub(m->bytes, 0, limits->header_bytes);
    m->over = !scan_within(m->bytes, limits);
    if (fields_read_header(&m->scratch, m->over ? header : m->bytes, limits->headers, &m->header) <
        0)
        return -ENOMEM;
    if (m->over)
        return 0;

    char *blind = arena_alloc(&m->scratch, m->bytes.n + 1);
    if (!blind)
        return -ENOMEM;
    memcpy(blind, bytes, m->bytes.n);
    scan_blind(blind, m->bytes.n);
    GByteArray *array = g_byte_array_new_take((guint8 *)blind, m->bytes.n);
    GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(array);
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    g_mime_parser_set_persist_stream(parser, TRUE);
    GMimeMessage *parsed = g_mime_parser_construct_message(parser, NULL);
    int rc = 0;
    if (parsed)
        rc = parts_walk(m, parsed, limits);
    else
        m->over = true;
    if (parsed)
        g_object_unref(parsed);
    g_object_unref(parser);
    g_object_unref(stream);
    g_byte_array_steal(array, NULL); /* the bytes are the arena's */
    g_byte_array_unref(array);
    return rc;
}

void mime_close(struct mime *m)
{
    arena_free(&m->scratch);
}
