/* Codes and addresses in text. */
#include "base/require.h"
#include "parser/mailbox.h"
#include "parser/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_of(data, size), found;
    struct status_codes codes = reply_codes_find(text);
    REQUIRE(codes.status.n == 0 || str_eq(status_leading(codes.status), codes.status));
    REQUIRE(codes.reply == 0 || (codes.reply >= 400 && codes.reply < 600));
    struct arena a = arena_make(1 << 22);
    for (size_t at = 0; mailbox_next(text, &at, &found);)
        REQUIRE(at <= size && str_chr(found, '@', 0) < found.n);
    found = mailbox_typed(&a, text);
    REQUIRE(str_is_utf8(found));
    found = mailbox_first(&a, text);
    REQUIRE(str_is_utf8(found));
    arena_free(&a);
    return 0;
}
