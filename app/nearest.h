/* nearest.h - the known word that a mistyped one was probably meant to be. */
#ifndef APP_NEAREST_H
#define APP_NEAREST_H

#include "base/str.h"

/* Walks words (its i-th, absent behind the last) and returns the one with the fewest letters to
 * add, drop, change or swap; absent when none is near enough to be worth naming. */
typedef struct str (*nearest_word_fn)(const void *ctx, size_t i);
struct str nearest_word(struct str typed, nearest_word_fn word, const void *ctx);

#endif
