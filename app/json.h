/* json.h - one JSON object a line (NDJSON). jansson stays in json.c. */
#ifndef APP_JSON_H
#define APP_JSON_H

#include "base/str.h"

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

#endif
