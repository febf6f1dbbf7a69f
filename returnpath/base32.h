/* base32.h - RFC 4648 section 6 in lower case, without padding. */
#ifndef RETURNPATH_BASE32_H
#define RETURNPATH_BASE32_H

#include "base/str.h"

/* 0 to 31, any case; -1: not of the alphabet. */
int base32_value(char c);
/* All of s is of the alphabet, any case. */
bool base32_is(struct str s);

/* n octets, a multiple of 5, as n / 5 * 8 characters. */
void base32_encode(const unsigned char *from, size_t n, char *to);

/* A number in digits characters, the most significant first. */
void base32_number(uint32_t value, size_t digits, char *to);
/* -1: not of the alphabet. At most 6 characters. */
int32_t base32_to_number(struct str s);

#endif
