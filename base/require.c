#include "base/require.h"

#include <stdio.h>
#include <stdlib.h>

void require_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "bouncemx: bug: %s:%d: contract broken: %s\n", file, line, expr);
    abort();
}
