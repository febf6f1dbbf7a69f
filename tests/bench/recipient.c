#include "recipient.h"

#include "base/clock.h"
#include "returnpath/returnpath.h"

#include <stdio.h>
#include <string.h>

enum { MARK = 12, MOST = 400 };
static const char mark[MARK + 1] = "@@@@@@@@@@@@";

static struct returnpath_reader *reader;
static struct arena arena;
static char text[MOST], *place;

bool recipient_open(const char *to, bool signs)
{
    static const struct returnpath_domain domain = {.name = STR_INIT("bounces.example.test"),
                                                    .accept = RETURNPATH_ACCEPT_SIGNED};
    char secret[32];
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (char)i;
    struct returnpath_key key = {.id = 'a', .secret = str_of(secret, sizeof secret)};
    const struct returnpath_set_config config = {
        .domains = &domain, .domains_n = 1, .keys = &key, .keys_n = 1};
    struct returnpath_set *set = NULL;
    struct err e;
    snprintf(text, sizeof text, "%s", to);
    if (!signs)
        return true;
    place = strstr(text, mark);
    arena = arena_make(1 << 16);
    bool made =
        returnpath_set_new(&config, &set, &e) == 0 && returnpath_reader_new(set, &reader) == 0;
    returnpath_set_unref(set);
    return made;
}

void recipient_close(void)
{
    returnpath_reader_free(reader);
    if (reader)
        arena_free(&arena);
}

const char *recipient_of(unsigned long number)
{
    char digits[32];
    struct str address;
    struct err e;
    if (!reader)
        return text;
    snprintf(digits, sizeof digits, "%0*lu", (int)MARK, number);
    if (place)
        memcpy(place, digits, MARK);
    arena_reset(&arena);
    struct returnpath_mint mint = {.kind = RETURNPATH_BOUNCE,
                                   .domain = STR("bounces.example.test"),
                                   .recipient = str_c(text),
                                   .day = (uint32_t)(clock_now() / CLOCK_DAY)};
    return returnpath_mint(reader, &arena, &mint, &address, &e) == 0 ? address.p : NULL;
}
