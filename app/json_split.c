#include "app/json_split.h"

#include <errno.h>

void json_split_init(struct json_split *s)
{
    *s = (struct json_split){0};
    buf_init(&s->object, JSON_OBJECT_MAX);
}

void json_split_free(struct json_split *s)
{
    buf_free(&s->object);
}

/* Is the last string the name of a list of records? SES, Mailgun, Postmark, SparkPost. */
static bool names_list(const struct json_split *s)
{
    static const char *const names[] = {"SuppressedDestinationSummaries", "items", "Suppressions",
                                        "results"};
    struct str word = str_sub(buf_str(&s->object), s->word_at, s->word_end);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eq(word, str_c(names[i])))
            return true;
    return false;
}

static int keep(struct json_split *s, char c)
{
    int rc = buf_add_byte(&s->object, c);
    return rc == -ENOBUFS ? -EINVAL : rc;
}

static int in_string(struct json_split *s, char c)
{
    if (s->escaped) {
        s->escaped = false;
    } else if (c == '\\') {
        s->escaped = true;
    } else if (c == '"') {
        s->in_string = false;
        s->word_end = s->object.n;
    }
    return s->depth > s->list_depth ? keep(s, c) : 0;
}

/* A list at the top, or the named one of an object at the top: its objects are what we are after.
 */
static bool begins_list(struct json_split *s)
{
    if (s->list_depth)
        return false;
    return s->depth == 0 || (s->depth == 1 && names_list(s));
}

static int open_bracket(struct json_split *s, char c)
{
    if (s->depth == JSON_DEPTH_MAX)
        return -EINVAL;
    if (c == '[' && begins_list(s)) {
        s->list_depth = ++s->depth;
        buf_clear(&s->object);
        return 0;
    }
    if (s->depth == s->list_depth)
        buf_clear(&s->object);
    s->depth++;
    return s->depth > s->list_depth ? keep(s, c) : 0;
}

static int close_bracket(struct json_split *s, char c)
{
    /* An object ends with }, the list around it with ]; what is inside, whoever reads it checks. */
    if (s->depth == 0 || (s->depth == s->list_depth + 1 && c == ']') ||
        (s->depth == s->list_depth && c == '}'))
        return -EINVAL;
    int rc = s->depth > s->list_depth ? keep(s, c) : 0;
    bool whole = s->depth == s->list_depth + 1 && c == '}';
    bool list_over = s->depth == s->list_depth && c == ']';
    s->depth--;
    if (list_over) {
        /* What is left of the object around it is no record. */
        s->list_depth = 0;
        s->ended = s->depth > 0;
        buf_clear(&s->object);
    } else if (whole && s->ended) {
        s->ended = s->depth > 0;
        return 0;
    }
    return rc < 0 ? rc : whole ? 1 : 0;
}

int json_split_feed(struct json_split *s, char c)
{
    if (s->in_string)
        return in_string(s, c);
    switch (c) {
    case '"':
        s->in_string = true;
        if (s->depth > s->list_depth) {
            s->word_at = s->object.n + 1;
            return keep(s, c);
        }
        return 0;
    case '{':
    case '[':
        return open_bracket(s, c);
    case '}':
    case ']':
        return close_bracket(s, c);
    default:
        return s->depth > s->list_depth ? keep(s, c) : 0;
    }
}
