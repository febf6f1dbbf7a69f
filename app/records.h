/* records.h - a file of CSV or JSON as records of named fields, one at a time.
 *
 * Names are compared by their letters and digits alone: "Email Address", EmailAddress and
 * email_address are one name. A byte order mark at the begin is skipped, and so is the first line
 * of our own NDJSON, which is about the file. */
#ifndef APP_RECORDS_H
#define APP_RECORDS_H

#include "base/err.h"
#include "base/str.h"

#include <stdio.h>

struct record {
    uint64_t line; /* where it begins */
    size_t n;
    const struct str *names; /* lower-case letters and digits */
    const struct str *values;
};

struct records;

/* Reads as far as the header of a CSV file, or the first object of JSON. -EINVAL: the file is
 * neither, with words. *in stays the caller's. */
int records_open(FILE *in, struct records **ret, struct err *e);
void records_free(struct records *r);

bool records_are_json(const struct records *r);
/* Names of the header, or of the first object; none: an empty file. */
const struct str *records_names(const struct records *r, size_t *ret_n);

/* 1: a record, until the next call; 0: the end; -EBADMSG: this one can't be read (its line is in
 * ret), the next may; other values: the file can't be read on, the text names the line. */
int records_next(struct records *r, struct record *ret, struct err *e);
/* Bytes read so far. */
uint64_t records_bytes(const struct records *r);

/* The field of that name (letters and digits, lower-case) without white space around it; absent
 * when there is none or it is empty. */
struct str record_get(const struct record *r, const char *name);
/* The same with its white space: for texts of our own, which come back as they went out. */
struct str record_raw(const struct record *r, const char *name);
bool names_have(const struct str *names, size_t n, const char *name);

#endif
