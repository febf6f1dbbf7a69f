/* A user's expression (the first line) and a local part (the rest): both any bytes. It compiles or
 * is refused with words, matches in bounded time, and what it finds is clean. */
#include "base/address.h"
#include "base/require.h"
#include "returnpath/pattern.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOCAL_MAX = 64 };

static struct pattern_matcher *matcher_once(void)
{
    static struct pattern_matcher *matcher;
    if (!matcher)
        REQUIRE(pattern_matcher_new(&matcher) == 0);
    return matcher;
}

static void fact_check(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        REQUIRE(ascii_is_alpha(s.p[i]) || ascii_is_digit(s.p[i]) ||
                (s.p[i] && strchr("._-", s.p[i])));
    REQUIRE(s.n <= PATTERN_FACT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct returnpath_domain domain = {.name = STR_INIT("a.example")};
    struct str local = str_of(data, size), regex = str_cut(&local, '\n');
    const struct returnpath_pattern one = {
        .name = STR("p"), .regex = regex, .case_sensitive = size % 2};
    struct pattern *list = NULL;
    struct err e = {0};
    int rc = pattern_list_new(&one, 1, &list, &e);
    if (rc < 0) {
        REQUIRE((rc == -EINVAL || rc == -ENOMEM) && e.text[0] != '\0');
        return 0;
    }
    struct arena a = arena_make(4096);
    struct returnpath got = {.domain = &domain};
    rc = pattern_read(list, 1, matcher_once(), &a, str_sub(local, 0, LOCAL_MAX), &got);
    REQUIRE(rc == 0 || rc == 1);
    if (rc == 0)
        REQUIRE(got.source == RETURNPATH_SOURCE_NONE && got.recipient.n == 0);
    fact_check(got.tenant);
    fact_check(got.stream);
    fact_check(got.campaign);
    fact_check(got.message_id);
    struct address parts;
    REQUIRE(got.recipient.n == 0 || address_split(got.recipient, &parts));
    REQUIRE(!got.verified && got.proof == RETURNPATH_UNSIGNED);
    arena_free(&a);
    pattern_list_free(list, 1);
    return 0;
}
