#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARK = 12, PLACES = 64, MOST = 16 << 20 };
static const char mark[MARK + 1] = "@@@@@@@@@@@@";

static char *text;
static size_t size, places[PLACES], places_n;

int message_load(const char *path, bool dot)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    text = malloc(MOST + 3);
    if (text)
        size = fread(text, 1, MOST, f);
    fclose(f);
    if (!text)
        return -1;
    if (dot) {
        memcpy(text + size, ".\r\n", 3);
        size += 3;
    }
    for (char *at = text; places_n < PLACES; at += MARK) {
        at = memmem(at, size - (size_t)(at - text), mark, MARK);
        if (!at)
            break;
        places[places_n++] = (size_t)(at - text);
    }
    return 0;
}

void message_unload(void)
{
    free(text);
}

size_t message_size(void)
{
    return size;
}

void message_write(char *to, unsigned long number)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%0*lu", (int)MARK, number);
    memcpy(to, text, size);
    for (size_t i = 0; i < places_n; i++)
        memcpy(to + places[i], digits, MARK);
}
