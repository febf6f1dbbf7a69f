/* shipped.h - the rules inside the program: the bytes of classify/rules/shipped.rules. */
#ifndef CLASSIFY_SHIPPED_H
#define CLASSIFY_SHIPPED_H

#include "base/str.h"

extern const unsigned char shipped_rules[];
extern const size_t shipped_rules_n;

#endif
