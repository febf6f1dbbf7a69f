/* json.h - JSON objects written a line each (NDJSON), and one read. jansson stays in json.c. */
#ifndef APP_JSON_H
#define APP_JSON_H

#include "base/arena.h"
#include "base/err.h"

#include <stdio.h>

struct json;

/* A new object; NULL when memory ended, which all others accept and json_print reports. */
struct json *json_new(void);
void json_free(struct json *o);

/* An absent string gives null. Bytes that are not UTF-8 become U+FFFD. */
void json_text(struct json *o, const char *key, struct str value);
/* The same, but null for the empty string: for facts that a message did not state. */
void json_fact(struct json *o, const char *key, struct str value);
void json_int(struct json *o, const char *key, int64_t value);
/* A number as text, such as "0.125"; null when it is none, or not finite. */
void json_decimal(struct json *o, const char *key, struct str value);
void json_bool(struct json *o, const char *key, bool value);
/* A list below key; json_item adds an object to it. Both belong to the outermost object. */
struct json *json_list(struct json *o, const char *key);
struct json *json_item(struct json *list);

/* Writes the line and frees the object. 0, or -ENOMEM (nothing was written), -EIO. */
int json_print(struct json *o, FILE *out);

/* The members of an object, at most max of them; copies in a. Words, numbers and booleans have
 * their text; null, lists and objects the empty one. -EBADMSG: text is no object; -ENOMEM. */
int json_fields(struct arena *a, struct str text, size_t max, struct str *names, struct str *values,
                size_t *ret_n, struct err *e);

#endif
