/* Any argument of MAIL or RCPT: what is read is a part of it, and an address. */
#include "base/address.h"
#include "base/require.h"
#include "receiver/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int kind = SMTP_PATH_REVERSE; kind <= SMTP_PATH_FORWARD; kind++) {
        struct arena scratch = arena_make(16 * 1024);
        struct str in = str_of(data, size), rest = in, path, keyword, value;
        int rc = smtp_path_read(&scratch, &rest, (enum smtp_path_kind)kind, &path);
        arena_free(&scratch);
        if (rc < 0)
            continue;
        REQUIRE(str_is_utf8(path));
        REQUIRE(path.n <= ADDRESS_MAX && path.n + 2 + rest.n <= size);
        struct address parts;
        if (path.n > 0 && !str_ieq(path, STR("postmaster")))
            REQUIRE(address_split(path, &parts));
        size_t before = rest.n;
        while (smtp_parameter_read(&rest, &keyword, &value) > 0) {
            REQUIRE(keyword.n > 0 && rest.n < before);
            before = rest.n;
        }
    }
    return 0;
}
